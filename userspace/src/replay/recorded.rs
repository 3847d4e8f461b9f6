//! What can be played: a recording, or the last recording of a store.

use std::{
    fmt,
    ops::ControlFlow,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use sockleak_core::event::Record;
use sockleak_recording::{Header, Progress, Trace, TraceError};

use crate::{
    failure::Failure,
    service::store::{Recording, StoreError},
};

/// Takes records until it has enough.
type Feed<'a> = &'a mut dyn FnMut(Record) -> ControlFlow<()>;
type Read = dyn Fn(Feed<'_>) -> Result<(), TraceError> + Send;

/// Reads a recording from the first record to the last, as often as it is asked to. One reader waits for the other.
#[derive(Clone)]
pub(super) struct Source {
    read: Arc<Mutex<Read>>,
    count: Arc<AtomicU64>,
}

impl Source {
    fn new(read: impl Fn(Feed<'_>) -> Result<(), TraceError> + Send + 'static) -> Self {
        Self { read: Arc::new(Mutex::new(read)), count: Arc::default() }
    }

    /// Reads until there is enough.
    ///
    /// # Errors
    /// If the recording is damaged.
    pub(super) fn read(&self, feed: Feed<'_>) -> Result<(), TraceError> {
        // Nothing is left half done by a reader that ended early.
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read(&mut |record| {
            self.count.fetch_add(1, Ordering::Relaxed);
            feed(record)
        })
    }
}

/// A recording, open to be played. It is as it was when it was opened, even if it grows.
pub struct Recorded {
    /// What was known when it began.
    pub header: Header,
    /// How far it got.
    pub progress: Progress,
    /// Its file or files.
    pub name: String,
    /// It ended in order.
    pub is_ended: bool,
    /// Earlier recordings of the same store.
    pub earlier: usize,
    pub(super) source: Source,
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Recorded {
    /// How many records were read so far, for who shows how far it is.
    #[must_use]
    pub fn records_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.source.count)
    }

    /// Opens a recording.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(file: &Path) -> Result<Self, TraceError> {
        let trace = Trace::open(file)?;
        Ok(Self {
            header: trace.header().clone(),
            progress: trace.progress().clone(),
            name: file.display().to_string(),
            is_ended: trace.is_ended(),
            earlier: 0,
            source: Source::new(move |feed| trace.replay(feed)),
        })
    }

    /// Opens the last recording of a store. `say` is told of files that cannot be read.
    ///
    /// # Errors
    /// If there is none, or it cannot be read.
    pub fn of_store(directory: &Path, say: impl Fn(&TraceError)) -> Result<Self, Failure> {
        let mut found = Recording::all(directory)?;
        found.damaged.iter().for_each(say);
        let last = found.recordings.pop().ok_or_else(|| StoreError::Empty(directory.to_owned()))?;
        Ok(Self {
            header: last.header().clone(),
            progress: last.progress().clone(),
            name: last.name(),
            is_ended: last.is_ended(),
            earlier: found.recordings.len(),
            source: Source::new(move |feed| last.replay(feed)),
        })
    }
}
