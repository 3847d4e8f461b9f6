//! Open connections in a report: who opened them, and who holds their ends.

use std::{cmp::Reverse, collections::HashMap, sync::OnceLock};

use serde::Serialize;

use super::usage::{Idle, UseReport};
use crate::{
    attribution::{
        container::{Container, Membership},
        who::{ProgramId, Who},
    },
    event::{Comm, End, Reason},
    lifecycle::{Connection, EndState, Origin, State},
    session::{Session, SocketId},
};

/// The connections that are not released at both ends, oldest first. There may be millions: what is said of one is put together
/// when it is asked for, and nothing of it is kept.
#[derive(Clone, Debug)]
pub struct OpenList<'s> {
    session: &'s Session,
    now: u64,
    connections: Vec<&'s Connection>,
    with_argv: bool,
    /// Places in `connections` by the name of the socket: there may be as many sockets as there are connections. Made when it is first
    /// asked for.
    by_path: OnceLock<HashMap<&'s str, Vec<u32>>>,
}

impl<'s> OpenList<'s> {
    pub(super) fn new(session: &'s Session, now: u64) -> Self {
        // Their number is not known beforehand: growing step by step would take half as much again.
        let mut connections = Vec::with_capacity(session.open().count());
        connections.extend(session.open().map(|(_, connection)| connection));
        connections.sort_unstable_by_key(|connection| (Reverse(connection.age(now)), connection.id));
        Self { session, now, connections, with_argv: true, by_path: OnceLock::new() }
    }

    /// What is said of each.
    pub fn iter(&self) -> impl Iterator<Item = Open<'s>> {
        self.with_sockets().map(|(socket, connection)| self.told(socket, connection))
    }

    /// What is said of each on the sockets of this path.
    pub fn on(&self, path: &str) -> impl Iterator<Item = Open<'s>> {
        let there =
            self.places(path).iter().filter_map(|&place| self.with_socket(self.connections[place as usize]));
        there.map(|(socket, connection)| self.told(socket, connection))
    }

    fn told(&self, socket: SocketId, connection: &'s Connection) -> Open<'s> {
        let mut open = Open::new(self.session, socket, connection, self.now);
        open.opener.argv = open.opener.argv.filter(|_| self.with_argv);
        open
    }

    /// How many there are on the sockets of this path.
    #[must_use]
    pub fn count_on(&self, path: &str) -> usize {
        self.places(path).len()
    }

    fn with_sockets(&self) -> impl Iterator<Item = (SocketId, &'s Connection)> {
        self.connections.iter().filter_map(|it| self.with_socket(it))
    }

    fn with_socket(&self, connection: &'s Connection) -> Option<(SocketId, &'s Connection)> {
        Some((self.session.socket_of_listener(connection.listener)?, connection))
    }

    fn places(&self, path: &str) -> &[u32] {
        let by_path = self.by_path.get_or_init(|| {
            let mut by_path: HashMap<&'s str, Vec<u32>> = HashMap::new();
            for (place, connection) in (0..).zip(&self.connections) {
                if let Some((socket, _)) = self.with_socket(connection) {
                    by_path.entry(&self.session.sockets()[socket.0].name).or_default().push(place);
                }
            }
            by_path
        });
        by_path.get(path).map_or(&[], Vec::as_slice)
    }

    /// The session that they belong to.
    pub(super) const fn session(&self) -> &'s Session {
        self.session
    }

    /// Each as the session has it, with the name of its socket.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'s str, &'s Connection)> {
        let session = self.session;
        self.with_sockets()
            .map(|(socket, connection)| (session.sockets()[socket.0].name.as_str(), connection))
    }

    /// Keeps those of which this is true, given the name of the socket; returns how many went.
    pub(super) fn keep(&mut self, mut wanted: impl FnMut(&'s str, &'s Connection) -> bool) -> u64 {
        let (before, session) = (self.connections.len(), self.session);
        self.connections.retain(|connection| {
            let socket = session.socket_of_listener(connection.listener);
            socket.is_none_or(|socket| wanted(&session.sockets()[socket.0].name, connection))
        });
        self.by_path = OnceLock::new();
        (before - self.connections.len()) as u64
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Are there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Was the start of one of them not seen?
    #[must_use]
    pub fn any_before_trace(&self) -> bool {
        self.connections.iter().any(|connection| is_before_trace(connection))
    }

    /// Leaves command lines out: they hold secrets.
    pub(super) fn hide_argv(&mut self) {
        self.with_argv = false;
    }

    /// Drops those that are younger than this, in nanoseconds, and whose age is known; returns how many.
    pub(super) fn drop_younger(&mut self, age: u64) -> u64 {
        let (before, now) = (self.connections.len(), self.now);
        self.connections.retain(|connection| is_before_trace(connection) || connection.age(now) >= age);
        self.by_path = OnceLock::new();
        (before - self.connections.len()) as u64
    }
}

/// The start of a connection was not seen: it is older than it is known to be.
fn is_before_trace(connection: &Connection) -> bool {
    connection.origin != Origin::Seen
}

/// An open connection. Names are the session's.
#[derive(Clone, Debug, Serialize)]
pub struct Open<'s> {
    /// Its number.
    pub connection: u64,
    /// The socket.
    pub path: &'s str,
    /// The opener.
    #[serde(flatten)]
    pub opener: Opener<'s>,
    /// The group that it counts with: its program, unless the user chose otherwise.
    pub group: &'s str,
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
    pub idle: Option<Idle>,
    /// Where it stands.
    pub state: State,
    /// The client end.
    pub client_end: EndReport<'s>,
    /// The server end.
    pub server_end: EndReport<'s>,
    /// Who accepted it.
    pub server: Option<Party<'s>>,
}

