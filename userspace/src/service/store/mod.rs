//! The store of the service: what is recorded for months, in bounded room.
//!
//! Records go into segments, each a recording that can be read alone. A segment that is a day old, or has an eighth of the room, is
//! ended; the next one begins with what is open. The oldest are deleted. Each transaction holds with its records up to where in
//! the kernel's ring buffer they come, and the ring is released no further than that: whatever happens, each record is stored
//! once.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use nix::fcntl::Flock;
use rusqlite::Connection;

mod closed;
mod current;
mod directory;
mod error;
mod found;
pub mod history;
mod known;
mod recording;
mod replay;
mod shelf;

use sockleak_core::event::Record;
use sockleak_recording::{
    Closing, Committed, Header, Progress, Segment, TraceError, Writer,
    segment::{self, Beginning},
};

pub use closed::{Closed, closed, last};
pub use error::StoreError;
pub use recording::{Recording, Recordings};
pub use replay::Replayed;
pub use shelf::Shelf;

use current::{Current, Work, begin};
use directory::Bounds;
use found::Found;
use known::Known;

/// Nanoseconds after which a segment is ended.
const DAY: u64 = 24 * 3600 * 1_000_000_000;
/// Nanoseconds after which writing is tried again.
const AGAIN: u64 = 60 * 1_000_000_000;
/// Segments are an eighth of the room, and at least so many bytes.
const SMALLEST: u64 = 1 << 20;

/// Where, and how much.
#[derive(Clone, Debug)]
pub struct Options {
    directory: PathBuf,
    bounds: Bounds,
    settle: fn(),
}

impl Options {
    /// A store in `directory`, which is made if there is none, of at most `max_bytes` in all files together. Segments are
    /// kept for `keep` after they were written to last. A thread that writes calls `settle` first, to give up privileges.
    #[must_use]
    pub fn new(directory: PathBuf, max_bytes: u64, keep: Duration, settle: fn()) -> Self {
        Self { directory, bounds: bounds(max_bytes, keep), settle }
    }

    /// Segments that an archive has not taken yet are kept for longer, as far as there is room.
    #[must_use]
    pub fn archived(mut self, shelf: Arc<Shelf>) -> Self {
        self.bounds.shelf = Some(shelf);
        self
    }
}

fn bounds(max_bytes: u64, keep: Duration) -> Bounds {
    Bounds::new(max_bytes, keep, (max_bytes / 8).max(SMALLEST))
}

/// A store that this process writes to. Nobody else does while it lives.
#[derive(Debug)]
pub struct Store {
    options: Options,
    _lock: Flock<File>,
    /// The segment that was the last one when the store was opened.
    found: Option<Found>,
    /// Number of the last segment, whatever became of it.
    number: u64,
    known: Known,
    current: Option<Current>,
    /// What segments have in common; None before the first.
    source: Option<(Header, String)>,
    /// The bounds changed since the last segment began.
    is_renewed: bool,
    /// Where the ring buffer is released up to when nothing is stored.
    flushed: u64,
    /// Up to when records came: nanoseconds since boot.
    now: u64,
    /// When writing ended.
    stopped: Option<u64>,
    /// Why it did, as long as that was told and did not change.
    told: Option<StoreError>,
    unstored: u64,
}

impl Store {
    /// Takes the store for this process, and puts in order what a crash left: a segment that had not begun is removed, and one
    /// that is damaged set aside, under a name that ends in `.damaged`.
    ///
    /// # Errors
    /// If another process has it, its directory cannot be used, or its last segment was written by a newer version.
    pub fn open(options: Options) -> Result<Self, StoreError> {
        let lock = directory::lock(&options.directory)?;
        let entries = directory::entries(&options.directory)?;
        let number = entries.last().map_or(0, |entry| entry.number);
        let found = Found::last(&entries)?;
        directory::prune(&options.directory, number, &options.bounds);
        Ok(Self {
            options,
            _lock: lock,
            found,
            number,
            known: Known::new(),
            current: None,
            source: None,
            is_renewed: false,
            flushed: 0,
            now: 0,
            stopped: None,
            told: None,
            unstored: 0,
        })
    }

