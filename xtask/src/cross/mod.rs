//! What building and testing for 64-bit ARM takes: Debian's packages, unpacked into the cache. Nothing gets installed.

mod compiler;
mod emulators;
mod library;
mod root;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::apt::Apt;
use crate::arch::Arch;
use crate::paths;
use crate::process::{self, Log};

pub(crate) use emulators::{system as system_emulator, user as user_emulator};
pub(crate) use root::{path as root, program};

/// Where all of it comes from: the oldest suite whose programs run on every newer one.
const SUITE: &str = "bookworm";
/// Names the packages that a folder was unpacked from; written last, so it also says "complete".
const STAMP: &str = "PACKAGES";

/// One of the things that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The C compiler and linker.
    Compiler,
    /// Rust's standard library.
    Library,
    /// QEMU, for a whole machine and for one program.
    Emulators,
    /// What fills the VMs.
    Guest,
}

impl Part {
    /// What a build takes.
    pub(crate) const FOR_BUILD: [Self; 2] = [Self::Compiler, Self::Library];
    /// What a VM takes besides.
    pub(crate) const FOR_GUEST: [Self; 2] = [Self::Emulators, Self::Guest];

    /// Is it here?
    pub(crate) fn is_there(self) -> bool {
        match self {
            Self::Compiler => is_unpacked(compiler::FOLDER),
            Self::Library => library::find().is_some(),
            Self::Emulators => is_unpacked(emulators::FOLDER),
            Self::Guest => is_unpacked(root::FOLDER),
        }
    }

    /// What it is, in words.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Compiler => "a C compiler for arm64 (Debian's packages, unpacked into the cache)",
            Self::Library => "Rust's standard library for arm64",
            Self::Emulators => "QEMU for arm64 (Debian's packages, unpacked into the cache)",
            Self::Guest => "what fills the VMs, for arm64 (Debian's packages, unpacked into the cache)",
        }
    }

    /// Gets it.
    pub(crate) fn fetch(self, log: &Log) -> Result<()> {
        match self {
            Self::Compiler => compiler::fetch(log),
            Self::Library => library::fetch(log),
            Self::Emulators => emulators::fetch(log),
            Self::Guest => root::fetch(log),
        }
    }
}

/// cargo, for programs of that kind of processor; the caller says what it shall do, and passes `--target` to it for a foreign one.
pub(crate) fn cargo(arch: Arch) -> Result<Command> {
    let mut cargo = match arch {
        Arch::Amd64 => process::command("cargo", [""; 0]),
        Arch::Arm64 => library::find().context("Rust's standard library for arm64 is not here")?.cargo(),
    };
    if arch == Arch::Arm64 {
        cargo
            .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", compiler::cc())
            .env("CC_aarch64_unknown_linux_gnu", compiler::cc())
            .env("AR_aarch64_unknown_linux_gnu", compiler::ar());
    }
    cargo.current_dir(paths::repo());
    Ok(cargo)
}

/// The C compiler.
pub(crate) fn cc(arch: Arch) -> PathBuf {
    if arch == Arch::Arm64 { compiler::cc() } else { "cc".into() }
}

fn folder(name: &str) -> PathBuf {
    paths::cache().join(Arch::Arm64.debian()).join(name)
}

fn is_unpacked(name: &str) -> bool {
    folder(name).join(STAMP).is_file()
}

/// Everything that packages cannot do without, directly or not, by the names that `is_wanted`.
fn closure(apt: &Apt<'_>, packages: &[&str], is_wanted: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    const QUERY: [&str; 8] = [
        "depends",
        "--recurse",
        "--no-recommends",
        "--no-suggests",
        "--no-conflicts",
        "--no-breaks",
        "--no-replaces",
        "--no-enhances",
    ];
    let depends = apt.output("apt-cache", &[&QUERY[..], packages].concat())?;
    // Names stand at the beginnings of lines, and below each what it depends on.
    let mut names: Vec<String> = depends.lines().filter(|name| is_wanted(name)).map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Downloads packages and unpacks them side by side into a folder.
fn unpack(apt: &Apt<'_>, options: &[&str], packages: &[String], work: &Path, log: &Log) -> Result<PathBuf> {
    let names: Vec<&str> = packages.iter().map(String::as_str).collect();
    apt.run("apt-get", &[&["download"], options, &names[..]].concat(), log)?;
    let unpacked = work.join("unpacked");
    for entry in fs::read_dir(work)? {
        let package = entry?.path();
        if package.extension().is_some_and(|extension| extension == "deb") {
            log.run(process::command("dpkg", ["-x"]).arg(&package).arg(&unpacked))?;
        }
    }
    Ok(unpacked)
}

/// Puts a folder in its place in the cache, complete.
fn settle(ready: &Path, name: &str, packages: &[String]) -> Result<()> {
    fs::write(ready.join(STAMP), format!("{}\n", packages.join("\n")))?;
    let target = folder(name);
    if target.exists() {
        fs::remove_dir_all(&target).with_context(|| format!("cannot remove {}", target.display()))?;
    }
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    fs::rename(ready, &target).with_context(|| format!("cannot create {}", target.display()))
}

/// A folder for downloads, on the file system of the cache.
fn work() -> Result<tempfile::TempDir> {
    Ok(tempfile::tempdir_in(paths::cache_folder("tmp")?)?)
}
