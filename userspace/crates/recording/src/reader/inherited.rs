//! A trace whose file this process may not open: it has the file's bytes.

use std::path::Path;

use rusqlite::{Connection, MAIN_DB};

use super::{Bounds, Opened, Trace, TraceError, begin_reading, pages};

/// Where the header of a database says how it is written and read: 2 is with a write-ahead log, 1 without.
const VERSIONS: std::ops::Range<usize> = 18..20;

impl Trace {
    /// Reads a trace that nobody writes to from the bytes of its file, as a private mapping has them. Everything that was committed has
    /// to be in them: there is no write-ahead log. `name` is what errors call it.
    ///
    /// # Errors
    /// If it is no trace, is damaged, or is newer than this version.
    pub fn of_bytes(name: &Path, bytes: &'static mut [u8]) -> Result<Self, TraceError> {
        // SQLite opens no log for what lies in memory, and refuses a database that says that it has one.
        if let Some(versions) = bytes.get_mut(VERSIONS) {
            versions.fill(1);
        }
        let bytes: &'static [u8] = bytes;
        let opened = open(bytes).map_err(|error| TraceError::reading(name, &error))?;
        Self::of(name, opened, |connection| {
            let size = pages(connection).map_err(|error| TraceError::reading(name, &error))?;
            let is_whole = bytes.len() as u64 >= size;
            if is_whole { Ok(()) } else { Err(TraceError::damaged(name, &"its end is missing")) }
        })
    }
}

fn open(bytes: &'static [u8]) -> rusqlite::Result<Opened> {
    let mut connection = Connection::open_in_memory()?;
    connection.deserialize_bytes(MAIN_DB, bytes)?;
    let bounds = Bounds::set(&mut connection, bytes.len() as u64)?;
    begin_reading(connection, bounds)
}
