//! For build scripts: builds this package's eBPF objects into the output folder of the package that embeds them.

use std::process::Command;

use anyhow::Context as _;
use aya_build::{Package, Toolchain};

/// Name of the toolchain that `cargo xtask setup` links where there is no nightly with `core`'s source.
const LINKED: &str = "ebpf";

/// Builds the binaries that these features call for; `root` is the way from the embedding package to this one.
pub(crate) fn build(root: &str, features: &[&str]) -> anyhow::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    let toolchain = if has_toolchain(LINKED) { Toolchain::Custom(LINKED) } else { Toolchain::Nightly };
    // For the child build alone: building `core` is unstable, and a stable compiler must be told to allow it.
    // SAFETY: build scripts have one thread.
    unsafe { std::env::set_var("RUSTC_BOOTSTRAP", "1") };
    let probe = Package { name: "probe-ebpf", root_dir: root, features, ..Package::default() };
    aya_build::build_ebpf([probe], toolchain)
        .context("the kernel side did not build; `cargo xtask setup` installs what it needs")
}

fn has_toolchain(name: &str) -> bool {
    let list = Command::new("rustup").args(["toolchain", "list"]).output();
    list.is_ok_and(|list| {
        String::from_utf8_lossy(&list.stdout).lines().any(|line| line.split(' ').next() == Some(name))
    })
}
