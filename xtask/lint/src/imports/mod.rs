//! Which file uses which: no circles, and no use of a higher layer.
//!
//! Two files that use each other, or lead to each other through others, are a circle. One between a file and its own folder is none
//! here: `mod.rs` of a folder and the files in it are one room. `cargo xtask lint --graph` shows those too.

mod circles;
mod judge;
mod resolve;
mod source;
mod tree;
mod untyped;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Result, bail};
use cargo_metadata::Metadata;

use crate::repository;
use crate::rules::MODULES;
use resolve::Uses;
pub(crate) use tree::Crate;

/// Fails if a crate has a circle or uses a higher layer.
pub(crate) fn check(metadata: &Metadata) -> Result<()> {
    let crates = crates(metadata)?;
    let mut wrong = Vec::new();
    for (it, uses) in &crates {
        let layers =
            MODULES.iter().find(|(name, _)| *name == it.name).map_or(&[] as &[_], |(_, layers)| layers);
        let faults = judge::judge(it, uses, layers);
        wrong.extend(faults.into_iter().map(|fault| format!("{}: {fault}", it.name)));
    }
    for (name, layers) in MODULES {
        let of_it = crates.iter().filter(|(it, _)| it.name == *name);
        let modules: BTreeSet<_> =
            of_it.flat_map(|(it, _)| (0..it.files.len()).map(|file| it.path(file))).collect();
        let gone = layers.iter().copied().flatten().filter(|module| !modules.contains(**module));
        wrong.extend(gone.map(|module| format!("{name} has no module {module}: strike it from MODULES")));
    }
    if !wrong.is_empty() {
        bail!("{} faults (the tables are in xtask/lint/src/rules.rs)\n  {}", wrong.len(), wrong.join("\n  "));
    }
    Ok(())
}

/// Fails if an error is a string, outside of tests.
pub(crate) fn check_errors(metadata: &Metadata) -> Result<()> {
    let mut wrong = Vec::new();
    for (it, _) in &crates(metadata)? {
        for module in &it.modules {
            let lines = module.source.untyped.iter();
            wrong.extend(lines.map(|line| format!("{}:{line}", it.files[module.file].display())));
        }
    }
    if !wrong.is_empty() {
        bail!("errors that are strings at {}; give each a type, with thiserror", wrong.join(", "));
    }
    Ok(())
}

/// Prints what each crate's modules use, and all circles of files.
pub(crate) fn print(metadata: &Metadata) -> Result<()> {
    for (it, uses) in &crates(metadata)? {
        print!("{}", shown(it, uses));
    }
    Ok(())
}

/// Every library and program of the workspace, but for tests.
pub(crate) fn crates(metadata: &Metadata) -> Result<Vec<(Crate, Uses)>> {
    let repo = repository::root();
    let read = |path: &Path| fs::read_to_string(repo.join(path)).ok();
    let mut crates = Vec::new();
    for package in metadata.workspace_packages() {
        for target in package.targets.iter().filter(|target| target.is_lib() || target.is_bin()) {
            let root = target.src_path.strip_prefix(&repo).unwrap_or(&target.src_path);
            if root.starts_with("tests") {
                continue;
            }
            let it = Crate::load(&package.name, root.as_std_path(), &read)?;
            let uses = resolve::uses(&it);
            crates.push((it, uses));
        }
    }
    Ok(crates)
}

/// A crate's modules and what they use, with the number of files that are used, and its circles.
fn shown(it: &Crate, uses: &Uses) -> String {
    let mut modules: BTreeMap<String, BTreeMap<String, BTreeSet<usize>>> = BTreeMap::new();
    for file in 0..it.files.len() {
        modules.entry(judge::top(&it.path(file)).to_owned()).or_default();
    }
    for edge in uses.keys() {
        let (from, to) = (it.path(edge.from), it.path(edge.to));
        if judge::top(&from) != judge::top(&to) {
            let used = modules.entry(judge::top(&from).to_owned()).or_default();
            used.entry(judge::top(&to).to_owned()).or_default().insert(edge.to);
        }
    }
    let root = it.files[0].display();
    let mut text = format!("{} ({root}: {} files)\n", it.name, it.files.len());
    for (module, used) in modules {
        let used: Vec<_> =
            used.into_iter().map(|(name, files)| format!("{name} ({})", files.len())).collect();
        text.push_str(&format!(
            "  {module} -> {}\n",
            if used.is_empty() { "none".to_owned() } else { used.join(", ") }
        ));
    }
    for (circle, group) in judge::circles(it, uses) {
        text.push_str(&format!("  circle of {group} files: {circle}\n"));
    }
    text
}

/// The names with which the paths in a file begin.
pub(crate) struct FirstNames {
    /// Those of its code, without tests.
    pub(crate) code: BTreeSet<String>,
    pub(crate) all: BTreeSet<String>,
}

/// Reads the names with which the paths in a file begin.
///
/// # Errors
/// If it is not Rust.
pub(crate) fn first_names(text: &str) -> Result<FirstNames> {
    fn collect(module: &source::Module, names: &mut BTreeSet<String>) {
        let imports = module.imports.iter().map(|import| &import.path);
        names.extend(imports.chain(module.mentions.keys()).filter_map(|path| path.first().cloned()));
        module.blocks.values().for_each(|block| collect(block, names));
    }
    let file = source::File::parse(text)?;
    let mut names = FirstNames { code: BTreeSet::new(), all: BTreeSet::new() };
    collect(&file.without_tests(), &mut names.code);
    collect(&file.whole(), &mut names.all);
    Ok(names)
}
