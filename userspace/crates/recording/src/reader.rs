//! Reading: a recording as it is at one moment, whether it is closed, grows, or was broken off.

mod inherited;

use std::{
    fs, io,
    ops::ControlFlow,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use nix::{
    fcntl::{AT_FDCWD, AtFlags},
    unistd::{AccessFlags, faccessat},
};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use sockleak_core::event::Record;

use super::{
    Header, Progress, Segment, TraceError,
    bounds::{self, Bounds},
    replay,
    rows::{Cells, LATEST, RowError},
    scan::Scan,
    schema::{self, Columns},
    shape::{self, Shape},
};

/// Records are written in batches, and each batch with the moment that it comes up to: no record is this much later than that, in
/// nanoseconds.
const SLACK: u64 = 3600 * 1_000_000_000;

/// A trace that is read: what was in it when it was opened, even if it grows. While it is kept, the write-ahead log of one that
/// grows cannot be emptied.
#[derive(Debug)]
pub struct Trace {
    path: PathBuf,
    /// In a transaction that lasts as long as this.
    connection: Connection,
    bounds: Bounds,
    columns: &'static Columns,
    header: Header,
    progress: Progress,
    is_ended: bool,
    segment: Option<Segment>,
    version: i64,
    read: Arc<AtomicU64>,
}

impl Trace {
    /// Opens a recording.
    ///
    /// # Errors
    /// If it is none, is damaged or newer than this version, or cannot be read.
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        check(path)?;
        Self::of(path, begin(path)?, |connection| check_length(path, connection))
    }

    /// What was opened under this name, if it is a trace.
    fn of(
        path: &Path,
        opened: Opened,
        check_length: impl FnOnce(&Connection) -> Result<(), TraceError>,
    ) -> Result<Self, TraceError> {
        let Opened { connection, bounds, application } = opened;
        if application != schema::APPLICATION_ID {
            return Err(TraceError::NotATrace(path.to_owned()));
        }
        let pragma = connection.pragma_query_value(None, "user_version", |row| row.get(0));
        let version: i64 = pragma.map_err(|error| TraceError::reading(path, &error))?;
        if version > schema::VERSION {
            return Err(TraceError::Newer { path: path.to_owned(), version });
        }
        check_length(&connection)?;
        let columns = schema::columns(version);
        let columns = columns
            .ok_or_else(|| TraceError::damaged(path, &format!("there is no schema version {version}")))?;
        match shape::fault(&connection, columns).map_err(|error| TraceError::reading(path, &error))? {
            None => {}
            Some(Shape::Lacks(cause)) => return Err(TraceError::damaged(path, &cause)),
            Some(Shape::Differs(cause)) => return Err(TraceError::foreign(path, &cause)),
        }
        let session = session(&connection, columns).map_err(|error| unread(path, "session", error));
        let Row { header, progress, is_ended, segment } = session?;
        Ok(Self {
            path: path.to_owned(),
            connection,
            bounds,
            columns,
            header,
            progress,
            is_ended,
            segment,
            version,
            read: Arc::default(),
        })
    }

    /// What was known when it began.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How far it got.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Did the recording end in order? If not, it still goes on or was broken off.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Where it stands in a store; None for a recording of its own.
    #[must_use]
    pub const fn segment(&self) -> Option<&Segment> {
        self.segment.as_ref()
    }

    /// Has it the schema that this version writes?
    #[must_use]
    pub const fn is_current(&self) -> bool {
        self.version == schema::VERSION
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks over the whole file.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn verify(&self) -> Result<(), TraceError> {
        self.bounds.renew();
        let found = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        match found {
            Ok(found) if found == "ok" => Ok(()),
            Ok(found) => Err(TraceError::damaged(&self.path, &found)),
            Err(error) => Err(TraceError::reading(&self.path, &error)),
        }
    }

    /// How many records were fed so far, for who shows how far it is.
    #[must_use]
    pub fn records_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }

    /// Feeds all records in their order, until `feed` breaks off.
    ///
    /// # Errors
    /// If the recording is damaged or cannot be read any more. What was fed until then was right.
    pub fn replay(&self, mut feed: impl FnMut(Record) -> ControlFlow<()>) -> Result<(), TraceError> {
        self.bounds.renew();
        let latest = self.progress.now.saturating_add(SLACK).min(LATEST);
        replay::replay(&self.connection, self.columns, &self.bounds, latest, |record| {
            self.read.fetch_add(1, Ordering::Relaxed);
            feed(record)
        })
        .map_err(|error| unread(&self.path, "a record", error))
    }
}

fn unread(path: &Path, what: &str, error: RowError) -> TraceError {
    match error {
        RowError::Sql(error) => TraceError::reading(path, &error),
        RowError::Value(column) => TraceError::damaged(path, &format!("{what} has no valid {column}")),
    }
}

/// Refuses what SQLite has no good words for. The file is not opened: closing it would drop the locks that a writer in the
/// same process has on it.
fn check(path: &Path) -> Result<(), TraceError> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => TraceError::Missing(path.to_owned()),
        io::ErrorKind::PermissionDenied => TraceError::Denied(path.to_owned()),
        _ => TraceError::Unreadable { path: path.to_owned(), cause: error.to_string() },
    })?;
    if metadata.is_dir() {
        return Err(TraceError::Directory(path.to_owned()));
    }
    if !metadata.is_file() {
        return Err(TraceError::NotATrace(path.to_owned()));
    }
    // SQLite opens what is beside it, and would wait for the other side of a pipe.
    for suffix in ["-wal", "-shm", "-journal"] {
        let beside = beside(path, suffix);
        if fs::metadata(&beside).is_ok_and(|it| !it.is_file()) {
            return Err(TraceError::foreign(path, &format!("{} is no file", beside.display())));
        }
    }
    faccessat(AT_FDCWD, path, AccessFlags::R_OK, AtFlags::AT_EACCESS)
        .map_err(|_| TraceError::Denied(path.to_owned()))
}

