//! Libraries that are linked in two versions.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use cargo_metadata::Metadata;

use super::{linked, reached, shipped};
use crate::rules::TWICE;

/// Checks what is linked into sockleak.
pub(crate) fn check(metadata: &Metadata) -> Result<()> {
    let graph = linked(metadata);
    let mut versions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for id in shipped(metadata).iter().flat_map(|package| reached(&graph, &package.id)) {
        let package = &metadata[id];
        versions.entry(package.name.as_str()).or_default().insert(package.version.to_string());
    }
    let known: Vec<&str> = TWICE.iter().map(|(name, _)| *name).collect();
    let wrong = faults(&versions, &known);
    if !wrong.is_empty() {
        bail!(
            "{} (the table TWICE is in xtask/lint/src/rules.rs; `cargo tree --invert NAME@VERSION` says why)",
            wrong.join("; ")
        );
    }
    Ok(())
}

fn faults(versions: &BTreeMap<&str, BTreeSet<String>>, known: &[&str]) -> Vec<String> {
    let twice = versions.iter().filter(|(_, versions)| versions.len() > 1);
    let new = twice.clone().filter(|(name, _)| !known.contains(name)).map(|(name, versions)| {
        let versions: Vec<_> = versions.iter().map(String::as_str).collect();
        format!("{name} is linked as {}", versions.join(" and "))
    });
    let twice: BTreeSet<_> = twice.map(|(name, _)| *name).collect();
    let gone = known.iter().filter(|name| !twice.contains(**name));
    new.chain(gone.map(|name| format!("{name} is linked once: strike it from TWICE"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_version_has_to_be_known() {
        let set = |versions: &[&str]| versions.iter().map(|&version| version.to_owned()).collect();
        let versions = BTreeMap::from([("a", set(&["1.0.0", "2.0.0"])), ("b", set(&["1.0.0"]))]);
        assert_eq!(faults(&versions, &[]), ["a is linked as 1.0.0 and 2.0.0"]);
        assert_eq!(faults(&versions, &["a"]), Vec::<String>::new());
        assert_eq!(faults(&versions, &["a", "b"]), ["b is linked once: strike it from TWICE"]);
    }
}
