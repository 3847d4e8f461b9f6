//! cargo-deb, which makes the Debian package of what cargo builds.

use anyhow::Result;

use crate::paths;
use crate::process::{self, Log};

const PROGRAM: &str = "cargo-deb";

/// Is it here?
pub(super) fn is_there() -> bool {
    paths::program(PROGRAM).is_some()
}

/// Installs it, as everything cargo installs: for this user alone.
pub(super) fn install(log: &Log) -> Result<()> {
    log.run(&mut process::command("cargo", ["install", PROGRAM, "--locked"]))
}
