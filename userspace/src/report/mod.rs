//! Reports: what is known at one moment, as data ([`Report`]), and its presentations.

pub mod escape;
pub mod findings;
pub mod json;
pub mod list;
pub mod live;
pub mod stacks;
pub mod text;
pub mod words;

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use crate::{
    attribution::who::Who,
    event::{End, Reason},
    lifecycle::{Connection, EndState, Origin, State},
    session::{Session, Settings, SocketId, Tally},
};

/// Failures that cost evidence, as the kernel side counted them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The hook: `connect`, `release`, `accept`, `attempt`, `lookup`.
    pub hook: Cow<'static, str>,
    /// What was lost.
    pub what: Cow<'static, str>,
    /// How often, at least.
    pub count: u64,
}

/// A report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Nanoseconds since boot.
    #[serde(skip)]
    pub now: u64,
    /// How long was observed.
    pub seconds: f64,
    /// The targets as given.
    pub targets: Vec<String>,
    /// Age from which a connection counts as old, in nanoseconds.
    pub leak_age_ns: u64,
    /// Nothing is known to be missing.
    pub complete: bool,
    /// What is missing, a sentence each.
    pub incomplete_because: Vec<String>,
    /// Per socket and program.
    pub programs: Vec<Program>,
    /// What it comes to, the most severe first.
    pub findings: Vec<findings::FindingReport>,
    /// The connections that are not released at both ends, oldest first.
    pub open: Vec<Open>,
    /// The stacks that those come from, where stacks were taken.
    pub stacks: Vec<stacks::StackReport>,
    /// What was lost.
    pub losses: Vec<Loss>,
    /// Failed attempts that may be missing at most: runs of their hooks that the kernel skipped.
    pub skipped_runs: u64,
    /// Ends that were open when they were first met and are released now, of which it is not known when and by whom.
    pub unseen_releases: u64,
}

/// What a program did on a socket.
#[derive(Clone, Debug, Serialize)]
pub struct Program {
    /// The socket.
    pub path: String,
    /// The program.
    pub program: String,
    /// Connections opened.
    pub opened: u64,
    /// Connections that were there before the trace.
    pub before_trace: u64,
    /// Of both, released at both ends.
    pub closed: u64,
    /// Client ends not released.
    pub open_client: u64,
    /// Server ends not released.
    pub open_server: u64,
    /// Client ends not released and older than the leak age.
    pub old_client: u64,
    /// Server ends not released whose client left longer ago than the leak age.
    pub old_server: u64,
    /// Age of the oldest open connection, nanoseconds.
    pub oldest_ns: Option<u64>,
    /// Failed attempts by error.
    pub failed: BTreeMap<String, u64>,
}

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

/// What surrounds a session when a report is made.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Now: nanoseconds since boot.
    pub now: u64,
    /// What was lost.
    pub losses: Vec<Loss>,
    /// Runs of the hooks for failed attempts that the kernel skipped.
    pub skipped_runs: u64,
    /// Further sentences on what is missing.
    pub gaps: Vec<String>,
}

impl Report {
    /// Draws it up.
    #[must_use]
    pub fn new(session: &Session, frame: Frame) -> Self {
        let Frame { now, losses, skipped_runs, gaps } = frame;
        let &Settings { started, leak_age, .. } = session.settings();
        let mut rows: BTreeMap<(SocketId, &str), Program> = BTreeMap::new();
        for (socket, program, tally) in session.tallies() {
            let path = &session.sockets()[socket.0].path;
            let name = session.program(program);
            rows.insert((socket, name), Program::new(path, name, tally));
        }
        let mut open = Vec::new();
        for (socket, connection) in session.open() {
            if let Some(row) = rows.get_mut(&(socket, session.program(connection.opener.program))) {
                row.add(connection, now, leak_age);
            }
            open.push(Open::new(session, socket, connection, now));
        }
        open.sort_by_key(|open| (std::cmp::Reverse(open.age_ns), open.connection));
        let mut incomplete_because = gaps;
        incomplete_because.extend(losses.iter().map(|loss| {
            format!("{} of the {} hook lost at least {} times", loss.what, loss.hook, loss.count)
        }));
        if session.misfits() > 0 {
            incomplete_because.push(format!("{} events did not fit what came before", session.misfits()));
        }
        let unknown = open
            .iter()
            .filter(|open| open.client_end.state == "unknown" || open.server_end.state == "unknown");
        let unknown = unknown.count();
        if unknown > 0 {
            incomplete_because.push(format!("{unknown} connections have an end that could not be followed"));
        }
        Self {
            now,
            seconds: (now.saturating_sub(started)) as f64 / 1e9,
            targets: session.selection.given().map(str::to_owned).collect(),
            leak_age_ns: leak_age,
            findings: findings::findings(session, now, !incomplete_because.is_empty()),
            complete: incomplete_because.is_empty(),
            incomplete_because,
            programs: rows.into_values().collect(),
            open,
            stacks: stacks::stacks(session),
            losses,
            skipped_runs,
            unseen_releases: session.unseen_releases(),
        }
    }
}

impl Program {
    fn new(path: &str, program: &str, tally: &Tally) -> Self {
        let failed = tally.record.failed().iter().map(|(&errno, &count)| (errno_name(errno), count));
        Self {
            path: path.to_owned(),
            program: program.to_owned(),
            opened: tally.opened(),
            before_trace: tally.before_trace,
            closed: tally.record.closed(),
            open_client: 0,
            open_server: 0,
            old_client: 0,
            old_server: 0,
            oldest_ns: None,
            failed: failed.collect(),
        }
    }

    fn add(&mut self, connection: &Connection, now: u64, leak_age: u64) {
        let age = connection.age(now);
        self.open_client += u64::from(connection.client.is_open());
        self.open_server += u64::from(connection.server.is_open());
        self.old_client += u64::from(connection.client.is_open() && age >= leak_age);
        if let (EndState::Released { at, .. }, true) = (&connection.client, connection.server.is_open()) {
            self.old_server += u64::from(now.saturating_sub(*at) >= leak_age);
        }
        self.oldest_ns = self.oldest_ns.max(Some(age));
    }
}

impl Open {
    fn new(session: &Session, socket: SocketId, connection: &Connection, now: u64) -> Self {
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

/// The symbolic name of an error number, such as `EAGAIN`; `errno 999` for one without.
#[must_use]
pub fn errno_name(errno: i32) -> String {
    /// The kernel's own "restart the system call", which a process never sees; include/linux/errno.h.
    const ERESTARTSYS: i32 = 512;
    if errno == ERESTARTSYS {
        return "ERESTARTSYS".to_owned();
    }
    match nix::errno::Errno::from_raw(errno) {
        nix::errno::Errno::UnknownErrno => format!("errno {errno}"),
        known => format!("{known:?}"),
    }
}
