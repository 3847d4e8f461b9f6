//! Debian packages: what is missing for the VMs, and installing.

use std::path::Path;
use std::sync::OnceLock;

use anyhow::Result;

use crate::apt::KEYRING;
use crate::vm::{debian, libs};
use crate::{paths, process, process::Log};

/// Whether packages can be installed here: Debian (or kin), as root.
pub(crate) fn can_install() -> bool {
    nix::unistd::geteuid().is_root()
        && Path::new("/etc/debian_version").exists()
        && paths::program("apt-get").is_some()
}

/// Whether packages can be fetched and unpacked, which needs no rights.
pub(crate) fn can_fetch() -> bool {
    can_install()
        || [paths::program("apt-get"), paths::program("dpkg")].iter().all(Option::is_some) && has_keyring()
}

fn has_keyring() -> bool {
    Path::new(KEYRING).exists()
}

/// Debian's own: another one on the search path may be built in another way.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// Packages whose programs go into the VMs, or build such, and this machine lacks.
pub(crate) fn missing_for_guest() -> Vec<&'static str> {
    let has = |program| paths::program(program).is_some();
    let static_busybox = paths::program("busybox").is_some_and(|path| libs::is_static(&path, Path::new("/")));
    [
        ("busybox-static", static_busybox),
        ("haproxy", has("haproxy")),
        ("socat", has("socat")),
        ("debian-archive-keyring", has_keyring()),
        ("gcc", has("cc")),
        ("golang-go", has("go")),
        ("python3", Path::new(PYTHON).exists()),
    ]
    .into_iter()
    .filter(|(_, present)| !present)
    .map(|(package, _)| package)
    .collect()
}

/// Packages whose programs make the Debian root for VMs and this machine lacks.
pub(crate) fn missing_for_root() -> Vec<&'static str> {
    let programs = [("mmdebstrap", "mmdebstrap"), ("e2fsprogs", debian::MKFS)];
    let mut missing: Vec<_> = programs
        .into_iter()
        .filter(|(_, program)| paths::program(program).is_none())
        .map(|it| it.0)
        .collect();
    if !has_keyring() {
        missing.push("debian-archive-keyring");
    }
    missing
}

/// Packages whose programs the bench compares with and this machine lacks.
pub(crate) fn missing_for_bench() -> Vec<&'static str> {
    if paths::program("bpftrace").is_some() { Vec::new() } else { vec!["bpftrace"] }
}

/// Packages whose programs make the Debian package and this machine lacks.
pub(crate) fn missing_for_package() -> Vec<&'static str> {
    let programs = [("dpkg-dev", "dpkg-shlibdeps"), ("gzip", "gzip"), ("dpkg", "dpkg-deb")];
    let missing = programs.into_iter().filter(|(_, program)| paths::program(program).is_none());
    missing.map(|(package, _)| package).collect()
}

/// Packages in whose programs tests draw on a terminal, and this machine lacks.
pub(crate) fn missing_for_terminal() -> Vec<&'static str> {
    if paths::program("tmux").is_some() { Vec::new() } else { vec!["tmux"] }
}

/// Installs packages, without what they merely recommend.
pub(crate) fn install<S: AsRef<str>>(packages: &[S], log: &Log) -> Result<()> {
    update_once(log);
    let mut apt = apt(&["install", "--yes", "--no-install-recommends"]);
    apt.args(packages.iter().map(AsRef::as_ref));
    log.run(&mut apt)
}

/// The version of a package that apt would install.
pub(crate) fn candidate(package: &str, log: &Log) -> Option<String> {
    update_once(log);
    let policy = process::output(&mut process::command("apt-cache", ["policy", package])).ok()?;
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    (version != "(none)").then(|| version.to_owned())
}

/// Reads the package lists anew. A failing third-party source is no reason to stop: what is then really
/// missing makes the installation fail, and that error names it.
fn update_once(log: &Log) {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        if let Err(error) = log.run(&mut apt(&["update"])) {
            eprintln!("      warning: {error:#}");
        }
    });
}

fn apt(arguments: &[&str]) -> std::process::Command {
    let mut apt = process::command("apt-get", ["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"]);
    apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    apt
}
