//! What really happened, as JSON lines: the ground truth a capture is compared with.

use std::io::{BufRead, Write};
use std::os::fd::RawFd;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// A process at one moment of its life: an exec makes another entry with the same pid and start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Thread group id.
    pub pid: u32,
    /// Start since boot in clock ticks, as in `/proc/PID/stat`.
    pub start_ticks: u64,
    /// Path of the executable.
    pub program: String,
    /// The whole command line.
    pub argv: Vec<String>,
    /// Name of the group leader.
    pub comm: String,
    /// Real user id.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
    /// Pid of the parent; `None` where it changes while the process lives.
    pub ppid: Option<u32>,
    /// Mount namespace.
    pub mount_ns: u64,
    /// Net namespace.
    pub network_ns: u64,
    /// Pid namespace.
    pub pid_ns: u64,
}

/// A listening socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Its path when it was first used, or `@name`.
    pub path: String,
    /// The name given to `bind()`.
    pub bind_path: String,
    /// `stream` or `seqpacket`.
    pub socket_type: String,
    /// The argument of `listen()`.
    pub backlog: u32,
    /// Inode of the socket's file, none for an abstract name.
    pub inode: Option<u64>,
    /// Who called `listen()`: index of a process.
    pub owner: usize,
    /// Who dropped the last reference, if anyone did: index of a process.
    pub closed_by: Option<usize>,
    /// That was before the capture.
    pub closed_before: bool,
}

/// Why an end was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// A close, or anything else that replaces the descriptor.
    Close,
    /// The holder exited.
    Exit,
    /// The holder was killed by a signal.
    Killed,
    /// The holder executed another program; the descriptor was close-on-exec.
    Exec,
    /// Never accepted, and the listener went away.
    ListenerClosed,
}

impl Reason {
    /// The word that `capture --json` uses.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Exit => "exit",
            Self::Killed => "killed",
            Self::Exec => "exec",
            Self::ListenerClosed => "listener-closed",
        }
    }
}

/// The release of one end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Index of the process that dropped the last reference.
    pub by: usize,
    /// Its thread; `None` where any of several may do it.
    pub tid: Option<u32>,
    /// Why.
    pub reason: Reason,
    /// With [`Reason::Killed`].
    pub signal: Option<i32>,
    /// With [`Reason::Exit`].
    pub exit_status: Option<i32>,
}

/// How an end was used, where that is part of the truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// Bytes that the kernel took from it.
    pub bytes: u64,
    /// In how many calls; `None` where the kernel makes pieces of its own.
    pub sends: Option<u32>,
    /// Something lies there unread.
    pub has_unread: bool,
    /// It receives nothing any more.
    pub no_receive: bool,
    /// It sends nothing any more.
    pub no_send: bool,
}

/// A descriptor of an end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Index of the process whose it is.
    pub process: usize,
    /// Its number, where the process told it.
    pub fd: Option<RawFd>,
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not accepted.
    Queued,
    /// Not accepted, and released by the client.
    Abandoned,
    /// Accepted, and open at both ends.
    Open,
    /// The server still holds its end.
    ClientClosed,
    /// The client still holds its end.
    ServerClosed,
    /// Released at both ends.
    Closed,
}

impl State {
    /// The word that `capture --json` uses.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Abandoned => "abandoned",
            Self::Open => "open",
            Self::ClientClosed => "client-closed",
            Self::ServerClosed => "server-closed",
            Self::Closed => "closed",
        }
    }

    /// Whether the client's end is open.
    #[must_use]
    pub fn has_client(self) -> bool {
        matches!(self, Self::Queued | Self::Open | Self::ServerClosed)
    }

    /// Whether the server's end is open.
    #[must_use]
    pub fn has_server(self) -> bool {
        matches!(self, Self::Queued | Self::Abandoned | Self::Open | Self::ClientClosed)
    }
}

/// How a connection was when the capture began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Where it stood.
    pub state: State,
    /// The process that connected, as it was then, if it still held the client's end: index of a process.
    pub opener: Option<usize>,
    /// Who held the server's end: indices of processes.
    pub servers: Vec<usize>,
}

/// When a connection was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// During the capture, which sees it.
    #[default]
    Seen,
    /// Before the capture.
    Before(Before),
    /// Nobody knows: the capture began meanwhile.
    Either,
}

