//! Crates that do no input or output: what they may not depend on, and what their sources may not name.

use anyhow::{Result, bail};
use cargo_metadata::Metadata;

use super::{linked, reached};
use crate::imports::{self, Crate};
use crate::rules::{PURE, Pure};

/// Checks the crates of the table that the workspace has.
pub(crate) fn check(metadata: &Metadata) -> Result<()> {
    let graph = linked(metadata);
    let mut wrong = Vec::new();
    for package in metadata.workspace_packages() {
        let Some(rule) = PURE.iter().find(|rule| rule.name == package.name.as_str()) else { continue };
        let names: Vec<&str> =
            reached(&graph, &package.id).iter().map(|id| metadata[*id].name.as_str()).collect();
        wrong.extend(linked_faults(&names, rule));
        for (it, _) in imports::crates(metadata)?.iter().filter(|(it, _)| it.name == rule.name) {
            wrong.extend(named_faults(it, rule));
        }
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n  "));
    }
    Ok(())
}

fn linked_faults(names: &[&str], rule: &Pure) -> Vec<String> {
    let forbidden = rule.dependencies.iter().filter(|name| names.contains(name));
    forbidden.map(|name| format!("{} is linked with {name}", rule.name)).collect()
}

fn named_faults(it: &Crate, rule: &Pure) -> Vec<String> {
    let mut faults = Vec::new();
    for module in &it.modules {
        let imports = module.source.imports.iter().map(|import| (&import.path, import.line));
        let mentions = module.source.mentions.iter().map(|(path, &line)| (path, line));
        for (path, line) in imports.chain(mentions) {
            let is_named = |name: &&&str| {
                path.iter().map(String::as_str).take(name.split("::").count()).eq(name.split("::"))
            };
            if let Some(name) = rule.names.iter().find(is_named) {
                faults.push(format!("{}:{line} uses {name}", it.files[module.file].display()));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const RULE: Pure =
        Pure { name: "made-up", dependencies: &["tokio", "clap"], names: &["std::fs", "println"] };

    #[test]
    fn what_is_linked_is_compared_with_the_table() {
        assert!(linked_faults(&["serde", "tokio-util"], &RULE).is_empty());
        assert_eq!(linked_faults(&["serde", "clap"], &RULE), ["made-up is linked with clap"]);
    }

    #[test]
    fn what_sources_name_is_compared_with_the_table() {
        let named = |text: &'static str| {
            let read = |_: &Path| Some(text.to_owned());
            let it = Crate::load("made-up", Path::new("lib.rs"), &read).expect("it is Rust");
            named_faults(&it, &RULE)
        };
        for (text, expected) in [
            ("use std::{io, fs};", Some("lib.rs:1 uses std::fs")),
            ("\nfn f() { std::fs::read(\"a\"); }", Some("lib.rs:2 uses std::fs")),
            ("fn f() { println!(); }", Some("lib.rs:1 uses println")),
            ("use std::fmt; fn f() { std::process::id(); }", None),
            ("#[cfg(test)] mod tests { use std::fs; }", None),
        ] {
            assert_eq!(named(text), Vec::from_iter(expected), "{text}");
        }
    }
}
