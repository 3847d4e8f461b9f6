//! Notices of the libraries that the program contains: their licences want them to go with it.
//!
//! Which libraries are linked is what `cargo tree` says of the program and of its eBPF part; texts are those that lie in the
//! libraries' sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::{paths, process};

/// What a package's name and version are.
pub(crate) type Name = (String, String);

/// Beginnings of the names of files with notices, in capital letters.
const FILES: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "UNLICENSE", "NOTICE"];
/// The target of the eBPF part.
const BPF: &str = "bpfel-unknown-none";
/// Libraries that compile something that is not Rust, and what has to be said of that.
const NATIVE: [(&str, &str); 2] = [
    ("libsqlite3-sys", "contains SQLite, which is in the public domain: https://sqlite.org/copyright.html"),
    ("ring", "contains code of BoringSSL; its notices are among those of ring"),
];

/// The notices of everything that is linked into the program for a target, or else for this machine.
///
/// # Errors
/// If the text of a library's licence is not known, or cargo does not tell what is linked.
pub(crate) fn text(triple: Option<&str>) -> Result<String> {
    let compiler = process::output(&mut process::command("rustc", ["-vV"]))?;
    let host =
        compiler.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let release = compiler.lines().next().unwrap_or_default();
    let target = triple.unwrap_or(host);
    let metadata = metadata(target)?;
    let packages = linked(target)?.iter().map(|name| package(&metadata, name)).collect::<Result<Vec<_>>>()?;
    // What is ours is in the file beside it.
    let theirs: Vec<_> = packages.into_iter().filter(|package| package.source.is_some()).collect();
    check_native(&metadata, &theirs)?;
    write(&theirs, release)
}

/// The packages that are linked, ours among them.
///
/// # Errors
/// If cargo does not tell them.
pub(crate) fn linked(host: &str) -> Result<BTreeSet<Name>> {
    let mut names = tree(&["--package", "sockleak", "--target", host])?;
    names.extend(tree(&["--package", "probe-ebpf", "--features", "ebpf", "--target", BPF])?);
    Ok(names)
}

fn tree(of: &[&str]) -> Result<BTreeSet<Name>> {
    let mut cargo = process::command("cargo", ["tree", "--locked", "--edges", "normal,no-proc-macro"]);
    cargo.args(["--prefix", "none", "--format", "{p}"]).args(of).current_dir(paths::repo());
    let lines = process::output(&mut cargo)?;
    let lines = lines.lines().filter(|line| !line.is_empty());
    lines.map(|line| name(line).with_context(|| format!("cargo tree says {line:?}"))).collect()
}

/// `name v1.2.3`, and where it is or that it was shown before.
fn name(line: &str) -> Option<Name> {
    let mut words = line.split(' ');
    let name = words.next()?.to_owned();
    Some((name, words.next()?.strip_prefix('v')?.to_owned()))
}

/// What cargo knows of every package.
///
/// # Errors
/// If cargo does not tell.
pub(crate) fn metadata(host: &str) -> Result<Metadata> {
    let mut command = MetadataCommand::new();
    command.manifest_path(paths::repo().join("Cargo.toml"));
    // With the features of the eBPF part, which brings libraries of its own.
    let options = ["--locked", "--all-features", "--filter-platform", host];
    command.other_options(options.map(str::to_owned).to_vec());
    command.exec().context("cargo metadata")
}

/// The package of a name and version.
///
/// # Errors
/// If there is none.
pub(crate) fn package<'a>(metadata: &'a Metadata, (name, version): &Name) -> Result<&'a Package> {
    let is_it = |package: &&Package| *package.name == **name && package.version.to_string() == *version;
    metadata.packages.iter().find(is_it).with_context(|| format!("cargo metadata has no {name} {version}"))
}

/// Each library that compiles something else than Rust is known for what that is.
fn check_native(metadata: &Metadata, packages: &[&Package]) -> Result<()> {
    let resolve = metadata.resolve.as_ref().context("cargo metadata names no dependencies")?;
    for package in packages {
        let node = resolve.nodes.iter().find(|node| node.id == package.id);
        let compiles = node.into_iter().flat_map(|node| &node.deps).any(|dependency| {
            let is_of_build = dependency.dep_kinds.iter().any(|it| it.kind == DependencyKind::Build);
            is_of_build && dependency.name == "cc"
        });
        ensure!(
            !compiles || native(package).is_some(),
            "{} compiles code that is not Rust, and its licence is not known; find it out and add it to NATIVE in \
             xtask/src/notices.rs",
            package.name
        );
    }
    Ok(())
}

/// What has to be said of code in a package that is not Rust.
pub(crate) fn native(package: &Package) -> Option<&'static str> {
    NATIVE.iter().find(|(name, _)| *package.name == **name).map(|(_, notice)| *notice)
}

fn write(packages: &[&Package], compiler: &str) -> Result<String> {
    let mut text = "sockleak contains the libraries below, under licences of their own. The texts that go with them follow \
                    the list, each once.\n"
        .to_owned();
    let mut notices = Notices::default();
    for package in packages {
        let licence = package.license.as_deref().unwrap_or("as in its notice");
        let numbers = notices.numbers(texts(package)?);
        let _ = write!(text, "\n{} {}\n  Licence: {licence}\n", package.name, package.version);
        if let Some(repository) = &package.repository {
            let _ = writeln!(text, "  Source: {repository}");
        }
        if !package.authors.is_empty() {
            let _ = writeln!(text, "  Authors: {}", package.authors.join(", "));
        }
        if let Some(notice) = native(package) {
            let _ = writeln!(text, "  It {notice}");
        }
        let _ = writeln!(text, "  Notices: {numbers}");
    }
    // Its parts have notices in each release of Rust.
    let numbers = notices.numbers(vec![apache()?]);
    let _ = write!(
        text,
        "\nThe Rust standard library ({compiler})\n  Licence: MIT OR Apache-2.0\n  Source: https://github.com/rust-lang/rust; \
         COPYRIGHT-library.html of the release names its parts\n  Notices: {numbers}\n"
    );
    for (nth, notice) in notices.texts.iter().enumerate() {
        let _ = write!(text, "\n{}\nNotice {}\n\n{notice}\n", "=".repeat(80), nth + 1);
    }
    Ok(text)
}

