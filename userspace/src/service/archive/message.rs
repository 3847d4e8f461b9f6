//! What the service and the process that archives say to each other: an object of JSON a line.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, BufRead, Read as _, Write},
    path::PathBuf,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sockleak_recording::export::archive::Kind;

/// Bytes of a line. The longest has a key of an account in it.
const LONGEST: u64 = 256 << 10;

/// What is to be archived, and where to.
#[derive(Serialize, Deserialize)]
pub(super) struct Job {
    /// The address of the archive.
    pub(super) url: String,
    /// Credentials and what else the environment says of the store: `AWS_REGION` and the like.
    pub(super) variables: BTreeMap<String, String>,
    /// Files of certificates to verify servers by, instead of those of the system.
    pub(super) certificates: Certificates,
    /// Name of this host.
    pub(super) host: String,
    /// Number of the segment.
    pub(super) segment: u64,
    /// What errors call it.
    pub(super) name: PathBuf,
    /// Command lines too.
    pub(super) command_lines: bool,
    /// Bytes a second that are sent at most.
    pub(super) bandwidth: u64,
}

/// As `SSL_CERT_FILE` and `SSL_CERT_DIR` name them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Certificates {
    /// A file.
    pub(super) file: Option<PathBuf>,
    /// A directory.
    pub(super) directory: Option<PathBuf>,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("url", &self.url).field("segment", &self.segment).finish_non_exhaustive()
    }
}

/// What became of a job so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Said {
    /// A file is in the archive.
    File {
        /// What its rows stand for.
        kind: String,
        /// Its rows.
        rows: u64,
        /// Its bytes.
        bytes: u64,
        /// It was sent now, and not found there.
        is_new: bool,
    },
    /// The whole segment is there.
    Done,
    /// The segment cannot be read, and never will be: why.
    Unreadable(String),
    /// It did not come to that: why. It may another time.
    Failed(String),
}

impl Said {
    /// A file is in the archive.
    pub(super) fn file(kind: Kind, rows: u64, bytes: u64, is_new: bool) -> Self {
        Self::File { kind: kind.to_string(), rows, bytes, is_new }
    }
}

/// Writes a line.
///
/// # Errors
/// If the other side has gone.
pub(super) fn write(link: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    link.write_all(&line)
}

/// Reads a line; None if the other side has gone.
///
/// # Errors
/// If it does not come, or is no message.
pub(super) fn read<T: DeserializeOwned>(link: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    link.take(LONGEST).read_until(b'\n', &mut line)?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(serde_json::from_slice(&line)?)),
        Some(_) => Err(io::ErrorKind::InvalidData.into()),
    }
}
