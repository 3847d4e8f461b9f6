//! What the crates of the workspace depend on.

pub(crate) mod layers;
pub(crate) mod licences;
pub(crate) mod pure;
pub(crate) mod unused;
pub(crate) mod versions;

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, Package, PackageId};

/// What each package is linked with.
pub(crate) type Graph<'a> = BTreeMap<&'a PackageId, BTreeSet<&'a PackageId>>;

/// What packages are linked with: without macros, what only builds them, and what only tests them.
pub(crate) fn linked(metadata: &Metadata) -> Graph<'_> {
    let is_macro = |id: &PackageId| metadata[id].targets.iter().any(cargo_metadata::Target::is_proc_macro);
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let of = |node: &'_ cargo_metadata::Node| -> BTreeSet<&PackageId> {
        let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
        let Some(node) = nodes.into_iter().find(|it| it.id == node.id) else { return BTreeSet::new() };
        let normal = node
            .deps
            .iter()
            .filter(|dependency| dependency.dep_kinds.iter().any(|info| info.kind == DependencyKind::Normal));
        normal.map(|dependency| &dependency.pkg).filter(|id| !is_macro(id)).collect()
    };
    nodes.map(|node| (&node.id, of(node))).collect()
}

/// Everything that a package is linked with, directly or through others, and itself.
pub(crate) fn reached<'a>(graph: &Graph<'a>, from: &'a PackageId) -> BTreeSet<&'a PackageId> {
    let (mut reached, mut next) = (BTreeSet::from([from]), vec![from]);
    while let Some(id) = next.pop() {
        next.extend(graph.get(id).into_iter().flatten().filter(|id| reached.insert(id)));
    }
    reached
}

/// The packages of the workspace of which users get something.
pub(crate) fn shipped(metadata: &Metadata) -> Vec<&Package> {
    let packages = metadata.workspace_packages().into_iter();
    packages.filter(|package| ["sockleak", "probe-ebpf"].contains(&package.name.as_str())).collect()
}
