//! Imports: which file uses which.
mod circles;
mod resolve;
mod source;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Result;
use cargo_metadata::{Metadata, Target};

use crate::paths;
use resolve::Edge;
use tree::Crate;

pub(super) fn measure(metadata: &Metadata) -> Result<()> {
    let repo = paths::repo();
    let read = |path: &Path| fs::read_to_string(repo.join(path)).ok();
    for package in metadata.workspace_packages() {
        for target in &package.targets {
            if !(target.is_lib() || target.is_bin()) { continue }
            let root = target.src_path.strip_prefix(&repo).unwrap();
            let it = Crate::load(&target.name, root.as_std_path(), &read)?;
            let uses = resolve::uses(&it, &[]);
            let mut graph: circles::Graph<usize> = Default::default();
            for edge in uses.files.keys() { graph.entry(edge.from).or_default().insert(edge.to); }
            let groups = circles::groups(&graph);
            println!("{} {}: {} files {} edges {} groups {:?}", package.name, target.name, it.files.len(), uses.files.len(), groups.len(), groups.iter().map(BTreeSet::len).collect::<Vec<_>>());
            for g in groups.iter() {
                let c = circles::shortest(&graph, *g.first().unwrap()).unwrap();
                println!("  group of {}: {}", g.len(), g.iter().take(40).map(|f| it.files[*f].display().to_string()).collect::<Vec<_>>().join(" "));
                for (n, a) in c.iter().enumerate() { let b = c[(n+1)%c.len()]; let p = &uses.files[&Edge{from:*a,to:b}]; println!("      {}:{} {}", it.files[*a].display(), p.line, p.path); }
            }
            let mut tops: BTreeMap<&str, BTreeMap<&str, (usize, String)>> = Default::default();
            for (e, p) in &uses.files { let (a,b)=(it.top_of_file(e.from), it.top_of_file(e.to)); if a!=b { let x = tops.entry(a).or_default().entry(b).or_insert((0, String::new())); x.0+=1; x.1.push_str(&format!(" {}:{}", it.files[e.from].display(), p.line)); } }
            let tg: circles::Graph<&str> = tops.iter().map(|(a,b)| (*a, b.keys().copied().collect())).collect();
            for g in circles::groups(&tg) { println!("  top group: {g:?}"); }
            for (a, b) in &tops { println!("  {a} -> {}", b.iter().map(|(n,c)| format!("{n}({})", c.0)).collect::<Vec<_>>().join(" ")); }
        }
    }
    Ok(())
}