    /// Begins to write. If the last segment is of this source and goes up to this position, the records that follow go on where
    /// it ends: in it, or, if it is full or was written with other settings, in a new one that begins with `carry`. Otherwise
    /// another recording begins, with `carry` too.
    ///
    /// # Errors
    /// If nothing can be written. The store is stopped then; see [`Store::is_due`].
    pub fn start(
        &mut self,
        header: Header,
        source: &str,
        position: u64,
        carry: impl FnOnce() -> Vec<Record>,
    ) -> Result<(), StoreError> {
        (self.flushed, self.now) = (position, header.started);
        self.known.begin_segment();
        let found = self.found.take();
        let found = found.filter(|it| it.segment.source == source && it.segment.position == position);
        self.source = Some((header, source.to_owned()));
        let progress = found.as_ref().map(|found| found.progress.clone()).unwrap_or_default();
        self.now = self.now.max(progress.now);
        let begun = match &found {
            Some(found) if self.is_resumable(found) => self.resume(found, position),
            _ => {
                let progress = Progress { now: self.now, ..progress };
                let beginning = self.beginning(progress, found.is_some(), position, carry());
                self.create(&beginning)
            }
        };
        begun.map_err(|error| self.stop(error))
    }

    /// Appends a record, and before it the descriptions that it needs in this segment. For `place` see [`Writer::record`].
    /// Waits only if the disk has been slow for long: then several batches are on their way.
    pub fn record(&mut self, record: Record, place: Option<&[u8]>) {
        let missing = self.known.missing(&record);
        self.known.learn(&record);
        let Some(current) = &mut self.current else {
            self.unstored += 1;
            return;
        };
        for description in missing.into_iter().flatten() {
            current.work.handed += 1;
            current.writer.record(description, None);
        }
        current.work.handed += 1;
        current.writer.record(record, place);
    }

    /// Has everything up to now committed at once, with the position in the ring buffer that it comes up to; to be called at
    /// least every second, and after each reading of the ring.
    pub fn flush(&mut self, progress: Progress, position: u64) {
        (self.flushed, self.now) = (position, progress.now);
        let Some(current) = &mut self.current else { return };
        current.writer.flush_at(progress, position);
        // A segment may begin on a full disk, but not go on for long.
        if self.now.saturating_sub(current.started) >= AGAIN {
            self.told = None;
        }
    }

    /// Up to where the ring buffer may be released: all records before are committed, or nothing is stored any more.
    #[must_use]
    pub fn committed(&self) -> u64 {
        let committed = |current: &Current| current.work.committed.position.load(Ordering::Acquire);
        self.current.as_ref().map_or(self.flushed, committed)
    }

    /// Keeps so much from now on, as [`Options::new`] has it. A new segment is due then, as which begins what is too much is
    /// deleted.
    pub fn keep(&mut self, max_bytes: u64, keep: Duration) {
        let shelf = self.options.bounds.shelf.take();
        self.options.bounds = Bounds { shelf, ..bounds(max_bytes, keep) };
        self.is_renewed = true;
    }

    /// What ended writing, once; to be asked every second. The same error is not told again after a vain attempt.
    pub fn status(&mut self) -> Option<StoreError> {
        let error = self.current.as_mut()?.writer.status()?;
        let told = self.told.clone();
        let error = StoreError::stopped(&self.options.directory, error);
        let error = self.stop(error);
        (told.as_ref() != Some(&error)).then_some(error)
    }

    /// Is something stored?
    #[must_use]
    pub const fn is_writing(&self) -> bool {
        self.current.is_some()
    }

    /// Records that were not stored, since writing had ended.
    #[must_use]
    pub const fn unstored(&self) -> u64 {
        self.unstored
    }

    /// Should a new segment begin: because the present one is old or large, the bounds changed, or writing ended a minute ago? Best asked
    /// between rounds over descriptors. `now` is in nanoseconds since boot.
    #[must_use]
    pub fn is_due(&self, now: u64) -> bool {
        let Some(current) = &self.current else {
            return self.stopped.is_some_and(|stopped| now.saturating_sub(stopped) >= AGAIN);
        };
        let Committed { bytes, carried, .. } = &*current.work.committed;
        let (bytes, carried) = (bytes.load(Ordering::Relaxed), carried.load(Ordering::Relaxed));
        // Where what is open fills a segment by itself, each gets as much again.
        let is_full = bytes >= self.options.bounds.segment && bytes >= carried.saturating_mul(2);
        is_full || self.is_renewed || now.saturating_sub(current.started) >= DAY
    }

