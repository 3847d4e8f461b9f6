//! A second build of the commit, from nothing and in another folder: every artefact has to be the same bytes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::SUMS;
use crate::{paths, process};

/// Builds the commit again and compares.
///
/// # Errors
/// If an artefact differs; both are kept then.
pub(super) fn again(first: &Path, architectures: &[String]) -> Result<()> {
    let temporary = tempfile::Builder::new().prefix("sockleak-dist-").tempdir()?;
    let clone = temporary.path().join("sources");
    eprintln!("dist: building the commit once more, in {}", clone.display());
    let git = ["clone", "--quiet", "--local", "--no-hardlinks"];
    process::run(process::command("git", git).arg(paths::repo()).arg(&clone))?;
    let program = std::env::current_exe().context("this program does not know where it is")?;
    let mut second = process::command(&program.display().to_string(), ["dist"]);
    for name in architectures {
        second.args(["--arch", name]);
    }
    // By this variable xtask knows the repository.
    second
        .env("CARGO_MANIFEST_DIR", clone.join("xtask"))
        .env("SOCKLEAK_CACHE", paths::cache().canonicalize()?);
    second.env("CARGO_TARGET_DIR", clone.join("target")).current_dir(&clone);
    process::output(&mut second).context("the second build failed")?;
    let second = clone.join("target/dist");
    let different = different(&read(&first.join(SUMS))?, &read(&second.join(SUMS))?);
    if different.is_empty() {
        println!("the second build is the same, byte for byte");
        return Ok(());
    }
    let kept = keep(&second)?;
    bail!("the second build differs in {}; it is kept in {}", different.join(", "), kept.display())
}

/// Moves the second build's artefacts to where they stay.
fn keep(second: &Path) -> Result<PathBuf> {
    let kept = paths::target().join("dist-second");
    if kept.exists() {
        fs::remove_dir_all(&kept)?;
    }
    fs::create_dir_all(&kept)?;
    for entry in fs::read_dir(second)? {
        let entry = entry?;
        fs::copy(entry.path(), kept.join(entry.file_name()))?;
    }
    Ok(kept)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The names of files whose sums are not in both lists.
fn different(first: &str, second: &str) -> Vec<String> {
    let only = |these: &str, those: &str| -> Vec<String> {
        let lines = these.lines().filter(|line| !those.lines().any(|other| other == *line));
        lines.filter_map(|line| line.split_once("  ")).map(|(_, name)| name.to_owned()).collect()
    };
    let mut names = only(first, second);
    names.extend(only(second, first));
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_differ_or_are_missing_are_named() {
        let first = "1  a.deb\n2  b.rpm\n3  c.tar.gz\n";
        assert!(different(first, first).is_empty());
        assert_eq!(different(first, "1  a.deb\n9  b.rpm\n"), ["b.rpm", "c.tar.gz"]);
        assert_eq!(different("1  a.deb\n", "1  a.deb\n4  d\n"), ["d"]);
    }
}
