//! What sockets were like, minute by minute, for years: it survives reboots, and the segments.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, Statement, named_params};

mod names;
mod rollup;
mod series;

use sockleak_recording::new_file;

pub use rollup::{Minute, OTHERS, ProgramFacts, ProgramMinute, Rollup, SocketFacts, SocketMinute};
pub use series::{Point, ProgramPoint};

use super::StoreError;
use names::Names;

/// Tells a history from other SQLite databases: "slkH".
const APPLICATION_ID: i64 = 0x736c_6b48;
const VERSION: i64 = 1;
/// Sockets that have a history, at most.
const MOST_SOCKETS: usize = 1024;
/// Of the room that the directory has, this part is the history's at most,
const SHARE: u64 = 4;
/// and so many bytes.
const MOST_BYTES: u64 = 512 << 20;
/// And in memory.
const MOST_MEMORY: u64 = 64 << 20;
/// The file in the directory of a store,
const FILE: &str = "history.db";
/// and what it is called when it is set aside.
const DAMAGED: &str = "history.db.damaged";

/// Bytes of the history's files in a directory, which is what they take of its room.
pub(super) fn size(directory: &Path) -> u64 {
    let files = [FILE, "history.db-wal", DAMAGED].map(|name| directory.join(name));
    files.iter().filter_map(|path| fs::metadata(path).ok()).map(|file| file.len()).sum()
}

/// What is there already of the same minute is added up.
const PUT_SOCKET: &str = "
    INSERT INTO minute VALUES (:at, :socket, :slots_max, :slots_last, :slots_limit, :queue_max, :opened, :closed, :failed,
        :open_last)
    ON CONFLICT DO UPDATE SET
        slots_max = max(slots_max, excluded.slots_max),
        slots_last = excluded.slots_last,
        slots_limit = excluded.slots_limit,
        queue_max = max(coalesce(queue_max, excluded.queue_max), coalesce(excluded.queue_max, queue_max)),
        opened = opened + excluded.opened,
        closed = closed + excluded.closed,
        failed = failed + excluded.failed,
        open_last = excluded.open_last";
/// Likewise.
const PUT_PROGRAM: &str = "
    INSERT INTO program_minute VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET open_last = excluded.open_last, opened = opened + excluded.opened";

/// The history of all sockets, in `history.db` in the directory of a store.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    connection: Connection,
    sockets: Names,
    programs: Names,
    /// For how long minutes are kept, in milliseconds.
    keep: i64,
    most_bytes: u64,
    most_rows: u32,
}

impl History {
    /// Opens the history in a directory, or begins one. One that is damaged is set aside, under a name that ends in `.damaged`.
    /// Minutes are kept for `keep`, in a quarter of `room`, which is what the directory may hold in bytes, and 512 MiB at most.
    ///
    /// # Errors
    /// If it was written by a newer version, or cannot be written.
    pub fn open(directory: &Path, keep: Duration, room: u64) -> Result<Self, StoreError> {
        let path = directory.join(FILE);
        let connection = match open(&path) {
            Err(StoreError::Damaged { path, cause }) => {
                let aside = directory.join(DAMAGED);
                tracing::warn!(
                    "{} is damaged ({cause}); it is set aside as {}",
                    path.display(),
                    aside.display()
                );
                fs::rename(&path, aside).map_err(|error| failed(&path, &error))?;
                open(&path)?
            }
            opened => opened?,
        };
        let names = |table| Names::read(&connection, table).map_err(|error| failure(&path, &error));
        let (sockets, programs) = (names("socket")?, names("program")?);
        let most_rows = series::MOST_ROWS;
        let mut history = Self { path, sockets, programs, connection, keep: 0, most_bytes: 0, most_rows };
        history.keep(keep, room);
        Ok(history)
    }

    /// How much is kept from now on, as [`History::open`] has it: see [`History::prune`].
    pub fn keep(&mut self, keep: Duration, room: u64) {
        self.keep = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        self.most_bytes = (room / SHARE).min(MOST_BYTES);
    }

