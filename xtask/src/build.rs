//! Building, and what goes into the VMs.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::arch::Arch;
use crate::setup::{self, Wants};
use crate::{cross, paths, process};

/// The programs that run in the VMs of tests, and those of the package. Always all of them: cargo chooses the features of dependencies for
/// what is built at a time, and another choice would be another build of minutes.
pub(crate) const FOR_TESTS: [&str; 4] = ["sockleak", "manual", "workload", "scenarios"];

/// Arguments of `cargo xtask build`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to build for: x86_64-unknown-linux-gnu or aarch64-unknown-linux-gnu
    #[arg(long, value_name = "TRIPLE", default_value = Arch::Amd64.triple(), value_parser = parse_target)]
    target: Arch,
    /// Optimise
    #[arg(long)]
    release: bool,
}

fn parse_target(triple: &str) -> Result<Arch> {
    let known = || Arch::value_variants().iter().map(|arch| arch.triple()).collect::<Vec<_>>().join(" and ");
    Arch::of_triple(triple).with_context(|| format!("sockleak is built for {}", known()))
}

/// Builds sockleak, and says where it is.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    setup::ensure(Wants { build: true, cross: args.target == Arch::Arm64, ..Wants::default() })?;
    let mut cargo = start(args.target)?;
    cargo.args(["--package", "sockleak"]);
    let profile = if args.release { "release" } else { "debug" };
    if args.release {
        cargo.arg("--release");
    }
    process::run(&mut cargo)?;
    let folder = match args.target {
        Arch::Amd64 => paths::target(),
        arch @ Arch::Arm64 => paths::target().join(arch.triple()),
    };
    println!("{}", folder.join(profile).join("sockleak").display());
    Ok(ExitCode::SUCCESS)
}

/// A command that builds for a kind of processor.
fn start(arch: Arch) -> Result<Command> {
    let mut cargo = cross::cargo(arch)?;
    cargo.arg("build");
    if arch != Arch::Amd64 {
        cargo.args(["--target", arch.triple()]);
    }
    Ok(cargo)
}

/// Builds packages of this workspace for release.
pub(crate) fn release(packages: &[&str]) -> Result<()> {
    release_for(Arch::Amd64, packages)
}

/// Builds packages of this workspace for release, and for a kind of processor.
pub(crate) fn release_for(arch: Arch, packages: &[&str]) -> Result<()> {
    let mut cargo = start(arch)?;
    cargo.args(["--release", "--quiet"]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    process::run(&mut cargo)
}

/// How the demo builds: packages, and the programs of them that it shows. By the profile `dev`, as xtask itself is built: what both
/// need is built once, and nothing is optimised. Half of the time of a release build is the optimiser's, and the demo shows the same.
pub(crate) const FOR_DEMO: [&str; 8] =
    ["--package", "sockleak", "--package", "workload", "--bin", "sockleak", "--bin", "demo-client"];

/// Builds what the demo shows; gives the folder with its programs. An emulated processor takes long for what is not optimised, and tests
/// need the rest of the release as well.
pub(crate) fn for_demo(arch: Arch) -> Result<PathBuf> {
    if arch != Arch::Amd64 {
        release_for(arch, &FOR_TESTS)?;
        return Ok(paths::release_for(arch));
    }
    let mut cargo = process::command("cargo", ["build", "--quiet"]);
    process::run(cargo.args(FOR_DEMO).current_dir(paths::repo()))?;
    Ok(paths::debug())
}

/// Programs that leak from a known line, for the stacks. Built as users build theirs: optimised, with debug information, and in
/// C without frame pointers.
pub(crate) fn leaks(arch: Arch) -> Result<Vec<PathBuf>> {
    let sources = paths::repo().join("tests/workload/stacks");
    let out = paths::release_for(arch).join("stacks");
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let mut programs = Vec::new();
    for name in ["leak", "suite"] {
        let (c, go) = (out.join(format!("{name}-c")), out.join(format!("{name}-go")));
        let cc = cross::cc(arch).display().to_string();
        let mut compiler = process::command(&cc, ["-O2", "-g", "-fomit-frame-pointer", "-o"]);
        process::run(compiler.arg(&c).arg(sources.join(format!("{name}.c"))))?;
        let mut compiler = process::command("go", ["build", "-o"]);
        let compiler = compiler.arg(&go).arg(sources.join(format!("{name}.go")));
        process::run(
            compiler
                .env("GO111MODULE", "off")
                .env("GOCACHE", out.join("go-cache"))
                .env("GOFLAGS", "")
                .env("GOARCH", arch.go()),
        )?;
        let script = format!("{name}.py");
        let python = out.join(&script);
        fs::copy(sources.join(&script), &python)
            .with_context(|| format!("cannot write {}", python.display()))?;
        programs.extend([c, go, python]);
    }
    Ok(programs)
}

/// What Debian's Python needs to run a program that imports nothing but what is built in: itself and a folder, as they lie below
/// [`cross::root`].
pub(crate) fn python(arch: Arch) -> Result<(PathBuf, PathBuf)> {
    let root = cross::root(arch);
    let program = root.join(setup::PYTHON.trim_start_matches('/'));
    let program = program.canonicalize().context("Debian's python3 is not here")?;
    let name = program.file_name().context("python3 has no name")?;
    let encodings = root.join("usr/lib").join(name).join("encodings");
    Ok((program, encodings))
}
