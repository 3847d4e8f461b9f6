//! What a new segment of a store begins with: records that lead another session to what is open in this one.
//!
//! They are records of the usual kinds, so that a segment can be read alone by all that reads a recording. What they do not
//! tell is history: what is closed, attempts, who held what in the last round.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Session, SocketId};
use crate::{
    attribution::{
        limits::{Limit, Source},
        who::Who,
    },
    event::{
        Actor, Carried, Comm, End, Event, Held, HeldSocket, Listener, Peer, Process, ProcessId, Queue,
        Reason, Record, Stack, What,
    },
    lifecycle::{Connection, EndState, Origin, other},
};

/// Whoever it was: it is not known, or does not matter.
const NOBODY: Actor = Actor {
    id: ProcessId { pid: 0, start: 0, exec_id: 0 },
    tid: 0,
    uid: None,
    gid: None,
    comm: Comm(*b"unknown\0\0\0\0\0\0\0\0\0"),
};

/// Something that happened: when, to which connection or listener, in which order at the same moment.
type Step = (u64, u64, u8, Record);

impl Session {
    /// The records that rebuild in a new session what is open in this one: the connections that are not closed, the listeners
    /// that are not, or that such a connection is on, and what is known of their queues. In a fixed order, which depends on
    /// nothing else.
    #[must_use]
    pub fn carry(&self) -> Vec<Record> {
        let mut open: Vec<_> = self.open().map(|(_, connection)| connection).collect();
        open.sort_unstable_by_key(|connection| connection.id);
        let mut records = vec![Record::Carried(Carried::Begins)];
        records.extend(processes(&open).into_values().map(Record::Process));
        let listeners = self.open_listeners(&open);
        records.extend(listeners.iter().map(|(_, listener)| Record::Listener(Arc::clone(listener))));
        let accepted = |(socket, it): (SocketId, &Connection)| {
            let accepted =
                it.accepted.as_ref().filter(|accepted| it.server.is_open() && accepted.by.is_some())?;
            accepted.at.map(|at| (socket, at))
        };
        let mut told: BTreeMap<(SocketId, u64), u32> = BTreeMap::new();
        self.open().filter_map(accepted).for_each(|accept| *told.entry(accept).or_default() += 1);
        let facts =
            |(socket, listener): &(SocketId, Arc<Listener>)| self.listener_facts(*socket, listener.id, &told);
        records.extend(listeners.iter().map(facts));
        if let Some(at) = self.use_noted {
            records.push(Record::UseNoted { at, is_reliable: true });
        }
        self.carry_found(&open, &mut records);
        let mut steps: Vec<Step> = Vec::new();
        for &connection in &open {
            self.carry_steps(connection, &mut steps);
        }
        for (_, listener) in &listeners {
            if let Some((at, reason)) = self.books.followed(listener.id).and_then(|followed| followed.closed)
            {
                let what = What::ListenerClosed { listener: listener.id, reason };
                steps.push((at, listener.id, 5, event(at, NOBODY, what)));
            }
        }
        steps.sort_by_key(|&(at, id, order, _)| (at, id, order));
        records.extend(steps.into_iter().map(|(.., record)| record));
        records.push(Record::Carried(Carried::Ends { at: self.books.moment }));
        records
    }

    /// Takes in what no other record tells.
    pub(super) fn carried(&mut self, carried: &Carried) {
        let (listener, last_accept, queue, slots) = match *carried {
            Carried::Begins => return,
            Carried::Listener { listener, last_accept, queue, slots } => {
                (listener, last_accept, queue, slots)
            }
            Carried::Ends { at } => {
                self.latest = at;
                self.books.moment = at;
                return;
            }
        };
        let Some(socket) = self.books.followed(listener).map(|followed| followed.socket.0) else { return };
        let socket = &mut self.books.sockets[socket];
        socket.last_accept = socket.last_accept.max(last_accept);
        // When that connection was made is not kept. Nobody is suspected for it.
        socket.youngest_served = socket.youngest_served.max(last_accept);
        socket.queue = queue.or(socket.queue);
        let assumed = || slots.map(|slots| Limit { slots, source: Source::Assumed });
        socket.limit = socket.limit.or_else(assumed);
    }

