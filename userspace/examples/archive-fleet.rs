//! Makes up a fleet of hosts, stores what happens on each, and has it archived by the real process: for the tests of queries and the
//! figures of docs/performance.md.
//!
//! `archive-fleet SOCKLEAK DIRECTORY HOSTS DAYS` leaves the archive in DIRECTORY/archive, and the truth in DIRECTORY/truth.json.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use sockleak::service::{
    archive::{self, Archive, Timing},
    config::{ArchiveSettings, Place},
    store::{self, Options, Store},
};
use sockleak_core::{
    event::{End, Event, Record},
    session::Session,
    testing::{SECOND, accept, connect, event, listener, process, release, session},
};
use sockleak_recording::{Header, Progress};

/// 2026-11-02T00:00:00Z, a Monday, in nanoseconds since 1970.
const FIRST_DAY: i64 = 1_793_577_600_000_000_000;
const DAY: u64 = 24 * 3600 * SECOND;
const MONTH: Duration = Duration::from_secs(400 * 24 * 3600);
const ROOM: u64 = 1 << 32;
const SOCKET: &str = "/run/shop.sock";
const BACKUP: &str = "/usr/bin/backup";
const SERVER: u32 = 50;
const CLIENT: u32 = 8;
const WORKER: u32 = 7;
/// Connections a day that a host's healthy program opens and closes.
const HEALTHY: u64 = 96;
/// And those that a leaking one opens.
const LEAKED: u64 = 24;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, directory, hosts, days] = arguments.as_slice() else {
        bail!("archive-fleet SOCKLEAK DIRECTORY HOSTS DAYS");
    };
    let (directory, hosts, days) = (Path::new(directory), hosts.parse::<u64>()?, days.parse::<u64>()?);
    let archive = directory.join("archive");
    fs::create_dir_all(&archive)?;
    // The process runs as another user, who may not read the build's folder.
    let copy = directory.join("sockleak");
    fs::copy(program, &copy).context("sockleak is not there")?;
    for path in [directory, &archive, &copy] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777))?;
    }
    let mut truth = Truth::default();
    let began = Instant::now();
    for number in 0..hosts {
        let host = Host { number, name: format!("web{number:05}") };
        let store = directory.join("store");
        let bytes = host.live(&store, days, &mut truth)?;
        truth.stored += bytes;
        host.archive(&copy, &store, &archive, days)?;
        fs::remove_dir_all(&store)?;
    }
    eprintln!("{hosts} hosts, {days} days: {:.1} s", began.elapsed().as_secs_f64());
    fs::write(directory.join("truth.json"), serde_json::to_vec_pretty(&truth.json())?)?;
    Ok(())
}

/// What queries have to find.
#[derive(Default)]
struct Truth {
    /// Hosts on which a program leaks, and since which day.
    leaks: BTreeMap<String, BTreeMap<String, u64>>,
    /// Hosts that a program runs on.
    runs: BTreeMap<String, BTreeSet<String>>,
    /// Lifetimes by program and week, in nanoseconds.
    lifetimes: BTreeMap<(String, u64), Vec<u64>>,
    closed: u64,
    stored: u64,
}

impl Truth {
    fn json(&self) -> serde_json::Value {
        let p99 = self.lifetimes.iter().map(|((program, week), all)| {
            let mut all = all.clone();
            all.sort_unstable();
            // By nearest rank.
            let rank = (all.len() * 99).div_ceil(100).max(1) - 1;
            json!({"program": program, "week": week, "closed": all.len(), "p99_ns": all[rank]})
        });
        json!({
            "leaks": self.leaks,
            "runs": self.runs,
            "lifetimes": p99.collect::<Vec<_>>(),
            "closed": self.closed,
            "stored_bytes": self.stored,
        })
    }
}

struct Host {
    number: u64,
    name: String,
}

impl Host {
    /// The release of the shop that runs here on a day: two hosts of three get the second one, some days later each.
    fn release(&self, day: u64) -> u64 {
        let since = 3 + self.number % 5;
        if self.number.is_multiple_of(3) || day < since { 1 } else { 2 }
    }

    fn worker(&self, day: u64) -> String {
        format!("/srv/shop/releases/{}/bin/worker", self.release(day))
    }

