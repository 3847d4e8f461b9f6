//! What the command's processes do with their connections.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use rustc_hash::{FxHashMap, FxHashSet};
use sockleak_core::{
    assess::Loss,
    attribution::who::{ProgramId, Who},
    event::{End, Frame, Listener, Reason, Record, What},
    lifecycle::{Connection, EndState, Origin},
    session::{ClosedConnection, FoundConnection, Seen, Session, SocketId},
};

use super::{
    ends::Ends,
    tree::{Key, Tree, key},
};
use crate::tracer::Audience;

/// A process on a socket.
type Place = (Key, String);

/// Watches the command.
#[derive(Debug)]
pub(super) struct Watcher {
    tree: Tree,
    /// The last connections that a process opened on a socket, as many as it may keep, the oldest first.
    last: FxHashMap<Place, VecDeque<u64>>,
    allow: usize,
    /// The last one of all, and when it was opened.
    latest: FxHashMap<Place, (u64, u64)>,
    /// How long a server may keep its end after its client left: nanoseconds.
    linger: u64,
    left: Vec<Left>,
    /// How long before its end a process closes what it may have forgotten: nanoseconds. 0: what is closed is closed.
    late: u64,
    ends: Ends,
    /// What a process has closed since it opened its last connection on a socket, each with the time.
    closed_since: FxHashMap<Place, Vec<(u64, Left)>>,
    stacks: FxHashSet<Arc<[Frame]>>,
    /// Programs of the command, and those that run outside of it too, each on a socket.
    programs: FxHashSet<(ProgramId, String)>,
    outside: FxHashSet<(ProgramId, String)>,
}

/// An end that a process left open to its own end.
#[derive(Clone, Debug)]
struct Left {
    place: Place,
    connection: u64,
    program: String,
    end: End,
    stack: Arc<[Frame]>,
}

/// Ends that were left open in the same way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) program: String,
    pub(super) socket: String,
    pub(super) end: End,
}

/// From the same stack.
#[derive(Clone, Debug)]
pub(super) struct Lost {
    pub(super) kind: Kind,
    pub(super) count: u64,
    pub(super) processes: u64,
    /// Where they were opened; empty if that is not known.
    pub(super) stack: Arc<[Frame]>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Seized {
    /// The most first.
    pub(super) lost: Vec<Lost>,
    /// Ends that a process may keep to its end.
    pub(super) kept: u64,
    /// Connections that processes of the command still hold, and how many processes.
    pub(super) running: (u64, u64),
    /// Processes of which it is not known whether they belong to the command.
    pub(super) unknown: u64,
    /// Programs that run on a socket in the command alone.
    pub(super) own: Vec<(ProgramId, String)>,
}

impl Watcher {
    pub(super) fn new(group: Option<u64>, allow: u32, [linger, late]: [u64; 2]) -> Self {
        Self {
            tree: Tree::new(group),
            last: FxHashMap::default(),
            allow: allow as usize,
            latest: FxHashMap::default(),
            linger,
            left: Vec::new(),
            late,
            ends: Ends::default(),
            closed_since: FxHashMap::default(),
            stacks: FxHashSet::default(),
            programs: FxHashSet::default(),
            outside: FxHashSet::default(),
        }
    }

    /// Does a process of the command hold a connection, as far as is known?
    pub(super) fn holds_any(&self, session: &Session) -> bool {
        session.open().any(|(_, connection)| {
            let accepted = connection.accepted.as_ref().and_then(|it| it.by.as_ref());
            (connection.client.is_open() && self.tree.has(&connection.opener))
                || (connection.server.is_open() && accepted.is_some_and(|who| self.tree.has(who)))
        })
    }

    fn meet(&mut self, who: &Who, socket: &str) -> bool {
        let is_new = self.late > 0 && !self.tree.knows(who);
        let is_own = self.tree.meet(who);
        if let (true, true, Some(pid)) = (is_new, is_own, self.tree.number(who)) {
            self.ends.wait_for(key(who), pid);
        }
        let programs = if is_own { &mut self.programs } else { &mut self.outside };
        programs.insert((who.group, socket.to_owned()));
        is_own
    }

    fn opened(&mut self, at: u64, who: &Who, socket: &str, connection: u64) {
        let place = (key(who), socket.to_owned());
        // What was closed before another was opened was not forgotten.
        self.closed_since.remove(&place);
        if self.late > 0 {
            self.latest.insert(place.clone(), (connection, at));
        }
        let last = self.last.entry(place).or_default();
        last.push_back(connection);
        while last.len() > self.allow {
            last.pop_front();
        }
    }

    /// Notes the ends of a connection that a process of the command left open to its own end.
    fn note(&mut self, session: &Session, socket: SocketId, connection: &Connection) {
        let socket = &session.sockets()[socket.0].name;
        let is_seen = connection.origin == Origin::Seen;
        let opener = &connection.opener;
        if is_seen && self.tree.has(opener) {
            if left_at_end(&connection.client, opener).is_some() {
                let left = self.left(session, socket, connection, opener, End::Client);
                self.left.push(left);
            } else if let (true, Some(at)) = (self.late > 0, closed_itself(&connection.client, opener)) {
                let left = self.left(session, socket, connection, opener, End::Client);
                self.closed_since.entry(left.place.clone()).or_default().push((at, left));
            }
        }
        let accepted = connection.accepted.as_ref().and_then(|it| it.by.as_ref());
        let Some(server) = accepted.filter(|server| self.tree.has(server)) else { return };
        let client_left = match connection.client {
            EndState::Released { at, .. } | EndState::ReleasedUnseen { known: Some(at) } => Some(at),
            _ => None,
        };
        if let (Some(at), Some(client_left)) = (left_at_end(&connection.server, server), client_left)
            && at.saturating_sub(client_left) >= self.linger
        {
            let left = self.left(session, socket, connection, server, End::Server);
            self.left.push(left);
        }
    }