    /// In the order of their sockets. The one that was described last tells the backlog.
    fn open_listeners(&self, open: &[&Connection]) -> Vec<(SocketId, Arc<Listener>)> {
        let used: BTreeSet<u64> = open.iter().map(|connection| connection.listener).collect();
        let followed = self.books.listeners.iter();
        let mut listeners: Vec<_> = followed
            .filter(|(id, followed)| followed.closed.is_none() || used.contains(id))
            .map(|(_, followed)| (followed.socket, Arc::clone(&followed.listener)))
            .collect();
        listeners.sort_by_key(|(socket, listener)| {
            (*socket, self.books.sockets[socket.0].backlog == Some(listener.backlog), listener.id)
        });
        listeners
    }

    /// `told` says how many connections are open that were accepted at a moment: their accepts are carried too.
    fn listener_facts(&self, id: SocketId, listener: u64, told: &BTreeMap<(SocketId, u64), u32>) -> Record {
        let socket = &self.books.sockets[id.0];
        let assumed = socket.limit.filter(|limit| limit.source == Source::Assumed);
        // An accept that is told with its connection may still turn out to be none: the one before it counts then, if there was no
        // other at its moment.
        let told = socket.last_accept.and_then(|at| told.get(&(id, at)));
        let is_told = told == Some(&socket.accepted_then);
        let last_accept = if is_told { socket.served_before.0 } else { socket.last_accept };
        Record::Carried(Carried::Listener {
            listener,
            last_accept,
            queue: socket.queue,
            slots: assumed.map(|limit| limit.slots),
        })
    }

    /// The connections whose start was not seen. Those that wait to be counted are to wait again.
    fn carry_found(&self, open: &[&Connection], records: &mut Vec<Record>) {
        let mut counted = Vec::new();
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for connection in open.iter().filter(|connection| connection.origin != Origin::Seen) {
            let place = match self.found.is_old(connection.id) {
                None => &mut counted,
                // The next round counts it in any case.
                Some(true) if connection.opener.process.is_none() => &mut old,
                Some(_) => &mut new,
            };
            place.extend(sightings(connection).into_iter().map(Record::Held));
        }
        for (sightings, rounds) in [(counted, 2), (old, 1), (new, 0)] {
            let ends = if sightings.is_empty() { 0 } else { rounds };
            records.extend(sightings);
            records.extend((0..ends).map(|_| Record::RoundEnds));
        }
    }

    /// What happened to a connection.
    fn carry_steps(&self, connection: &Connection, steps: &mut Vec<Step>) {
        let &Connection { id, listener, opened, .. } = connection;
        // No step before the one that it rests on, whatever the clocks of processors say.
        let mut latest = opened;
        let mut step = |at: u64, order, record| {
            latest = latest.max(at);
            steps.push((latest, id, order, record));
        };
        if connection.origin == Origin::Seen {
            if let Some(frames) = connection.stack.and_then(|stack| self.stacks.shared(stack)) {
                step(opened, 0, Record::Stack(Stack { connection: id, frames }));
            }
            let max = self.books.followed(listener).map_or(0, |followed| followed.listener.backlog);
            step(opened, 1, event(opened, connection.opener.actor, start(connection, max)));
            if let Some(held) = sighting_of_seen(connection) {
                step(opened, 2, Record::Held(held));
            }
        }
        if let Some(accepted) = &connection.accepted
            && let (Some(at), Some(by)) = (accepted.at, &accepted.by)
        {
            let what = What::Accept { connection: id, listener, server_inode: accepted.inode };
            step(at, 3, event(at, by.actor, what));
        }
        for end in [End::Client, End::Server] {
            let release = |reason| What::Release { connection: id, listener, end, reason };
            match connection.end(end) {
                EndState::Released { at, by, reason } => {
                    step(*at, 4, event(*at, by.actor, release(*reason)));
                }
                &EndState::ReleasedUnseen { known: Some(at) } if connection.origin == Origin::Seen => {
                    step(at, 4, event(at, NOBODY, release(Reason::Unseen)));
                }
                EndState::ReleasedUnseen { .. } | EndState::Open | EndState::Unknown => {}
            }
        }
    }
}

