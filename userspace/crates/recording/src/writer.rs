//! Writing: records go in batches to a thread that has the database.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::{Connection, Transaction};
use sockleak_core::event::{Event, Record, What};

use super::{
    Header, Progress, TraceError,
    code::unsigned,
    insert::Inserts,
    new_file::{create_file, prepare, put_progress},
};

/// Records in a batch at most.
const BATCH: usize = 8192;
/// Batches on their way to the thread at most. A disk that is slower for longer slows down capturing.
const WAITING: usize = 8;

/// Writes a recording. Dropped without [`Writer::finish`], it leaves a recording that is complete up to the last record, but counts as
/// broken off.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    batch: Vec<Record>,
    sender: Option<SyncSender<Batch>>,
    thread: Option<JoinHandle<Result<(), TraceError>>>,
    /// Nothing is committed but with a position.
    is_exact: bool,
}

/// What the thread tells of its work.
#[derive(Debug, Default)]
pub struct Committed {
    /// Up to where in the ring buffer all records are committed.
    pub position: AtomicU64,
    /// How many records are.
    pub records: AtomicU64,
    /// Size of the file, without its write-ahead log.
    pub bytes: AtomicU64,
    /// Of these, what it began with.
    pub carried: AtomicU64,
}

/// What is written at once.
#[derive(Debug, Default)]
struct Batch {
    records: Vec<Record>,
    progress: Option<Progress>,
    /// Up to where in the ring buffer the records come.
    position: Option<u64>,
    /// Ends a transaction.
    commits: bool,
    /// The last, and the recording ends in order.
    is_last: bool,
}

impl Writer {
    /// Begins a recording under a name that nothing has, or an empty file of ours. Only its owner may read it: command lines are
    /// in it.
    /// The thread that writes calls `settle` when it begins.
    ///
    /// # Errors
    /// If there is something under that name, or it cannot be written to.
    pub fn create(path: &Path, header: &Header, settle: fn()) -> Result<Self, TraceError> {
        let connection = create_file(path, 0o600)?;
        if let Err(error) = prepare(&connection, header) {
            // Nothing is in it, and it would be in the way.
            let file = connection.path().map(PathBuf::from);
            drop(connection);
            let _ = file.map(fs::remove_file);
            return Err(TraceError::writing(path, &error));
        }
        Self::launch(path, settle, None, || Ok(connection))
    }

    /// Begins to write to what `open` gives, which the thread calls, and so may take its time. With `committed` nothing is
    /// committed but with a position, and by that the thread tells how far it is.
    pub fn launch(
        path: &Path,
        settle: fn(),
        committed: Option<Arc<Committed>>,
        open: impl FnOnce() -> Result<Connection, TraceError> + Send + 'static,
    ) -> Result<Self, TraceError> {
        let (sender, receiver) = sync_channel(WAITING);
        let (path, named) = (path.to_owned(), path.to_owned());
        let is_exact = committed.is_some();
        let work = move || {
            settle();
            let connection = open()?;
            let committed = committed.unwrap_or_default();
            write(&connection, &receiver, &committed).map_err(|error| TraceError::writing(&named, &error))
        };
        let thread = thread::Builder::new().name("trace".to_owned()).spawn(work);
        let thread = thread.map_err(|error| TraceError::unwritable(&path, &error))?;
        Ok(Self { path, batch: Vec::new(), sender: Some(sender), thread: Some(thread), is_exact })
    }

    /// Appends a record. `place` is the path that the address of an attempt without a listener means: a replay has no file
    /// system to find that out. Waits where the disk does not keep up; does nothing after a failure.
    pub fn record(&mut self, mut record: Record, place: Option<&[u8]>) {
        if self.sender.is_none() {
            return;
        }
        if let Record::Event(Event { what: What::Attempt { directory, place: settled, .. }, .. }) =
            &mut record
        {
            *directory = None;
            if let Some(place) = place {
                *settled = Some(place.to_vec());
            }
        }
        self.batch.push(record);
        if self.batch.len() >= BATCH {
            self.send(None, None, false);
        }
    }

    /// Has everything up to now written; to be called more often than each second, of which no more shall be lost.
    pub fn flush(&mut self, progress: Progress) {
        self.send(Some(progress), None, false);
    }

    /// Has everything up to now committed at once, with the position in the ring buffer that it comes up to.
    pub fn flush_at(&mut self, progress: Progress, position: u64) {
        self.send(Some(progress), Some(position), false);
    }

    /// Like [`Writer::flush_at`], and lets the thread end the recording in order, for which it is waited elsewhere.
    pub fn close_at(mut self, progress: Progress, position: u64) -> Closing {
        self.send(Some(progress), Some(position), true);
        self.sender = None;
        let thread = self.thread.take();
        Closing { path: std::mem::take(&mut self.path), thread }
    }

