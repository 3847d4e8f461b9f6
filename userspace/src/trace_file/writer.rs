//! Writing: records go in batches to a thread that has the database.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, named_params};

use super::{Header, Progress, TraceError, code::unsigned, insert::Inserts, schema};
use crate::event::{Event, Record, What};

/// Records in a batch at most.
const BATCH: usize = 8192;
/// Batches on their way to the thread at most. A disk that is slower for longer slows down capturing.
const WAITING: usize = 8;
/// How long somebody else may lock the file, say to add an index, before the recording is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that the write-ahead log is cut back to after a long read made it grow.
const LOG_SIZE: i64 = 64 << 20;

/// Writes a trace. Dropped without [`Writer::finish`], it leaves a trace that is complete up to the last record, but counts as
/// broken off.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    batch: Vec<Record>,
    sender: Option<SyncSender<Batch>>,
    thread: Option<JoinHandle<Result<(), TraceError>>>,
}

/// What is written in one transaction.
#[derive(Debug, Default)]
struct Batch {
    records: Vec<Record>,
    progress: Option<Progress>,
    /// The last, and the recording ends in order.
    is_last: bool,
}

impl Writer {
    /// Begins a trace under a name that nothing has, or an empty file of ours. Only its owner may read it: command lines are
    /// in it.
    /// The thread that writes calls `settle` when it begins.
    ///
    /// # Errors
    /// If there is something under that name, or it cannot be written to.
    pub fn create(path: &Path, header: &Header, settle: fn()) -> Result<Self, TraceError> {
        let connection = create_file(path)?;
        if let Err(error) = prepare(&connection, header) {
            // Nothing is in it, and it would be in the way.
            let file = connection.path().map(PathBuf::from);
            drop(connection);
            let _ = file.map(fs::remove_file);
            return Err(TraceError::writing(path, &error));
        }
        Self::launch(path, connection, settle)
    }

    pub(super) fn launch(path: &Path, connection: Connection, settle: fn()) -> Result<Self, TraceError> {
        let (sender, receiver) = sync_channel(WAITING);
        let named = path.to_owned();
        let work = move || {
            settle();
            write(&connection, &receiver).map_err(|error| TraceError::writing(&named, &error))
        };
        let thread = thread::Builder::new().name("trace".to_owned()).spawn(work);
        let thread = thread.map_err(|error| TraceError::unwritable(path, &error))?;
        Ok(Self { path: path.to_owned(), batch: Vec::new(), sender: Some(sender), thread: Some(thread) })
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
            self.send(None, false);
        }
    }

    /// Has everything up to now written; to be called at least every second.
    pub fn flush(&mut self, progress: Progress) {
        self.send(Some(progress), false);
    }

    /// What ended the recording, once.
    pub fn status(&mut self) -> Option<TraceError> {
        let thread = self.thread.take_if(|thread| thread.is_finished())?;
        self.sender = None;
        self.batch = Vec::new();
        self.outcome(thread).err()
    }

    /// Ends the recording in order, and leaves one file.
    ///
    /// # Errors
    /// If it failed before or does now, unless [`Writer::status`] told that already.
    pub fn finish(mut self, progress: Progress) -> Result<(), TraceError> {
        self.send(Some(progress), true);
        self.end()
    }

    fn send(&mut self, progress: Option<Progress>, is_last: bool) {
        let records = std::mem::take(&mut self.batch);
        let batch = Batch { records, progress, is_last };
        // The thread ends early only after a failure.
        if self.sender.as_ref().is_some_and(|sender| sender.send(batch).is_err()) {
            self.sender = None;
        }
    }

    fn end(&mut self) -> Result<(), TraceError> {
        self.sender = None;
        self.thread.take().map_or(Ok(()), |thread| self.outcome(thread))
    }

    fn outcome(&self, thread: JoinHandle<Result<(), TraceError>>) -> Result<(), TraceError> {
        thread.join().unwrap_or_else(|_| Err(TraceError::unwritable(&self.path, &"its thread panicked")))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.send(None, false);
            if let Err(error) = self.end() {
                tracing::warn!("{error}");
            }
        }
    }
}