    /// One that is kept in memory alone, for as long as this.
    ///
    /// # Errors
    /// If there is no memory.
    pub fn in_memory() -> Result<Self, StoreError> {
        let path = PathBuf::from("the history in memory");
        let connection = Connection::open_in_memory().map_err(|error| failure(&path, &error))?;
        connection.execute_batch(include_str!("schema.sql")).map_err(|error| failure(&path, &error))?;
        let (sockets, programs) = (Names::none("socket"), Names::none("program"));
        let (most_bytes, most_rows) = (MOST_MEMORY, series::MOST_ROWS);
        Ok(Self { path, connection, sockets, programs, keep: i64::MAX, most_bytes, most_rows })
    }

    /// Adds a minute. What is there of it already, as after a step of the clock, is added up. Sockets beyond the first 1024 are
    /// left out.
    ///
    /// # Errors
    /// If it cannot be written: then nothing of it is.
    pub fn add(&mut self, minute: &Minute) -> Result<(), StoreError> {
        let added = self.try_add(minute);
        if added.is_err() {
            // What was entered is undone.
            for (names, table) in [(&mut self.sockets, "socket"), (&mut self.programs, "program")] {
                if let Ok(read) = Names::read(&self.connection, table) {
                    *names = read;
                }
            }
        }
        added.map_err(|error| failure(&self.path, &error))
    }

    fn try_add(&mut self, minute: &Minute) -> rusqlite::Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut put_socket = transaction.prepare(PUT_SOCKET)?;
        let mut put_program = transaction.prepare(PUT_PROGRAM)?;
        for socket in &minute.sockets {
            let is_known = self.sockets.contains(&socket.socket);
            if !is_known && self.sockets.len() >= MOST_SOCKETS {
                tracing::warn!("{} has no history: {MOST_SOCKETS} others have", socket.socket);
                continue;
            }
            let id = self.sockets.id(&transaction, &socket.socket, minute.at)?;
            insert_socket(&mut put_socket, minute.at, id, socket)?;
            for program in &socket.programs {
                let name = self.programs.id(&transaction, &program.program, minute.at)?;
                let (open, opened) = (integer(program.open_last), integer(program.opened));
                put_program.execute((minute.at, id, name, open, opened))?;
            }
        }
        drop((put_socket, put_program));
        transaction.commit()
    }

    /// The sockets that have a history, by name.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn sockets(&self) -> Result<Vec<String>, StoreError> {
        let read = || -> rusqlite::Result<Vec<String>> {
            let mut statement = self.connection.prepare("SELECT name FROM socket ORDER BY name")?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        read().map_err(|error| failure(&self.path, &error))
    }

    /// A socket from one time to another (milliseconds since 1970), in steps of some seconds: of whole minutes, and so wide that
    /// there are at most 1000. Steps without a minute are left out. Of more than 600,000 minutes the last ones are told.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn series(&self, socket: &str, from: i64, to: i64, step: u64) -> Result<Vec<Point>, StoreError> {
        let points = series::read(&self.connection, socket, from, to, step, self.most_rows);
        points.map_err(|error| failure(&self.path, &error))
    }

    /// The same by program: 600,000 rows are a month of ten programs and others.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn programs(
        &self,
        socket: &str,
        from: i64,
        to: i64,
        step: u64,
    ) -> Result<Vec<ProgramPoint>, StoreError> {
        let points = series::read_programs(&self.connection, socket, from, to, step, self.most_rows);
        points.map_err(|error| failure(&self.path, &error))
    }

    /// Does it take more room than it may? Then it is to be [pruned](Self::prune).
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn is_full(&self) -> Result<bool, StoreError> {
        let used = used(&self.connection).map_err(|error| failure(&self.path, &error))?;
        Ok(used > self.most_bytes)
    }

    /// Deletes what is too old (`now` in milliseconds since 1970), and the oldest eighth of the time as often as it takes while
    /// there is more than there is room for; to be called every day, and when it is full. The file does not shrink: the room is
    /// used again.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn prune(&mut self, now: i64) -> Result<(), StoreError> {
        self.try_prune(now).map_err(|error| failure(&self.path, &error))
    }

    fn try_prune(&mut self, now: i64) -> rusqlite::Result<()> {
        self.delete_before(now.saturating_sub(self.keep))?;
        while used(&self.connection)? > self.most_bytes {
            // By socket, for that is how they lie.
            let ends = "SELECT min((SELECT min(at) FROM minute WHERE socket = socket.id)), \
                        max((SELECT max(at) FROM minute WHERE socket = socket.id)) FROM socket";
            let ends = self.connection.query_row(ends, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let (Some(oldest), Some(last)): (Option<i64>, Option<i64>) = ends else { break };
            self.delete_before(oldest.saturating_add(last.saturating_sub(oldest) / 8 + 1))?;
        }
        Ok(())
    }

    fn delete_before(&mut self, at: i64) -> rusqlite::Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        for table in ["minute", "program_minute"] {
            let delete = format!("DELETE FROM {table} WHERE socket = ? AND at < ?");
            for socket in self.sockets.ids() {
                transaction.execute(&delete, (socket, at))?;
            }
        }
        let mut names = Vec::new();
        for table in ["socket", "program"] {
            transaction
                .execute(&format!("DELETE FROM {table} WHERE seen < ?"), [at.saturating_sub(names::HOUR)])?;
            names.push(Names::read(&transaction, table)?);
        }
        transaction.commit()?;
        self.programs = names.pop().unwrap_or_default();
        self.sockets = names.pop().unwrap_or_default();
        Ok(())
    }
}

