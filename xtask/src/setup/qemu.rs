//! QEMU: whether the one that is here can be relied on, and getting one that can.
//!
//! Until 8.1 QEMU read guest code while it translated it without keeping other processors from writing to it. A kernel
//! that attaches a probe patches its code step by step, a breakpoint first; a processor that translated the breakpoint just
//! as it was overwritten kept the translation, and hit it when no probe was there any more. The guest then
//! panicked at the entry of a probed function although its memory held no breakpoint there (seen once in some hundred
//! boots with 7.2). With 10.0 it is rarer, and has not gone: a boot that ended so is run again, see `vm::Verdict`.

use std::time::Duration;

use anyhow::Result;

use crate::apt::{self, Apt};
use crate::arch::Arch;
use crate::process::{self, Log};
use crate::{paths, setup::packages};

const PROGRAM: &str = "qemu-system-x86_64";
const PACKAGE: &str = "qemu-system-x86";
/// The first release in which code that other processors patch is translated rightly.
const NEEDED: (u32, u32) = (8, 1);
/// Debian 12 has 7.2, and a newer one in its backports.
const OLD_SUITE: &str = "bookworm";

/// Is a QEMU here that can be relied on?
pub(super) fn is_there() -> bool {
    let Some(program) = paths::program(PROGRAM) else { return false };
    let program = program.display().to_string();
    let answer = process::ask(&mut process::command(&program, ["--version"]), Duration::from_secs(20));
    answer.and_then(|answer| version(&answer)).is_some_and(|version| version >= NEEDED)
}

/// What is missing, in words.
pub(super) fn title() -> String {
    format!("QEMU {}.{} or later, which runs the VMs: {PACKAGE}", NEEDED.0, NEEDED.1)
}

/// How to get it by hand.
pub(super) fn by_hand() -> String {
    let suite = if is_old_suite() { format!("-t {OLD_SUITE}-backports ") } else { String::new() };
    format!("sudo apt-get install {suite}{PACKAGE}")
}

/// Installs it.
pub(super) fn install(log: &Log) -> Result<()> {
    if !is_old_suite() {
        return packages::install(&[PACKAGE], log);
    }
    let work = tempfile::tempdir_in(paths::cache_folder("tmp")?)?;
    let backports = format!("{OLD_SUITE}-backports");
    let apt = Apt::read(work.path(), Arch::Amd64, &apt::mirror(), &[OLD_SUITE, &backports], log)?;
    let install = ["install", "--yes", "--no-install-recommends", "--target-release", &backports, PACKAGE];
    apt.run("apt-get", &install, log)
}

fn is_old_suite() -> bool {
    apt::own_suite().as_deref() == Some(OLD_SUITE)
}

/// Major and minor version from what `--version` prints.
fn version(answer: &str) -> Option<(u32, u32)> {
    let words = answer.split_once("version ")?.1;
    let mut numbers = words.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        let debian =
            |version: &str| format!("QEMU emulator version {version} (Debian 1:{version}+dfsg-7)\nCopyright");
        for (text, good) in [("7.2.22", false), ("8.0.5", false), ("8.1.0", true), ("10.0.2", true)] {
            assert_eq!(version(&debian(text)).is_some_and(|version| version >= NEEDED), good, "{text}");
        }
        assert_eq!(version("no such thing"), None);
    }
}
