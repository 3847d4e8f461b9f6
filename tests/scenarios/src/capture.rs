//! The lines of `capture --json`, as far as they are compared. docs/json.md says what they mean.

mod report;

use serde::Deserialize;
use serde_json::Value;
use workload::truth::State;

pub use report::{
    EndReport, FindingReport, Hardship, HeldBy, OpenReport, ProgramFigures, Report, ServerReport, SlotHolder,
    UseReport,
};

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Process {
    /// Thread group id; 0 for somebody who is not known.
    #[serde(deserialize_with = "or_zero")]
    pub pid: u32,
    /// Thread id; everything but the pid may be unknown.
    pub tid: Option<u32>,
    /// Start of the process, nanoseconds since boot.
    pub start_ns: Option<u64>,
    /// Name.
    pub comm: Option<String>,
    /// Path of the executable.
    pub program: Option<String>,
    /// Command line.
    pub argv: Option<Vec<String>>,
    /// Whether the command line goes on.
    pub argv_truncated: Option<bool>,
    /// User.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Parent.
    pub ppid: Option<u32>,
    /// Pid in its own namespace.
    pub pid_in_namespace: Option<u32>,
    /// Mount namespace.
    pub mount_ns: Option<u64>,
    /// Net namespace.
    pub network_ns: Option<u64>,
    /// Pid namespace.
    pub pid_ns: Option<u64>,
}

fn or_zero<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// An accept queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Queue {
    /// Connections in it.
    pub length: u32,
    /// The backlog.
    pub max: u32,
}

/// A listener was seen for the first time.
#[derive(Clone, Debug, Deserialize)]
pub struct Listener {
    /// Its number.
    pub listener: u64,
    /// Its path or `@name`.
    pub path: String,
    /// The name given to `bind()`.
    pub bind_path: Option<String>,
    /// Inode of its file.
    pub inode: Option<u64>,
    /// Mount namespace.
    pub mount_ns: Option<u64>,
    /// Net namespace.
    pub network_ns: Option<u64>,
    /// `stream` or `seqpacket`.
    pub socket_type: Option<String>,
    /// Argument of `listen()`.
    pub backlog: Option<u32>,
    /// Who called it.
    pub pid: Option<u32>,
}

/// A connection was made.
#[derive(Clone, Debug, Deserialize)]
pub struct Connect {
    /// The opener.
    #[serde(flatten)]
    pub process: Process,
    /// Number of the connection.
    pub connection: u64,
    /// Number of the listener.
    pub listener: u64,
    /// Path of the listener.
    pub path: String,
    /// Inode of the client's socket.
    pub client_inode: Option<u64>,
    /// The queue before.
    pub queue: Option<Queue>,
    /// Connections on the listener, after.
    pub open: u64,
}

/// A connection was found whose start was not seen.
#[derive(Clone, Debug, Deserialize)]
pub struct Found {
    /// The opener, as far as it is known.
    #[serde(flatten)]
    pub process: Process,
    /// Number of the connection.
    pub connection: u64,
    /// Number of the listener.
    pub listener: u64,
    /// Path of the listener.
    pub path: String,
    /// Inode of the client's socket, if that end is open.
    pub client_inode: Option<u64>,
    /// Inode of the server's socket, if it is accepted and open.
    pub server_inode: Option<u64>,
    /// Where it stands.
    pub state: State,
    /// Connections on the listener, with all that were found.
    pub open: u64,
}

/// Connections from before the capture have been looked for.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Watching {
    /// How many there were.
    pub found: usize,
}

/// A connection was accepted.
#[derive(Clone, Debug, Deserialize)]
pub struct Accept {
    /// The acceptor.
    #[serde(flatten)]
    pub process: Process,
    /// Number of the connection.
    pub connection: u64,
    /// Number of the listener.
    pub listener: u64,
    /// Path of the listener.
    pub path: String,
    /// Inode of the server's socket.
    pub server_inode: Option<u64>,
    /// Connections on the listener, after.
    pub open: u64,
}

