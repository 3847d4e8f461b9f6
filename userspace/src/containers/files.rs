//! Files that somebody else chose: opened without following a link, and read to a bound.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd},
        unix::fs::OpenOptionsExt as _,
    },
    path::Path,
    time::{Duration, Instant},
};

use nix::{
    fcntl::{OFlag, openat},
    sys::stat::Mode,
};

/// Bytes that are read in a second, over all files.
const BYTES: u64 = 16 << 20;
/// What a look-up takes at least of that, if it reads nothing.
const LOOK_UP: u64 = 16 << 10;

/// Whether the file system may change below a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mounts {
    /// An engine mounts what it likes.
    Any,
    /// A user may have mounted there what never answers.
    None,
}

/// How much may still be read.
#[derive(Debug)]
pub(super) struct Reading {
    began: Instant,
    left: u64,
}

impl Default for Reading {
    fn default() -> Self {
        Self { began: Instant::now(), left: BYTES }
    }
}

impl Reading {
    /// May one more container be looked up?
    pub(super) fn may_begin(&mut self) -> bool {
        if self.began.elapsed() >= Duration::from_secs(1) {
            *self = Self::default();
        }
        self.left = self.left.saturating_sub(LOOK_UP);
        self.left > 0
    }

    /// Reads a regular file of at most so many bytes, below a folder. None of the parts is a symbolic link.
    pub(super) fn file(
        &mut self,
        folder: &Path,
        parts: &[&str],
        most: u64,
        mounts: Mounts,
    ) -> io::Result<Vec<u8>> {
        let most = most.min(self.left);
        let found = File::from(find(folder, parts, mounts)?);
        let metadata = found.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        if metadata.len() > most {
            return Err(io::Error::other("it is too large"));
        }
        let file = File::open(format!("/proc/self/fd/{}", found.as_raw_fd()))?;
        let mut bytes = Vec::new();
        // It may have grown.
        let read = file.take(most + 1).read_to_end(&mut bytes)? as u64;
        self.left = self.left.saturating_sub(read);
        if read <= most { Ok(bytes) } else { Err(io::Error::other("it is too large")) }
    }
}

/// Finds something below a folder without following a link. It is not opened: a pipe would wait, and a device may do something.
fn find(folder: &Path, parts: &[&str], mounts: Mounts) -> io::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let root =
        fs::OpenOptions::new().read(true).custom_flags((flags | OFlag::O_DIRECTORY).bits()).open(folder)?;
    let mut found = OwnedFd::from(root);
    let mount = mount_of(&found);
    for part in parts {
        // Whatever is no folder has nothing below it.
        let next = openat(found.as_fd(), *part, flags | OFlag::O_NOFOLLOW, Mode::empty())?;
        // Told without asking the file system, which may be a program of the user's.
        if mounts == Mounts::None && (mount.is_none() || mount_of(&next) != mount) {
            return Err(io::Error::other("another file system is mounted there"));
        }
        found = next;
    }
    Ok(found)
}

/// Number of the mount that a folder is in.
fn mount_of(folder: &OwnedFd) -> Option<u64> {
    let told = fs::read_to_string(format!("/proc/self/fdinfo/{}", folder.as_raw_fd())).ok()?;
    told.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()
}

/// Names in a folder, so many at most.
pub(super) fn names(folder: &Path, most: usize) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.take(most).filter_map(|entry| entry.file_name().into_string().ok()).collect()
}