    fn left(
        &mut self,
        session: &Session,
        socket: &str,
        connection: &Connection,
        who: &Who,
        end: End,
    ) -> Left {
        let stack = connection.stack.filter(|_| end == End::Client);
        let frames = stack.map_or(&[][..], |stack| session.frames(stack));
        let stack = match self.stacks.get(frames) {
            Some(known) => Arc::clone(known),
            None => {
                let new: Arc<[Frame]> = frames.into();
                self.stacks.insert(Arc::clone(&new));
                new
            }
        };
        Left {
            place: (key(who), socket.to_owned()),
            connection: connection.id,
            program: session.program(who.group).to_owned(),
            end,
            stack,
        }
    }

    /// What processes closed only at their ends, after they had opened all others.
    fn closed_late(&self) -> impl Iterator<Item = &Left> {
        self.closed_since.iter().flat_map(move |(place, closed)| {
            let end = self.ends.of(&place.0);
            let (latest, opened) = self.latest.get(place).copied().unwrap_or_default();
            let is_late =
                move |at: u64| at >= opened && end.is_some_and(|end| end.saturating_sub(at) <= self.late);
            // The last one that was opened is closed in time.
            let late = closed.iter().filter(move |(at, left)| is_late(*at) && left.connection != latest);
            late.map(|(_, left)| left)
        })
    }

    /// Comes to a conclusion, after the last record.
    pub(super) fn conclude(&mut self, session: &Session) -> Seized {
        let mut running = FxHashSet::default();
        let mut held = 0;
        for (socket, connection) in session.open() {
            self.note(session, socket, connection);
            if connection.client.is_open() && self.tree.has(&connection.opener) {
                held += 1;
                running.insert(key(&connection.opener));
            }
        }
        self.ends.look();
        let is_kept = |left: &Left| {
            let last = self.last.get(&left.place);
            left.end == End::Client && last.is_some_and(|last| last.contains(&left.connection))
        };
        let (kept, mut lost): (Vec<&Left>, Vec<&Left>) = self.left.iter().partition(|left| is_kept(left));
        lost.extend(self.closed_late().filter(|left| !is_kept(left)));
        let own = self.programs.difference(&self.outside).cloned().collect();
        Seized {
            lost: grouped(&lost),
            kept: kept.len() as u64,
            running: (held, running.len() as u64),
            unknown: self.tree.unknown,
            own,
        }
    }
}

/// When an end was released, if only the end of the process that had it released it. A process that was handed it, or a child that
/// has it too, may outlive the one that closed it.
fn left_at_end(end: &EndState, who: &Who) -> Option<u64> {
    match end {
        EndState::Released { at, by, reason: Reason::Exit(_) | Reason::Killed(_) } if key(by) == key(who) => {
            Some(*at)
        }
        _ => None,
    }
}

/// When a process closed an end itself.
fn closed_itself(end: &EndState, who: &Who) -> Option<u64> {
    match end {
        EndState::Released { at, by, reason: Reason::Close } if key(by) == key(who) => Some(*at),
        _ => None,
    }
}

/// By program, socket and stack, the most first.
fn grouped(lost: &[&Left]) -> Vec<Lost> {
    let mut groups: BTreeMap<(Kind, usize), (Lost, FxHashSet<Key>)> = BTreeMap::new();
    for left in lost {
        let (process, socket) = &left.place;
        let kind = Kind { program: left.program.clone(), socket: socket.clone(), end: left.end };
        // Equal stacks are one and the same.
        let place = left.stack.as_ptr() as usize;
        let (group, processes) = groups.entry((kind.clone(), place)).or_insert_with(|| {
            let group = Lost { kind, count: 0, processes: 0, stack: Arc::clone(&left.stack) };
            (group, FxHashSet::default())
        });
        group.count += 1;
        processes.insert(*process);
    }
    let groups = groups.into_values();
    let mut groups: Vec<Lost> =
        groups.map(|(group, processes)| Lost { processes: processes.len() as u64, ..group }).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

impl Audience for Watcher {
    fn keeps(&self) -> bool {
        false
    }

    fn keep(&mut self, _: Record, _: Option<&[u8]>) {}

    fn listener(&mut self, _: &Listener) {}

    fn seen(&mut self, seen: &Seen<'_>) {
        let is_met = matches!(seen.what, What::Connect { .. } | What::Accept { .. });
        let socket = &seen.socket.name;
        let is_own = is_met && self.meet(seen.who, socket);
        if let (true, What::Connect { connection, .. }) = (is_own, seen.what) {
            self.opened(seen.at, seen.who, socket, *connection);
        }
    }

    fn closed(&mut self, closed: &ClosedConnection<'_>) {
        self.note(closed.session, closed.socket, closed.connection);
    }

    fn found(&mut self, _: &FoundConnection<'_>) {}

    // What is missing is said in the end.
    fn lost(&mut self, _: &[Loss]) {}

    fn relieve(&mut self) -> Result<(), crate::failure::Failure> {
        Ok(())
    }
}