    /// What ended the recording, once.
    pub fn status(&mut self) -> Option<TraceError> {
        let thread = self.thread.take_if(|thread| thread.is_finished())?;
        self.sender = None;
        self.batch = Vec::new();
        outcome(&self.path, thread).err()
    }

    /// Ends the recording in order, and leaves one file.
    ///
    /// # Errors
    /// If it failed before or does now, unless [`Writer::status`] told that already.
    pub fn finish(mut self, progress: Progress) -> Result<(), TraceError> {
        self.send(Some(progress), None, true);
        self.end()
    }

    fn send(&mut self, progress: Option<Progress>, position: Option<u64>, is_last: bool) {
        let records = std::mem::take(&mut self.batch);
        let commits = position.is_some() || !self.is_exact;
        let batch = Batch { records, progress, position, commits, is_last };
        // The thread ends early only after a failure.
        if self.sender.as_ref().is_some_and(|sender| sender.send(batch).is_err()) {
            self.sender = None;
        }
    }

    fn end(&mut self) -> Result<(), TraceError> {
        self.sender = None;
        self.thread.take().map_or(Ok(()), |thread| outcome(&self.path, thread))
    }
}

/// A recording that its thread is about to end.
#[derive(Debug)]
pub struct Closing {
    path: PathBuf,
    thread: Option<JoinHandle<Result<(), TraceError>>>,
}

impl Closing {
    /// Waits until it is done.
    ///
    /// # Errors
    /// If it failed.
    pub fn wait(self) -> Result<(), TraceError> {
        self.thread.map_or(Ok(()), |thread| outcome(&self.path, thread))
    }
}

fn outcome(path: &Path, thread: JoinHandle<Result<(), TraceError>>) -> Result<(), TraceError> {
    thread.join().unwrap_or_else(|_| Err(TraceError::unwritable(path, &"its thread panicked")))
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.send(None, None, false);
            if let Err(error) = self.end() {
                tracing::warn!("{error}");
            }
        }
    }
}

/// The thread: writes batches until there are no more.
fn write(connection: &Connection, batches: &Receiver<Batch>, committed: &Committed) -> rusqlite::Result<()> {
    let mut inserts = Inserts::prepare(connection)?;
    committed.bytes.store(size(connection)?, Ordering::Relaxed);
    let mut is_ended = false;
    let mut transaction = None;
    let mut records = 0;
    for batch in batches {
        if transaction.is_none() {
            transaction = Some(connection.unchecked_transaction()?);
        }
        for record in &batch.records {
            inserts.record(record)?;
        }
        records += batch.records.len() as u64;
        if !batch.commits {
            continue;
        }
        advance(connection, &batch)?;
        transaction.take().map_or(Ok(()), Transaction::commit)?;
        committed.records.fetch_add(std::mem::take(&mut records), Ordering::Relaxed);
        committed.bytes.store(size(connection)?, Ordering::Relaxed);
        if let Some(position) = batch.position {
            committed.position.store(position, Ordering::Release);
        }
        is_ended = batch.is_last;
    }
    // What no position was told for is not kept.
    drop(transaction);
    drop(inserts);
    if is_ended {
        join_log(connection);
    }
    Ok(())
}

/// Bytes of the file, once its write-ahead log is in it.
pub(super) fn size(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    Ok(u64::from(pragma("page_size")?) * u64::from(pragma("page_count")?))
}

/// Brings the session's row up to a batch.
fn advance(connection: &Connection, batch: &Batch) -> rusqlite::Result<()> {
    if let Some(position) = batch.position {
        connection.execute("UPDATE session SET ring_position = ?", [unsigned(position)])?;
    }
    let Some(progress) = &batch.progress else {
        let last = batch.records.iter().rev().find_map(|record| match record {
            Record::Event(event) => Some(event.at),
            _ => None,
        });
        let Some(last) = last else { return Ok(()) };
        return connection.execute("UPDATE session SET now = max(now, ?)", [unsigned(last)]).map(|_| ());
    };
    put_progress(connection, progress, batch.is_last)
}

/// Takes the write-ahead log into the file, which then needs no second file, nor a directory that can be written to. Somebody
/// who is reading is in the way of that: then the log stays, and the recording is read with it.
fn join_log(connection: &Connection) {
    const WAIT: Duration = Duration::from_secs(2);
    let joined = connection.busy_timeout(WAIT);
    let joined = joined.and_then(|()| connection.pragma_update(None, "journal_mode", "DELETE"));
    if let Err(error) = joined {
        tracing::warn!(
            "the recording keeps its write-ahead log beside it ({error}); move both files together"
        );
    }
}