    fn live(&self, directory: &Path, days: u64, truth: &mut Truth) -> Result<u64> {
        let mut store = Store::open(Options::new(directory.to_owned(), ROOM, MONTH, || {}))?;
        let mut session = session(&["shop.sock"]);
        let header = Header {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: self.name.clone(),
            boot_id: format!("boot-of-{}", self.name),
            kernel: if self.number.is_multiple_of(2) { "6.1.0" } else { "6.12.0" }.to_owned(),
            boot_time: FIRST_DAY,
            targets: vec![SOCKET.to_owned()],
            leak_age: 60 * SECOND,
            started: SECOND,
            ..Header::default()
        };
        store.start(header, "boot/pins", 0, Vec::new)?;
        let mut next = 0;
        for day in 0..days {
            self.day(day, &mut next, &mut session, &mut store, truth);
            let progress = Progress { now: (day + 1) * DAY - SECOND, ..Progress::default() };
            store.flush(progress.clone(), next);
            let carry = session.carry();
            store.begin_segment(progress, next, carry)?;
        }
        while store::closed(directory, 0)?.len() < usize::try_from(days)? {
            ensure!(store.status().is_none(), "it cannot be stored");
            sleep(Duration::from_millis(1));
        }
        let closed = store::closed(directory, 0)?;
        let bytes =
            closed.iter().map(|it| fs::metadata(&it.path).map(|file| file.len())).sum::<Result<_, _>>()?;
        let progress = Progress { now: days * DAY, ..Progress::default() };
        store.finish(progress, next)?;
        Ok(bytes)
    }

    fn day(&self, day: u64, next: &mut u64, session: &mut Session, store: &mut Store, truth: &mut Truth) {
        let worker = self.worker(day);
        let leaks = self.release(day) == 2;
        let start = day * DAY + 2 * SECOND;
        // Each release is a process of its own.
        let pid = WORKER + u32::try_from(self.release(day)).unwrap_or(0) * 100;
        let mut take = |record: Record| {
            session.feed(record.clone());
            store.record(record, None);
        };
        take(listener(1, SOCKET));
        for (pid, program) in [(SERVER, "/usr/sbin/shopd"), (CLIENT, BACKUP), (pid, worker.as_str())] {
            take(process(pid, Some(program)));
        }
        let mut happens = Vec::new();
        for nth in 0..HEALTHY {
            // Lifetimes grow by host and week, so that each week has another distribution.
            let lifetime = (1 + nth % 10 + self.number % 7) * (SECOND / 100) * (1 + day / 7);
            happens.push((start + nth * (DAY / HEALTHY - SECOND), CLIENT, BACKUP, Some(lifetime)));
        }
        for nth in 0..LEAKED {
            let lifetime = (!leaks).then_some((1 + nth % 5) * (SECOND / 50));
            happens.push((start + SECOND / 2 + nth * (DAY / LEAKED - SECOND), pid, &worker, lifetime));
        }
        happens.sort_unstable();
        for (at, pid, program, lifetime) in happens {
            *next += 1;
            let id = self.number * 1_000_000 + *next;
            let mut put = |at, pid, what| {
                let Record::Event(event) = event(0, pid, what) else { return };
                take(Record::Event(Event { at, ..event }));
            };
            put(at, pid, connect(id, 1));
            put(at + 1000, SERVER, accept(id, 1));
            let Some(lifetime) = lifetime else { continue };
            put(at + lifetime - 1000, pid, release(id, 1, End::Client));
            put(at + lifetime, SERVER, release(id, 1, End::Server));
            truth.closed += 1;
            truth.lifetimes.entry((program.to_owned(), day / 7)).or_default().push(lifetime);
        }
        truth.runs.entry(worker.clone()).or_default().insert(self.name.clone());
        if leaks {
            truth.leaks.entry(worker).or_default().entry(self.name.clone()).or_insert(day);
        }
    }

    /// Has all closed segments archived.
    fn archive(&self, program: &Path, directory: &Path, archive: &Path, days: u64) -> Result<()> {
        let place = Place::parse(&format!("file://{}", archive.display())).map_err(anyhow::Error::msg)?;
        let shelf = archive::shelf(directory, &place);
        let settings = ArchiveSettings { place, credentials: None, command_lines: false, bandwidth: 1 << 40 };
        let soon = Duration::from_millis(5);
        let timing = Timing { look: soon, first: soon, longest: soon * 10 };
        let running = Archive::begin(program.to_owned(), settings, &self.name, directory, &shelf, timing)?;
        while running.progress().segments < days {
            let progress = running.progress();
            ensure!(progress.failures < 10 && progress.dropped == 0, "{progress:?}");
            sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}
