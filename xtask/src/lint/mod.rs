//! `cargo xtask lint`: everything that is checked without running sockleak.

mod btf;
mod prototypes;

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};
use cargo_metadata::{MetadataCommand, Target};

use crate::setup::{self, Wants};
use crate::toolchain;
use crate::vm::kernels;
use crate::{paths, process};

/// Arguments of `cargo xtask lint`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print which modules use which, and all circles of files; check nothing
    #[arg(long)]
    graph: bool,
}

/// A check: its name, and what tells whether all is well.
type Check = (&'static str, fn() -> Result<()>);

/// What takes seconds, and needs nothing that `cargo xtask setup` installs.
const QUICK: [Check; 2] = [("format", format), ("sources", sources)];

/// What compiles, or reads the kernels.
const SLOW: [Check; 4] = [
    ("hook prototypes", prototypes::check),
    ("clippy", clippy),
    ("clippy of the kernel side", clippy_probe),
    ("documentation", documentation),
];

/// Runs every check, or prints the graph of imports.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.graph {
        return process::run(&mut cargo("run --quiet --package xtask-lint -- --graph"));
    }
    let all: Vec<&str> = kernels::SERIES.iter().map(|series| series.name).collect();
    setup::ensure(Wants { build: true, clippy: true, kernels: &all, ..Wants::default() })?;
    check(&[&QUICK[..], &SLOW].concat())
}

/// Runs the quick checks.
pub(crate) fn quick() -> Result<()> {
    check(&QUICK)
}

/// Runs checks, each of them whatever the others found.
fn check(checks: &[Check]) -> Result<()> {
    let mut failed = Vec::new();
    for (name, check) in checks {
        let started = Instant::now();
        match check() {
            Ok(()) => println!("ok   {name} ({} s)", started.elapsed().as_secs()),
            Err(error) => {
                println!("FAIL {name}: {error:#}");
                failed.push(*name);
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

/// The checks that read sources alone. They are a program of their own: what it is made of takes a while to build.
fn sources() -> Result<()> {
    process::run(&mut cargo("run --quiet --package xtask-lint"))
}

fn clippy() -> Result<()> {
    process::run(&mut cargo("clippy --quiet --workspace --exclude probe-ebpf --all-targets -- -D warnings"))
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

/// With the examples, cargo chooses for dependencies the features that clippy had them checked with, and does not check them again.
fn documentation() -> Result<()> {
    let arguments =
        "doc --quiet --no-deps --workspace --exclude probe-ebpf --document-private-items --lib --examples";
    let mut everything = cargo(arguments);
    for name in binaries()? {
        everything.args(["--bin", &name]);
    }
    process::run(everything.env("RUSTDOCFLAGS", "-D warnings"))
}

/// The workspace's programs, but for the kernel side, and for those whose documentation would be in the place of a library's.
fn binaries() -> Result<BTreeSet<String>> {
    let mut command = MetadataCommand::new();
    let metadata = command.manifest_path(paths::repo().join("Cargo.toml")).no_deps().exec()?;
    let packages = metadata.packages.iter().filter(|package| *package.name != "probe-ebpf");
    let targets: Vec<_> = packages.flat_map(|package| &package.targets).collect();
    let names = |is: fn(&Target) -> bool| -> BTreeSet<String> {
        targets.iter().filter(|target| is(target)).map(|target| target.name.clone()).collect()
    };
    Ok(&names(Target::is_bin) - &names(Target::is_lib))
}
