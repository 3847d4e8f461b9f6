//! What a report says.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What a program did on a socket, in the report.
#[derive(Clone, Debug, Deserialize)]
pub struct ProgramFigures {
    /// The socket.
    pub path: String,
    /// The program.
    pub program: String,
    /// Connections opened.
    pub opened: u64,
    /// Connections found.
    pub before_trace: u64,
    /// Released at both ends.
    pub closed: u64,
    /// Open client ends.
    pub open_client: u64,
    /// Open server ends.
    pub open_server: u64,
    /// Failed connects by error.
    pub failed: BTreeMap<String, u64>,
}

/// A descriptor of an end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct HeldBy {
    /// The process.
    pub pid: u32,
    /// Its program.
    pub program: String,
    /// The descriptor.
    pub fd: i32,
}

/// One end in the report.
#[derive(Clone, Debug, Deserialize)]
pub struct EndReport {
    /// `open`, `released` or `unknown`.
    pub state: String,
    /// Why it was released.
    pub reason: Option<String>,
    /// By whom.
    pub pid: Option<u32>,
    /// Whose descriptors referred to it in the last look.
    pub held_by: Option<Vec<HeldBy>>,
    /// How it was used.
    #[serde(rename = "use")]
    pub usage: Option<UseReport>,
}

/// A server in the report.
#[derive(Clone, Debug, Deserialize)]
pub struct ServerReport {
    /// Its pid.
    pub pid: u32,
    /// Its program.
    pub program: Option<String>,
}

/// A connection in the report that is not closed.
#[derive(Clone, Debug, Deserialize)]
pub struct OpenReport {
    /// Number of the connection.
    pub connection: u64,
    /// The socket.
    pub path: String,
    /// The opener.
    pub pid: u32,
    /// Its start.
    pub start_ns: Option<u64>,
    /// Its program.
    pub program: Option<String>,
    /// Its command line.
    pub argv: Option<Vec<String>>,
    /// Inode of the client's socket.
    pub client_inode: Option<u64>,
    /// Inode of the server's.
    pub server_inode: Option<u64>,
    /// Its start was not seen.
    pub before_trace: bool,
    /// Where it stands.
    pub state: String,
    /// The client's end.
    pub client_end: EndReport,
    /// The server's.
    pub server_end: EndReport,
    /// Who accepted it.
    pub server: Option<ServerReport>,
}

/// A verdict in the report.
#[derive(Clone, Debug, Deserialize)]
pub struct FindingReport {
    /// Its name.
    pub verdict: String,
    /// The socket.
    pub path: String,
    /// The program.
    pub program: String,
    /// What carries it.
    pub count: u64,
    /// What a starved program suffers.
    pub hardship: Option<Hardship>,
    /// Why it may be wrong.
    pub uncertain: Vec<String>,
}

/// What a starved program suffers.
#[derive(Clone, Debug, Deserialize)]
pub struct Hardship {
    /// Who holds the slots.
    pub holders: Vec<SlotHolder>,
}

/// A program that holds slots.
#[derive(Clone, Debug, Deserialize)]
pub struct SlotHolder {
    /// The program.
    pub program: String,
    /// How many.
    pub slots: u64,
}

/// The report.
#[derive(Clone, Debug, Deserialize)]
pub struct Report {
    /// Nothing is missing.
    pub complete: bool,
    /// What is.
    pub incomplete_because: Vec<String>,
    /// Per program.
    pub programs: Vec<ProgramFigures>,
    /// The verdicts.
    pub findings: Vec<FindingReport>,
    /// Per open connection.
    pub open: Vec<OpenReport>,
    /// Ends of which it is known that they are released, but not when and by whom.
    pub unseen_releases: u64,
}

/// How an end was used.
#[derive(Clone, Debug, Deserialize)]
pub struct UseReport {
    /// For how long that is known.
    pub known_ns: Option<u64>,
    /// From the start of the connection on.
    pub whole: bool,
    /// When it last sent.
    pub last_sent_ns_ago: Option<u64>,
    /// How often.
    pub sends: Option<u32>,
    /// How many bytes.
    pub sent_bytes: Option<u64>,
    /// Messages that lie there.
    pub unread: u32,
    /// It receives nothing more.
    pub no_receive: bool,
    /// It sends nothing more.
    pub no_send: bool,
}
