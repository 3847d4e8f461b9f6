//! Dependencies that no source names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Dependency, DependencyKind, Metadata, Package, Target};

use crate::imports;
use crate::rules::UNNAMED;

/// Checks every crate of the workspace.
pub(crate) fn check(metadata: &Metadata) -> Result<()> {
    let mut wrong = Vec::new();
    for package in metadata.workspace_packages() {
        let sources = Sources::of(package)?;
        for dependency in &package.dependencies {
            let name = dependency.rename.as_ref().unwrap_or(&dependency.name).replace('-', "_");
            let known =
                UNNAMED.iter().any(|(of, it, _)| *of == package.name.as_str() && *it == dependency.name);
            if !known && !sources.names(dependency).contains(&name) {
                wrong.push(format!("{} does not use {}{}", package.name, dependency.name, kind(dependency)));
            }
        }
    }
    if !wrong.is_empty() {
        bail!("{} (the table UNNAMED is in xtask/lint/src/rules.rs)", wrong.join("; "));
    }
    Ok(())
}

fn kind(dependency: &Dependency) -> &'static str {
    match dependency.kind {
        DependencyKind::Development => " in tests",
        DependencyKind::Build => " in its build script",
        _ => " outside of tests",
    }
}

/// The names with which paths in a package's sources begin.
struct Sources {
    code: BTreeSet<String>,
    tests: BTreeSet<String>,
    build: BTreeSet<String>,
}

impl Sources {
    fn of(package: &Package) -> Result<Self> {
        let root = package.manifest_path.parent().context("a manifest is in a folder")?;
        let mut it = Self { code: BTreeSet::new(), tests: BTreeSet::new(), build: BTreeSet::new() };
        let is_target = |path: &Path, is: fn(&Target) -> bool| {
            package.targets.iter().any(|target| is(target) && target.src_path.as_std_path() == path)
        };
        let roots = package.targets.iter().filter(|target| target.is_lib() || target.is_bin());
        let folders: Vec<&Path> = roots.filter_map(|target| target.src_path.as_std_path().parent()).collect();
        for path in files(root.as_std_path())? {
            let is_build = is_target(&path, Target::is_custom_build);
            let is_code = folders.iter().any(|folder| path.starts_with(folder));
            let names = imports::first_names(&read(&path)?)
                .with_context(|| format!("cannot parse {}", path.display()))?;
            if is_build {
                it.build.extend(names.all);
            } else {
                it.code.extend(names.code.into_iter().filter(|_| is_code));
                it.tests.extend(names.all);
            }
        }
        Ok(it)
    }

    fn names(&self, dependency: &Dependency) -> &BTreeSet<String> {
        match dependency.kind {
            DependencyKind::Development => &self.tests,
            DependencyKind::Build => &self.build,
            _ => &self.code,
        }
    }
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Every Rust file of a package; folders with a manifest are other packages.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.extend((!path.join("Cargo.toml").exists()).then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    Ok(found)
}
