//! A recording whose capture is killed at any moment, while connections come and go: it can be read, it agrees with
//! itself, and it lacks only what the last moments brought.

use std::collections::HashSet;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use nix::sys::utsname::uname;
use nix::time::{ClockId, clock_gettime};
use rusqlite::Connection;
use workload::unix::inode;

use super::bench::{Bench, Door};
use super::recording::report;

/// As many are killed on the kernel where there is time for it, and elsewhere.
const MANY: usize = 50;
const FEW: usize = 5;
/// The last moment, counted from when tracing begins.
const LATEST: Duration = Duration::from_millis(2000);
/// A recording is at most a second behind; an emulated machine with others beside it may take its time to write.
const MOST_LOST: Duration = Duration::from_secs(3);
/// Between two connections: a capture that is flooded is another story.
const BREATH: Duration = Duration::from_millis(1);

/// A connection that was made and closed, in nanoseconds since boot.
#[derive(Clone, Copy)]
struct Pass {
    begun: u64,
    over: u64,
    client_inode: u64,
}

/// What one recording came to.
struct Figures {
    lost: Duration,
    events: u64,
}

/// Tells how much was lost.
pub(super) fn killed(bench: &Bench<'_>) -> anyhow::Result<String> {
    let is_long = uname()?.release().to_string_lossy().starts_with("6.1.");
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let (is_over, passes) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let figures = thread::scope(|scope| {
        let load = scope.spawn(|| pass_until(&door, &is_over, &passes));
        let rounds = if is_long { MANY } else { FEW };
        let figures = (0..rounds).map(|round| kill_one(bench, &path, round, &passes)).collect();
        is_over.store(true, Ordering::Relaxed);
        load.join().expect("the load panicked").and(figures)
    });
    let mut figures: Vec<Figures> = figures?;
    figures.sort_by_key(|one| one.lost);
    let lost = |place: usize| figures.get(place).map_or(0, |one| one.lost.as_millis());
    let events: u64 = figures.iter().map(|one| one.events).sum();
    let (count, last) = (figures.len(), figures.len().saturating_sub(1));
    let [least, median, most] = [lost(0), lost(last / 2), lost(last)];
    Ok(format!(
        "{count} recordings killed, {events} events; lost at least {least}, half of them at most {median}, at most {most} ms"
    ))
}

fn pass_until(door: &Door, is_over: &AtomicBool, passes: &Mutex<Vec<Pass>>) -> anyhow::Result<()> {
    while !is_over.load(Ordering::Relaxed) {
        let begun = now()?;
        let pair = door.connect()?;
        let client_inode = inode(&pair.0)?;
        drop(pair);
        let pass = Pass { begun, over: now()?, client_inode };
        passes.lock().expect("the other thread panicked").push(pass);
        thread::sleep(BREATH);
    }
    Ok(())
}

fn kill_one(
    bench: &Bench<'_>,
    path: &str,
    round: usize,
    passes: &Mutex<Vec<Pass>>,
) -> anyhow::Result<Figures> {
    let trace = bench.path(&format!("killed-{round}.db"));
    let capture = bench.trace(&["--quiet", "--output", &trace, path])?;
    let begun = now()?;
    thread::sleep(LATEST.mul_f64(random()));
    capture.child.signal(Signal::SIGKILL)?;
    let killed = now()?;
    // Its status is that of a killed process.
    let _ = capture.end();
    let ended = report(bench, &["--json", &trace])?;
    ended.expect(0)?;
    ensure!(ended.err.contains("was broken off"), "it does not say so: {}", ended.err);
    ended.report()?;
    let within = |pass: &&Pass| pass.begun >= begun && pass.over <= killed;
    let passes: Vec<Pass> =
        passes.lock().expect("the other thread panicked").iter().filter(within).copied().collect();
    let database = Connection::open(&trace)?;
    check_consistency(&database)?;
    let lost = lost(&database, &passes, killed).with_context(|| format!("recording {round}"))?;
    let lost = Duration::from_nanos(lost);
    ensure!(lost <= MOST_LOST, "recording {round} lacks the last {lost:?}");
    let events = number(&database, "SELECT count(*) FROM event")?;
    drop(database);
    fs::remove_file(&trace)?;
    Ok(Figures { lost, events })
}

/// Nothing in it refers to what is not there.
fn check_consistency(database: &Connection) -> anyhow::Result<()> {
    let sound: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    ensure!(sound == "ok", "SQLite says: {sound}");
    let version = number(database, "SELECT count(*) FROM session")?;
    ensure!(version == 1, "{version} sessions");
    for (what, stray) in [
        (
            "events of connections that never began",
            "SELECT count(*) FROM event WHERE kind <> 1 AND connection IS NOT NULL AND connection NOT IN (SELECT connection FROM event WHERE kind = 1 \
             UNION SELECT connection FROM held WHERE connection IS NOT NULL)",
        ),
        (
            "events before their connection began",
            "SELECT count(*) FROM event LEFT JOIN (SELECT connection, seq AS began FROM event WHERE kind = 1) \
             USING (connection) WHERE seq < began",
        ),
        (
            "events of listeners that nothing describes",
            "SELECT count(*) FROM event WHERE listener NOT IN (SELECT listener FROM listener)",
        ),
        (
            "events without a process",
            "SELECT count(*) FROM event WHERE kind = 1 AND (pid, start) NOT IN (SELECT pid, start FROM process)",
        ),
    ] {
        let count = number(database, stray)?;
        ensure!(count == 0, "{count} {what}");
    }
    Ok(())
}

/// For how long before it was killed the recording knows nothing, in nanoseconds. `passes` are those of the time in which
/// it was made: all up to some moment are in it.
fn lost(database: &Connection, passes: &[Pass], killed: u64) -> anyhow::Result<u64> {
    let mut statement = database.prepare("SELECT inode FROM event WHERE kind = 1")?;
    let inodes = statement.query_map([], |row| row.get::<_, i64>(0))?;
    let inodes = inodes.map(|inode| Ok(inode?.cast_unsigned())).collect::<rusqlite::Result<HashSet<_>>>()?;
    let is_recorded = |pass: &Pass| inodes.contains(&pass.client_inode);
    let known = passes.iter().rposition(is_recorded).map_or(0, |last| last + 1);
    let holes = passes[..known].iter().filter(|pass| !is_recorded(pass)).count();
    ensure!(holes == 0, "{holes} connections are missing among {known} that are older than the last one");
    Ok(passes.get(known).map_or(0, |first| killed.saturating_sub(first.begun)))
}

fn number(database: &Connection, query: &str) -> anyhow::Result<u64> {
    let number: i64 = database.query_row(query, [], |row| row.get(0)).with_context(|| query.to_owned())?;
    Ok(number.cast_unsigned())
}

/// Nanoseconds since boot, as a recording has them.
fn now() -> anyhow::Result<u64> {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    Ok(u64::try_from(Duration::from(time).as_nanos())?)
}

/// From 0 to 1. Every hasher has random keys.
pub(super) fn random() -> f64 {
    f64::from(RandomState::new().build_hasher().finish() as u32) / f64::from(u32::MAX)
}
