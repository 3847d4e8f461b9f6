//! What can be wrong with a recording, each as a sentence that names the file and the remedy.

use std::path::{Path, PathBuf};

use rusqlite::{Error as Sql, ErrorCode};
use thiserror::Error;

use super::schema;

/// Why a recording cannot be written or read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TraceError {
    /// There is something under the name of a new one.
    #[error("{} exists already; remove it, or choose another name for the recording", .0.display())]
    Exists(PathBuf),
    /// A directory where a file should be.
    #[error("{} is a directory; name a file in it", .0.display())]
    Directory(PathBuf),
    /// Nothing under that name.
    #[error("{} does not exist; check the name of the recording", .0.display())]
    Missing(PathBuf),
    /// It may not be read.
    #[error("{} may not be read by this user; run sockleak as the user who recorded it, or with sudo", .0.display())]
    Denied(PathBuf),
    /// Something else.
    #[error("{} is not a sockleak recording; name a file that sockleak recorded", .0.display())]
    NotATrace(PathBuf),
    /// Written by a version that knows more.
    #[error(
        "{} has schema version {version}, and this sockleak reads up to {known}; read it with the version that recorded it, \
         or a newer one",
        path.display(), known = schema::VERSION
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: i64,
    },
    /// Its recording was broken off, and to piece it together needs a place to write to.
    #[error(
        "{} was not closed in order, and its directory cannot be written to, which reading it needs; copy it together with \
         {}-wal to another directory and read it there",
        .0.display(), .0.display()
    )]
    Unfinished(PathBuf),
    /// Not as it was written.
    #[error(
        "{} is damaged ({cause}); use a copy of it if there is one, or save what is left with sqlite3's .recover",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// SQLite can read it, and it is nothing that sockleak writes.
    #[error("{} is not as sockleak writes recordings ({cause}); name a file that sockleak recorded", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is different.
        cause: String,
    },
    /// It cannot be read for another reason.
    #[error("{} cannot be read ({cause}); make it readable and try again", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// No room is left.
    #[error(
        "the disk with {} is full: the recording ends here, and what was recorded before stays readable; make room and \
         record again",
        .0.display()
    )]
    Full(PathBuf),
    /// It cannot be written for another reason.
    #[error("{} cannot be written ({cause}); choose another place for the recording", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
}

impl TraceError {
    /// From what SQLite says of a read.
    pub(super) fn reading(path: &Path, error: &Sql) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotATrace(path),
            Some(ErrorCode::TooBig) => {
                Self::foreign(&path, "it holds longer values than a recording of its size can")
            }
            Some(ErrorCode::OperationInterrupted) => {
                Self::foreign(&path, "reading it takes more steps than a recording of its size does")
            }
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::OutOfMemory
                | ErrorCode::FileLockingProtocolFailed,
            ) => Self::Unreadable { path, cause: cause(error) },
            // Whatever else it is, the statements fit what was written.
            _ => Self::Damaged { path, cause: cause(error) },
        }
    }

    /// From what SQLite says of a write.
    pub(super) fn writing(path: &Path, error: &Sql) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(path.to_owned()),
            _ => Self::unwritable(path, &cause(error)),
        }
    }

    pub(super) fn unwritable(path: &Path, cause: &impl ToString) -> Self {
        Self::Unwritable { path: path.to_owned(), cause: cause.to_string() }
    }

    pub(super) fn foreign(path: &Path, cause: &str) -> Self {
        Self::Foreign { path: path.to_owned(), cause: cause.to_owned() }
    }

    /// Is it the file's contents that are at fault, or that it is no file? Then to read it again is in vain.
    pub const fn is_of_the_file(&self) -> bool {
        matches!(self, Self::NotATrace(_) | Self::Damaged { .. } | Self::Foreign { .. } | Self::Directory(_))
    }

    pub(super) fn damaged(path: &Path, cause: &impl ToString) -> Self {
        Self::Damaged { path: path.to_owned(), cause: cause.to_string() }
    }
}

/// SQLite's words, without the statement.
fn cause(error: &Sql) -> String {
    match error {
        Sql::SqlInputError { msg, .. } => msg.clone(),
        error => error.to_string(),
    }
}