/// Texts, each once.
#[derive(Default)]
struct Notices {
    texts: Vec<String>,
    numbers: BTreeMap<String, usize>,
}

impl Notices {
    /// The numbers of texts, from 1 on, with commas between.
    fn numbers(&mut self, texts: Vec<String>) -> String {
        let numbers = texts.into_iter().map(|text| {
            let number = *self.numbers.entry(text.clone()).or_insert_with(|| {
                self.texts.push(text);
                self.texts.len()
            });
            number.to_string()
        });
        numbers.collect::<Vec<_>>().join(", ")
    }
}

/// The notices in a package's sources, or the standard text of its licence.
fn texts(package: &Package) -> Result<Vec<String>> {
    let folder = package.manifest_path.parent().context("a manifest is in a folder")?;
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {folder}"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_uppercase();
        if path.is_file() && FILES.iter().any(|begins| name.starts_with(begins)) {
            files.insert(path);
        }
    }
    files.extend(package.license_file.iter().map(|file| folder.join(file).into_std_path_buf()));
    let is_notice =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("NOTICE"));
    let has_licence = files.iter().any(|file| !is_notice(file));
    let mut texts = files.iter().map(|file| read(file)).collect::<Result<Vec<_>>>()?;
    if !has_licence {
        let licence = package.license.as_deref().unwrap_or("none that is named");
        if !may_be_apache(licence) {
            bail!(
                "{} {} has no text of its licence ({licence}) in its sources; take another library, or add the text to {}",
                package.name,
                package.version,
                file!()
            );
        }
        texts.push(apache()?);
    }
    Ok(texts)
}

/// May one choose the Apache License 2.0? Its text names nobody, so it is the same everywhere.
fn may_be_apache(licence: &str) -> bool {
    licence.split(" OR ").flat_map(|choice| choice.split('/')).any(|choice| choice.trim() == "Apache-2.0")
}

fn apache() -> Result<String> {
    read(&paths::repo().join("LICENSE-APACHE"))
}

/// Without what differs from file to file and says nothing.
fn read(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    let text = lines.join("\n").trim_matches('\n').to_owned();
    ensure!(!text.is_empty(), "{} is empty", file.display());
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_linked_has_a_notice() {
        let text = text(None).expect("each library has a text");
        let (list, notices) = text.split_once(&"=".repeat(80)).expect("texts follow the list");
        let compiler = process::output(&mut process::command("rustc", ["-vV"])).expect("it is here");
        let host = compiler.lines().find_map(|line| line.strip_prefix("host: ")).expect("it names its host");
        let linked = linked(host).expect("cargo tells");
        assert!(linked.len() > 100, "{linked:?}");
        for (name, version) in
            linked.iter().filter(|(name, _)| name != "probe-ebpf" && !name.starts_with("sockleak"))
        {
            let (_, rest) =
                list.split_once(&format!("\n{name} {version}\n")).unwrap_or_else(|| panic!("no {name}"));
            let entry = rest.split("\n\n").next().expect("it is there");
            let numbers = entry.split_once("  Notices: ").expect("it has notices").1;
            for number in numbers.trim().split(", ") {
                assert!(notices.contains(&format!("\nNotice {number}\n\n")), "{name}: {number}");
            }
        }
        // Of the eBPF part, of a library in C, and the one that is a part of everything.
        for name in [
            "\naya-ebpf ",
            "\nlibsqlite3-sys ",
            "SQLite, which is in the public domain",
            "\nThe Rust standard library (",
        ] {
            assert!(list.contains(name), "{name}");
        }
        // Those that build and test it, or are macros, are not in it.
        for name in ["\naya-build ", "\nproptest ", "\nsyn ", "\nserde_derive ", "\nxtask ", "\nsockleak "] {
            assert!(!list.contains(name), "{name}");
        }
        let all: Vec<_> =
            notices.split(&"=".repeat(80)).filter_map(|notice| notice.split_once("\n\n")).collect();
        let once: BTreeSet<_> = all.iter().map(|(_, text)| text.trim()).collect();
        assert!(!once.contains("") && once.len() == all.len(), "texts are there once");
    }

    #[test]
    fn a_licence_without_a_text_has_to_be_one_that_names_nobody() {
        for (licence, expected) in [
            ("Apache-2.0", true),
            ("MIT OR Apache-2.0", true),
            ("MIT/Apache-2.0", true),
            ("MIT", false),
            ("Apache-2.0 AND ISC", false),
            ("Apache-2.0 WITH LLVM-exception", false),
        ] {
            assert_eq!(may_be_apache(licence), expected, "{licence}");
        }
    }

    #[test]
    fn lines_of_a_tree_are_names() {
        let expected = Some(("aya".to_owned(), "0.13.1".to_owned()));
        for line in ["aya v0.13.1", "aya v0.13.1 (*)", "aya v0.13.1 (/src/aya)"] {
            assert_eq!(name(line), expected);
        }
        assert_eq!(name("aya"), None);
    }
}
