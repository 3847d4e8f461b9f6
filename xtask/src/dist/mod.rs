//! `cargo xtask dist`: everything that a release consists of, in target/dist, so that two builds of one commit are the same bytes.

pub(crate) mod architecture;
mod compile;
mod image;
mod libraries;
mod rpm;
mod sbom;
mod tarball;
mod tools;
mod tree;
mod trial;
mod verify;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::counts::Counts;
use crate::package::{self, Programs};
use crate::setup::{self, Wants};
use crate::{commit, paths};
use architecture::Architecture;
use tools::Tools;

/// The version of everything here.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The list of sums, in the form of `sha256sum --check`.
const SUMS: &str = "SHA256SUMS";

/// Arguments of `cargo xtask dist`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Make artefacts for this processor: x86_64 or aarch64; may be repeated [default: x86_64]
    #[arg(long, value_name = "NAME")]
    arch: Vec<String>,
    /// Build the commit a second time, in another folder, and compare every byte
    #[arg(long)]
    verify: bool,
    /// Install each artefact into clean roots of Debian, and use it there; needs root and mmdebstrap
    #[arg(long = "try")]
    trial: bool,
    /// Take the programs as they were built last
    #[arg(long, conflicts_with = "verify")]
    no_build: bool,
}

/// Makes the artefacts, and prints their sums.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut wanted = args.arch.iter().map(|name| Architecture::find(name)).collect::<Result<Vec<_>>>()?;
    if wanted.is_empty() {
        wanted.push(architecture::ALL[0]);
    }
    let changes = commit::changes().unwrap_or_default();
    ensure!(
        changes.is_empty() || !args.verify,
        "the second build is of the commit, and {} files differ from it: commit them first",
        changes.len()
    );
    if !changes.is_empty() {
        eprintln!("dist: {} files differ from the commit; this is no release", changes.len());
    }
    let folder = folder();
    setup::ensure(Wants { build: !args.no_build, package: true, ..Wants::default() })?;
    make(&wanted, !args.no_build, &folder)?;
    print!("{}", fs::read_to_string(folder.join(SUMS))?);
    if args.verify {
        verify::again(&folder, &args.arch)?;
    }
    let mut tried = Counts::default();
    if args.trial {
        for &architecture in wanted.iter().filter(|it| it.runs_here()) {
            tried = tried + trial::run(&folder, architecture)?;
        }
        println!("{} passed, {} failed", tried.passed, tried.failed);
    }
    println!("{}", folder.display());
    Ok(if tried.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where the artefacts lie.
fn folder() -> PathBuf {
    paths::target().join("dist")
}

/// Makes everything anew, for these processors.
fn make(wanted: &[Architecture], build: bool, folder: &Path) -> Result<()> {
    let tools = Tools::get()?;
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // What writes manual pages has to run here, so it is built for this machine in any case.
    let own = architecture::ALL.into_iter().find(|it| it.runs_here());
    let own = own.context("artefacts are made on x86_64 and aarch64")?;
    if build {
        compile::build(&tools, own)?;
    }
    let (native, _) = compile::built(own)?;
    let mut images = Vec::new();
    for &architecture in wanted {
        eprintln!("dist: {}", architecture.name);
        if build && architecture != own {
            compile::build(&tools, architecture)?;
        }
        let (programs, needs) = compile::built(architecture)?;
        let libraries: Vec<_> = needs.libraries.iter().map(String::as_str).collect();
        eprintln!("dist: the program needs glibc {} and {}", needs.glibc, libraries.join(", "));
        package::write_texts(&programs, &native.folder())?;
        pack(&tools, architecture, &programs, folder)?;
        let image = image::make(architecture, &programs, &needs)?;
        println!("image for {}: {}", architecture.debian, image.sizes());
        let name = image::file_name(VERSION, Some(architecture));
        images.push(image);
        write(folder, &name, &image::archive(&images[images.len() - 1..], commit::time()?)?)?;
    }
    if images.len() > 1 {
        let archive = image::archive(&images, commit::time()?)?;
        write(folder, &image::file_name(VERSION, None), &archive)?;
    }
    write(folder, SUMS, sums(folder)?.as_bytes())
}

/// Packs the programs of one architecture in each form.
fn pack(tools: &Tools, architecture: Architecture, programs: &Programs, folder: &Path) -> Result<()> {
    let name = tarball::folder(VERSION, architecture);
    let tree = tarball::tree(programs, &name)?;
    let lacks: Vec<_> =
        tarball::WHOLE.iter().filter(|it| tree.bytes(&format!("{name}/{it}")).is_none()).collect();
    ensure!(lacks.is_empty(), "the archive lacks {lacks:?}");
    write(folder, &format!("{name}.tar.gz"), &tree::gzip(&tree.tar(commit::time()?)?)?)?;

    let mut cargo = tools.cargo("deb")?;
    cargo.args(["--variant", "dist", "--output"]).arg(folder);
    package::pack_with(cargo, programs, architecture.runs_here())?;

    rpm::pack(tools, programs, architecture, VERSION, folder)?;

    let sbom = sbom::text(VERSION, architecture)?;
    write(folder, &format!("sockleak-{VERSION}-{}.cdx.json", architecture.name), sbom.as_bytes())
}

/// A line for each file of a folder, sorted: its sum and its name.
fn sums(folder: &Path) -> Result<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend((name != SUMS).then_some(name));
    }
    names.sort();
    let line = |name: &String| Ok(format!("{}  {name}\n", tree::sha256(&tree::read(&folder.join(name))?)));
    names.iter().map(line).collect()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_sorted_and_leave_their_own_file_out() {
        let folder = tempfile::tempdir().expect("there is room");
        for name in ["b.rpm", "a.deb", SUMS] {
            write(folder.path(), name, b"abc").expect("it can be written");
        }
        let sum = tree::sha256(b"abc");
        assert_eq!(sums(folder.path()).expect("it can be read"), format!("{sum}  a.deb\n{sum}  b.rpm\n"));
    }
}
