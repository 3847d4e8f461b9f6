//! The package that is tried in VMs, and its successor: the same files under a higher version.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{package, paths, process};

/// Names under which the guest has them.
const FIRST: &str = "sockleak.deb";
const NEXT: &str = "sockleak-next.deb";

/// Builds the package, and another one from what is in it.
pub(super) fn both() -> Result<[PathBuf; 2]> {
    let package = package::pack(None)?;
    let folder = paths::release().join("packages");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let [first, next] = [FIRST, NEXT].map(|name| folder.join(name));
    fs::copy(&package, &first).with_context(|| format!("cannot copy {}", package.display()))?;
    let unpacked = tempfile::tempdir_in(&folder)?;
    let root = unpacked.path().join("root");
    process::run(process::command("dpkg-deb", ["--raw-extract"]).arg(&package).arg(&root))?;
    let control = root.join("DEBIAN/control");
    let text = fs::read_to_string(&control).with_context(|| format!("cannot read {}", control.display()))?;
    fs::write(&control, with_next_version(&text)?)?;
    // Nobody keeps it: packing it well would take longer than unpacking it saves.
    let options = ["--root-owner-group", "-Znone", "--build"];
    process::output(process::command("dpkg-deb", options).arg(&root).arg(&next))?;
    Ok([first, next])
}

/// A control file with a version that is higher than what it says.
fn with_next_version(control: &str) -> Result<String> {
    let line =
        control.lines().find(|line| line.starts_with("Version: ")).context("the package has no version")?;
    Ok(control.replacen(line, &format!("{line}+next"), 1))
}

#[cfg(test)]
mod tests {
    use super::with_next_version;

    #[test]
    fn the_next_version_is_higher() {
        let control = "Package: sockleak\nVersion: 0.1.0-1\nDescription: x\n";
        let next = with_next_version(control).expect("it has a version");
        assert_eq!(next, "Package: sockleak\nVersion: 0.1.0-1+next\nDescription: x\n");
        assert!(with_next_version("Package: sockleak\n").is_err());
    }
}
