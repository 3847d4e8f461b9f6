//! Rust's standard library for 64-bit ARM: rustup's, or Debian's for the compiler that comes from there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{STAMP, folder, settle, unpack, work};
use crate::apt::{self, Apt};
use crate::arch::Arch;
use crate::paths;
use crate::process::{self, Log};
use crate::toolchain;

const FOLDER: &str = "rust";
/// The suite in which Debian has its compiler for web browsers.
const SUITE: &str = "bookworm-security";
const PACKAGE: &str = "libstd-rust-web-dev";
/// The package of the compiler that the library must fit.
const COMPILER: &str = "rustc-web";
const ANSWER: Duration = Duration::from_secs(30);

/// Which compiler has the library.
pub(super) enum Library {
    /// The repository's own toolchain.
    Own,
    /// The one that rustup knows by this name, with libraries from that folder.
    Unpacked(&'static str, PathBuf),
}

impl Library {
    pub(super) fn cargo(&self) -> Command {
        match self {
            Self::Own => process::command("cargo", [""; 0]),
            Self::Unpacked(toolchain, sysroot) => {
                let mut cargo = process::command("rustup", ["run", toolchain, "cargo"]);
                let flags = format!("--sysroot={}", sysroot.display());
                cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS", flags);
                cargo
            }
        }
    }
}

/// The library that is here, if there is one.
pub(super) fn find() -> Option<Library> {
    let sysroot =
        process::ask(process::command("rustc", ["--print", "sysroot"]).current_dir(paths::repo()), ANSWER);
    if sysroot.is_some_and(|sysroot| libraries(Path::new(sysroot.trim()), Arch::Arm64).is_dir()) {
        return Some(Library::Own);
    }
    let stamp = fs::read_to_string(folder(FOLDER).join(STAMP)).ok()?;
    let wanted = package()?;
    let toolchain = toolchain::find()?.name;
    (stamp.trim() == wanted).then(|| Library::Unpacked(toolchain, folder(FOLDER)))
}

/// Where a compiler has the libraries for a kind of processor.
fn libraries(sysroot: &Path, arch: Arch) -> PathBuf {
    sysroot.join("lib/rustlib").join(arch.triple()).join("lib")
}

/// The package of the same version as the compiler, as apt takes it.
fn package() -> Option<String> {
    let query = ["--show", "--showformat=${Version}", COMPILER];
    let version = process::ask(&mut process::command("dpkg-query", query), ANSWER)?;
    Some(format!("{PACKAGE}={}", version.trim()))
}

pub(super) fn fetch(log: &Log) -> Result<()> {
    // As for the compiler itself: of Debian where it has it. That leaves the machine's toolchains as they are.
    let Some(package) = package() else {
        let mut rustup = process::command("rustup", ["target", "add", Arch::Arm64.triple()]);
        return log.run(rustup.current_dir(paths::repo()));
    };
    let work = work()?;
    let apt = Apt::read(work.path(), Arch::Arm64, &apt::security_mirror(), &[SUITE], log)?;
    let packages = [package];
    let unpacked = unpack(&apt, &[], &packages, work.path(), log)?;
    let ready = work.path().join("ready");
    fs::create_dir_all(ready.join("lib/rustlib"))?;
    let from = unpacked.join("usr/lib/rustlib").join(Arch::Arm64.triple());
    ensure!(from.is_dir(), "{PACKAGE} holds no library for {}", Arch::Arm64.triple());
    fs::rename(&from, ready.join("lib/rustlib").join(Arch::Arm64.triple()))?;
    // Macros run on this machine.
    let own = Path::new("/usr/lib/rustlib").join(Arch::Amd64.triple());
    symlink(own, ready.join("lib/rustlib").join(Arch::Amd64.triple()))?;
    settle(&ready, FOLDER, &packages)
}
