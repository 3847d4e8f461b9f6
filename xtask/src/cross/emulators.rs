//! QEMU for 64-bit ARM: of a whole machine, and of one program.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{SUITE, folder, settle, unpack, work};
use crate::apt::{self, Apt};
use crate::arch::Arch;
use crate::process::Log;

pub(super) const FOLDER: &str = "qemu";
const PACKAGES: [&str; 2] = ["qemu-system-arm", "qemu-user"];
const SYSTEM: &str = "qemu-system-aarch64";
const USER: &str = "qemu-aarch64";

/// The program that emulates a whole machine. Its libraries are those of the QEMU for this machine's own kind.
pub(crate) fn system() -> PathBuf {
    folder(FOLDER).join(SYSTEM)
}

/// The program that runs one program.
pub(crate) fn user() -> PathBuf {
    folder(FOLDER).join(USER)
}

pub(super) fn fetch(log: &Log) -> Result<()> {
    let work = work()?;
    let own = apt::own_suite().unwrap_or_else(|| SUITE.to_owned());
    let backports = format!("{own}-backports");
    // Debian 12 has one that is too old, and a newer one in its backports: see setup::qemu.
    let is_old = own == SUITE;
    let suites = if is_old { vec![own.as_str(), &backports] } else { vec![own.as_str()] };
    let apt = Apt::read(work.path(), Arch::Amd64, &apt::mirror(), &suites, log)?;
    let options = if is_old { vec!["--target-release", &backports] } else { Vec::new() };
    let packages = PACKAGES.map(str::to_owned);
    let unpacked = unpack(&apt, &options, &packages, work.path(), log)?;
    let ready = work.path().join("ready");
    fs::create_dir_all(&ready)?;
    for program in [SYSTEM, USER] {
        fs::rename(unpacked.join("usr/bin").join(program), ready.join(program))
            .with_context(|| format!("no package holds {program}"))?;
    }
    settle(&ready, FOLDER, &packages)
}
