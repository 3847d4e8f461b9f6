//! Events as they happen: the objects that [`sockleak_report::json::event`] writes.

use serde::{Deserialize, Serialize};
use sockleak_core::{
    attribution::container::Container,
    event::{End, Queue},
    lifecycle::State,
};

/// Something that happened on a socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When: RFC 3339, in UTC.
    pub time: String,
    /// The same in nanoseconds since boot.
    pub boot_ns: u64,
    /// The socket.
    pub path: String,
    /// Connections of its listener whose server end is not released.
    pub open: u64,
    /// Of a connection: nanoseconds since it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ns: Option<u64>,
    /// Of a connection: where it stands since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// What.
    #[serde(flatten)]
    pub what: What,
    /// Who did it.
    #[serde(flatten)]
    pub who: Who,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum What {
    /// A connection was made.
    Connect {
        /// Its number.
        connection: u64,
        /// The listener's.
        listener: u64,
        /// Inode of the client's socket.
        client_inode: u64,
        /// The accept queue that it joined.
        queue: Queue,
    },
    /// A connection was accepted.
    Accept {
        /// Its number.
        connection: u64,
        /// The listener's.
        listener: u64,
        /// Inode of the server's socket.
        server_inode: u64,
    },
    /// An end was released.
    Release {
        /// The connection's number.
        connection: u64,
        /// The listener's.
        listener: u64,
        /// Which end.
        end: End,
        /// Why.
        reason: String,
        /// With `exit`: the status.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_status: Option<u8>,
        /// With `killed`: by which signal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal: Option<u8>,
    },
    /// A listener was closed.
    ListenerClosed {
        /// Its number.
        listener: u64,
        /// Why.
        reason: String,
        /// With `exit`: the status.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_status: Option<u8>,
        /// With `killed`: by which signal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal: Option<u8>,
    },
    /// A connect failed.
    Attempt {
        /// The listener that it found.
        listener: Option<u64>,
        /// The error's number.
        errno: i32,
        /// Its name.
        error: String,
        /// The address as it was given.
        address: String,
        /// The accept queue of that listener.
        queue: Option<Queue>,
    },
    /// Something that this version does not know.
    #[serde(other)]
    Other,
}

/// Who did something, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Process id.
    pub pid: Option<u32>,
    /// Thread id.
    pub tid: Option<u32>,
    /// Start of the process: nanoseconds since boot.
    pub start_ns: Option<u64>,
    /// Name of the process.
    pub comm: Option<String>,
    /// Name of the thread.
    pub thread_comm: Option<String>,
    /// User id in the initial user namespace.
    pub uid: Option<u32>,
    /// Group id, likewise.
    pub gid: Option<u32>,
    /// The executable.
    pub program: Option<String>,
    /// The command line, where it is shown.
    pub argv: Option<Vec<String>>,
    /// The command line was longer than what was kept.
    pub argv_truncated: Option<bool>,
    /// Parent process.
    pub ppid: Option<u64>,
    /// Process id in its own pid namespace.
    pub pid_in_namespace: Option<u64>,
    /// Control group id.
    pub cgroup_id: Option<u64>,
    /// The container. Older services do not tell.
    #[serde(default)]
    pub container: Option<Container>,
    /// Inode number of the mount namespace.
    pub mount_ns: Option<u64>,
    /// Of the network namespace.
    pub network_ns: Option<u64>,
    /// Of the pid namespace.
    pub pid_ns: Option<u64>,
}

/// Events that a reader was too slow for: the `missed` of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// How many.
    pub count: u64,
}
