//! The package for RPM, packed by cargo-generate-rpm from what the manifest says, and what has to be true of it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::architecture::Architecture;
use super::tools::Tools;
use crate::package::Programs;
use crate::process;

/// The package's revision, as the manifest has it.
const RELEASE: &str = "1";

/// The name of the package's file.
pub(super) fn file_name(version: &str, architecture: Architecture) -> String {
    format!("sockleak-{version}-{RELEASE}.{}.rpm", architecture.name)
}

/// Packs programs into a folder.
///
/// # Errors
/// If the packer fails.
pub(super) fn pack(
    tools: &Tools,
    programs: &Programs,
    architecture: Architecture,
    version: &str,
    folder: &Path,
) -> Result<PathBuf> {
    let path = folder.join(file_name(version, architecture));
    let mut cargo = tools.cargo("generate-rpm")?;
    // gzip: RHEL 8's rpm reads Zstandard from 8.4 on alone.
    cargo.args(["--package", "userspace", "--payload-compress", "gzip", "--arch", architecture.name]);
    cargo.args(["--target", architecture.triple, "--target-dir"]).arg(&programs.target);
    process::output(cargo.arg("--output").arg(&path)).context("the RPM package cannot be made")?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::super::architecture;
    use super::*;

    const MANIFEST: &str = include_str!("../../../userspace/Cargo.toml");

    #[test]
    fn the_release_is_the_manifests() {
        let (_, manifest) = MANIFEST.split_once("[package.metadata.generate-rpm]").expect("it has that");
        assert!(manifest.contains(&format!("\nrelease = \"{RELEASE}\"\n")));
        assert_eq!(file_name("0.1.0", architecture::ALL[1]), "sockleak-0.1.0-1.aarch64.rpm");
    }

    #[test]
    fn both_packages_ask_for_the_glibc_that_programs_are_linked_for() {
        let glibc = super::super::libraries::NEWEST;
        for asks in [format!("libc6 (>= {glibc})"), format!("glibc = \">= {glibc}\"")] {
            assert!(MANIFEST.contains(&asks), "{asks}");
        }
    }
}