/// A file that is read.
struct Opened {
    connection: Connection,
    bounds: Bounds,
    /// The application's id.
    application: i64,
}

/// Opens the file and begins to read.
fn begin(path: &Path) -> Result<Opened, TraceError> {
    let full = std::path::absolute(path);
    let full =
        full.map_err(|error| TraceError::Unreadable { path: path.to_owned(), cause: error.to_string() })?;
    let error = match open(&full, &full, OpenFlags::empty()) {
        Ok(opened) => return Ok(opened),
        Err(error) => error,
    };
    // To read beside a writer, or after one that broke off, takes a file of locks, and SQLite cannot create it here.
    let needs_write = matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly));
    if !needs_write {
        return Err(TraceError::reading(path, &error));
    }
    if has_log(&full) {
        return Err(TraceError::Unfinished(path.to_owned()));
    }
    let opened = open(&immutable(&full), &full, OpenFlags::SQLITE_OPEN_URI);
    opened.map_err(|error| TraceError::reading(path, &error))
}

/// `name` is what SQLite is to open: the file by its path, or by a URI.
fn open(name: &Path, path: &Path, flags: OpenFlags) -> rusqlite::Result<Opened> {
    let flags = flags | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(name, flags)?;
    // The file may come from anywhere.
    let bounds = Bounds::set(&mut connection, bounds::size(path))?;
    begin_reading(connection, bounds)
}

/// Begins the transaction that lasts as long as the trace is read.
fn begin_reading(connection: Connection, bounds: Bounds) -> rusqlite::Result<Opened> {
    connection.execute_batch(
        "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON; BEGIN",
    )?;
    let application = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    Ok(Opened { connection, bounds, application })
}

/// Is there a write-ahead log beside it?
fn has_log(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

/// A file that goes with another one.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.to_owned().into_os_string();
    path.push(suffix);
    path.into()
}

/// SQLite misses whole pages, and takes a part of one for a whole. With a log beside it, the file may be behind.
fn check_length(path: &Path, connection: &Connection) -> Result<(), TraceError> {
    let size = pages(connection).map_err(|error| TraceError::reading(path, &error))?;
    let is_whole = fs::metadata(path).is_ok_and(|file| file.len() >= size) || has_log(path);
    if is_whole { Ok(()) } else { Err(TraceError::damaged(path, &"its end is missing")) }
}

/// Bytes of the pages that there should be.
fn pages(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    Ok(u64::from(pragma("page_size")?) * u64::from(pragma("page_count")?))
}

/// The URI of a file that nobody changes: SQLite reads it without locks.
fn immutable(path: &Path) -> PathBuf {
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte) {
            uri.push(byte.into());
        } else {
            uri.push_str(&format!("%{byte:02x}"));
        }
    }
    uri.push_str("?immutable=1");
    uri.into()
}

/// The session's row.
struct Row {
    header: Header,
    progress: Progress,
    is_ended: bool,
    segment: Option<Segment>,
}

/// Each is tried on each socket: nobody gives more of them, or longer ones, by hand.
fn limits(limits: Vec<String>) -> Result<Vec<String>, RowError> {
    const MOST: usize = 1024;
    const LONGEST: usize = 8192;

    let is_bounded = limits.len() <= MOST
        && limits.iter().map(String::len).sum::<usize>() <= MOST * 256
        && limits.iter().all(|limit| limit.len() <= LONGEST);
    if is_bounded { Ok(limits) } else { Err(RowError::Value("limits")) }
}

fn session(connection: &Connection, columns: &Columns) -> Result<Row, RowError> {
    let mut row = Scan::new(connection, &format!("SELECT {} FROM session", columns.session))?;
    if !row.advance()? {
        return Err(RowError::Value("row"));
    }
    let mut cells = Cells::new(&row, LATEST);
    let header = Header {
        version: cells.text("version")?.to_owned(),
        host: cells.text("host")?.to_owned(),
        boot_id: cells.text("boot_id")?.to_owned(),
        kernel: cells.text("kernel")?.to_owned(),
        boot_time: cells.number("boot_time")?,
        targets: cells.json("targets")?,
        leak_age: cells.unsigned("leak_age")?,
        limits: limits(cells.json("limits")?)?,
        hooks: cells.json("hooks")?,
        started: cells.time("started")?,
    };
    let now = cells.time("now")?;
    if now < header.started {
        return Err(RowError::Value("now"));
    }
    let is_ended = cells.flag("ended")?;
    let progress = Progress {
        now,
        losses: cells.json("losses")?,
        skipped_runs: cells.number("skipped_runs")?,
        gaps: cells.json("gaps")?,
    };
    let segment = match cells.optional_text("source")? {
        None => None,
        Some(source) => Some(Segment {
            source: source.to_owned(),
            follows: cells.flag("follows")?,
            position: cells.unsigned("ring_position")?,
        }),
    };
    Ok(Row { header, progress, is_ended, segment })
}
