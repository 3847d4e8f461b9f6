//! What the program needs in a container where there is nothing: glibc, certificates, and users.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::super::architecture::Architecture;
use super::super::libraries::Needs;
use super::super::tree::{self, Tree};
use crate::apt::{self, Apt};
use crate::paths;
use crate::process::{self, Log};

/// Where glibc and certificates come from.
const SUITE: &str = "trixie";
const PACKAGES: [&str; 2] = ["libc6", "ca-certificates"];
/// Names what was unpacked; written last, so it also says "complete".
const STAMP: &str = "PACKAGES";
/// The user of the process that answers HTTP, as in the packages, and one for those who have neither.
const PASSWD: &str = "root:x:0:0:root:/:/sbin/nologin\n\
                      sockleak:x:9436:9436:sockleak's HTTP:/:/sbin/nologin\n\
                      nobody:x:65534:65534:nobody:/:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nsockleak:x:9436:\nnogroup:x:65534:\n";
/// glibc looks for users in files, and for hosts in files and by DNS: what it contains itself.
const NSSWITCH: &str = "passwd: files\ngroup: files\nhosts: files dns\n";

/// Everything below the program.
///
/// # Errors
/// If Debian's packages cannot be fetched, or lack a library.
pub(super) fn tree(architecture: Architecture, needs: &Needs) -> Result<Tree> {
    let unpacked = unpacked(architecture)?;
    let mut tree = Tree::default();
    for (link, target) in [("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")] {
        tree.link(link, target);
    }
    let libraries = format!("usr/lib/{}", architecture.multiarch);
    let loader = architecture.loader.rsplit_once('/').context("a loader has a path")?;
    for name in needs.libraries.iter().filter(|name| *name != loader.1) {
        let path = format!("{libraries}/{name}");
        tree.program(&path, tree::read(&unpacked.join(&path))?);
    }
    tree.program(format!("usr{}", architecture.loader), loader_of(&unpacked, &libraries, loader.1)?);
    tree.file("etc/passwd", PASSWD);
    tree.file("etc/group", GROUP);
    tree.file("etc/nsswitch.conf", NSSWITCH);
    tree.file(
        "etc/ssl/certs/ca-certificates.crt",
        certificates(&unpacked.join("usr/share/ca-certificates"))?,
    );
    for package in PACKAGES {
        let copyright = format!("usr/share/doc/{package}/copyright");
        tree.copy(&copyright, &unpacked.join(&copyright))?;
    }
    tree.copy("usr/share/doc/sockleak/debian-packages", &unpacked.join(STAMP))?;
    for folder in ["run", "tmp", "usr/lib64", "var/lib/sockleak", "var/log/sockleak"] {
        tree.folder(folder);
    }
    Ok(tree)
}

fn loader_of(unpacked: &Path, libraries: &str, name: &str) -> Result<Vec<u8>> {
    tree::read(&unpacked.join(libraries).join(name))
}

/// All certificates in one file, in the order of their names.
fn certificates(folder: &Path) -> Result<Vec<u8>> {
    let mut files = Vec::new();
    for authority in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        for file in fs::read_dir(authority?.path())? {
            files.push(file?.path());
        }
    }
    files.sort();
    let mut all = Vec::new();
    for file in files {
        all.extend(tree::read(&file)?);
        if !all.ends_with(b"\n") {
            all.push(b'\n');
        }
    }
    Ok(all)
}

/// The folder with Debian's packages, fetched if they are not in the cache.
fn unpacked(architecture: Architecture) -> Result<PathBuf> {
    let target = paths::cache_folder("dist")?.join(format!("image-{}", architecture.debian));
    if target.join(STAMP).is_file() {
        return Ok(target);
    }
    eprintln!("dist: fetching {} of Debian {SUITE} for {}", PACKAGES.join(" and "), architecture.debian);
    let log = Log::create("dist-image")?;
    let work = tempfile::tempdir_in(paths::cache_folder("tmp")?)?;
    let apt = Apt::read(work.path(), architecture.arch, &apt::mirror(), &[SUITE], &log)?;
    apt.run("apt-get", &[&["download"][..], &PACKAGES].concat(), &log)?;
    let ready = work.path().join("ready");
    let mut names = Vec::new();
    for entry in fs::read_dir(work.path())? {
        let package = entry?.path();
        if package.extension().is_some_and(|extension| extension == "deb") {
            log.run(process::command("dpkg", ["-x"]).arg(&package).arg(&ready))?;
            let name = process::output(process::command("dpkg-deb", ["--show"]).arg(&package))?;
            names.push(name.replace('\t', " "));
        }
    }
    names.sort();
    fs::write(ready.join(STAMP), names.concat())?;
    fs::rename(&ready, &target).with_context(|| format!("cannot create {}", target.display()))?;
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().expect("there is room");
        let mozilla = folder.path().join("mozilla");
        fs::create_dir(&mozilla).expect("it is new");
        for (name, text) in [("b.crt", "2"), ("a.crt", "1\n")] {
            fs::write(mozilla.join(name), text).expect("it can be written");
        }
        assert_eq!(certificates(folder.path()).expect("they can be read"), b"1\n2\n");
    }

    #[test]
    fn the_user_of_the_packages_is_there() {
        let sysusers = include_str!("../../../../packaging/sockleak.sysusers");
        let user = sysusers.lines().find_map(|line| line.strip_prefix("u ")).expect("it has one");
        let name = user.split(' ').next().expect("it has a name");
        assert!(PASSWD.contains(&format!("\n{name}:x:")), "{name}");
        assert!(GROUP.contains(&format!("\n{name}:x:")), "{name}");
    }
}
