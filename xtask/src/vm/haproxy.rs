//! HAProxy 3.0 from Debian's trixie, beside the one of this machine: with its own C library and loader, since the machine's
//! may be too old for it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::libs;
use crate::apt::{self, Apt};
use crate::arch::Arch;
use crate::paths;
use crate::process::{self, Log};

const SUITE: &str = "trixie";
/// Names the packages that the folder came from; written last, so it also says "complete".
const STAMP: &str = "PACKAGES";
/// Where it is in a guest, as the workload expects it: `haproxy`, `ld.so`, and the libraries in `lib`.
pub(crate) const PLACE: &str = "/opt/haproxy-3.0";
/// Debian's loader for x86-64, as the program names it, and where it is found from the unpacked packages.
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// What it cannot run without, directly or not.
const DEPENDS: [&str; 9] = [
    "depends",
    "--recurse",
    "--no-recommends",
    "--no-suggests",
    "--no-conflicts",
    "--no-breaks",
    "--no-replaces",
    "--no-enhances",
    "haproxy",
];

/// The folder that goes to [`PLACE`], if it was fetched.
pub(crate) fn cached() -> Option<PathBuf> {
    Some(folder()).filter(|folder| folder.join(STAMP).is_file())
}

fn folder() -> PathBuf {
    paths::cache().join("haproxy-3.0")
}

/// Fetches it with its libraries. Nothing gets installed, and apt's own state is not touched.
pub(crate) fn fetch(log: &Log) -> Result<()> {
    let work = tempfile::tempdir_in(paths::cache_folder("tmp")?)?;
    let apt = Apt::read(work.path(), Arch::Amd64, &apt::mirror(), &[SUITE], log)?;
    let depends = apt.output("apt-cache", &DEPENDS)?;
    let packages = wanted(&depends);
    apt.run("apt-get", &[&["download"][..], &packages].concat(), log)?;

    let unpacked = work.path().join("unpacked");
    for entry in fs::read_dir(work.path())? {
        let package = entry?.path();
        if package.extension().is_some_and(|extension| extension == "deb") {
            log.run(process::command("dpkg", ["-x"]).arg(&package).arg(&unpacked))?;
        }
    }
    let ready = work.path().join("ready");
    gather(&unpacked, &ready)?;
    fs::write(ready.join(STAMP), format!("{}\n", packages.join("\n")))?;
    let target = folder();
    if target.exists() {
        fs::remove_dir_all(&target).with_context(|| format!("cannot remove {}", target.display()))?;
    }
    fs::rename(&ready, &target).with_context(|| format!("cannot create {}", target.display()))
}

/// The program's package and those that may hold its libraries, from what `apt-cache depends --recurse` lists: names at
/// the beginnings of lines, and below each what it depends on.
fn wanted(depends: &str) -> Vec<&str> {
    let is_wanted = |name: &&str| *name == "haproxy" || name.starts_with("lib") || name.starts_with("zlib");
    let names: BTreeSet<&str> = depends.lines().filter(is_wanted).collect();
    names.into_iter().collect()
}

/// Puts the program, its loader and its libraries into a folder.
fn gather(unpacked: &Path, ready: &Path) -> Result<()> {
    let program = unpacked.join("usr/sbin/haproxy");
    fs::create_dir_all(ready.join("lib"))?;
    let mut queue = vec![program.clone()];
    let mut known = BTreeSet::new();
    while let Some(file) = queue.pop() {
        for name in libs::needed(&file) {
            let library = unpacked.join(LIBRARIES).join(&name);
            if known.insert(name.clone()) {
                // Links are followed: the name that is asked for is what counts.
                fs::copy(&library, ready.join("lib").join(&name))
                    .with_context(|| format!("no package holds {name}, which {} needs", file.display()))?;
                queue.push(library);
            }
        }
    }
    let loader = Path::new(LOADER).file_name().context("the loader has no name")?;
    fs::copy(unpacked.join(LIBRARIES).join(loader), ready.join("ld.so")).context("the loader is missing")?;
    // A program that is run by way of its loader is no `haproxy` to the kernel: it has to ask for this loader by itself.
    let bytes = with_loader(fs::read(&program)?, &format!("{PLACE}/ld.so"))?;
    fs::write(ready.join("haproxy"), bytes)?;
    let permissions = fs::metadata(&program)?.permissions();
    Ok(fs::set_permissions(ready.join("haproxy"), permissions)?)
}

/// A program with the path of another loader, which must be no longer.
fn with_loader(mut program: Vec<u8>, path: &str) -> Result<Vec<u8>> {
    let old = format!("{LOADER}\0");
    ensure!(path.len() < old.len(), "{path} is longer than {LOADER}");
    let place = program.windows(old.len()).position(|bytes| bytes == old.as_bytes());
    let place = place.context("the program does not name its loader")?;
    program[place..place + old.len()].fill(0);
    program[place..place + path.len()].copy_from_slice(path.as_bytes());
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_is_exchanged_in_place() {
        let program = format!("head{LOADER}\0tail").into_bytes();
        let changed = with_loader(program.clone(), "/opt/ld.so").expect("it names its loader");
        assert_eq!(changed.len(), program.len());
        assert!(changed.starts_with(b"head/opt/ld.so\0\0") && changed.ends_with(b"\0tail"));
        assert!(with_loader(program, &"x".repeat(LOADER.len() + 1)).is_err());
        assert!(with_loader(b"static".to_vec(), "/opt/ld.so").is_err());
    }

    #[test]
    fn libraries_are_wanted_and_programs_are_not() {
        let depends =
            "haproxy\n  Depends: libc6\n |Depends: <debconf>\nadduser\nlibc6\nzlib1g\nlibc6\n<debconf>\n";
        assert_eq!(wanted(depends), ["haproxy", "libc6", "zlib1g"]);
    }
}
