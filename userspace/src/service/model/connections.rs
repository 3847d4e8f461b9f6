//! Open connections: twins of [`sockleak_core::assess::Open`] and of what is made of it, which own what they say.

use serde::{Deserialize, Serialize};
use sockleak_core::{assess, attribution::container::Container, event::Frame, lifecycle::State};

use super::{Identity, Release};

/// Some of the connections that are not closed, or were a short time ago. See [`crate::service::link::connections::Page`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// How many fit the question, on all pages.
    pub total: usize,
    /// How many are before this page.
    pub offset: u32,
    /// Those of this page.
    pub connections: Vec<Open>,
}

/// One connection. See [`crate::service::link::story::Story`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// What is known of it.
    #[serde(flatten)]
    pub connection: Open,
    /// When it was made, or first met: milliseconds since 1970.
    pub opened_ms: i64,
    /// When it was accepted.
    pub accepted_ms: Option<i64>,
    /// Who opened it.
    pub opened_by: Identity,
    /// Who accepted it.
    pub accepted_by: Option<Identity>,
    /// How the client's end was released, if that was seen.
    pub client_release: Option<Release>,
    /// How the server's end was.
    pub server_release: Option<Release>,
    /// The opener's stack, the innermost function first; empty where none was taken.
    pub frames: Vec<Frame>,
}

/// An open connection. See [`sockleak_core::assess::Open`].
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
    /// For how long it has been idle by the last descriptor scan; None if that is not known of both ends.
    pub idle: Option<assess::Idle>,
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
    /// Its container. Older services do not tell.
    #[serde(default)]
    pub container: Option<Container>,
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
    /// Who held it at the last descriptor scan; None if there was none, or it is released.
    pub held_by: Option<Vec<HeldBy>>,
    /// How it was used, by the last descriptor scan; None if that did not tell.
    #[serde(rename = "use")]
    pub usage: Option<assess::UseReport>,
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

impl From<&assess::Open<'_>> for Open {
    fn from(open: &assess::Open<'_>) -> Self {
        let assess::Opener { pid, start_ns, program, argv, comm, container } = &open.opener;
        Self {
            connection: open.connection,
            path: open.path.to_owned(),
            opener: Opener {
                pid: *pid,
                start_ns: *start_ns,
                program: (*program).to_owned(),
                argv: argv.map(<[String]>::to_vec),
                comm: comm.to_string(),
                container: container.clone(),
            },
            group: open.group.to_owned(),
            client_inode: open.client_inode,
            server_inode: open.server_inode,
            age_ns: open.age_ns,
            before_trace: open.before_trace,
            stack: open.stack,
            idle: open.idle,
            state: open.state,
            client_end: EndReport::from(&open.client_end),
            server_end: EndReport::from(&open.server_end),
            server: open.server.as_ref().map(Party::from),
        }
    }
}

impl From<&assess::Party<'_>> for Party {
    fn from(party: &assess::Party<'_>) -> Self {
        Self { pid: party.pid, program: party.program.to_owned() }
    }
}

impl From<&assess::EndReport<'_>> for EndReport {
    fn from(end: &assess::EndReport<'_>) -> Self {
        let held = |by: &assess::HeldBy<'_>| HeldBy { party: Party::from(&by.party), fd: by.fd };
        Self {
            state: end.state.to_owned(),
            reason: end.reason.map(str::to_owned),
            released_ns_ago: end.released_ns_ago,
            by: end.by.as_ref().map(Party::from),
            held_by: end.held_by.as_ref().map(|holders| holders.iter().map(held).collect()),
            usage: end.usage,
        }
    }
}