fn open(path: &Path) -> Result<Connection, StoreError> {
    let connection = if fs::symlink_metadata(path).is_ok() {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        Connection::open_with_flags(path, flags).map_err(|error| failure(path, &error))?
    } else {
        new_file::create_file(path, 0o640).map_err(|error| StoreError::stopped(path, error))?
    };
    let set_up = || -> rusqlite::Result<Result<(), StoreError>> {
        new_file::set_up(&connection)?;
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let tables = "SELECT name FROM sqlite_schema LIMIT 1";
        let is_blank = connection.query_row(tables, [], |_| Ok(())).optional()?.is_none();
        let version = pragma("user_version")?;
        if is_blank {
            let schema = include_str!("schema.sql");
            let marks = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};");
            connection.execute_batch(&format!("BEGIN; {schema} {marks} COMMIT"))?;
        } else if pragma("application_id")? != APPLICATION_ID {
            let cause = "it is no history of sockleak".to_owned();
            return Ok(Err(StoreError::Damaged { path: path.to_owned(), cause }));
        } else if version > VERSION {
            return Ok(Err(StoreError::Newer { path: path.to_owned(), version }));
        }
        Ok(Ok(()))
    };
    set_up().map_err(|error| failure(path, &error))??;
    Ok(connection)
}

fn insert_socket(put: &mut Statement<'_>, at: i64, id: i64, socket: &SocketMinute) -> rusqlite::Result<()> {
    put.execute(named_params! {
        ":at": at,
        ":socket": id,
        ":slots_max": integer(socket.slots_max),
        ":slots_last": integer(socket.slots_last),
        ":slots_limit": socket.slots_limit.map(integer),
        ":queue_max": socket.queue_max.map(integer),
        ":opened": integer(socket.opened),
        ":closed": integer(socket.closed),
        ":failed": integer(socket.failed),
        ":open_last": integer(socket.open_last),
    })?;
    Ok(())
}

/// As much as SQLite can count.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Bytes that are not free.
fn used(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
    Ok(u64::from(pages) * u64::from(pragma("page_size")?))
}

fn failure(path: &Path, error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(path.to_owned()),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            StoreError::Damaged { path: path.to_owned(), cause: error.to_string() }
        }
        _ => failed(path, error),
    }
}

fn failed(path: &Path, cause: &impl ToString) -> StoreError {
    StoreError::Stopped { path: path.to_owned(), cause: cause.to_string() }
}

#[cfg(test)]
mod tests;
