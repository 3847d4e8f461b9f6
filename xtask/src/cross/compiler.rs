//! Debian's C compiler and linker for 64-bit ARM, with the C library that they link.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{SUITE, closure, folder, settle, unpack, work};
use crate::apt::{self, Apt};
use crate::arch::Arch;
use crate::process::Log;

pub(super) const FOLDER: &str = "cross";
const PACKAGES: [&str; 2] = ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"];
/// Programs by the names under which they are started, and what they are.
const PROGRAMS: [(&str, &str); 2] =
    [("cc", "usr/bin/aarch64-linux-gnu-gcc\" --sysroot=\"$here"), ("ar", "usr/bin/aarch64-linux-gnu-ar")];

/// The compiler, which is the linker as well.
pub(super) fn cc() -> PathBuf {
    folder(FOLDER).join(PROGRAMS[0].0)
}

/// What makes archives.
pub(super) fn ar() -> PathBuf {
    folder(FOLDER).join(PROGRAMS[1].0)
}

pub(super) fn fetch(log: &Log) -> Result<()> {
    let work = work()?;
    let apt = Apt::read(work.path(), Arch::Amd64, &apt::mirror(), &[SUITE], log)?;
    let is_wanted = |name: &str| {
        ["aarch64-linux-gnu", "arm64-cross"].iter().any(|end| name.ends_with(end)) && !name.starts_with(' ')
    };
    let packages = closure(&apt, &PACKAGES, is_wanted)?;
    let unpacked = unpack(&apt, &[], &packages, work.path(), log)?;
    for (name, program) in PROGRAMS {
        write_program(&unpacked, name, program)?;
    }
    settle(&unpacked, FOLDER, &packages)
}

/// They look for their libraries and for what they link in the root: they are told where they are.
fn write_program(folder: &Path, name: &str, program: &str) -> Result<()> {
    let script = format!(
        "#!/bin/sh\nhere=$(dirname \"$0\")\n\
         LD_LIBRARY_PATH=\"$here/usr/lib/x86_64-linux-gnu\" exec \"$here/{program}\" \"$@\"\n"
    );
    let place = folder.join(name);
    fs::write(&place, script).with_context(|| format!("cannot write {}", place.display()))?;
    Ok(fs::set_permissions(&place, fs::Permissions::from_mode(0o755))?)
}
