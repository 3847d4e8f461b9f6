//! Building the programs for old and other machines, so that the same sources give the same bytes in any folder.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::architecture::Architecture;
use super::libraries::{self, Needs};
use super::tools::Tools;
use super::tree;
use crate::package::Programs;
use crate::{paths, process};

/// The program, and what writes its manual pages and completions.
const PACKAGES: [&str; 2] = ["sockleak", "manual"];

/// Builds the programs.
///
/// # Errors
/// If they do not compile.
pub(super) fn build(tools: &Tools, architecture: Architecture) -> Result<()> {
    has_standard_library(architecture)?;
    let renamed = Renamed::here()?;
    let mut cargo = tools.cargo("zigbuild")?;
    cargo.args(["--release", "--locked", "--quiet"]);
    cargo.args(["--target", &format!("{}.{}", architecture.triple, libraries::NEWEST)]);
    cargo.arg("--target-dir").arg(folder());
    for package in PACKAGES {
        cargo.args(["--package", package]);
    }
    // The flags of whoever calls would make another program.
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(name);
    }
    cargo.env("RUSTC_WRAPPER", renamed.wrapper()?).env("CFLAGS", renamed.for_c());
    process::run(&mut cargo)
}

/// The programs that were built last, and what sockleak needs.
///
/// # Errors
/// If they need more than they may, or contain a path of this machine.
pub(super) fn built(architecture: Architecture) -> Result<(Programs, Needs)> {
    let programs = Programs { target: folder(), triple: Some(architecture.triple) };
    let program = tree::read(&programs.folder().join("sockleak"))?;
    Renamed::here()?.check(&program)?;
    let needs = libraries::needs(&program)?;
    needs.check()?;
    ensure!(needs.loader == architecture.loader, "the program names the loader {}", needs.loader);
    Ok((programs, needs))
}

/// cargo's target folder for them: other flags than in ordinary builds would make those anew each time.
fn folder() -> PathBuf {
    paths::target().join("dist-build")
}

/// Fails if the compiler has no standard library for a target.
fn has_standard_library(architecture: Architecture) -> Result<()> {
    let arguments = ["--print", "target-libdir", "--target", architecture.triple];
    let folder = process::output(process::command("rustc", arguments).current_dir(paths::repo()))?;
    ensure!(
        Path::new(folder.trim()).is_dir(),
        "the compiler has no standard library for {}: run `rustup target add {0}`",
        architecture.triple
    );
    Ok(())
}

/// Folders of this machine, and what the program calls them.
struct Renamed(Vec<(PathBuf, &'static str)>);

impl Renamed {
    fn here() -> Result<Self> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let cargo =
            cargo.or_else(|| Some(home?.join(".cargo"))).context("neither CARGO_HOME nor HOME is set")?;
        Ok(Self(vec![(paths::repo(), "/sockleak"), (cargo, "/cargo")]))
    }

    fn flags(&self, option: &str) -> Vec<OsString> {
        let flag = |(from, to): &(PathBuf, &str)| {
            let mut flag = OsString::from(option);
            flag.push(from);
            flag.push("=");
            flag.push(to);
            flag
        };
        self.0.iter().map(flag).collect()
    }

    fn for_c(&self) -> OsString {
        self.flags("-ffile-prefix-map=").join(OsStr::new(" "))
    }

    /// A program that calls the compiler with the flags. `RUSTFLAGS` would not do: the kernel side has flags of its own, which replace
    /// those of the environment.
    fn wrapper(&self) -> Result<PathBuf> {
        let folder = folder();
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join("rustc");
        let flags = self.flags("--remap-path-prefix=").join(OsStr::new("' '"));
        let text = format!("#!/bin/sh\nexec \"$@\" '{}'\n", flags.display());
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(path)
    }

    /// Fails if a program contains one of the folders.
    fn check(&self, program: &[u8]) -> Result<()> {
        for (folder, _) in &self.0 {
            let name = folder.as_os_str().as_encoded_bytes();
            ensure!(
                !program.windows(name.len()).any(|part| part == name),
                "the program contains the path {}, so another folder makes another program",
                folder.display()
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_this_machine_is_found_in_a_program() {
        let renamed = Renamed(vec![("/home/me/sockleak".into(), "/sockleak")]);
        renamed.check(b"..src/main.rs:/sockleak/a.rs").expect("it is renamed");
        let error = renamed.check(b"..at /home/me/sockleak/userspace/a.rs").expect_err("it is in there");
        assert!(error.to_string().contains("/home/me/sockleak"), "{error}");
        assert_eq!(renamed.for_c(), "-ffile-prefix-map=/home/me/sockleak=/sockleak");
    }
}
