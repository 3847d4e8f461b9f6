//! Where things lie: the repository and its cache folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::arch::Arch;

/// The root of the repository.
pub(crate) fn repo() -> PathBuf {
    // cargo names the package at run time; the compiled-in path serves when the binary is started by hand.
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or_else(|| package.clone(), Path::to_path_buf)
}

/// The folder for everything that was fetched or left behind by runs: `SOCKLEAK_CACHE`, else `.cache`.
pub(crate) fn cache() -> PathBuf {
    std::env::var_os("SOCKLEAK_CACHE").map_or_else(|| repo().join(".cache"), PathBuf::from)
}

/// A folder inside the cache, made if need be.
pub(crate) fn cache_folder(name: &str) -> Result<PathBuf> {
    let folder = cache().join(name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// cargo's target folder.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repo().join("target"), |dir| repo().join(dir))
}

/// Where cargo leaves the binaries of a release build for a kind of processor.
pub(crate) fn release_for(arch: Arch) -> PathBuf {
    match arch {
        Arch::Amd64 => release(),
        Arch::Arm64 => target().join(arch.triple()).join("release"),
    }
}

/// Where cargo leaves the binaries of a release build.
pub(crate) fn release() -> PathBuf {
    target().join("release")
}

/// Where cargo leaves the binaries of the profile `dev`.
pub(crate) fn debug() -> PathBuf {
    target().join("debug")
}

/// Looks for a program on `PATH` and in the folders that a normal user's `PATH` lacks.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