/// The processes that connections name, as far as they are described.
fn processes(open: &[&Connection]) -> BTreeMap<ProcessId, Arc<Process>> {
    let mut known = BTreeMap::new();
    let mut add = |who: &Who| {
        if let Some(process) = &who.process {
            known.insert(process.id, Arc::clone(process));
        }
    };
    for connection in open {
        add(&connection.opener);
        if let Some(by) = connection.accepted.as_ref().and_then(|accepted| accepted.by.as_ref()) {
            add(by);
        }
        for end in [&connection.client, &connection.server] {
            if let EndState::Released { by, .. } = end {
                add(by);
            }
        }
    }
    known
}

fn event(at: u64, actor: Actor, what: What) -> Record {
    Record::Event(Event { at, actor, what })
}

/// The start of a connection. How full the queue was then is not kept.
fn start(connection: &Connection, max: u32) -> What {
    What::Connect {
        connection: connection.id,
        listener: connection.listener,
        client_inode: connection.client_inode,
        queue: Queue { length: 0, max },
        client_untracked: connection.is_untracked(End::Client),
        server_untracked: connection.is_untracked(End::Server),
    }
}

/// A descriptor of an end of a connection, at the moment when that was first met.
fn sighting(connection: &Connection, end: End, holder: Actor, inode: u64, peer: Peer) -> Held {
    let opener = Some(connection.opener.actor.id.pid).filter(|&pid| pid != 0);
    let is_seed = connection.origin == Origin::BeforeTrace;
    let socket = HeldSocket::End { connection: connection.id, is_seed, end, peer, opener };
    Held { at: connection.opened, holder, fd: 0, inode, listener: connection.listener, socket, usage: None }
}

/// The descriptors that tell what is known of a connection whose start was not seen, but for what events tell.
fn sightings(connection: &Connection) -> Vec<Held> {
    let is_gone = |end| matches!(connection.end(end), EndState::ReleasedUnseen { known: None });
    let found = connection.accepted.as_ref().filter(|accepted| accepted.at.is_none());
    let acceptor = found.and_then(|accepted| accepted.by.as_ref()).map(|by| by.actor);
    let opener = &connection.opener.actor;
    // Of somebody unknown at most the number is known, by the credentials that the server sees.
    let is_known = opener.id.start != 0 || opener.id.exec_id != 0;
    let holder = if is_known { *opener } else { NOBODY };
    let client_inode = connection.client_inode;
    let mut lines = Vec::new();
    if !is_gone(End::Client) {
        let waiting = found.map_or(Peer::Queued, |accepted| Peer::Open(accepted.inode));
        let peer = if is_gone(End::Server) { Peer::Released } else { waiting };
        lines.push(sighting(connection, End::Client, holder, client_inode, peer));
    }
    if acceptor.is_some() || is_gone(End::Client) {
        let inode = connection.accepted.as_ref().map_or(0, |accepted| accepted.inode);
        let peer = if is_gone(End::Client) { Peer::Released } else { Peer::Open(client_inode) };
        lines.push(sighting(connection, End::Server, acceptor.unwrap_or(NOBODY), inode, peer));
    }
    for end in [End::Client, End::Server] {
        if let &EndState::ReleasedUnseen { known: Some(at) } = connection.end(end) {
            let (holder, inode) = if end == End::Server { (holder, client_inode) } else { (NOBODY, 0) };
            lines.push(Held { at, ..sighting(connection, other(end), holder, inode, Peer::Released) });
        }
    }
    lines
}

/// The descriptor by which a connection became known better whose start was seen.
fn sighting_of_seen(connection: &Connection) -> Option<Held> {
    let is_unheard = |end| connection.is_followed(end) && matches!(connection.end(end), EndState::Unknown);
    let found = connection.accepted.as_ref().filter(|accepted| accepted.at.is_none());
    let acceptor = found.and_then(|accepted| accepted.by.as_ref());
    let client = Peer::Open(connection.client_inode);
    let inode = connection.accepted.as_ref().map_or(0, |accepted| accepted.inode);
    if acceptor.is_some() || is_unheard(End::Client) {
        let holder = acceptor.map_or(NOBODY, |by| by.actor);
        return Some(sighting(connection, End::Server, holder, inode, client));
    }
    let peer = match found {
        Some(accepted) => Peer::Open(accepted.inode),
        None if is_unheard(End::Server) => Peer::Queued,
        None => return None,
    };
    Some(sighting(connection, End::Client, NOBODY, connection.client_inode, peer))
}

#[cfg(test)]
mod tests;
