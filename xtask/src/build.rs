//! Building what goes into the VMs.

use anyhow::Result;

use crate::{paths, process};

/// Builds packages of this workspace for release.
pub(crate) fn release(packages: &[&str]) -> Result<()> {
    let mut cargo = process::command("cargo", ["build", "--release", "--quiet"]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    process::run(cargo.current_dir(paths::repo()))
}
