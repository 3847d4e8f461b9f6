//! The programs that build and pack for other machines: Zig, by whose C compiler and glibc stubs cargo links for an old glibc or another
//! processor, and the packer of RPM. They lie in the cache; nothing is installed on this machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{self, Log};
use crate::{commit, paths};

/// Wheels of PyPI. Zig's version decides the bytes that SQLite and ring become: it changes on purpose alone.
const WHEELS: [&str; 2] = ["cargo-zigbuild==0.24.1", "ziglang==0.17.1"];
/// The packer of RPM and its version, from crates.io.
const RPM: (&str, &str) = ("cargo-generate-rpm", "0.21.1");

/// What builds and packs.
pub(super) struct Tools {
    /// Programs of the wheels.
    programs: PathBuf,
    zig: PathBuf,
    /// Programs that cargo installed.
    packers: PathBuf,
    /// Zig's own cache.
    cache: PathBuf,
}

impl Tools {
    /// Gets what is not in the cache.
    ///
    /// # Errors
    /// If that fails.
    pub(super) fn get() -> Result<Self> {
        let folder = paths::cache_folder("dist")?;
        let log = Log::create("dist")?;
        let python = folder.join("python");
        let zig = match zig(&python) {
            Some(zig) => zig,
            None => install_wheels(&python, &log)?,
        };
        let packers = folder.join("tools");
        if !has_rpm(&packers) {
            install_rpm(&packers, &folder, &log)?;
        }
        Ok(Self {
            programs: python.join("bin"),
            zig,
            packers: packers.join("bin"),
            cache: folder.join("zig"),
        })
    }

    /// cargo, as if Zig and the packers were on `PATH`. What is built or packed gets the commit's time.
    ///
    /// # Errors
    /// If the commit's time is not known.
    pub(super) fn cargo(&self, subcommand: &str) -> Result<Command> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = [self.programs.clone(), self.packers.clone()];
        let path: OsString = std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&path)))?;
        let mut cargo = process::command("cargo", [subcommand]);
        cargo
            .current_dir(paths::repo())
            .env("PATH", path)
            .env("CARGO_ZIGBUILD_ZIG_PATH", &self.zig)
            .env("CARGO_ZIGBUILD_CACHE_DIR", &self.cache)
            .env("ZIG_GLOBAL_CACHE_DIR", self.cache.join("global"))
            .env("ZIG_LOCAL_CACHE_DIR", self.cache.join("local"))
            .env("SOURCE_DATE_EPOCH", commit::time()?.to_string());
        Ok(cargo)
    }
}

fn install_wheels(python: &Path, log: &Log) -> Result<PathBuf> {
    eprintln!("dist: installing {} in {}", WHEELS.join(" and "), python.display());
    log.run(process::command("python3", ["-m", "venv", "--clear"]).arg(python))
        .context("no Python environment can be made; install python3-venv")?;
    let mut pip = Command::new(python.join("bin/python"));
    log.run(pip.args(["-m", "pip", "install", "--only-binary", ":all:"]).args(WHEELS))?;
    zig(python).context("Zig is not there though it was installed")
}

/// Where Zig is, if the wheels are there in these versions.
fn zig(python: &Path) -> Option<PathBuf> {
    const WHERE: &str = "import sys, importlib.metadata as it, importlib.util as util, os\n\
                         if all(it.version(name) == version for name, version in (p.split('==') for p in sys.argv[1:])):\n\
                         \x20   print(os.path.join(os.path.dirname(util.find_spec('ziglang').origin), 'zig'))";
    let answer = process::output(Command::new(python.join("bin/python")).args(["-c", WHERE]).args(WHEELS));
    let path = PathBuf::from(answer.ok()?.trim());
    path.is_file().then_some(path)
}

fn has_rpm(packers: &Path) -> bool {
    let program = packers.join("bin").join(RPM.0);
    let answer = process::output(&mut process::command(&program.display().to_string(), ["--version"]));
    answer.is_ok_and(|answer| answer.split_whitespace().nth(1) == Some(RPM.1))
}

fn install_rpm(packers: &Path, folder: &Path, log: &Log) -> Result<()> {
    eprintln!("dist: installing {} {}", RPM.0, RPM.1);
    let arguments = ["install", RPM.0, "--version", RPM.1, "--locked", "--force", "--root"];
    let mut cargo = process::command("cargo", arguments);
    // Built apart: the target folder of this project is no place for it.
    log.run(cargo.arg(packers).env("CARGO_TARGET_DIR", folder.join("build-of-tools")))
}
