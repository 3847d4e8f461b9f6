use std::{
    fs,
    ops::ControlFlow,
    process,
    sync::atomic::AtomicU32,
    thread::sleep,
    time::{Duration, Instant},
};

use sockleak_core::{
    event::{End, Event},
    session::Session,
    testing::{SECOND, accept, attempt, connect, event, listener, process as described, release, session},
};

use super::*;

mod archived;
mod bounds;
mod crash;
mod segments;
mod trouble;

const SOURCE: &str = "boot/pins";
/// Of the least store that has segments of the least size.
const LEAST: u64 = 8 << 20;
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

/// A directory that is removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("sockleak-store-{}-{number}", process::id())))
    }

    fn options(&self) -> Options {
        Options::new(self.0.clone(), LEAST, MONTH, || {})
    }

    fn file(&self, number: u64) -> PathBuf {
        directory::segment(&self.0, number)
    }

    /// The segments' numbers.
    fn numbers(&self) -> Vec<u64> {
        let entries = directory::entries(&self.0).expect("it is readable");
        entries.into_iter().filter(directory::Entry::is_segment).map(|entry| entry.number).collect()
    }

    fn recordings(&self) -> Vec<Recording> {
        let Recordings { recordings, damaged } = Recording::all(&self.0).expect("it is readable");
        assert_eq!(damaged, []);
        recordings
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn header() -> Header {
    Header {
        version: "0.1.0".to_owned(),
        targets: vec!["/run/a.sock".to_owned()],
        leak_age: 60 * SECOND,
        started: SECOND,
        ..Header::default()
    }
}

fn progress(index: u64) -> Progress {
    Progress { now: time(index), ..Progress::default() }
}

/// When record number `index` is made: a thousand a second.
const fn time(index: u64) -> u64 {
    SECOND + index * (SECOND / 1000)
}

/// Whoever makes record number `index`; client 1000 is described by no record before its own.
fn descriptions() -> Vec<Record> {
    let mut records = vec![listener(1, "/run/a.sock")];
    records.extend([7, 8, 50].map(|pid| described(pid, Some(&format!("/bin/p{pid}")))));
    records
}

/// Does connection number `id` stay open?
const fn leaks(id: u64) -> bool {
    id % 50 == 7
}

/// Record number `index` of an endless life: connections come and go, and some stay.
fn endless(index: u64) -> Record {
    let id = index / 4;
    let client = if leaks(id) { 7 } else { 8 };
    let (pid, what) = match index % 4 {
        0 => (client, connect(id, 1)),
        1 => (50, accept(id, 1)),
        _ if leaks(id) => (8, attempt(Some(1), "/run/a.sock")),
        2 => (client, release(id, 1, End::Client)),
        _ => (50, release(id, 1, End::Server)),
    };
    let Record::Event(event) = event(0, pid, what) else { panic!("it is one") };
    Record::Event(Event { at: time(index), ..event })
}

/// A service: what it knows, and what it stores.
struct Service {
    session: Session,
    store: Store,
    /// Number of the next record.
    index: u64,
}

impl Service {
    /// Goes on where the store ends.
    fn start(options: Options) -> Self {
        Self::start_with(options, header())
    }

    fn start_with(options: Options, header: Header) -> Self {
        let mut store = Store::open(options).unwrap_or_else(|error| panic!("{error}"));
        let mut session = session(&["a.sock"]);
        if let Some(recording) = store.recording().expect("it is readable") {
            let feed = |record| {
                session.feed(record);
            };
            assert_eq!(store.replay(&recording, feed), Ok(Replayed::Whole));
        }
        let index = store.last().map_or(0, |last| last.position);
        store.start(header, SOURCE, index, || session.carry()).expect("it can be written");
        let mut service = Self { session, store, index };
        if index == 0 {
            descriptions().into_iter().for_each(|record| service.take(record));
        }
        service
    }

    fn take(&mut self, record: Record) {
        self.session.feed(record.clone());
        self.store.record(record, None);
    }

    /// Takes in so many records.
    fn live(&mut self, count: u64) {
        for _ in 0..count {
            self.take(endless(self.index));
            self.index += 1;
        }
        self.store.flush(progress(self.index), self.index);
    }

    fn begin_segment(&mut self) {
        let carry = self.session.carry();
        self.store.begin_segment(progress(self.index), self.index, carry).expect("there are threads");
    }

    /// Until everything is committed.
    fn settle(&mut self) {
        let began = Instant::now();
        while self.store.committed() < self.index {
            assert_eq!(self.store.status(), None);
            assert!(began.elapsed() < Duration::from_secs(50), "it is not committed");
            sleep(Duration::from_millis(1));
        }
    }

    fn finish(self) {
        self.store.finish(progress(self.index), self.index).expect("it can be written");
    }
}

/// Replays; each record must fit.
fn replayed(recording: &Recording) -> Session {
    let mut session = session(&["a.sock"]);
    let outcome = recording.replay(|record| {
        session.feed(record);
        ControlFlow::Continue(())
    });
    outcome.expect("it is readable");
    assert_eq!(session.misfits(), 0);
    session
}

/// Connections made and closed, by program.
fn totals(session: &Session) -> Vec<(String, u64, u64)> {
    let tallies = session.tallies();
    tallies
        .map(|(_, program, tally)| {
            (session.program(program).to_owned(), tally.opened(), tally.record.closed())
        })
        .collect()
}