/// Who opened a connection.
#[derive(Clone, Debug, Serialize)]
pub struct Opener<'s> {
    /// Process id.
    pub pid: u32,
    /// Start of the process, nanoseconds since boot; None if it is known by its number alone.
    pub start_ns: Option<u64>,
    /// Its program.
    pub program: &'s str,
    /// The command line, where known.
    pub argv: Option<&'s [String]>,
    /// Its name.
    pub comm: Comm,
    /// Its container.
    pub container: Option<Container>,
}

/// A process and its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Party<'s> {
    /// Process id.
    pub pid: u32,
    /// Its program.
    pub program: &'s str,
}

/// One end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndReport<'s> {
    /// `open`, `released` or `unknown`.
    pub state: &'static str,
    /// Why it was released.
    pub reason: Option<&'static str>,
    /// Nanoseconds since it was released.
    pub released_ns_ago: Option<u64>,
    /// Who released it.
    #[serde(flatten)]
    pub by: Option<Party<'s>>,
    /// Who held it at the last descriptor scan; None if there was none, or it is released.
    pub held_by: Option<Vec<HeldBy<'s>>>,
    /// How it was used, by the last descriptor scan; None if no scan told.
    #[serde(rename = "use")]
    pub usage: Option<UseReport>,
}

/// A process with a descriptor of an end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldBy<'s> {
    /// The process.
    #[serde(flatten)]
    pub party: Party<'s>,
    /// The descriptor.
    pub fd: u32,
}

impl<'s> Open<'s> {
    /// With who holds its ends, and how they were used.
    #[must_use]
    pub fn new(session: &'s Session, socket: SocketId, connection: &'s Connection, now: u64) -> Self {
        let mut open = Self::named(&session.sockets()[socket.0].name, connection, now, |program| {
            session.program(program)
        });
        open.client_end.held_by = held_by(session, connection, End::Client);
        open.server_end.held_by = held_by(session, connection, End::Server);
        let usage = |end| session.usage(connection, end).map(|known| UseReport::new(&known, now));
        open.client_end.usage = usage(End::Client);
        open.server_end.usage = usage(End::Server);
        open.idle = open.client_end.usage.zip(open.server_end.usage).and_then(|ends| Idle::of(ends.into()));
        open
    }

    /// Without who holds its ends, and how they were used. `name` tells the names of programs.
    pub fn named(
        path: &'s str,
        connection: &'s Connection,
        now: u64,
        name: impl Fn(ProgramId) -> &'s str,
    ) -> Self {
        let opener = &connection.opener;
        let process = opener.process.as_deref();
        let accepted = connection.accepted.as_ref();
        Self {
            connection: connection.id,
            path,
            opener: Opener {
                pid: opener.actor.id.pid,
                start_ns: Some(opener.actor.id.start).filter(|&start| start != 0),
                program: name(opener.program),
                argv: process.map(|process| process.argv.as_slice()),
                comm: opener.comm(),
                container: process.and_then(Membership::of_process).and_then(|it| it.container),
            },
            group: name(opener.group),
            client_inode: Some(connection.client_inode).filter(|&inode| inode != 0),
            server_inode: accepted.map(|accepted| accepted.inode),
            age_ns: connection.age(now),
            before_trace: is_before_trace(connection),
            stack: connection.stack.map(|stack| stack.0),
            idle: None,
            state: connection.state(),
            client_end: EndReport::new(connection.end(End::Client), now, &name),
            server_end: EndReport::new(connection.end(End::Server), now, &name),
            server: accepted.and_then(|accepted| accepted.by.as_ref()).map(|by| Party::new(by, &name)),
        }
    }
}

impl<'s> Party<'s> {
    fn new(who: &Who, name: impl Fn(ProgramId) -> &'s str) -> Self {
        Self { pid: who.actor.id.pid, program: name(who.program) }
    }
}

impl<'s> EndReport<'s> {
    fn new(end: &EndState, now: u64, name: impl Fn(ProgramId) -> &'s str) -> Self {
        let plain =
            |state| Self { state, reason: None, released_ns_ago: None, by: None, held_by: None, usage: None };
        match end {
            EndState::Open => plain("open"),
            EndState::Unknown => plain("unknown"),
            EndState::ReleasedUnseen { .. } => plain("released"),
            EndState::Released { at, by, reason } => Self {
                reason: Some(Reason::name(*reason)),
                released_ns_ago: Some(now.saturating_sub(*at)),
                by: Some(Party::new(by, name)),
                ..plain("released")
            },
        }
    }
}

/// The holders of an end that is open, each descriptor once, by number.
fn held_by<'s>(session: &'s Session, connection: &Connection, end: End) -> Option<Vec<HeldBy<'s>>> {
    if !connection.end(end).is_open() {
        return None;
    }
    let mut holders: Vec<_> = session
        .holders(connection.id, end)?
        .iter()
        .map(|holder| HeldBy {
            party: Party::new(&holder.who, |program| session.program(program)),
            fd: holder.fd,
        })
        .collect();
    holders.sort_by_key(|holder| (holder.party.pid, holder.fd));
    Some(holders)
}
