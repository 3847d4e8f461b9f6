//! The system: packages, units, files, what is loaded into the kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use aya::maps::loaded_maps;
use aya::programs::loaded_programs;

use super::http::{SERVICE, get_json};
use super::{FOLDER, SOCKETS};
use crate::cli::service;

/// Its unit.
pub(super) const UNIT: &str = "sockleak.service";
/// Where its configuration belongs.
const CONFIG: &str = "/etc/sockleak/config.toml";
/// These hold no files, or none that a package brings.
const NOT_FILES: [&str; 7] = ["/dev", "/out", "/proc", "/run", "/sys", "/tmp", "/var/log"];

/// Runs a program that has to succeed; what it printed.
pub(in crate::cli) fn run(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| program.to_owned())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    let shown = || format!("{program} {}", arguments.join(" "));
    ensure!(output.status.success(), "{} failed, {}: {said}{complaints}", shown(), output.status);
    Ok(said)
}

/// A property of the service's unit.
pub(super) fn property(name: &str) -> anyhow::Result<String> {
    Ok(run("systemctl", &["show", "--value", "--property", name, UNIT])?.trim().to_owned())
}

/// The test's file of that name.
pub(super) fn file(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

/// A path for a socket.
pub(super) fn socket(name: &str) -> anyhow::Result<String> {
    fs::create_dir_all(SOCKETS)?;
    Ok(format!("{SOCKETS}/{name}"))
}

/// Starts the service with this configuration, from a package that is installed if it is not yet. Its store is a new one.
pub(super) fn start_service(config: &str) -> anyhow::Result<()> {
    if !Path::new("/usr/bin/sockleak").exists() {
        run("dpkg", &["--install", &file("sockleak.deb")])?;
    }
    run("systemctl", &["stop", UNIT])?;
    run("sockleak", &["detach"])?;
    for entry in fs::read_dir("/var/lib/sockleak").into_iter().flatten() {
        fs::remove_file(entry?.path())?;
    }
    fs::write(CONFIG, config)?;
    run("systemctl", &["start", UNIT]).map_err(|error| error.context(journal()))?;
    wait_for("the service to be well", || {
        let health = get_json(SERVICE, "/healthz")?;
        ensure!(health["status"] == "ok", "it is not: {health}");
        Ok(true)
    })
}

/// The last words of the service, for whoever reads of a failure.
pub(super) fn journal() -> String {
    run("journalctl", &["--no-pager", "--lines", "20", "--unit", UNIT]).unwrap_or_default()
}

/// Waits until something is so. While it fails, it is not.
pub(in crate::cli) fn wait_for(what: &str, is_so: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    service::wait_for(is_so).with_context(|| format!("waited in vain for {what}"))
}

/// Every file there is.
pub(super) fn all_files() -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![PathBuf::from("/")];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            if NOT_FILES.iter().any(|it| path == Path::new(it)) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path);
        }
    }
    Ok(found)
}

/// What is in the kernel: eBPF programs and maps, each with its number, and what it is called.
pub(super) type Loaded = BTreeMap<(&'static str, u32), String>;

/// Looks.
pub(super) fn loaded() -> anyhow::Result<Loaded> {
    let mut found = Loaded::new();
    for program in loaded_programs() {
        let program = program.context("the kernel does not list its programs")?;
        let name = program.name_as_str().unwrap_or_default();
        found.insert(("program", program.id()), format!("{name}, {:?}", program.program_type()));
    }
    for map in loaded_maps() {
        let map = map.context("the kernel does not list its maps")?;
        found.insert(("map", map.id()), map.name_as_str().unwrap_or_default().to_owned());
    }
    Ok(found)
}

/// What is there now and was not before. systemd has programs of its own for the control groups of its units, and makes them
/// anew now and then.
pub(super) fn new_since(before: &Loaded) -> anyhow::Result<Loaded> {
    let mut now = loaded()?;
    now.retain(|key, name| !before.contains_key(key) && !name.starts_with("sd_"));
    Ok(now)
}
