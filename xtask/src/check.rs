//! `cargo xtask check`: what is quick, before a commit: format, the checks of sources, and the unit tests of the crates that were changed.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use cargo_metadata::{MetadataCommand, Package, Target};

use crate::setup::{self, Wants};
use crate::{lint, paths, process};

/// Arguments of `cargo xtask check`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Test all crates, not only those that were changed
    #[arg(long)]
    all: bool,
    /// What changes are compared with
    #[arg(long, value_name = "REVISION", default_value = "main")]
    since: String,
}

/// Checks; fails at the first kind of check that finds something.
pub(crate) fn run(args: &Args) -> Result<()> {
    let started = Instant::now();
    lint::quick()?;
    let mut command = MetadataCommand::new();
    let metadata = command.manifest_path(paths::repo().join("Cargo.toml")).no_deps().exec()?;
    let packages = metadata.workspace_packages();
    let places = packages.iter().filter_map(|package| {
        let folder = package.manifest_path.parent()?.strip_prefix(paths::repo()).ok()?;
        Some((folder.as_std_path(), package.name.as_str()))
    });
    let names = touched(&changed(&args.since)?, &places.collect::<Vec<_>>());
    let chosen: Vec<&Package> =
        packages.into_iter().filter(|package| args.all || names.contains(package.name.as_str())).collect();
    test(&chosen)?;
    println!("check: all is well ({} s)", started.elapsed().as_secs());
    Ok(())
}

/// The unit tests of libraries and programs, without those in `tests/` folders, which start programs.
fn test(packages: &[&Package]) -> Result<()> {
    if packages.iter().any(|package| needs_kernel_side(package)) {
        setup::ensure(Wants { build: true, ..Wants::default() })?;
    }
    for package in packages {
        let name = package.name.as_str();
        let is_there = |is: fn(&Target) -> bool| package.targets.iter().any(is);
        let mut cargo = process::command("cargo", ["test", "--quiet", "--package", name]);
        cargo.args(is_there(Target::is_lib).then_some("--lib"));
        // The kernel side's programs are built for another target.
        let has_programs = is_there(Target::is_bin) && name != "probe-ebpf";
        cargo.args(has_programs.then_some("--bins"));
        let started = Instant::now();
        println!("unit tests of {name}");
        process::run(cargo.current_dir(paths::repo()))?;
        println!("ok   unit tests of {name} ({} s)", started.elapsed().as_secs());
    }
    if packages.is_empty() {
        println!("no crate was changed: `cargo xtask check --all` tests all of them");
    }
    Ok(())
}

/// Whether the kernel side is built first: by the package's build script, or by that of sockleak.
fn needs_kernel_side(package: &Package) -> bool {
    let is_built = package.targets.iter().any(Target::is_custom_build);
    is_built || package.dependencies.iter().any(|dependency| dependency.name == "sockleak")
}

/// Files that differ from where this branch left another, or from the last commit if there is no other; and new ones.
fn changed(since: &str) -> Result<Vec<String>> {
    let git =
        |arguments: &[&str]| process::output(process::command("git", arguments).current_dir(paths::repo()));
    let base = git(&["merge-base", since, "HEAD"]).unwrap_or_else(|_| "HEAD".to_owned());
    let differ = git(&["diff", "--name-only", "-z", base.trim()])?;
    let new = git(&["ls-files", "-z", "--others", "--exclude-standard"])?;
    Ok([differ, new].concat().split_terminator('\0').map(str::to_owned).collect())
}

/// The packages that files belong to: the one in the innermost folder. What is in none, such as Cargo.lock, belongs to no package.
fn touched<'a>(files: &[String], packages: &[(&Path, &'a str)]) -> BTreeSet<&'a str> {
    let of = |file: &String| {
        let around = packages.iter().filter(|(folder, _)| Path::new(file).starts_with(folder));
        around.max_by_key(|(folder, _)| folder.components().count()).map(|(_, name)| *name)
    };
    files.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_to_the_innermost_package() {
        let packages = [
            (Path::new("userspace"), "sockleak"),
            (Path::new("userspace/core"), "sockleak-core"),
            (Path::new("xtask"), "xtask"),
        ];
        for (file, expected) in [
            ("userspace/src/a.rs", &["sockleak"][..]),
            ("userspace/core/src/a.rs", &["sockleak-core"]),
            ("docs/a.md", &[]),
            ("xtask-more/a.rs", &[]),
            ("Cargo.lock", &[]),
        ] {
            let names: Vec<_> = touched(&[file.to_owned()], &packages).into_iter().collect();
            assert_eq!(names, expected, "{file}");
        }
    }
}
