//! Open connections: twins of [`crate::report::Open`] and of what is made of it, which own what they say.

use serde::{Deserialize, Serialize};

use crate::{event::Frame, lifecycle::State};

/// Some of the connections that are not closed, oldest first. See [`crate::service::link::connections::Page`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// How many fit the question, on all pages.
    pub total: usize,
    /// How many are before this page.
    pub offset: u32,
    /// Those of this page.
    pub connections: Vec<Open>,
}

/// One connection. See [`crate::service::link::connections::Story`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// What is known of it.
    #[serde(flatten)]
    pub connection: Open,
    /// When it was made, or first met: milliseconds since 1970.
    pub opened_ms: i64,
    /// When it was accepted.
    pub accepted_ms: Option<i64>,
    /// The opener's stack, the innermost function first; empty where none was taken.
    pub frames: Vec<Frame>,
}

/// An open connection. See [`crate::report::Open`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Its number.
    pub connection: u64,
    /// The socket.
    pub path: String,
    /// The opener.
    #[serde(flatten)]
    pub opener: Opener,
    /// The group that it counts with: its program, unless the user chose otherwise.
    pub group: String,
    /// Inode of the client's socket; None if it was released before it was seen.
    pub client_inode: Option<u64>,
    /// Inode of the server's, once accepted.
    pub server_inode: Option<u64>,
    /// Nanoseconds since it was made; of one whose start was not seen, since it was first met: it is older.
    pub age_ns: u64,
    /// Its start was not seen.
    pub before_trace: bool,
    /// Number of the stack that it was opened from, where that was taken.
    pub stack: Option<u32>,
    /// Where it stands.
    pub state: State,
    /// The client end.
    pub client_end: EndReport,
    /// The server end.
    pub server_end: EndReport,
    /// Who accepted it.
    pub server: Option<Party>,
}

/// Who opened a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opener {
    /// Process id.
    pub pid: u32,
    /// Start of the process, nanoseconds since boot; None if it is known by its number alone.
    pub start_ns: Option<u64>,
    /// Its program.
    pub program: String,
    /// The command line, where known, and shown.
    pub argv: Option<Vec<String>>,
    /// Its name.
    pub comm: String,
}

/// A process and its program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Process id.
    pub pid: u32,
    /// Its program.
    pub program: String,
}

/// One end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndReport {
    /// `open`, `released` or `unknown`.
    pub state: String,
    /// Why it was released.
    pub reason: Option<String>,
    /// Nanoseconds since it was released.
    pub released_ns_ago: Option<u64>,
    /// Who released it.
    #[serde(flatten)]
    pub by: Option<Party>,
    /// Who held it in the last look at all descriptors; None if there was none, or it is released.
    pub held_by: Option<Vec<HeldBy>>,
}

/// A process with a descriptor of an end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBy {
    /// The process.
    #[serde(flatten)]
    pub party: Party,
    /// The descriptor.
    pub fd: u32,
}