/// An end was released.
#[derive(Clone, Debug, Deserialize)]
pub struct Release {
    /// Who dropped it.
    #[serde(flatten)]
    pub process: Process,
    /// Number of the connection.
    pub connection: u64,
    /// Number of the listener.
    pub listener: u64,
    /// Path of the listener.
    pub path: String,
    /// `client` or `server`.
    pub end: String,
    /// Why.
    pub reason: String,
    /// With `killed`.
    pub signal: Option<i32>,
    /// With `exit`.
    pub exit_status: Option<i32>,
    /// The connection's state, after.
    pub state: String,
    /// Connections on the listener, after.
    pub open: u64,
}

/// A listener was closed.
#[derive(Clone, Debug, Deserialize)]
pub struct ListenerClosed {
    /// Who closed it.
    #[serde(flatten)]
    pub process: Process,
    /// Its number.
    pub listener: u64,
    /// Its path.
    pub path: String,
}

/// A connect failed.
#[derive(Clone, Debug, Deserialize)]
pub struct Attempt {
    /// Who tried.
    #[serde(flatten)]
    pub process: Process,
    /// Name of the error.
    pub error: String,
    /// Its number.
    pub errno: i32,
    /// Number of the listener, if there was one.
    pub listener: Option<u64>,
    /// Path of the listener or of the target.
    pub path: String,
    /// As typed.
    pub address: String,
    /// The queue that refused.
    pub queue: Option<Queue>,
}

/// How a hook came out.
#[derive(Clone, Debug, Deserialize)]
pub struct Hook {
    /// Its name.
    pub hook: String,
    /// `kprobe`, `fentry`, or several of them.
    #[serde(default)]
    pub kind: Option<String>,
    /// `attached`, or not.
    pub status: String,
    /// Why not.
    pub reason: Option<String>,
}

/// The first line.
#[derive(Clone, Debug, Deserialize)]
pub struct Session {
    /// The hooks.
    #[serde(default)]
    pub hooks: Vec<Hook>,
}

/// One line.
#[derive(Clone, Debug)]
pub enum Event {
    /// `session`
    Session(Session),
    /// `listener`
    Listener(Listener),
    /// `found`
    Found(Box<Found>),
    /// `watching`
    Watching(Watching),
    /// `connect`
    Connect(Box<Connect>),
    /// `accept`
    Accept(Box<Accept>),
    /// `release`
    Release(Box<Release>),
    /// `listener-closed`
    ListenerClosed(Box<ListenerClosed>),
    /// `attempt`
    Attempt(Box<Attempt>),
    /// `loss`
    Loss(Value),
    /// `report`
    Report(Box<Report>),
    /// A type that may be ignored.
    Other,
}

/// Reads one line.
///
/// # Errors
/// When it is no object, has no type, or lacks a field of its type.
pub fn parse_line(line: &str) -> serde_json::Result<Event> {
    #[derive(Deserialize)]
    struct Typed {
        r#type: String,
    }
    let value: Value = serde_json::from_str(line)?;
    let Typed { r#type } = Typed::deserialize(&value)?;
    Ok(match r#type.as_str() {
        "session" => Event::Session(Session::deserialize(value)?),
        "listener" => Event::Listener(Listener::deserialize(value)?),
        "found" => Event::Found(Box::new(Found::deserialize(value)?)),
        "watching" => Event::Watching(Watching::deserialize(value)?),
        "connect" => Event::Connect(Box::new(Connect::deserialize(value)?)),
        "accept" => Event::Accept(Box::new(Accept::deserialize(value)?)),
        "release" => Event::Release(Box::new(Release::deserialize(value)?)),
        "listener-closed" => Event::ListenerClosed(Box::new(ListenerClosed::deserialize(value)?)),
        "attempt" => Event::Attempt(Box::new(Attempt::deserialize(value)?)),
        "loss" => Event::Loss(value),
        "report" => Event::Report(Box::new(Report::deserialize(value)?)),
        _ => Event::Other,
    })
}
