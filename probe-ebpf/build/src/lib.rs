//! For build scripts: builds the eBPF objects of `probe-ebpf` into the output folder of the package that embeds them.

use std::{
    env, fs,
    io::ErrorKind,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use aya_build::{Package, Toolchain};

/// Name of the toolchain that `cargo xtask setup` links where there is no nightly with `core`'s source.
const LINKED: &str = "ebpf";

/// Builds the binaries that these features call for; `root` is the way from the embedding package to `probe-ebpf`.
///
/// # Errors
/// If there is no compiler for them, or they do not compile.
pub fn build(root: &str, features: &[&str]) -> anyhow::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    // aya-build names this package alone.
    println!("cargo:rerun-if-changed={root}/../userspace/crates/abi");
    let toolchain = if has_toolchain(LINKED) { Toolchain::Custom(LINKED) } else { Toolchain::Nightly };
    // For the child build alone: building `core` is unstable, and a stable compiler must be told to allow it.
    // SAFETY: build scripts have one thread.
    unsafe { env::set_var("RUSTC_BOOTSTRAP", "1") };
    share_builds(&features.join("-"))?;
    let probe = Package { name: "probe-ebpf", root_dir: root, features, ..Package::default() };
    aya_build::build_ebpf([probe], toolchain)
        .context("the kernel side did not build; `cargo xtask setup` installs what it needs")
}

/// Has aya-build use one target folder for each choice of features. By itself it takes one for each profile of the embedding package,
/// and builds `core` and the same object anew for each, for half a minute.
fn share_builds(features: &str) -> anyhow::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo names no OUT_DIR")?);
    // TARGET/PROFILE/build/PACKAGE/out
    let target = out.ancestors().nth(4).context("OUT_DIR is not where cargo has it")?;
    let (shared, place) = (target.join("ebpf").join(features), out.join("aya-build"));
    fs::create_dir_all(&shared).with_context(|| format!("cannot make {}", shared.display()))?;
    fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
    link(&shared, &place.join("target"))
}

/// Makes a link, where none is yet. An earlier version had a folder there.
fn link(target: &Path, place: &Path) -> anyhow::Result<()> {
    if fs::symlink_metadata(place).is_ok_and(|it| it.is_dir()) {
        fs::remove_dir_all(place).with_context(|| format!("cannot remove {}", place.display()))?;
    }
    match symlink(target, place) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("cannot link {}", place.display()))
        }
        _ => Ok(()),
    }
}

fn has_toolchain(name: &str) -> bool {
    let list = Command::new("rustup").args(["toolchain", "list"]).output();
    list.is_ok_and(|list| {
        String::from_utf8_lossy(&list.stdout).lines().any(|line| line.split(' ').next() == Some(name))
    })
}
