//! Every artefact installed into clean roots of Debian, by the tools that users have, and used there.

mod roots;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::architecture::Architecture;
use super::{VERSION, rpm, tarball, tree};
use crate::counts::Counts;
use crate::{paths, process};
use roots::Root;

/// A recording of ours, and how its report begins.
const RECORDING: &str = "tests/data/recordings/field-postgresql-full.db";
/// What is done in a root, in sh.
const ARCHIVE: &str = include_str!("archive.sh");
const DEB: &str = include_str!("deb.sh");
const RPM: &str = include_str!("rpm.sh");
/// Uses what was installed; the others call it.
const USE: &str = include_str!("use.sh");

/// One artefact in one root.
struct Trial {
    root: Root,
    /// Name of the file that is installed.
    artefact: String,
    script: &'static str,
}

/// Tries the artefacts in a folder; one line for each trial.
///
/// # Errors
/// If a root cannot be made. A trial that fails is counted.
pub(super) fn run(folder: &Path, architecture: Architecture) -> Result<Counts> {
    ensure!(architecture.runs_here(), "programs for {} do not run on this machine", architecture.name);
    let mut counts = Counts::default();
    for trial in trials(architecture) {
        let name = format!("{} on {}", trial.artefact, trial.root.name);
        match trial.run(folder) {
            Ok(said) => {
                counts.passed += 1;
                println!("PASS {name}: {said}");
            }
            Err(error) => {
                counts.failed += 1;
                println!("FAIL {name}: {error:#}");
            }
        }
    }
    Ok(counts)
}

fn trials(architecture: Architecture) -> Vec<Trial> {
    let archive = format!("{}.tar.gz", tarball::folder(VERSION, architecture));
    let deb = format!("sockleak_{VERSION}-1_{}.deb", architecture.debian);
    let mut trials: Vec<_> = roots::PLAIN
        .map(|root| Trial { root, artefact: archive.clone(), script: ARCHIVE })
        .into_iter()
        .collect();
    trials.extend(roots::WITH_SYSTEMD.map(|root| Trial { root, artefact: deb.clone(), script: DEB }));
    let rpm = rpm::file_name(VERSION, architecture);
    trials.push(Trial { root: roots::WITH_RPM, artefact: rpm, script: RPM });
    trials
}

impl Trial {
    /// Gives the first line that the program printed.
    fn run(&self, folder: &Path) -> Result<String> {
        let work = tempfile::tempdir_in(paths::cache_folder("tmp")?)?;
        let root = work.path().join("root");
        self.root.unpack(&root)?;
        let given = root.join("trial");
        fs::create_dir(&given)?;
        for (path, name) in [(folder.join(&self.artefact), &*self.artefact), (recording(), "recording.db")] {
            fs::copy(&path, given.join(name)).with_context(|| format!("cannot copy {}", path.display()))?;
        }
        for (name, text) in [("run.sh", self.script), ("use.sh", USE)] {
            fs::write(given.join(name), text)?;
        }
        let said = in_root(&root, &["sh", "-e", "/trial/run.sh", &self.artefact, VERSION])?;
        let sum = |path: &Path| Ok::<_, anyhow::Error>(tree::sha256(&tree::read(path)?));
        ensure!(sum(&given.join("recording.db"))? == sum(&recording())?, "the recording was changed");
        Ok(said.lines().next().unwrap_or_default().to_owned())
    }
}

fn recording() -> PathBuf {
    paths::repo().join(RECORDING)
}

/// Runs a command in a root that has this machine's processes and nothing else of it. What it mounts ends with it.
fn in_root(root: &Path, command: &[&str]) -> Result<String> {
    const MOUNT: &str = "mount --bind /proc \"$0/proc\" && exec chroot \"$0\" \"$@\"";
    let mut unshare = process::command("unshare", ["--mount", "--propagation", "private", "sh", "-c", MOUNT]);
    let unshare = unshare.arg(root).args(command).env_clear();
    process::output(unshare.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
}

#[cfg(test)]
mod tests {
    use super::super::architecture;
    use super::*;

    #[test]
    fn each_form_is_tried() {
        let trials = trials(architecture::ALL[0]);
        let tried = |end: &str| {
            let of = trials.iter().filter(|trial| trial.artefact.ends_with(end));
            of.map(|trial| trial.root.suite).collect::<Vec<_>>()
        };
        assert_eq!(tried(".tar.gz"), ["bullseye", "bookworm", "trixie"]);
        assert_eq!(tried("_amd64.deb"), ["bullseye", "trixie"]);
        assert_eq!(tried(".x86_64.rpm"), ["bookworm"]);
        assert!(recording().is_file());
    }

    #[test]
    fn scripts_can_be_read_by_a_shell() {
        for text in [ARCHIVE, DEB, RPM, USE] {
            let file = tempfile::NamedTempFile::new().expect("there is room");
            fs::write(file.path(), text).expect("it can be written");
            process::output(process::command("sh", ["-n"]).arg(file.path())).expect("it is a script");
        }
    }
}
