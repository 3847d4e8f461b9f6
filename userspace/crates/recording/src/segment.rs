//! Traces as parts of a store: each can be read alone, and goes on where another one ends.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, named_params};
use sockleak_core::event::Record;

use super::{Header, Progress, TraceError, code::unsigned, insert::Inserts, new_file, writer};

/// Where a recording stands in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What the records come from. Numbers of connections, times and positions mean nothing in another source.
    pub source: String,
    /// It goes on where the segment with the number before ends.
    pub follows: bool,
    /// Up to where in the ring buffer all records are written, in this one or those before.
    pub position: u64,
}

/// What a segment begins with.
#[derive(Debug)]
pub struct Beginning {
    /// What is known of the session.
    pub header: Header,
    /// Its place among the others.
    pub segment: Segment,
    /// What had changed by then.
    pub progress: Progress,
    /// Records that lead to what is open.
    pub carry: Vec<Record>,
}

/// Who may read a segment: the owner's group too. Who may enter the directory decides which group that is.
const MODE: u32 = 0o640;

/// Makes a segment with all that it begins with, or nothing that could be taken for one.
///
/// # Errors
/// If there is something under that name, or it cannot be written.
pub fn create(path: &Path, beginning: &Beginning) -> Result<Connection, TraceError> {
    let Beginning { header, segment, progress, carry } = beginning;
    let connection = new_file::create_file(path, MODE)?;
    let begin = || -> rusqlite::Result<()> {
        new_file::set_up(&connection)?;
        let transaction = connection.unchecked_transaction()?;
        new_file::make_tables(&connection, header)?;
        {
            let mut inserts = Inserts::prepare(&connection)?;
            carry.iter().try_for_each(|record| inserts.record(record))?;
        }
        new_file::put_progress(&connection, progress, false)?;
        connection.execute(
            "UPDATE session SET source = :source, follows = :follows, ring_position = :position",
            named_params! {
                ":source": segment.source,
                ":follows": segment.follows,
                ":position": unsigned(segment.position),
            },
        )?;
        transaction.commit()
    };
    if let Err(error) = begin() {
        // Nothing is in it, and it takes room.
        let file = connection.path().map(PathBuf::from);
        drop(connection);
        let _ = file.map(fs::remove_file);
        return Err(TraceError::writing(path, &error));
    }
    Ok(connection)
}

/// Its size in bytes, once its write-ahead log is in it.
///
/// # Errors
/// If it cannot be asked.
pub fn size(path: &Path, connection: &Connection) -> Result<u64, TraceError> {
    writer::size(connection).map_err(|error| TraceError::writing(path, &error))
}

/// Opens a segment to go on with it.
///
/// # Errors
/// If it cannot be written.
pub fn resume(path: &Path) -> Result<Connection, TraceError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags);
    let opened = connection.and_then(|connection| {
        new_file::set_up(&connection)?;
        connection.execute("UPDATE session SET ended = 0", [])?;
        Ok(connection)
    });
    opened.map_err(|error| TraceError::writing(path, &error))
}

/// Moves what is committed into the file itself, so that it is whole without its write-ahead log. False if somebody reads it just
/// now who needs the log.
///
/// # Errors
/// If it cannot be written.
pub fn settle(path: &Path) -> Result<bool, TraceError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let settled = Connection::open_with_flags(path, flags).and_then(|connection| {
        // The first of three numbers: could it not be done?
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
    });
    settled.map(|is_busy| is_busy == 0).map_err(|error| TraceError::writing(path, &error))
}

/// Is it a file that is to become a segment, or was to: one without any table? If its writer was killed amid the first pages,
/// only who `may_write` can tell for sure, for that undoes them; for who only reads, it is one then.
pub fn is_blank(path: &Path, may_write: bool) -> bool {
    const WAIT: Duration = Duration::from_secs(1);
    // To open a pipe is to wait for its other side.
    if !fs::symlink_metadata(path).is_ok_and(|it| it.is_file()) {
        return false;
    }
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let access = if may_write { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    let flags = flags | access;
    let tables = Connection::open_with_flags(path, flags).and_then(|connection| {
        connection.busy_timeout(WAIT)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
    });
    match tables {
        Ok(count) => count == 0,
        Err(error) => !may_write && error.sqlite_error_code() == Some(ErrorCode::ReadOnly),
    }
}

/// Sets how many pages a segment may have: as SQLite sees a full disk.
///
/// # Errors
/// If SQLite refuses.
#[cfg(any(test, feature = "testing"))]
pub fn bound(path: &Path, connection: &Connection, pages: u32) -> Result<(), TraceError> {
    connection.pragma_update(None, "max_page_count", pages).map_err(|error| TraceError::writing(path, &error))
}
