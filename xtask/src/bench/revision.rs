//! An older revision's sockleak, built for a comparison.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::{paths, process};

/// A commit of this repository.
pub(super) struct Revision {
    /// The commit's full hash.
    pub(super) hash: String,
    /// The commit's short hash and subject.
    pub(super) title: String,
}

impl Revision {
    /// Finds the commit that a name means in this repository.
    pub(super) fn resolve(name: &str) -> Result<Self> {
        Self::resolve_in(&paths::repo(), name)
    }

    fn resolve_in(repo: &Path, name: &str) -> Result<Self> {
        let commit = format!("{name}^{{commit}}");
        let hash = git(repo, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])
            .ok()
            .with_context(|| format!("git knows no revision {name:?} in {}", repo.display()))?;
        let title = git(repo, &["show", "--no-patch", "--format=%h %s", &hash])?;
        Ok(Self { hash, title })
    }

    /// The revision's sockleak, built for release unless the cache has it.
    pub(super) fn sockleak(&self) -> Result<PathBuf> {
        let folder = paths::cache_folder("revisions")?;
        let program = folder.join(format!("sockleak-{}", self.hash));
        if program.is_file() {
            return Ok(program);
        }
        eprintln!("bench: building the sockleak of {}; this takes a few minutes", self.title);
        // A target folder of its own: cargo takes a workspace elsewhere with the same packages for the same, and would
        // find the older files unchanged.
        let build = folder.join(format!("build-{}", self.hash));
        let (source, target) = (build.join("source"), build.join("target"));
        if source.exists() {
            fs::remove_dir_all(&source).with_context(|| format!("cannot remove {}", source.display()))?;
        }
        self.unpack(&paths::repo(), &source)?;
        let arguments =
            ["build", "--release", "--quiet", "--locked", "--package", "sockleak", "--target-dir"];
        process::run(process::command("cargo", arguments).arg(&target).current_dir(&source))
            .with_context(|| format!("the sockleak of {} does not build", self.title))?;
        let built = target.join("release/sockleak");
        fs::rename(&built, &program).with_context(|| format!("cannot move {}", built.display()))?;
        fs::remove_dir_all(&build).with_context(|| format!("cannot remove {}", build.display()))?;
        Ok(program)
    }

    /// Writes the revision's files into a new folder.
    pub(super) fn unpack(&self, repo: &Path, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut archive = process::command("git", ["archive", "--format=tar", &self.hash]);
        let mut archive =
            archive.current_dir(repo).stdout(Stdio::piped()).spawn().context("cannot start `git archive`")?;
        let files = archive.stdout.take().context("`git archive` has no output")?;
        let unpacked = tar::Archive::new(files).unpack(folder);
        let status = archive.wait().context("cannot wait for `git archive`")?;
        ensure!(status.success(), "`git archive {}` failed ({status})", self.hash);
        unpacked.with_context(|| format!("cannot unpack {} into {}", self.hash, folder.display()))
    }
}

/// What git prints in a repository, without the space around it.
fn git(repo: &Path, arguments: &[&str]) -> Result<String> {
    let mut git: Command = process::command("git", arguments);
    Ok(process::output(git.current_dir(repo))?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_found_and_unpacked_and_another_name_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let repo = folder.path().join("repo");
        fs::create_dir(&repo).expect("it can be made");
        git(&repo, &["init", "--quiet"]).expect("git is here");
        fs::write(repo.join("file"), "then").expect("it can be written");
        git(&repo, &["add", "file"]).expect("it can be added");
        let author = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"];
        let commit = ["commit", "--quiet", "--no-verify", "--no-gpg-sign", "--message", "area: do it"];
        git(&repo, &[author.as_slice(), commit.as_slice()].concat()).expect("it can be committed");
        fs::write(repo.join("file"), "now").expect("it can be written");

        let revision = Revision::resolve_in(&repo, "HEAD").expect("it is there");
        assert!(revision.hash.len() >= 40 && revision.title.ends_with(" area: do it"), "{}", revision.title);
        let source = folder.path().join("source");
        revision.unpack(&repo, &source).expect("it can be unpacked");
        assert_eq!(fs::read_to_string(source.join("file")).expect("it is there"), "then");

        for name in ["no-such-revision", "--all", ""] {
            let error = Revision::resolve_in(&repo, name).err().expect("there is no such revision");
            let said = format!("{error:#}");
            assert!(said.starts_with(&format!("git knows no revision {name:?} in /")), "{said}");
        }
    }
}
