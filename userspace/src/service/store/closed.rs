//! The segments that nobody writes to any more.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use sockleak_recording::{TraceError, segment};

use super::{StoreError, directory};

/// A segment that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Its number.
    pub number: u64,
    /// Its file.
    pub path: PathBuf,
    /// When it was written to last.
    pub written: SystemTime,
}

/// The closed segments with numbers above `after`, the oldest first. A segment is closed when a later one has begun: one without a
/// single table may come to nothing, and then the one before goes on.
///
/// # Errors
/// If the directory cannot be read.
pub fn closed(directory: &Path, after: u64) -> Result<Vec<Closed>, StoreError> {
    let mut entries = directory::entries(directory)?;
    entries.retain(directory::Entry::is_segment);
    while entries.pop_if(|last| segment::is_blank(&last.path, false)).is_some() {}
    // The last one is written to, or will be.
    entries.pop();
    let closed = entries.into_iter().filter(|entry| entry.number > after).filter_map(|entry| {
        // It may be deleted just now.
        let written = fs::metadata(&entry.path).and_then(|file| file.modified()).ok()?;
        Some(Closed { number: entry.number, path: entry.path, written })
    });
    Ok(closed.collect())
}

/// Number of the last segment; None if there is none.
#[must_use]
pub fn last(directory: &Path) -> Option<u64> {
    directory::entries(directory).ok()?.last().map(|entry| entry.number)
}

impl Closed {
    /// Opens it to be read from its descriptor alone. None if somebody reads it just now in a way that keeps it from being whole.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(&self) -> Result<Option<File>, TraceError> {
        let unreadable =
            |error: &io::Error| TraceError::Unreadable { path: self.path.clone(), cause: error.to_string() };
        if directory::has_log(&self.path) && !segment::settle(&self.path)? {
            return Ok(None);
        }
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(&self.path);
        match file {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(TraceError::Missing(self.path.clone()))
            }
            Err(error) => Err(unreadable(&error)),
        }
    }
}
