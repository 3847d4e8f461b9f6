//! Open connections in a report: who opened them, and who holds their ends.

use serde::Serialize;

use crate::{
    attribution::who::Who,
    event::{End, Reason},
    lifecycle::{Connection, EndState, Origin, State},
    session::{Session, SocketId},
};

/// An open connection.
#[derive(Clone, Debug, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
pub struct Opener {
    /// Process id.
    pub pid: u32,
    /// Start of the process, nanoseconds since boot; None if it is known by its number alone.
    pub start_ns: Option<u64>,
    /// Its program.
    pub program: String,
    /// The command line, where known.
    pub argv: Option<Vec<String>>,
    /// Its name.
    pub comm: String,
}

/// A process and its program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Party {
    /// Process id.
    pub pid: u32,
    /// Its program.
    pub program: String,
}

/// One end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndReport {
    /// `open`, `released` or `unknown`.
    pub state: &'static str,
    /// Why it was released.
    pub reason: Option<&'static str>,
    /// Nanoseconds since it was released.
    pub released_ns_ago: Option<u64>,
    /// Who released it.
    #[serde(flatten)]
    pub by: Option<Party>,
    /// Who held it in the last look at all descriptors; None if there was none, or it is released.
    pub held_by: Option<Vec<HeldBy>>,
}

/// A process with a descriptor of an end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldBy {
    /// The process.
    #[serde(flatten)]
    pub party: Party,
    /// The descriptor.
    pub fd: u32,
}

impl Open {
    pub(super) fn new(session: &Session, socket: SocketId, connection: &Connection, now: u64) -> Self {
        let opener = &connection.opener;
        let process = opener.process.as_deref();
        let accepted = connection.accepted.as_ref();
        Self {
            connection: connection.id,
            path: session.sockets()[socket.0].path.clone(),
            opener: Opener {
                pid: opener.actor.id.pid,
                start_ns: Some(opener.actor.id.start).filter(|&start| start != 0),
                program: session.program(opener.program).to_owned(),
                argv: process.map(|process| process.argv.clone()),
                comm: process.map_or(opener.actor.comm, |process| process.comm).to_string(),
            },
            group: session.program(opener.group).to_owned(),
            client_inode: Some(connection.client_inode).filter(|&inode| inode != 0),
            server_inode: accepted.map(|accepted| accepted.inode),
            age_ns: connection.age(now),
            before_trace: connection.origin != Origin::Seen,
            stack: connection.stack.map(|stack| stack.0),
            state: connection.state(),
            client_end: EndReport::new(session, connection, End::Client, now),
            server_end: EndReport::new(session, connection, End::Server, now),
            server: accepted.and_then(|accepted| accepted.by.as_ref()).map(|by| Party::new(session, by)),
        }
    }
}

impl Party {
    fn new(session: &Session, who: &Who) -> Self {
        Self { pid: who.actor.id.pid, program: session.program(who.program).to_owned() }
    }
}

impl EndReport {
    fn new(session: &Session, connection: &Connection, end: End, now: u64) -> Self {
        let plain = |state| Self { state, reason: None, released_ns_ago: None, by: None, held_by: None };
        match connection.end(end) {
            EndState::Open => Self { held_by: held_by(session, connection.id, end), ..plain("open") },
            EndState::Unknown => plain("unknown"),
            EndState::ReleasedUnseen { .. } => plain("released"),
            EndState::Released { at, by, reason } => Self {
                reason: Some(Reason::name(*reason)),
                released_ns_ago: Some(now.saturating_sub(*at)),
                by: Some(Party::new(session, by)),
                ..plain("released")
            },
        }
    }
}

/// The holders of an end, each descriptor once, by number.
fn held_by(session: &Session, connection: u64, end: End) -> Option<Vec<HeldBy>> {
    let mut holders: Vec<_> = session
        .holders(connection, end)?
        .iter()
        .map(|holder| HeldBy { party: Party::new(session, &holder.who), fd: holder.fd })
        .collect();
    holders.sort_by_key(|holder| (holder.party.pid, holder.fd));
    Some(holders)
}
