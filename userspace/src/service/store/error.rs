//! What can be wrong with a store, each as a sentence that names the file and the remedy.

use std::path::{Path, PathBuf};

use sockleak_recording::TraceError;
use thiserror::Error;

use crate::failure::Failure;

/// Why a store cannot be used, or is not written to any more.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum StoreError {
    /// Somebody else writes to it.
    #[error(
        "another sockleak serve (pid {pid}) uses {}; stop it, or give this one another directory",
        directory.display()
    )]
    Busy {
        /// The store.
        directory: PathBuf,
        /// Who does, as far as that is known.
        pid: String,
    },
    /// The directory belongs to somebody else, who could put anything into it.
    #[error(
        "{} belongs to user {owner}, who is not the one that sockleak serve runs as; change its owner, or name another \
         directory",
        directory.display()
    )]
    NotOurs {
        /// The store.
        directory: PathBuf,
        /// User id of its owner.
        owner: u32,
    },
    /// It cannot be made, or not be used.
    #[error(
        "{} cannot be used as a store ({cause}); name a directory that the user whom sockleak runs as may write to",
        directory.display()
    )]
    Directory {
        /// The store.
        directory: PathBuf,
        /// Why.
        cause: String,
    },
    /// It cannot be read.
    #[error(
        "{} cannot be read as a store ({cause}); name the directory that sockleak serve writes to, and read it as its owner \
         or with sudo",
        directory.display()
    )]
    Unreadable {
        /// The store.
        directory: PathBuf,
        /// Why.
        cause: String,
    },
    /// Written by a version that knows more.
    #[error(
        "{} was written by a newer sockleak (schema version {version}); run that version, or move the files of the store \
         to another directory",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: i64,
    },
    /// Not as it was written.
    #[error("{} is damaged ({cause}); move it away, or save what is left with sqlite3's .recover", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// Nothing was recorded there.
    #[error("{} holds no recording of sockleak serve; name the directory of its store", .0.display())]
    Empty(PathBuf),
    /// A file in it cannot be read or written.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// No room is left.
    #[error(
        "the disk with {} is full: nothing is stored until there is room, which is tried every minute; free some",
        .0.display()
    )]
    Full(PathBuf),
    /// It cannot be written any more for another reason.
    #[error(
        "{} cannot be written ({cause}): nothing is stored until it can, which is tried every minute; make its \
         directory writable",
        path.display()
    )]
    Stopped {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
}

impl StoreError {
    pub(super) fn directory(directory: &Path, cause: &impl ToString) -> Self {
        Self::Directory { directory: directory.to_owned(), cause: cause.to_string() }
    }

    /// A directory that cannot be read as a store.
    pub(crate) fn unreadable(directory: &Path, cause: &impl ToString) -> Self {
        Self::Unreadable { directory: directory.to_owned(), cause: cause.to_string() }
    }

    /// From what ended a writer.
    pub(super) fn stopped(directory: &Path, error: TraceError) -> Self {
        match error {
            TraceError::Full(_) => Self::Full(directory.to_owned()),
            TraceError::Unwritable { path, cause } => Self::Stopped { path, cause },
            error => Self::Trace(error),
        }
    }

    /// From what a reader says.
    pub(super) fn reading(error: TraceError) -> Self {
        match error {
            TraceError::Newer { path, version } => Self::Newer { path, version },
            error => Self::Trace(error),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error.into())
    }
}
