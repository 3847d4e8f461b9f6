//! What was archived, as far as this host remembers it. If it forgets, the archive itself tells, at the cost of a question a segment.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

/// The file in the directory of the store.
pub(super) const FILE: &str = "archive.json";

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Remembered {
    /// The archive.
    pub(super) url: String,
    /// It has all segments up to this number.
    pub(super) through: u64,
}

impl Remembered {
    /// What is remembered of this archive; nothing of another one.
    pub(super) fn read(directory: &Path, url: &str) -> Self {
        let none = Self { url: url.to_owned(), through: 0 };
        let text = match fs::read(directory.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return none,
            Err(error) => {
                tracing::warn!("{FILE} cannot be read ({error}); the archive is asked instead");
                return none;
            }
        };
        match serde_json::from_slice::<Self>(&text) {
            Ok(remembered) if remembered.url == url => remembered,
            Ok(_) => none,
            Err(error) => {
                tracing::warn!("{FILE} cannot be understood ({error}); the archive is asked instead");
                none
            }
        }
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// If that fails.
    pub(super) fn write(&self, directory: &Path) -> io::Result<()> {
        let mut file = NamedTempFile::new_in(directory)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.as_file().sync_all()?;
        file.persist(directory.join(FILE)).map(drop).map_err(|error| error.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_archive_has_nothing() {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let read = |url: &str| Remembered::read(directory.path(), url).through;
        assert_eq!(read("s3://a"), 0);
        let remembered = Remembered { url: "s3://a".to_owned(), through: 7 };
        remembered.write(directory.path()).expect("it can be written");
        assert_eq!((read("s3://a"), read("s3://b")), (7, 0));
        fs::write(directory.path().join(FILE), "{").expect("it can be written");
        assert_eq!(read("s3://a"), 0);
    }
}
