//! What reading a recording may cost. Somebody else may have made it: a small file can lead SQLite to read the same page again
//! and again, or to make up values that are larger than the file.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rusqlite::{Connection, Error, Result, config::DbConfig, ffi, limits::Limit};

/// Bytes of a value and of a row. The longest are stacks: some hundred frames with their names.
const LONGEST: i32 = 16 << 20;
/// Bytes of a statement in the schema. The longest view has some thousands.
const STATEMENT: i32 = 1 << 20;
/// Steps of SQLite's between two looks at how many are left.
const STRIDE: i32 = 4096;
/// Steps that any file may take.
const STEPS: u64 = 16 << 20;
/// And for each of its bytes. Records take up to three.
const STEPS_PER_BYTE: u64 = 32;
/// Bytes of values that any file may have.
const BYTES: u64 = 16 << 20;
/// And for each of its own: those of names are read several times.
const BYTES_PER_BYTE: u64 = 4;
/// A file takes at least this part of its length on the disk, however well the file system packs it. What takes less has holes.
const PACKED: u64 = 64;

/// What is left of the steps and bytes that a file of its size may take to read.
#[derive(Debug)]
pub(super) struct Bounds {
    size: u64,
    steps: Arc<AtomicU64>,
    bytes: AtomicU64,
}

impl Bounds {
    /// Sets a connection's limits, for a file of so many bytes. To be called before anything is asked of it.
    pub(super) fn set(connection: &mut Connection, size: u64) -> Result<Self> {
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST)?;
        connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, STATEMENT)?;
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        for (setting, is_on) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        ] {
            connection.set_db_config(setting, is_on)?;
        }
        let bounds = Self { size, steps: Arc::default(), bytes: AtomicU64::default() };
        bounds.renew();
        let steps = Arc::clone(&bounds.steps);
        let is_over = move || take(&steps, STRIDE as u64).is_none();
        connection.progress_handler(STRIDE, Some(is_over))?;
        Ok(bounds)
    }

    /// The whole file is read once more.
    pub(super) fn renew(&self) {
        let all = |base: u64, per_byte| base.saturating_add(self.size.saturating_mul(per_byte));
        self.steps.store(all(STEPS, STEPS_PER_BYTE), Ordering::Relaxed);
        self.bytes.store(all(BYTES, BYTES_PER_BYTE), Ordering::Relaxed);
    }

    /// So many bytes of values were read.
    ///
    /// # Errors
    /// If they are more than a file of this size has; as SQLite says it of a value that is too long.
    pub(super) fn read(&self, bytes: u64) -> Result<()> {
        let is_within = bytes == 0 || take(&self.bytes, bytes).is_some();
        is_within.then_some(()).ok_or_else(|| Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_TOOBIG), None))
    }
}

/// None if there is less.
fn take(left: &AtomicU64, count: u64) -> Option<u64> {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(count)).ok()
}

/// Bytes of a trace and its write-ahead log.
pub(super) fn size(path: &Path) -> u64 {
    let mut log = path.to_owned().into_os_string();
    log.push("-wal");
    size_of(path).saturating_add(size_of(log.as_ref()))
}

/// Bytes of a file, holes left out.
fn size_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len().min(file.blocks().saturating_mul(512 * PACKED).max(BYTES)))
}
