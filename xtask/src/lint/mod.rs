//! `cargo xtask lint`: everything that is checked without running sockleak.

mod btf;
mod lengths;
mod prototypes;

use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::setup::{self, Wants, toolchain};
use crate::vm::kernels;
use crate::{paths, process};

/// A check: its name, and what tells whether all is well.
type Check = (&'static str, fn() -> Result<()>);

/// Runs every check, whatever the others found.
pub(crate) fn run() -> Result<()> {
    let all: Vec<&str> = kernels::SERIES.iter().map(|series| series.name).collect();
    setup::ensure(Wants { build: true, clippy: true, kernels: &all, ..Wants::default() })?;
    let checks: [Check; 6] = [
        ("format", format),
        ("file lengths", lengths::check),
        ("hook prototypes", prototypes::check),
        ("clippy", clippy),
        ("clippy of the kernel side", clippy_probe),
        ("documentation", documentation),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        let started = Instant::now();
        match check() {
            Ok(()) => println!("ok   {name} ({} s)", started.elapsed().as_secs()),
            Err(error) => {
                println!("FAIL {name}: {error:#}");
                failed.push(name);
            }
        }
    }
    if !failed.is_empty() {
        bail!("lint: {} of {} checks failed: {}", failed.len(), checks.len(), failed.join(", "));
    }
    println!("lint: all {} checks passed", checks.len());
    Ok(())
}

fn cargo(arguments: &str) -> Command {
    let mut cargo = process::command("cargo", arguments.split(' '));
    cargo.current_dir(paths::repo());
    cargo
}

fn format() -> Result<()> {
    process::run(&mut cargo("fmt --all --check"))
}

fn clippy() -> Result<()> {
    process::run(&mut cargo("clippy --quiet --workspace --exclude probe-ebpf --all-targets -- -D warnings"))?;
    process::run(&mut cargo("clippy --quiet --package probe-ebpf --lib -- -D warnings"))
}

/// The kernel side is another target and another compiler: a target folder of its own keeps builds apart.
fn clippy_probe() -> Result<()> {
    let Some(toolchain) = toolchain::find() else { bail!("there is no compiler for the kernel side") };
    if !toolchain.has_clippy() {
        bail!("toolchain `{}` has no clippy", toolchain.name);
    }
    let arguments = "cargo clippy --quiet --package probe-ebpf --bins --features ebpf,floor -Z build-std=core \
                     --target bpfel-unknown-none -- -D warnings";
    let mut clippy = process::command("rustup", ["run", toolchain.name]);
    clippy
        .args(arguments.split_whitespace())
        .current_dir(paths::repo())
        .env("CARGO_TARGET_DIR", paths::target().join("lint-ebpf"))
        // -Z build-std is a nightly feature; Debian's compiler is a stable one.
        .env("RUSTC_BOOTSTRAP", "1")
        // What aya-build tells aya-ebpf: whose registers the programs read.
        .env("RUSTFLAGS", format!("--cfg=bpf_target_arch=\"{}\"", std::env::consts::ARCH))
        .env("CARGO_CFG_BPF_TARGET_ARCH", std::env::consts::ARCH);
    process::run(&mut clippy)
}

fn documentation() -> Result<()> {
    let arguments = "doc --quiet --no-deps --workspace --document-private-items";
    process::run(cargo(arguments).env("RUSTDOCFLAGS", "-D warnings"))
}
