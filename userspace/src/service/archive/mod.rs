//! The archive: closed segments of the store become Parquet files in an object store.
//!
//! A thread of the service looks for closed segments, the oldest first. For each it starts `sockleak archive`, a process without
//! privileges that gets the segment as a descriptor, and alone talks to the store. When that has the whole segment, the thread
//! remembers it. Whatever is killed when: the names of files follow from what is in them, so each row is in exactly one file.

mod courier;
mod message;
mod name;
mod state;
pub mod worker;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use nix::sys::socket::SockType;
use sockleak_core::time::{human, nanoseconds};

use super::{
    config::{ArchiveSettings, Place},
    store::{self, Shelf},
};
use crate::{
    child::{Job, Starter},
    privilege,
};
use courier::Courier;
use state::Remembered;

/// How the process that archives is started.
const JOB: Job = Job {
    name: "archive",
    link: SockType::Stream,
    is_mute: false,
    is_expendable: true,
    remedy: "add one, or remove [archive]",
};

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between two looks for closed segments.
    pub look: Duration,
    /// Before a second attempt; twice as long before each further one.
    pub first: Duration,
    /// Before any attempt at most.
    pub longest: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { look: Duration::from_secs(5), first: Duration::from_secs(1), longest: Duration::from_mins(5) }
    }
}

/// How archiving goes, since this process began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Segments that are archived.
    pub segments: u64,
    /// Files that were sent.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Segments that were deleted, or found damaged, before they were archived.
    pub dropped: u64,
    /// How long the oldest segment that is closed and not archived has been waiting, in seconds.
    pub lag_seconds: u64,
    /// Why the last attempt failed, if it did.
    pub trouble: Option<String>,
}

impl Progress {
    /// How long segments may wait before that is trouble: a store that restarts is none.
    const PATIENCE: Duration = Duration::from_mins(15);

    /// What there is to say, in a sentence, if segments have waited for long because the archive cannot be used.
    #[must_use]
    pub fn is_behind(&self) -> Option<String> {
        let is_long = self.lag_seconds >= Self::PATIENCE.as_secs() && self.trouble.is_some();
        let lag = human(nanoseconds(Duration::from_secs(self.lag_seconds)));
        is_long.then(|| format!("nothing could be archived for {lag}; the log says why"))
    }
}

/// What the thread counts.
#[derive(Debug, Default)]
struct Counts {
    segments: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
    failures: AtomicU64,
    /// Since when the oldest one waits: seconds since 1970; 0 if none does.
    waiting_since: AtomicI64,
    trouble: Mutex<Option<String>>,
    is_over: AtomicBool,
}

/// The archive, as the service has it.
#[derive(Debug)]
pub struct Archive {
    counts: Arc<Counts>,
    shelf: Arc<Shelf>,
    /// Wakes the thread when this is dropped.
    _stop: mpsc::Sender<()>,
}

/// What is remembered of the archive at `place`, for the store in `directory`: to be asked before the store is opened.
#[must_use]
pub fn shelf(directory: &Path, place: &Place) -> Arc<Shelf> {
    let shelf = Shelf::default();
    let through = Remembered::read(directory, place.url()).through;
    // Whoever moved the segments away left a note that means others.
    let last = store::last(directory);
    shelf.archived(if last.is_none_or(|last| last < through) { 0 } else { through });
    Arc::new(shelf)
}

impl Archive {
    /// Begins to archive the store in `directory`. `program` is sockleak itself, as a rule `/proc/self/exe`. To be called while the
    /// privileges to change the user are still there; a thread keeps them.
    ///
    /// # Errors
    /// If there are no threads to be had, or no user to run the process as.
    pub fn begin(
        program: PathBuf,
        settings: ArchiveSettings,
        host: &str,
        directory: &Path,
        shelf: &Arc<Shelf>,
        timing: Timing,
    ) -> io::Result<Self> {
        let starter = Starter::new(program, JOB)?;
        let counts = Arc::new(Counts::default());
        let (stop, stopped) = mpsc::channel();
        let courier = Courier {
            starter,
            settings,
            host: host.to_owned(),
            directory: directory.to_owned(),
            shelf: Arc::clone(shelf),
            counts: Arc::clone(&counts),
            timing,
            stopped,
        };
        thread::Builder::new().name("archive".to_owned()).spawn(move || {
            privilege::keep_writing();
            courier.run();
        })?;
        Ok(Self { counts, shelf: Arc::clone(shelf), _stop: stop })
    }

    /// How it goes.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let Counts { segments, files, bytes, failures, waiting_since, trouble, .. } = &*self.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let since = waiting_since.load(Ordering::Relaxed);
        let now = jiff::Timestamp::now().as_second();
        Progress {
            segments: read(segments),
            files: read(files),
            bytes: read(bytes),
            failures: read(failures),
            dropped: self.shelf.dropped(),
            lag_seconds: if since == 0 { 0 } else { u64::try_from(now - since).unwrap_or(0) },
            trouble: trouble.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        self.counts.is_over.store(true, Ordering::Relaxed);
    }
}
