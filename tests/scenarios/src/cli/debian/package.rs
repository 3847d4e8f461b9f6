//! The life of the package on a system: installed, configured, used, upgraded under load, removed, purged.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context as _, ensure};

use super::system::{
    Loaded, UNIT, all_files, file, journal, loaded, new_since, property, run, socket, start_service, wait_for,
};
use crate::cli::bench::{Bench, Door, total};
use crate::cli::limits::expect_open;
use crate::cli::service::{Truth, load};

/// Who may log in, and in what groups: what a package that is gone has to have left as it was.
const ACCOUNTS: [&str; 4] = ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"];
const PINS: &str = "/sys/fs/bpf/sockleak";
/// So many connections are made before the upgrade, as many after it, and no fewer meanwhile.
const SOME: u64 = 50;

/// What a package may not change for good.
struct System {
    files: BTreeSet<PathBuf>,
    accounts: Vec<String>,
    loaded: Loaded,
}

impl System {
    fn look() -> anyhow::Result<Self> {
        let accounts = ACCOUNTS.map(fs::read_to_string).into_iter().collect::<Result<_, _>>()?;
        Ok(Self { files: all_files()?, accounts, loaded: loaded()? })
    }
}

/// Tells what systemd thinks of the unit.
pub(super) fn package(bench: &Bench<'_>) -> anyhow::Result<String> {
    ensure!(!Path::new("/usr/bin/sockleak").exists(), "the package is there before it is installed");
    let before = System::look()?;
    let path = socket("package.sock")?;
    let door = Door::open(&path)?;
    start_service(&format!("[[target]]\nsocket = {path:?}\n"))?;
    expect_watched()?;
    expect_notices()?;
    let exposure = exposure()?;
    ensure!(
        !new_since(&before.loaded)?.is_empty() && Path::new(PINS).exists(),
        "it traces with nothing in the kernel"
    );

    let truth = upgrade(&door)?;
    wait_for("the store to have what happened", || expect_stored(bench, &truth).map(|()| true))?;
    remove(&before)?;
    drop(truth.held);
    Ok(exposure)
}

/// The libraries in the program are named, with the texts of their licences.
fn expect_notices() -> anyhow::Result<()> {
    let path = "/usr/share/doc/sockleak/THIRD-PARTY";
    let text = fs::read_to_string(path).with_context(|| format!("the package has not installed {path}"))?;
    for notice in ["\naya ", "\nlibsqlite3-sys ", "\nring ", "\nNotice 1\n", "Permission is hereby granted"] {
        ensure!(text.contains(notice), "{path} lacks {notice:?}");
    }
    Ok(())
}

/// Active, and watched by systemd, whom it tells again and again that it lives.
fn expect_watched() -> anyhow::Result<()> {
    let (state, limit) = (property("ActiveState")?, property("WatchdogUSec")?);
    ensure!(state == "active", "it is {state}: {}", journal());
    ensure!(!["", "0", "infinity"].contains(&limit.as_str()), "nobody watches it: WatchdogUSec={limit}");
    let last_sign = || property("WatchdogTimestampMonotonic");
    let first = last_sign()?;
    wait_for("a sign of life", || Ok(last_sign()? != first))
}

/// The closing line of `systemd-analyze security`.
fn exposure() -> anyhow::Result<String> {
    let text = run("systemd-analyze", &["security", "--no-pager", UNIT])?;
    let line = text.lines().find_map(|line| line.split_once("Overall exposure level for"));
    let (_, line) = line.with_context(|| format!("no score: {text}"))?;
    // A smiley ends it.
    let words: Vec<_> = line.split_whitespace().take(3).collect();
    Ok(format!("exposure of {}", words.join(" ")))
}

/// A newer package is put in place of this one, and connections come and go before, meanwhile and afterwards.
fn upgrade(door: &Door) -> anyhow::Result<Truth> {
    let (version, process) = (version()?, property("MainPID")?);
    let held = (0..3).map(|_| door.connect()).collect::<anyhow::Result<Vec<_>>>()?;
    let pass_some = || (0..SOME).try_for_each(|_| door.pass());
    pass_some()?;
    let is_over = AtomicBool::new(false);
    let mut truth = thread::scope(|scope| {
        let load = scope.spawn(|| load(door, &is_over));
        let upgraded = run("dpkg", &["--install", &file("sockleak-next.deb")]);
        is_over.store(true, Ordering::Relaxed);
        let truth = load.join().expect("the load panicked")?;
        upgraded.map(|_| truth)
    })?;
    ensure!(truth.opened >= SOME, "{} connections are no load", truth.opened);
    let newer = self::version()?;
    ensure!(newer != version, "the version is still {version}");
    wait_for("the new service", || Ok(property("ActiveState")? == "active"))?;
    ensure!(property("MainPID")? != process, "the old service goes on");
    pass_some()?;
    expect_watched()?;
    truth.opened += 2 * SOME + held.len() as u64;
    truth.held.extend(held);
    Ok(truth)
}

fn version() -> anyhow::Result<String> {
    run("dpkg-query", &["--show", "--showformat", "${Version}", "sockleak"])
}

/// The store has every connection, and knows which are open.
fn expect_stored(bench: &Bench<'_>, truth: &Truth) -> anyhow::Result<()> {
    let mut command = bench.sockleak();
    let ended = bench.run(command.args(["report", "--json", "--store", "/var/lib/sockleak"]))?;
    ended.expect(0)?;
    let report = ended.report()?;
    let (opened, closed) = (total(&report, "opened")?, total(&report, "closed")?);
    let open = truth.held.len() as u64;
    ensure!(opened == truth.opened, "{opened} are stored of {} connections", truth.opened);
    ensure!(closed + open == truth.opened, "{closed} are closed of {opened}, and {open} are open");
    ensure!(report["complete"] == true, "something is missing: {}", report["incomplete_because"]);
    expect_open(&report, &truth.held)
}

/// Without the package nothing runs and nothing is in the kernel; when it is purged, nothing was ever there.
fn remove(before: &System) -> anyhow::Result<()> {
    run("dpkg", &["--remove", "sockleak"])?;
    let state = property("ActiveState")?;
    ensure!(state == "inactive", "it is {state}: {}", journal());
    ensure!(!Path::new(PINS).exists(), "{PINS} is still there");
    // The kernel lets go of them a moment later.
    wait_for("the kernel to have no more in it than before", || {
        let left = new_since(&before.loaded)?;
        ensure!(left.is_empty(), "it still has {left:?}");
        Ok(true)
    })?;
    ensure!(Path::new("/var/lib/sockleak").exists(), "what it knew is gone before it is purged");

    run("dpkg", &["--purge", "sockleak"])?;
    let after = System::look()?;
    let left: Vec<_> = after.files.difference(&before.files).collect();
    ensure!(left.is_empty(), "these files are left: {left:?}");
    let lost: Vec<_> = before.files.difference(&after.files).collect();
    ensure!(lost.is_empty(), "these files are gone: {lost:?}");
    for ((name, before), after) in ACCOUNTS.iter().zip(&before.accounts).zip(&after.accounts) {
        ensure!(before == after, "{name} was {before:?} and is {after:?}");
    }
    ensure!(!Path::new("/run/sockleak").exists(), "/run/sockleak is left");
    Ok(())
}
