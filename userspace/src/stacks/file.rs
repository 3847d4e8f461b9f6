//! Executables and libraries of other processes: opened here, where the rights are, and read elsewhere.

use std::{
    fs::{File, OpenOptions},
    io,
    os::{
        fd::AsRawFd as _,
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::Path,
    sync::Arc,
};

use rustc_hash::FxHashMap;

use super::{maps::Mapping, message::FileFacts};
use crate::proc;

/// Files that are remembered.
const MOST: usize = 1024;
/// And among them those that are read.
const MOST_READ: usize = 256;

/// Device, inode and time of the last change: another content has another one.
pub(super) type Identity = (u64, u64, i64);

/// An executable or a library.
#[derive(Debug)]
pub(super) struct Known {
    /// Its path, as its process has it.
    pub(super) path: Arc<str>,
    /// None if it could not be opened.
    pub(super) identity: Option<Identity>,
    /// What the other process says of it, or why it is not read.
    pub(super) facts: Result<FileFacts, Arc<str>>,
}

/// All of them, by number.
#[derive(Debug, Default)]
pub(super) struct Files {
    by_identity: FxHashMap<Identity, usize>,
    by_path: FxHashMap<(u64, Arc<str>), usize>,
    files: Vec<Known>,
    read: usize,
}

impl Files {
    /// The number of a file that was opened.
    pub(super) fn find(&self, identity: &Identity) -> Option<usize> {
        self.by_identity.get(identity).copied()
    }

    /// The number of one that could not be opened.
    pub(super) fn find_closed(&self, mapping: &Mapping) -> Option<usize> {
        self.by_path.get(&(mapping.inode, Arc::clone(&mapping.path))).copied()
    }

    /// The number that the next one gets; None if there is no room.
    pub(super) fn next(&self) -> Option<usize> {
        (self.files.len() < MOST).then_some(self.files.len())
    }

    /// May another one be read?
    pub(super) const fn has_room(&self) -> bool {
        self.read < MOST_READ
    }

    /// Remembers what became of one.
    pub(super) fn insert(
        &mut self,
        mapping: &Mapping,
        identity: Option<Identity>,
        facts: Result<FileFacts, Arc<str>>,
    ) -> Option<usize> {
        let number = self.next()?;
        match identity {
            Some(identity) => self.by_identity.insert(identity, number),
            None => self.by_path.insert((mapping.inode, Arc::clone(&mapping.path)), number),
        };
        self.read += usize::from(facts.is_ok());
        let path = mapping.path.trim_end_matches(" (deleted)").into();
        self.files.push(Known { path, identity, facts });
        Some(number)
    }

    /// A file by its number.
    pub(super) fn get(&self, number: usize) -> Option<&Known> {
        self.files.get(number)
    }
}

/// Opens what a process has mapped: it must be the file that the mapping is of.
pub(super) fn open(pid: u32, mapping: &Mapping, is_executable: bool) -> io::Result<(File, Identity)> {
    let folder = proc::folder(pid);
    let path = if is_executable {
        // Leads to the file itself, replaced or not.
        folder.join("exe")
    } else {
        folder.join("root").join(mapping.path.trim_start_matches('/'))
    };
    let (file, identity) = open_regular(&path)?;
    // An overlay file system may show another inode in the map.
    let is_mapped = is_executable || identity.1 == mapping.inode || is_overlay(&file);
    if is_mapped { Ok((file, identity)) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// Opens a regular file. A path is the process's own choice: what it leads to is found out before it is opened, for to open a
/// device may do something, and to open a FIFO may wait.
pub(super) fn open_regular(path: &Path) -> io::Result<(File, Identity)> {
    let place = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path)?;
    let metadata = place.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(format!("/proc/self/fd/{}", place.as_raw_fd()))?;
    Ok((file, (metadata.dev(), metadata.ino(), metadata.ctime_nsec() ^ metadata.ctime())))
}

fn is_overlay(file: &File) -> bool {
    nix::sys::statfs::fstatfs(file)
        .is_ok_and(|info| info.filesystem_type() == nix::sys::statfs::OVERLAYFS_SUPER_MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_regular_files_is_opened() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let (fifo, file) = (directory.path().join("fifo"), directory.path().join("file"));
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO can be made");
        std::fs::write(&file, "x").expect("it can be written");
        for path in [&fifo, directory.path(), Path::new("/dev/null"), Path::new("/nowhere")] {
            assert!(open_regular(path).is_err(), "{}", path.display());
        }
        assert!(open_regular(&file).is_ok());
    }
}
