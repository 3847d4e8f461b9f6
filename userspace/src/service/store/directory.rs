//! The directory of a store: its lock, its files, and which of them have to go.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use nix::fcntl::{Flock, FlockArg};

use super::{Shelf, StoreError, history};

/// Only the owner writes; his group may look.
const MODE: u32 = 0o750;
/// What a damaged segment is called in the end.
const DAMAGED: &str = ".damaged";

/// A segment by its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    /// It was set aside.
    is_damaged: bool,
}

/// How much is kept.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    /// Of all files together.
    pub(super) bytes: u64,
    /// Since a segment was written to.
    pub(super) keep: Duration,
    /// What the segment that is written to may take.
    pub(super) segment: u64,
    /// What an archive has of it; None without one.
    pub(super) shelf: Option<Arc<Shelf>>,
    /// Pages that a segment may have, if any: as SQLite sees a full disk.
    #[cfg(test)]
    pub(super) pages: Arc<std::sync::atomic::AtomicU32>,
}

impl Bounds {
    pub(super) fn new(bytes: u64, keep: Duration, segment: u64) -> Self {
        Self {
            bytes,
            keep,
            segment,
            shelf: None,
            #[cfg(test)]
            pages: Arc::default(),
        }
    }

    /// Is the archive still to take it?
    fn is_awaited(&self, entry: &Entry) -> bool {
        self.shelf.as_ref().is_some_and(|shelf| entry.is_segment() && entry.number > shelf.through())
    }

    #[cfg(test)]
    pub(super) fn fill(
        &self,
        path: &Path,
        connection: &rusqlite::Connection,
    ) -> Result<(), sockleak_recording::TraceError> {
        match self.pages.load(std::sync::atomic::Ordering::Relaxed) {
            0 => Ok(()),
            pages => sockleak_recording::segment::bound(path, connection, pages),
        }
    }
}

/// Makes the directory if there is none, and takes its lock, for as long as what is returned lives.
pub(super) fn lock(directory: &Path) -> Result<Flock<File>, StoreError> {
    let unusable = |error: io::Error| StoreError::directory(directory, &error);
    DirBuilder::new().recursive(true).mode(MODE).create(directory).map_err(unusable)?;
    let owner = fs::metadata(directory).map_err(unusable)?.uid();
    if owner != nix::unistd::geteuid().as_raw() {
        return Err(StoreError::NotOurs { directory: directory.to_owned(), owner });
    }
    let path = directory.join("lock");
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false).mode(0o640);
    let file = options.custom_flags(libc::O_NOFOLLOW).open(path).map_err(unusable)?;
    let mut lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(file, _)| {
        let mut pid = String::new();
        let known = file.take(16).read_to_string(&mut pid).is_ok() && pid.trim().parse::<u32>().is_ok();
        let pid = if known { pid.trim().to_owned() } else { "unknown".to_owned() };
        StoreError::Busy { directory: directory.to_owned(), pid }
    })?;
    let written =
        lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| writeln!(lock, "{}", std::process::id()));
    // A full disk is no reason not to run.
    if let Err(error) = written {
        tracing::warn!("{} cannot be told who uses it: {error}", directory.display());
    }
    Ok(lock)
}

/// Where a segment is.
pub(super) fn segment(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("trace-{number}.db"))
}

/// The segments, oldest first, and those that were set aside.
pub(super) fn entries(directory: &Path) -> Result<Vec<Entry>, StoreError> {
    let read = || -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for file in fs::read_dir(directory)? {
            entries.extend(entry(&file?.path()));
        }
        Ok(entries)
    };
    let mut entries = read().map_err(|error| StoreError::unreadable(directory, &error))?;
    entries.sort_by(|one, other| (one.number, &one.path).cmp(&(other.number, &other.path)));
    Ok(entries)
}

/// Number of a segment by its file.
pub(super) fn number(path: &Path) -> Option<u64> {
    entry(path).map(|entry| entry.number)
}

fn entry(path: &Path) -> Option<Entry> {
    let name = path.file_name()?.to_str()?;
    let whole = name.strip_suffix(DAMAGED);
    let number = whole.unwrap_or(name).strip_prefix("trace-")?.strip_suffix(".db")?;
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse().ok().filter(|_| is_number)?;
    Some(Entry { number, path: path.to_owned(), is_damaged: whole.is_some() })
}

impl Entry {
    pub(super) const fn is_segment(&self) -> bool {
        !self.is_damaged
    }

    /// Bytes, with the write-ahead log.
    fn size(&self) -> u64 {
        let size = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        size(&self.path) + size(&beside(&self.path, "-wal"))
    }

    fn is_older(&self, age: Duration) -> bool {
        let written = fs::metadata(&self.path).and_then(|file| file.modified());
        // One that is from the future is young.
        let passed = written.map(|at| SystemTime::now().duration_since(at).unwrap_or_default());
        passed.is_ok_and(|passed| passed > age)
    }

    /// Deletes it. What is beside it goes first: as long as the file itself is there, this is tried again.
    pub(super) fn remove(&self) -> io::Result<()> {
        for suffix in ["-wal", "-shm", "-journal", ""] {
            match fs::remove_file(beside(&self.path, suffix)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Renames it, with what is beside it, so that nothing writes to it or reads it as a segment any more.
    pub(super) fn set_aside(&self) -> io::Result<()> {
        let aside = beside(&self.path, DAMAGED);
        for suffix in ["-wal", ""] {
            match fs::rename(beside(&self.path, suffix), beside(&aside, suffix)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        // It holds no data.
        let _ = fs::remove_file(beside(&self.path, "-shm"));
        Ok(())
    }
}

/// Is there something in the write-ahead log beside it?
pub(super) fn has_log(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

/// Deletes whole segments, the oldest first, until the others, the one that is written to and the history keep within bounds;
/// never that one. One that the archive has not taken yet is not too old, but may be too much. What cannot be deleted is left to the
/// next time.
pub(super) fn prune(directory: &Path, current: u64, bounds: &Bounds) {
    let Ok(entries) = entries(directory) else { return };
    let (old, new): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.number < current);
    let present: u64 = new.iter().map(Entry::size).sum();
    let mut total = old.iter().map(Entry::size).sum::<u64>() + present.max(bounds.segment);
    let room = bounds.bytes.saturating_sub(history::size(directory));
    for entry in old {
        // What somebody put there is not deleted with all that is in it.
        if entry.path.is_dir() {
            continue;
        }
        let is_awaited = bounds.is_awaited(&entry);
        if total <= room && (is_awaited || !entry.is_older(bounds.keep)) {
            continue;
        }
        total = total.saturating_sub(entry.size());
        match entry.remove() {
            Err(error) => {
                tracing::warn!("{} is too old, and cannot be deleted: {error}", entry.path.display());
            }
            Ok(()) if is_awaited => {
                tracing::warn!(
                    "{} was deleted before it was archived: the store is full; make [archive] reachable, or raise max_bytes in \
                     [store]",
                    entry.path.display()
                );
                bounds.shelf.iter().for_each(|shelf| shelf.drop_one());
            }
            Ok(()) => {}
        }
    }
}

/// A file that goes with another one.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.to_owned().into_os_string();
    path.push(suffix);
    path.into()
}