/// Creates the file, or takes one that is empty and ours; nothing that a link leads to, for sockleak runs as root.
pub(super) fn create_file(path: &Path) -> Result<Connection, TraceError> {
    let unwritable = |error: io::Error| TraceError::unwritable(path, &error);
    let name = path.file_name().ok_or_else(|| TraceError::Directory(path.to_owned()))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    // SQLite takes a path with any link in it for one that may lead elsewhere.
    let full = parent.unwrap_or(Path::new(".")).canonicalize().map_err(unwritable)?.join(name);
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&full) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => take_empty(path, &full)?,
        Err(error) => return Err(unwritable(error)),
    }
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    Connection::open_with_flags(&full, flags).map_err(|error| TraceError::writing(path, &error))
}

fn take_empty(path: &Path, full: &Path) -> Result<(), TraceError> {
    let unwritable = |error: io::Error| TraceError::unwritable(path, &error);
    let there = fs::symlink_metadata(full).map_err(unwritable)?;
    if there.is_dir() {
        return Err(TraceError::Directory(path.to_owned()));
    }
    let is_ours = there.uid() == nix::unistd::geteuid().as_raw();
    if !there.is_file() || there.len() > 0 || !is_ours {
        return Err(TraceError::Exists(path.to_owned()));
    }
    let flags = libc::O_NOFOLLOW;
    let file = OpenOptions::new().write(true).custom_flags(flags).open(full).map_err(unwritable)?;
    file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(unwritable)
}

/// Makes the tables and the session's row.
pub(super) fn prepare(connection: &Connection, header: &Header) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What is committed survives the end of the process, and all but the end of it the host's.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", LOG_SIZE)?;
    let transaction = connection.unchecked_transaction()?;
    schema::create(connection)?;
    let Header { version, host, boot_id, kernel, boot_time, targets, leak_age, limits, hooks, started } =
        header;
    connection.execute(
        "INSERT INTO session (version, host, boot_id, kernel, boot_time, targets, leak_age, limits, hooks, started, now, ended, \
         losses, skipped_runs, gaps) VALUES (:version, :host, :boot_id, :kernel, :boot_time, :targets, :leak_age, :limits, :hooks, \
         :started, :started, 0, '[]', 0, '[]')",
        named_params! {
            ":version": version,
            ":host": host,
            ":boot_id": boot_id,
            ":kernel": kernel,
            ":boot_time": boot_time,
            ":targets": json(targets)?,
            ":leak_age": unsigned(*leak_age),
            ":limits": json(limits)?,
            ":hooks": json(hooks)?,
            ":started": unsigned(*started),
        },
    )?;
    transaction.commit()
}

/// The thread: writes batches until there are no more.
fn write(connection: &Connection, batches: &Receiver<Batch>) -> rusqlite::Result<()> {
    let mut inserts = Inserts::prepare(connection)?;
    let mut is_ended = false;
    for batch in batches {
        let transaction = connection.unchecked_transaction()?;
        for record in &batch.records {
            inserts.record(record)?;
        }
        advance(connection, &batch)?;
        transaction.commit()?;
        is_ended = batch.is_last;
    }
    drop(inserts);
    if is_ended {
        join_log(connection);
    }
    Ok(())
}

/// Brings the session's row up to a batch.
fn advance(connection: &Connection, batch: &Batch) -> rusqlite::Result<()> {
    let Some(Progress { now, losses, skipped_runs, gaps }) = &batch.progress else {
        let last = batch.records.iter().rev().find_map(|record| match record {
            Record::Event(event) => Some(event.at),
            _ => None,
        });
        let Some(last) = last else { return Ok(()) };
        return connection.execute("UPDATE session SET now = max(now, ?)", [unsigned(last)]).map(|_| ());
    };
    connection.execute(
        "UPDATE session SET now = :now, ended = :ended, losses = :losses, skipped_runs = :skipped_runs, gaps = :gaps",
        named_params! {
            ":now": unsigned(*now),
            ":ended": batch.is_last,
            ":losses": json(losses)?,
            ":skipped_runs": unsigned(*skipped_runs),
            ":gaps": json(gaps)?,
        },
    )?;
    Ok(())
}

/// Takes the write-ahead log into the file, which then needs no second file, nor a directory that can be written to. Somebody
/// who is reading is in the way of that: then the log stays, and the trace is read with it.
fn join_log(connection: &Connection) {
    const WAIT: Duration = Duration::from_secs(2);
    let joined = connection.busy_timeout(WAIT);
    let joined = joined.and_then(|()| connection.pragma_update(None, "journal_mode", "DELETE"));
    if let Err(error) = joined {
        tracing::warn!("the trace keeps its write-ahead log beside it ({error}); move both files together");
    }
}

fn json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}
