//! Programs of 64-bit ARM with their libraries, which go into the VMs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{SUITE, closure, folder, settle, unpack, work};
use crate::apt::{self, Apt};
use crate::arch::Arch;
use crate::paths;
use crate::process::Log;

pub(super) const FOLDER: &str = "root";
/// The same programs as of this machine: see setup::packages.
const PACKAGES: [&str; 5] = ["busybox-static", "haproxy", "libc-bin", "python3-minimal", "socat"];
/// Libraries of these would be as large as everything else, and nothing that runs needs them.
const NEEDLESS: [&str; 3] = ["libperl", "libicu", "libllvm"];

/// Where programs of that kind and their libraries are: this machine's root, or a folder of the cache.
pub(crate) fn path(arch: Arch) -> PathBuf {
    if arch == Arch::Arm64 { folder(FOLDER) } else { "/".into() }
}

/// A program for a guest, by its name.
pub(crate) fn program(arch: Arch, name: &str) -> Result<PathBuf> {
    match arch {
        Arch::Amd64 => paths::program(name).with_context(|| format!("{name} is not on this machine")),
        Arch::Arm64 => ["usr/bin", "usr/sbin", "bin", "sbin"]
            .iter()
            .map(|place| path(arch).join(place).join(name))
            .find(|file| file.is_file())
            .with_context(|| format!("{name} for arm64 is not here: run `cargo xtask setup --arch arm64`")),
    }
}

pub(super) fn fetch(log: &Log) -> Result<()> {
    let work = work()?;
    let apt = Apt::read(work.path(), Arch::Arm64, &apt::mirror(), &[SUITE], log)?;
    let is_wanted = |name: &str| {
        let is_library = ["lib", "zlib", "python3"].iter().any(|start| name.starts_with(start));
        let is_needless = NEEDLESS.iter().any(|start| name.starts_with(start)) || name.ends_with("-perl");
        PACKAGES.contains(&name) || is_library && !is_needless
    };
    let packages = closure(&apt, &PACKAGES, is_wanted)?;
    let unpacked = unpack(&apt, &[], &packages, work.path(), log)?;
    settle(Path::new(&unpacked), FOLDER, &packages)
}