    /// Begins a segment with `carry`, which leads to what is open after the last record. If the one before is still written to,
    /// it goes on where that ends, else a new recording begins. How it comes out, [`Store::status`] tells.
    ///
    /// # Errors
    /// If there is no thread to be had. The store is stopped then.
    pub fn begin_segment(
        &mut self,
        progress: Progress,
        position: u64,
        carry: Vec<Record>,
    ) -> Result<(), StoreError> {
        (self.flushed, self.now) = (position, progress.now);
        self.known.begin_segment();
        let current = self.current.take();
        let beginning = self.beginning(progress.clone(), current.is_some(), position, carry);
        let (path, started, work) = self.next(&beginning);
        let (closing, before) = match current {
            None => (None, None),
            Some(Current { writer, work: before, .. }) => {
                // Its last records may be under way.
                let position = before.committed.position.load(Ordering::Acquire);
                work.committed.position.store(position, Ordering::Release);
                (Some(writer.close_at(progress, beginning.segment.position)), Some(before))
            }
        };
        let (file, bounds, committed) =
            (path.clone(), self.options.bounds.clone(), Arc::clone(&work.committed));
        let begun = self.launch(&path, started, work, before, move || {
            closing.map_or(Ok(()), Closing::wait)?;
            begin(&file, &beginning, &committed, &bounds)
        });
        begun.map_err(|error| self.stop(error))
    }

    /// Ends the last segment in order. A start with the same source and position goes on with it.
    ///
    /// # Errors
    /// If writing fails now.
    pub fn finish(mut self, progress: Progress, position: u64) -> Result<(), StoreError> {
        let Some(current) = self.current.take() else { return Ok(()) };
        let closed = current.writer.close_at(progress, position).wait();
        closed.map_err(|error| StoreError::stopped(&self.options.directory, error))
    }

    /// Can records be appended to it?
    fn is_resumable(&self, found: &Found) -> bool {
        let Some((header, _)) = &self.source else { return false };
        // What was archived is not added to.
        let shelf = self.options.bounds.shelf.as_ref();
        if shelf.is_some_and(|shelf| directory::number(&found.path).is_none_or(|it| it <= shelf.through())) {
            return false;
        }
        let is_same = Header { started: header.started, ..found.header.clone() } == *header;
        is_same && found.has_current_schema && found.progress.now.saturating_sub(found.header.started) < DAY
    }

    fn resume(&mut self, found: &Found, position: u64) -> Result<(), StoreError> {
        let connection = segment::resume(&found.path).map_err(|error| self.stopped(error))?;
        self.launch(&found.path, found.header.started, Work::new(position), None, || Ok(connection))
    }

    /// Begins a segment, and waits until what it begins with is written.
    fn create(&mut self, beginning: &Beginning) -> Result<(), StoreError> {
        let (path, started, work) = self.next(beginning);
        let connection = begin(&path, beginning, &work.committed, &self.options.bounds);
        let connection = connection.map_err(|error| self.stopped(error))?;
        self.launch(&path, started, work, None, || Ok(connection))
    }

    /// Number, start and counts of the segment that comes next.
    fn next(&mut self, beginning: &Beginning) -> (PathBuf, u64, Work) {
        self.number += 1;
        self.is_renewed = false;
        let path = directory::segment(&self.options.directory, self.number);
        beginning.carry.iter().for_each(|record| self.known.learn(record));
        (path, beginning.header.started, Work::new(beginning.segment.position))
    }

    fn launch(
        &mut self,
        path: &Path,
        started: u64,
        work: Work,
        before: Option<Work>,
        open: impl FnOnce() -> Result<Connection, TraceError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let committed = Arc::clone(&work.committed);
        let writer = Writer::launch(path, self.options.settle, Some(committed), open);
        let writer = writer.map_err(|error| self.stopped(error))?;
        self.current = Some(Current { writer, started, work, before });
        Ok(())
    }

    fn beginning(&self, progress: Progress, follows: bool, position: u64, carry: Vec<Record>) -> Beginning {
        let (header, source) = self.source.clone().unwrap_or_default();
        let header = Header { started: if follows { progress.now } else { header.started }, ..header };
        Beginning { header, segment: Segment { source, follows, position }, progress, carry }
    }

    fn stopped(&self, error: TraceError) -> StoreError {
        StoreError::stopped(&self.options.directory, error)
    }

    fn stop(&mut self, error: StoreError) -> StoreError {
        if let Some(Current { work, before, .. }) = self.current.take() {
            self.unstored += work.unstored() + before.map_or(0, |work| work.unstored());
        }
        (self.stopped, self.told) = (Some(self.now), Some(error.clone()));
        error
    }
}

#[cfg(test)]
mod tests;
