//! A service without the kernel side: it makes up what happens, stores it and has it archived. Killed, it goes on where its store ends.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use sockleak::service::{
    archive::{self, Archive, Timing},
    config::{ArchiveSettings, Place},
    store::{self, Options, Replayed, Store},
};
use sockleak_core::{
    event::{End, Event, Record},
    session::Session,
    testing::{SECOND, accept, attempt, connect, event, listener, process, release, session},
};
use sockleak_recording::{Header, Progress};

/// What the service of a test is told by its environment: program, store, address of the archive, number of records.
const TOLD: [&str; 4] =
    ["SOCKLEAK_TEST_PROGRAM", "SOCKLEAK_TEST_STORE", "SOCKLEAK_TEST_ARCHIVE", "SOCKLEAK_TEST_RECORDS"];
const SOURCE: &str = "boot/pins";
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
const ROOM: u64 = 256 << 20;
/// Records of a segment.
const SEGMENT: u64 = 400;
/// Records that are made at a time.
const BATCH: u64 = 40;

/// Does connection number `id` stay open?
pub(crate) const fn leaks(id: u64) -> bool {
    id % 50 == 7
}

/// The connections that are closed after so many records.
pub(crate) fn closed(records: u64) -> Vec<u64> {
    (0..records / 4).filter(|&id| !leaks(id)).collect()
}

/// The connects that failed by then.
pub(crate) fn failed(records: u64) -> usize {
    (0..records / 4).filter(|&id| leaks(id)).count() * 2
}

const fn time(index: u64) -> u64 {
    SECOND + index * (SECOND / 1000)
}

/// Record number `index` of a life: connections come and go, and some stay.
fn record(index: u64) -> Record {
    let id = index / 4;
    let client = if leaks(id) { 7 } else { 8 };
    let (pid, what) = match index % 4 {
        0 => (client, connect(id, 1)),
        1 => (50, accept(id, 1)),
        _ if leaks(id) => (8, attempt(Some(1), "/run/a.sock")),
        2 => (client, release(id, 1, End::Client)),
        _ => (50, release(id, 1, End::Server)),
    };
    let Record::Event(event) = event(0, pid, what) else { unreachable!("it is an event") };
    Record::Event(Event { at: time(index), ..event })
}

struct Life {
    session: Session,
    store: Store,
    index: u64,
}

impl Life {
    fn go_on(options: Options) -> Self {
        let mut store = Store::open(options).unwrap();
        let mut session = session(&["a.sock"]);
        if let Some(recording) = store.recording().unwrap() {
            let feed = |record| {
                session.feed(record);
            };
            assert_eq!(store.replay(&recording, feed), Ok(Replayed::Whole));
        }
        let index = store.last().map_or(0, |last| last.position);
        let header = Header {
            version: "0.1.0".to_owned(),
            host: "db1".to_owned(),
            targets: vec!["/run/a.sock".to_owned()],
            leak_age: SECOND,
            started: SECOND,
            boot_time: 1_796_000_000_000_000_000,
            ..Header::default()
        };
        store.start(header, SOURCE, index, || session.carry()).unwrap();
        let mut life = Self { session, store, index };
        if index == 0 {
            life.take(listener(1, "/run/a.sock"));
            for pid in [7, 8, 50] {
                life.take(process(pid, Some(&format!("/bin/p{pid}"))));
            }
        }
        life
    }

    fn take(&mut self, record: Record) {
        self.session.feed(record.clone());
        self.store.record(record, None);
    }

    fn progress(&self) -> Progress {
        Progress { now: time(self.index), ..Progress::default() }
    }

    fn live(&mut self, until: u64) {
        while self.index < until {
            self.take(record(self.index));
            self.index += 1;
        }
        self.store.flush(self.progress(), self.index);
        while self.store.committed() < self.index {
            assert_eq!(self.store.status(), None);
            sleep(Duration::from_millis(1));
        }
    }

    fn begin_segment(&mut self) {
        let carry = self.session.carry();
        self.store.begin_segment(self.progress(), self.index, carry).unwrap();
    }
}

/// Runs as a process of its own, for the tests beside; else does nothing.
#[test]
fn serves_until_all_is_archived() {
    let [Ok(program), Ok(directory), Ok(url), Ok(records)] = TOLD.map(env::var) else { return };
    let (directory, records) = (PathBuf::from(directory), records.parse().unwrap());
    let place = Place::parse(&url).unwrap();
    let shelf = archive::shelf(&directory, &place);
    let options = Options::new(directory.clone(), ROOM, MONTH, || {}).archived(Arc::clone(&shelf));
    let settings = ArchiveSettings { place, credentials: None, command_lines: false, bandwidth: 1 << 30 };
    let timing = Timing {
        look: Duration::from_millis(10),
        first: Duration::from_millis(10),
        longest: Duration::from_millis(300),
    };
    let mut life = Life::go_on(options);
    let archive = Archive::begin(program.into(), settings, "db1", &directory, &shelf, timing).unwrap();
    while life.index < records {
        life.live(records.min(life.index + BATCH));
        if life.index < records && life.index.is_multiple_of(SEGMENT) {
            life.begin_segment();
        }
        sleep(Duration::from_millis(5));
    }
    let last = store::last(&directory).unwrap();
    life.begin_segment();
    while store::closed(&directory, 0).unwrap().last().is_none_or(|closed| closed.number < last) {
        assert_eq!(life.store.status(), None);
        sleep(Duration::from_millis(5));
    }
    while shelf.through() < last {
        sleep(Duration::from_millis(5));
    }
    assert_eq!(archive.progress().dropped, 0);
}

/// Starts such a service. Its archive has all of `records` when it ends by itself.
pub(crate) fn start(program: &Path, store: &Path, url: &str, records: u64) -> Child {
    start_with(program, store, url, records, &[])
}

/// The same, with credentials in its environment.
pub(crate) fn start_with(
    program: &Path,
    store: &Path,
    url: &str,
    records: u64,
    variables: &[(&str, &str)],
) -> Child {
    let told = [program.as_os_str(), store.as_os_str(), url.as_ref(), records.to_string().as_ref()]
        .map(ToOwned::to_owned);
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "life::serves_until_all_is_archived", "--nocapture"])
        .envs(TOLD.into_iter().zip(told))
        .envs(variables.iter().copied())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until it ends, which must be well.
pub(crate) fn finish(mut child: Child) {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return;
        }
        assert!(began.elapsed() < Duration::from_mins(10), "it does not end");
        sleep(Duration::from_millis(20));
    }
}
