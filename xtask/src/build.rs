//! Building what goes into the VMs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{paths, process};

/// The programs that run in the VMs of tests, and those of the package. Always all of them: cargo chooses the features of dependencies for
/// what is built at a time, and another choice would be another build of minutes.
pub(crate) const FOR_TESTS: [&str; 4] = ["sockleak", "manual", "workload", "scenarios"];

/// Builds packages of this workspace for release.
pub(crate) fn release(packages: &[&str]) -> Result<()> {
    let mut cargo = process::command("cargo", ["build", "--release", "--quiet"]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    process::run(cargo.current_dir(paths::repo()))
}

/// How the demo builds: packages, and the programs of them that it shows. By the profile `dev`, as xtask itself is built: what both
/// need is built once, and nothing is optimised. Half of the time of a release build is the optimiser's, and the demo shows the same.
pub(crate) const FOR_DEMO: [&str; 8] =
    ["--package", "sockleak", "--package", "workload", "--bin", "sockleak", "--bin", "demo-client"];

/// Builds what the demo shows; gives the folder with its programs.
pub(crate) fn for_demo() -> Result<PathBuf> {
    let mut cargo = process::command("cargo", ["build", "--quiet"]);
    process::run(cargo.args(FOR_DEMO).current_dir(paths::repo()))?;
    Ok(paths::debug())
}

/// Programs that leak from a known line, for the stacks. Built as users build theirs: optimised, with debug information, and in
/// C without frame pointers.
pub(crate) fn leaks() -> Result<Vec<PathBuf>> {
    let sources = paths::repo().join("tests/workload/stacks");
    let out = paths::release().join("stacks");
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let mut programs = Vec::new();
    for name in ["leak", "suite"] {
        let (c, go) = (out.join(format!("{name}-c")), out.join(format!("{name}-go")));
        let mut compiler = process::command("cc", ["-O2", "-g", "-fomit-frame-pointer", "-o"]);
        process::run(compiler.arg(&c).arg(sources.join(format!("{name}.c"))))?;
        let mut compiler = process::command("go", ["build", "-o"]);
        let compiler = compiler.arg(&go).arg(sources.join(format!("{name}.go")));
        process::run(
            compiler.env("GO111MODULE", "off").env("GOCACHE", out.join("go-cache")).env("GOFLAGS", ""),
        )?;
        let script = format!("{name}.py");
        let python = out.join(&script);
        fs::copy(sources.join(&script), &python)
            .with_context(|| format!("cannot write {}", python.display()))?;
        programs.extend([c, go, python]);
    }
    Ok(programs)
}

/// What Debian's Python needs to run a program that imports nothing but what is built in.
pub(crate) fn python() -> Result<(PathBuf, PathBuf)> {
    let program =
        Path::new(crate::setup::PYTHON).canonicalize().context("Debian's python3 is not on this machine")?;
    let name = program.file_name().context("python3 has no name")?;
    let encodings = Path::new("/usr/lib").join(name).join("encodings");
    Ok((program, encodings))
}
