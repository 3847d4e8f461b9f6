//! No crate of the workspace depends on a higher one.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use cargo_metadata::{DependencyKind, Metadata};

use crate::repository;
use crate::rules::CRATES;

/// A crate that depends on another one of the workspace.
type Edge = (String, String);

/// Checks all crates but those of tests. What only tests use is left out.
pub(crate) fn check(metadata: &Metadata) -> Result<()> {
    let tests = repository::root().join("tests");
    let packages = metadata.workspace_packages().into_iter();
    let packages: Vec<_> = packages.filter(|it| !it.manifest_path.starts_with(&tests)).collect();
    let names: BTreeSet<String> = packages.iter().map(|package| package.name.to_string()).collect();
    let edges = packages.iter().flat_map(|package| {
        let all = package.dependencies.iter().filter(|it| it.kind != DependencyKind::Development);
        all.map(|dependency| (package.name.to_string(), dependency.name.clone()))
    });
    let edges: Vec<Edge> = edges.filter(|(_, to)| names.contains(to)).collect();
    let wrong = faults(&names, &edges, CRATES);
    if !wrong.is_empty() {
        bail!("{} (the table CRATES is in xtask/lint/src/rules.rs)", wrong.join("; "));
    }
    Ok(())
}

fn faults(names: &BTreeSet<String>, edges: &[Edge], rows: &[&[&str]]) -> Vec<String> {
    let row = |name: &str| rows.iter().position(|row| row.contains(&name));
    let unplaced = names.iter().filter(|name| row(name).is_none());
    let unplaced = unplaced.map(|name| format!("crate {name} has no place in CRATES"));
    let upward = edges.iter().filter(|(from, to)| row(from) <= row(to));
    let upward = upward.map(|(from, to)| format!("{from} depends on {to}, which is not below it"));
    unplaced.chain(upward).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_depend_on_lower_ones_alone() {
        let names = BTreeSet::from(["core".to_owned(), "report".to_owned()]);
        let edge = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        let down = [edge("report", "core")];
        assert!(faults(&names, &down, &[&["core"], &["report"]]).is_empty());
        let upward = ["report depends on core, which is not below it".to_owned()];
        assert_eq!(faults(&names, &down, &[&["report"], &["core"]]), upward);
        assert_eq!(faults(&names, &down, &[&["report", "core"]]), upward);
        let unplaced = ["crate report has no place in CRATES".to_owned()];
        assert_eq!(faults(&names, &[], &[&["core"]]), unplaced);
    }
}
