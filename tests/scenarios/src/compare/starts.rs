//! How a capture tells of connections for the first time: it sees them made, or finds them.

use std::collections::HashMap;

use workload::truth::{self, Start, State, Truth};

use super::{Captured, identity, same};
use crate::capture::{Connect, Found};

/// The first that a capture tells of a connection.
#[derive(Clone, Copy)]
pub(super) enum First<'a> {
    Seen(&'a Connect),
    Found(&'a Found),
}

impl First<'_> {
    pub(super) fn connection(self) -> u64 {
        match self {
            Self::Seen(connect) => connect.connection,
            Self::Found(found) => found.connection,
        }
    }

    pub(super) fn listener(self) -> u64 {
        match self {
            Self::Seen(connect) => connect.listener,
            Self::Found(found) => found.listener,
        }
    }

    pub(super) fn path(&self) -> &str {
        match self {
            Self::Seen(connect) => &connect.path,
            Self::Found(found) => &found.path,
        }
    }
}

/// How much of a connection's life a capture can have seen.
#[derive(Clone, Copy)]
pub(super) struct Life {
    /// Where the connection stood when it was first told of.
    pub(super) from: State,
    /// It was found.
    pub(super) is_found: bool,
    /// It was found while it was looked for: what happened just then may be unseen.
    pub(super) has_gap: bool,
}

impl Life {
    /// Life of a connection as it has to be told; None if that depends on the capture.
    pub(super) fn expected(connection: &truth::Connection) -> Option<Self> {
        match &connection.start {
            Start::Seen => Some(Self { from: State::Queued, is_found: false, has_gap: false }),
            Start::Before(before) => Some(Self { from: before.state, is_found: true, has_gap: false }),
            Start::Either => None,
        }
    }

    /// Life of a connection as it is told.
    pub(super) fn told(connection: &truth::Connection, first: First<'_>) -> Self {
        Self::expected(connection).unwrap_or(match first {
            First::Seen(_) => Self { from: State::Queued, is_found: false, has_gap: false },
            First::Found(found) => Self { from: found.state, is_found: true, has_gap: true },
        })
    }

    pub(super) fn is_accepted(self) -> bool {
        !matches!(self.from, State::Queued | State::Abandoned)
    }

    /// Inode of the client's socket, as far as the capture can know it.
    pub(super) fn client_inode(self, connection: &truth::Connection) -> Option<u64> {
        self.from.has_client().then_some(connection.client_inode)
    }
}

/// What a capture tells first, not yet matched with the truth.
#[derive(Default)]
pub(super) struct Firsts<'a> {
    by_client: HashMap<u64, Vec<First<'a>>>,
    by_server: HashMap<u64, Vec<First<'a>>>,
    /// Neither end could be looked at.
    nameless: Vec<&'a Found>,
}

impl<'a> Firsts<'a> {
    pub(super) fn of(captured: &'a Captured, differences: &mut Vec<String>) -> Self {
        let mut firsts = Self::default();
        for connect in &captured.connects {
            match connect.client_inode {
                Some(inode) => firsts.by_client.entry(inode).or_default().push(First::Seen(connect)),
                None => differences.push(format!("connection {} has no client inode", connect.connection)),
            }
        }
        for found in &captured.founds {
            match (found.client_inode, found.server_inode) {
                (Some(inode), _) => firsts.by_client.entry(inode).or_default().push(First::Found(found)),
                (None, Some(inode)) => firsts.by_server.entry(inode).or_default().push(First::Found(found)),
                (None, None) => firsts.nameless.push(found),
            }
        }
        firsts
    }

    /// Takes what is told of a connection for the first time. Notes if that is not told exactly once.
    pub(super) fn take(
        &mut self,
        truth: &Truth,
        connection: &truth::Connection,
        name: &str,
        differences: &mut Vec<String>,
    ) -> Option<First<'a>> {
        let mut told = self.by_client.remove(&connection.client_inode).unwrap_or_default();
        let of_server = connection.server_inode.and_then(|inode| self.by_server.remove(&inode));
        told.extend(of_server.unwrap_or_default());
        let (state, pid) = (at_start(connection), truth.processes[connection.opener].pid);
        if state == Some(State::Abandoned)
            && let Some(place) = self.nameless.iter().position(|found| found.process.pid == pid)
        {
            told.push(First::Found(self.nameless.remove(place)));
        }
        let may_be_unknown = match connection.start {
            Start::Seen => false,
            Start::Before(_) => state == Some(State::Closed),
            Start::Either => connection.state() == State::Closed,
        };
        match (told.as_slice(), &connection.start) {
            ([], _) if may_be_unknown => return None,
            ([], _) => differences.push(format!("{name}: not captured")),
            ([_, ..], Start::Before(_)) if state == Some(State::Closed) => {
                differences.push(format!("{name}: captured although it was closed before"));
            }
            ([First::Found(_)], Start::Seen) => {
                differences.push(format!("{name}: found although it was made during the capture"));
            }
            ([First::Seen(_)], Start::Before(_)) => {
                differences.push(format!("{name}: captured as a connect although it is older"));
            }
            ([first], _) => return Some(*first),
            (several, _) => {
                differences.push(format!("{name}: captured {} times", several.len()));
                return Some(several[0]);
            }
        }
        None
    }

    /// Notes what is in nobody's truth.
    pub(super) fn end(self, differences: &mut Vec<String>) {
        let named = self.by_client.into_values().chain(self.by_server.into_values()).flatten();
        for first in named.chain(self.nameless.into_iter().map(First::Found)) {
            let (inode, pid) = match first {
                First::Seen(connect) => (connect.client_inode, connect.process.pid),
                First::Found(found) => (found.client_inode, found.process.pid),
            };
            let path = first.path();
            differences.push(format!("invented: connection of inode {inode:?} by {pid} on {path}"));
        }
    }
}

fn at_start(connection: &truth::Connection) -> Option<State> {
    match &connection.start {
        Start::Before(before) => Some(before.state),
        Start::Seen | Start::Either => None,
    }
}

/// What only a found connection is told by.
pub(super) fn check_found(
    truth: &Truth,
    connection: &truth::Connection,
    found: &Found,
    name: &str,
    differences: &mut Vec<String>,
) {
    let life = Life::told(connection, First::Found(found));
    same(differences, || format!("{name}, state"), life.from, found.state);
    let (client, server) = (life.client_inode(connection), connection.server_inode);
    // Of one that was met while its client let go, the inode may have been learned before.
    if !(life.has_gap && found.client_inode == Some(connection.client_inode)) {
        same(differences, || format!("{name}, client inode"), client, found.client_inode);
    }
    let server = server.filter(|_| life.is_accepted() && life.from.has_server());
    same(differences, || format!("{name}, server inode"), server, found.server_inode);
    let what = format!("{name}, opener");
    let opener = match &connection.start {
        Start::Before(before) => before.opener,
        _ => found.process.start_ns.map(|_| connection.opener),
    };
    match opener {
        Some(opener) => {
            identity::check_in_full(differences, &what, &truth.processes[opener], &found.process);
        }
        None => {
            let opener = &truth.processes[connection.opener];
            identity::check_pid_alone(differences, &what, opener, &found.process);
        }
    }
    let ends = [
        (life.from.has_client(), connection.client.is_none()),
        (life.from.has_server(), connection.server.is_none()),
    ];
    if ends.iter().any(|&(was_open, is_open)| is_open && !was_open) {
        differences.push(format!("{name}: found {}, and yet that end is open", found.state.word()));
    }
}