/// One successful `connect()`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Inode of the client's socket: never reused within a scenario, so it is the key.
    pub client_inode: u64,
    /// Index of the listener.
    pub listener: usize,
    /// Index of the process that connected.
    pub opener: usize,
    /// Its thread.
    pub tid: u32,
    /// When.
    pub start: Start,
    /// Length of the accept queue before this connection, where nobody else could change it.
    pub queue_length: Option<u32>,
    /// Index of the process that accepted.
    pub accepted_by: Option<usize>,
    /// Inode of the server's socket, where the server told it.
    pub server_inode: Option<u64>,
    /// How the client's end was released; `None`: it is open.
    pub client: Option<Release>,
    /// How the server's end was released; `None`: it is open.
    pub server: Option<Release>,
    /// Descriptors of the client's end when everything has happened.
    pub client_holders: Vec<Holder>,
    /// Descriptors of the server's end when everything has happened.
    pub server_holders: Vec<Holder>,
    /// How the client's end was used.
    #[serde(default)]
    pub client_use: Option<Use>,
    /// How the server's end was used.
    #[serde(default)]
    pub server_use: Option<Use>,
}

impl Connection {
    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        match (self.client.is_some(), self.server.is_some(), self.accepted_by.is_some()) {
            (true, true, _) => State::Closed,
            (false, true, _) => State::ServerClosed,
            (true, false, true) => State::ClientClosed,
            (true, false, false) => State::Abandoned,
            (false, false, true) => State::Open,
            (false, false, false) => State::Queued,
        }
    }
}

/// Connects of one process that failed in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// Index of the process.
    pub by: usize,
    /// Name of the error.
    pub error: String,
    /// Its number.
    pub errno: i32,
    /// The address as it was typed.
    pub address: String,
    /// Path of the listener, or of the target when there was none.
    pub path: String,
    /// Index of the listener, if there was one.
    pub listener: Option<usize>,
    /// Length of the accept queue that refused.
    pub queue_length: Option<u32>,
    /// How many times.
    pub count: u64,
}

/// A verdict that is due: what a report must find, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// Path of the socket.
    pub path: String,
    /// Path of the program.
    pub program: String,
    /// The verdict's name, as `capture --json` has it.
    pub verdict: String,
    /// Connections that carry it; of a starved program, failed connects and connections.
    pub count: u64,
    /// The report must say beside it that some of these connections are older than the capture.
    pub is_from_before: bool,
    /// Of a starved program: the programs that hold the slots, and how many each.
    pub holders: Vec<(String, u64)>,
}

/// Everything that happened in a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// The processes the other records refer to.
    pub processes: Vec<Process>,
    /// The listeners.
    pub listeners: Vec<Listener>,
    /// The connections, in the order in which they were told.
    pub connections: Vec<Connection>,
    /// The failed connects.
    pub attempts: Vec<Attempts>,
    /// What a report must find, but for what is healthy; `None` where the scenario is not about verdicts.
    pub findings: Option<Vec<Finding>>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Line {
    Process(Process),
    Listener(Listener),
    Connection(Connection),
    Attempts(Attempts),
    Findings { findings: Vec<Finding> },
}

impl Truth {
    /// Writes one line a record.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write(&self, mut out: impl Write) -> anyhow::Result<()> {
        let processes = self.processes.iter().cloned().map(Line::Process);
        let listeners = self.listeners.iter().cloned().map(Line::Listener);
        let connections = self.connections.iter().cloned().map(Line::Connection);
        let attempts = self.attempts.iter().cloned().map(Line::Attempts);
        let findings = self.findings.clone().map(|findings| Line::Findings { findings });
        for line in processes.chain(listeners).chain(connections).chain(attempts).chain(findings) {
            serde_json::to_writer(&mut out, &line)?;
            out.write_all(b"\n")?;
        }
        out.flush()?;
        Ok(())
    }

    /// Reads what [`Truth::write`] wrote.
    ///
    /// # Errors
    /// When `input` cannot be read, or a line is not a record.
    pub fn read(input: impl BufRead) -> anyhow::Result<Self> {
        let mut truth = Self::default();
        for (number, line) in input.lines().enumerate() {
            let line = serde_json::from_str(&line?).with_context(|| format!("truth, line {}", number + 1))?;
            match line {
                Line::Process(it) => truth.processes.push(it),
                Line::Listener(it) => truth.listeners.push(it),
                Line::Connection(it) => truth.connections.push(it),
                Line::Attempts(it) => truth.attempts.push(it),
                Line::Findings { findings } => truth.findings = Some(findings),
            }
        }
        Ok(truth)
    }
}
