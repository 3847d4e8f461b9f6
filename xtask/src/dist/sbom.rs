//! The list of what is in the program, in the format of CycloneDX: for scanners that look for known vulnerabilities.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, Package};
use serde_json::{Value, json};

use super::architecture::Architecture;
use crate::notices::{self, Name};
use crate::{commit, paths, process};

/// Sums of packages, as Cargo.lock has them.
type Sums = BTreeMap<Name, String>;

/// The list for the program of an architecture, as JSON.
///
/// # Errors
/// If cargo does not tell what is linked.
pub(super) fn text(version: &str, architecture: Architecture) -> Result<String> {
    let metadata = notices::metadata(architecture.triple)?;
    let linked = notices::linked(architecture.triple)?;
    let packages = linked.iter().map(|name| notices::package(&metadata, name)).collect::<Result<Vec<_>>>()?;
    let lock = fs::read_to_string(paths::repo().join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let sums = sums(&lock);
    let mut components: Vec<_> =
        packages.iter().filter(|it| *it.name != "sockleak").map(|it| component(it, &sums)).collect();
    components.push(standard_library()?);
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": timestamp(commit::time()?)?,
            "component": {
                "type": "application",
                "bom-ref": reference("sockleak", version),
                "name": "sockleak",
                "version": version,
                "description": "Finds the program that opens unix-socket connections without closing them",
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
                "purl": reference("sockleak", version),
                "properties": [
                    { "name": "sockleak:architecture", "value": architecture.name },
                    { "name": "sockleak:commit", "value": commit::id().unwrap_or_else(|| "unknown".into()) },
                ],
            },
        },
        "components": components,
        "dependencies": dependencies(&metadata, &packages)?,
    });
    Ok(format!("{}\n", serde_json::to_string_pretty(&document)?))
}

fn component(package: &Package, sums: &Sums) -> Value {
    let (name, version) = (package.name.to_string(), package.version.to_string());
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(&name, &version),
        "name": name,
        "version": version,
        "scope": "required",
        "purl": reference(&name, &version),
    });
    if let Some(licence) = &package.license {
        // What was written before there were expressions: a stroke is an OR.
        let expression = licence.replace('/', " OR ").replace("  ", " ");
        component["licenses"] = json!([{ "expression": expression }]);
    }
    if let Some(sum) = sums.get(&(name.clone(), version)) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    if let Some(repository) = &package.repository {
        component["externalReferences"] = json!([{ "type": "vcs", "url": repository }]);
    }
    if let Some(note) = notices::native(package) {
        component["description"] = json!(format!("It {note}"));
    }
    component
}

/// Rust's standard library, which cargo does not list.
fn standard_library() -> Result<Value> {
    let compiler = process::output(process::command("rustc", ["-vV"]).current_dir(paths::repo()))?;
    let release = compiler.lines().find_map(|line| line.strip_prefix("release: "));
    let release = release.context("rustc does not tell its release")?;
    Ok(json!({
        "type": "library",
        "bom-ref": reference("std", release),
        "name": "std",
        "version": release,
        "scope": "required",
        "description": "The Rust standard library, as the compiler brings it",
        "licenses": [{ "expression": "MIT OR Apache-2.0" }],
        "externalReferences": [{ "type": "vcs", "url": "https://github.com/rust-lang/rust" }],
    }))
}

/// Which of these packages uses which.
fn dependencies(metadata: &Metadata, packages: &[&Package]) -> Result<Vec<Value>> {
    let resolve = metadata.resolve.as_ref().context("cargo metadata names no dependencies")?;
    let names: BTreeMap<_, _> = packages
        .iter()
        .map(|package| (&package.id, reference(&package.name, &package.version.to_string())))
        .collect();
    let nodes = resolve.nodes.iter().filter_map(|node| {
        let uses = node.dependencies.iter().filter_map(|id| names.get(id)).collect::<Vec<_>>();
        names.get(&node.id).map(|name| (name, uses))
    });
    let mut nodes: Vec<_> = nodes.collect();
    nodes.sort();
    Ok(nodes.into_iter().map(|(name, uses)| json!({ "ref": name, "dependsOn": uses })).collect())
}

/// The address of a package among those of all languages (purl).
fn reference(name: &str, version: &str) -> String {
    format!("pkg:cargo/{name}@{version}")
}

/// The sums in Cargo.lock; packages of this repository have none.
fn sums(lock: &str) -> Sums {
    let sum = |entry: &str| {
        let field = |name: &str| {
            let value = entry.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "))?;
            Some(value.trim_matches('"').to_owned())
        };
        Some(((field("name")?, field("version")?), field("checksum")?))
    };
    lock.split("[[package]]").filter_map(sum).collect()
}

/// A time as RFC 3339 has it.
pub(super) fn timestamp(seconds: u64) -> Result<String> {
    let arguments = ["--utc", "--date", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%SZ"];
    Ok(process::output(&mut process::command("date", arguments))?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::architecture;
    use super::*;

    #[test]
    fn everything_that_is_linked_is_listed_with_its_sum() {
        let text = text("0.1.0", architecture::ALL[0]).expect("cargo tells");
        let document: Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(document["bomFormat"], "CycloneDX");
        let components = document["components"].as_array().expect("there are some");
        assert!(components.len() > 100, "{}", components.len());
        let find = |name: &str| {
            components.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("{name} is not listed"))
        };
        for name in ["libsqlite3-sys", "ring", "aya-ebpf"] {
            assert_eq!(find(name)["hashes"][0]["content"].as_str().map(str::len), Some(64), "{name}");
        }
        assert!(find("libsqlite3-sys")["description"].as_str().is_some_and(|it| it.contains("SQLite")));
        assert_eq!(find("std")["scope"], "required");
        // What only builds or tests it is not in it.
        for name in ["proptest", "syn", "sockleak"] {
            assert!(components.iter().all(|it| it["name"] != name), "{name} is listed");
        }
        let main = document["dependencies"].as_array().expect("there are some");
        let main =
            main.iter().find(|it| it["ref"] == "pkg:cargo/sockleak@0.1.0").expect("it has dependencies");
        assert!(main["dependsOn"].to_string().contains("pkg:cargo/rusqlite@"), "{main}");
    }

    #[test]
    fn sums_are_read_from_the_lock_file() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"abc\"\n\n\
                    [[package]]\nname = \"ours\"\nversion = \"0.1.0\"\n";
        let sums = sums(lock);
        assert_eq!(sums.len(), 1);
        assert_eq!(sums[&("a".to_owned(), "1.0.0".to_owned())], "abc");
    }

    #[test]
    fn times_are_in_utc() {
        assert_eq!(timestamp(1_796_031_280).expect("date answers"), "2026-11-30T09:34:40Z");
    }
}
