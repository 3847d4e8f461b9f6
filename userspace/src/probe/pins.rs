//! What outlives the process: maps, programs and links under a name in a BPF file system, so that the kernel goes on tracing while
//! the service restarts.
//!
//! `/sys/fs/bpf/sockleak/NAME/` holds one set of them. NAME says what it was made with and when: another build, or other sizes,
//! cannot take it over. A set without `complete` in it was broken off.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use aya::programs::{
    Program, ProgramFd, ProgramInfo,
    links::{FdLink, PinnedLink},
};
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};

use crate::clock;

/// Where the sets are.
const ROOT: &str = "/sys/fs/bpf/sockleak";
/// The last that is made in a set. Names in this file system must not have a dot.
const COMPLETE: &str = "complete";

/// Why there are no pins.
#[derive(Debug, thiserror::Error)]
pub enum PinsError {
    /// Somebody else has the lock.
    #[error("another `sockleak serve` is running on this host; stop it first (systemctl stop sockleak)")]
    Taken,
    /// There is no BPF file system.
    #[error("there is no BPF file system at /sys/fs/bpf: mount one (mount -t bpf bpf /sys/fs/bpf)")]
    NotMounted,
    /// It cannot be used.
    #[error("{ROOT} cannot be used ({0}); it must belong to root")]
    Unusable(#[from] io::Error),
}

/// The directory of all sets, locked: one service uses it at a time.
#[derive(Debug)]
pub struct Root {
    path: PathBuf,
    _lock: Flock<File>,
}

impl Root {
    /// Locks it for as long as the result lives.
    ///
    /// # Errors
    /// If it is locked already, there is no BPF file system, or it cannot be made.
    pub fn lock() -> Result<Self, PinsError> {
        let path = PathBuf::from(ROOT);
        let mounted = path.parent().and_then(|parent| statfs(parent).ok());
        if mounted.is_none_or(|found| found.filesystem_type() != BPF_FS_MAGIC) {
            return Err(PinsError::NotMounted);
        }
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        match Flock::lock(File::open(&path)?, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self { path, _lock: lock }),
            Err((_, Errno::EWOULDBLOCK)) => Err(PinsError::Taken),
            Err((_, error)) => Err(io::Error::from(error).into()),
        }
    }

    /// The complete set of this name, if it was made with the same; all others are removed, and how many that were is told.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub fn find(&self, name: Option<&str>, made_with: &Identity) -> Result<(Option<Pins>, usize), PinsError> {
        let (mut found, mut removed) = (None, 0);
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let its = entry.file_name().to_string_lossy().into_owned();
            let is_it = name == Some(its.as_str()) && its.starts_with(&made_with.prefix());
            if is_it && entry.path().join(COMPLETE).is_dir() {
                found = Some(Pins { directory: entry.path(), name: its, is_taken_over: true });
            } else {
                remove(&entry.path())?;
                removed += 1;
            }
        }
        Ok((found, removed))
    }

    /// A new set, empty.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(&self, made_with: &Identity) -> Result<Pins, PinsError> {
        let name = format!("{}{:x}", made_with.prefix(), clock::now());
        let directory = self.path.join(&name);
        fs::DirBuilder::new().mode(0o700).create(&directory)?;
        Ok(Pins { directory, name, is_taken_over: false })
    }

    /// Removes all sets, and the directory: the kernel stops tracing. Tells how many there were.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub fn clear(self) -> Result<usize, PinsError> {
        let nothing = Identity(0);
        let (_, removed) = self.find(None, &nothing)?;
        fs::remove_dir(&self.path)?;
        Ok(removed)
    }
}

/// What a set is made with: only the same can take it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity(u64);

impl Identity {
    /// Of an object file, and of whatever it is loaded with: FNV-1a of each part's length and bytes, which is the same in each build,
    /// whatever compiler made it.
    pub(super) fn of(parts: &[&[u8]]) -> Self {
        const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0100_0000_01b3;
        let mut digest = BASIS;
        for part in parts {
            for byte in (part.len() as u64).to_le_bytes().iter().chain(*part) {
                digest = (digest ^ u64::from(*byte)).wrapping_mul(PRIME);
            }
        }
        Self(digest)
    }

    fn prefix(self) -> String {
        format!("{:016x}-", self.0)
    }
}

/// A set of pins.
#[derive(Debug)]
pub struct Pins {
    directory: PathBuf,
    name: String,
    is_taken_over: bool,
}

impl Pins {
    /// Its name, which no other set ever has.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Did an earlier process make it?
    #[must_use]
    pub const fn is_taken_over(&self) -> bool {
        self.is_taken_over
    }

    pub(super) fn map(&self, name: &str) -> PathBuf {
        // That of a section has a dot, which names in this file system must not have.
        self.directory.join(format!("map_{}", name.trim_start_matches('.')))
    }

    fn link(&self, program: &str) -> PathBuf {
        self.directory.join(format!("link_{program}"))
    }

    fn program(&self, program: &str) -> PathBuf {
        self.directory.join(format!("program_{program}"))
    }

    /// Pins a program and its link.
    pub(super) fn pin(&self, name: &str, program: &mut Program, link: FdLink) -> anyhow::Result<PinnedLink> {
        let link = link.pin(self.link(name)).with_context(|| format!("pinning the link of {name}"))?;
        program.pin(self.program(name)).with_context(|| format!("pinning {name}"))?;
        Ok(link)
    }

    /// A program that an earlier process attached, and its link.
    pub(super) fn taken_over(&self, name: &str) -> Option<(ProgramFd, PinnedLink)> {
        if !self.is_taken_over {
            return None;
        }
        let link = PinnedLink::from_pin(self.link(name)).ok()?;
        let program = ProgramInfo::from_pin(self.program(name)).and_then(|info| info.fd()).ok()?;
        Some((program, link))
    }

    /// Removes a program and its link, which are detached unless this process has them open.
    pub(super) fn unpin(&self, name: &str) {
        for path in [self.link(name), self.program(name)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!("{} cannot be removed: {error}", path.display());
                }
                _ => {}
            }
        }
    }

    /// Marks it as one that can be taken over.
    pub(super) fn complete(&self) -> io::Result<()> {
        match fs::create_dir(self.directory.join(COMPLETE)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    /// Removes it. What this process has open stays as it is until it ends.
    pub(super) fn give_up(self) {
        if let Err(error) = remove(&self.directory) {
            tracing::warn!("{} cannot be removed: {error}", self.directory.display());
        }
    }
}

/// `remove_dir_all` asks for more than this file system can do.
fn remove(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_dir(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_the_same_in_each_build_and_another_for_other_parts() {
        assert_eq!(Identity::of(&[b"object", b"sizes"]).prefix(), "0a6d47e81bdde9c5-");
        let others: [&[&[u8]]; 4] =
            [&[b"object"], &[b"objects", b"izes"], &[b"sizes", b"object"], &[b"object", b"", b"sizes"]];
        for parts in others {
            assert_ne!(Identity::of(parts), Identity::of(&[b"object", b"sizes"]), "{parts:?}");
        }
    }

    #[test]
    fn a_set_is_removed_with_what_is_in_it() {
        let root = tempfile::tempdir().expect("a directory can be created");
        let directory = root.path().join("set");
        fs::create_dir_all(directory.join(COMPLETE)).expect("it can be made");
        fs::write(directory.join("map_CONFIG"), "").expect("it can be written");
        Pins { directory: directory.clone(), name: "set".to_owned(), is_taken_over: false }.give_up();
        assert!(!directory.exists());
    }
}
