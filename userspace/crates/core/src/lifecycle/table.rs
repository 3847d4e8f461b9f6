//! All connections that are not closed at both ends.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::connection::{Accepted, Connection, EndState, Origin};
use crate::{
    attribution::{stacks::StackId, who::Who},
    event::{End, Peer, Reason, What},
};

/// An event that does not fit what came before: records were lost in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anomaly {
    /// The connection is not known: the record of its start was lost.
    Unknown,
    /// The connection exists already, was accepted already, or the end was released already.
    Repeated,
}

/// What an event did to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It still exists, under this number.
    Live(u64),
    /// Both ends are released, and the table has forgotten it.
    Closed(Box<Connection>),
}

/// Before or after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before.
    Before,
    /// After.
    After,
}

/// A descriptor of an end, as a round found it.
#[derive(Clone, Debug)]
pub struct Found {
    /// When: nanoseconds since boot.
    pub at: u64,
    /// Number of the connection.
    pub connection: u64,
    /// No hook saw its start.
    pub is_seed: bool,
    /// Its listener.
    pub listener: u64,
    /// The end.
    pub end: End,
    /// Its inode.
    pub inode: u64,
    /// The other end.
    pub peer: Peer,
    /// Whose descriptor it is.
    pub holder: Arc<Who>,
    /// Who connected, as far as that is known: the holder of a client end if it is the one, else somebody unknown.
    pub opener: Arc<Who>,
}

impl Found {
    /// Inodes of its ends, as far as they are known.
    fn inodes(&self) -> Vec<u64> {
        match self.peer {
            Peer::Open(peer) => vec![self.inode, peer],
            Peer::Queued | Peer::Released => vec![self.inode],
        }
    }

    /// Is it an accepted end whose client is gone? A connection of which the kernel side knows no end may be known by its
    /// client alone.
    fn is_orphan(&self) -> bool {
        self.is_seed && self.end == End::Server && !matches!(self.peer, Peer::Open(_))
    }
}

/// The connections that are not closed, by number.
#[derive(Debug, Default)]
pub struct Table {
    connections: FxHashMap<u64, Box<Connection>>,
    /// Those with an end that the kernel side does not know under this number, by the inodes of both.
    unfollowed: FxHashMap<u64, u64>,
    /// Those of them of which an accepted end without a client may be.
    adrift: FxHashSet<u64>,
}

impl Table {
    /// Takes in an event about a connection; others are none of its business and change nothing.
    ///
    /// # Errors
    /// If the event does not fit: then the table stays as it is.
    pub fn apply(&mut self, at: u64, who: Arc<Who>, what: &What) -> Result<Option<Change>, Anomaly> {
        match *what {
            What::Connect { connection, .. } => {
                self.connect(at, who, what).map(|()| Some(Change::Live(connection)))
            }
            What::Accept { connection, server_inode, .. } => {
                let accepted = Accepted { at: Some(at), by: Some(who), inode: server_inode };
                self.accept(connection, accepted).map(Some)
            }
            What::Release { connection, end, reason, .. } => {
                self.release(connection, end, at, who, reason).map(Some)
            }
            What::ListenerClosed { .. } | What::Attempt { .. } => Ok(None),
        }
    }

    fn connect(&mut self, at: u64, opener: Arc<Who>, what: &What) -> Result<(), Anomaly> {
        let What::Connect {
            connection: id, listener, client_inode, client_untracked, server_untracked, ..
        } = *what
        else {
            return Ok(());
        };
        if self.connections.contains_key(&id) {
            return Err(Anomaly::Repeated);
        }
        let state = |untracked| if untracked { EndState::Unknown } else { EndState::Open };
        let (client, server) = (state(client_untracked), state(server_untracked));
        if client_untracked || server_untracked {
            // If the other end is released, the next scan that finds this one gives it another number.
            self.unfollow(id, [client_inode, 0]);
        }
        self.insert(Connection {
            id,
            listener,
            opened: at,
            origin: Origin::Seen,
            opener,
            client_inode,
            accepted: None,
            client,
            server,
            stack: None,
            followed: [!client_untracked, !server_untracked],
        });
        self.settle(id).map(drop)
    }

    fn accept(&mut self, id: u64, accepted: Accepted) -> Result<Change, Anomaly> {
        let connection = self.connections.get_mut(&id).ok_or(Anomaly::Unknown)?;
        // A round may have found the server end in a descriptor table before this record came.
        if connection.accepted.as_ref().is_some_and(|known| known.at.is_some()) {
            return Err(Anomaly::Repeated);
        }
        connection.accepted = Some(accepted);
        connection.follow(End::Server);
        self.settle(id)
    }

    fn release(
        &mut self,
        id: u64,
        end: End,
        at: u64,
        by: Arc<Who>,
        reason: Reason,
    ) -> Result<Change, Anomaly> {
        let connection = self.connections.get_mut(&id).ok_or(Anomaly::Unknown)?;
        let state = connection.end_mut(end);
        if state.is_released() {
            return Err(Anomaly::Repeated);
        }
        *state = match reason {
            Reason::Unseen => EndState::ReleasedUnseen { known: Some(at) },
            _ => EndState::Released { at, by, reason },
        };
        self.settle(id)
    }

    /// Marks an end as released of which no record said so, which is known since then.
    ///
    /// # Errors
    /// If it is not known, or was released before.
    pub fn gone(&mut self, id: u64, end: End, at: u64) -> Result<Change, Anomaly> {
        let connection = self.connections.get_mut(&id).ok_or(Anomaly::Unknown)?;
        let state = connection.end_mut(end);
        if state.is_released() {
            return Err(Anomaly::Repeated);
        }
        *state = EndState::ReleasedUnseen { known: Some(at) };
        self.settle(id)
    }

    /// After a change: forgets a connection that is closed. One whose ends are all followed by now is found by its number alone.
    pub(super) fn settle(&mut self, id: u64) -> Result<Change, Anomaly> {
        let connection = self.connections.get(&id).ok_or(Anomaly::Unknown)?;
        if connection.is_closed() {
            return self.forget(id).map(Change::Closed).ok_or(Anomaly::Unknown);
        }
        if self.has_unfollowed() {
            if may_be_orphan(connection) {
                self.adrift.insert(id);
            } else {
                self.adrift.remove(&id);
            }
            if ![End::Client, End::Server].iter().any(|&end| connection.is_untracked(end)) {
                let inodes = inodes(connection);
                self.follow(id, inodes);
            }
        }
        Ok(Change::Live(id))
    }

    /// The kernel side knows both ends under this number.
    fn follow(&mut self, id: u64, inodes: [u64; 2]) {
        for inode in inodes {
            // A number that was free meanwhile may be another's.
            if self.unfollowed.get(&inode) == Some(&id) {
                self.unfollowed.remove(&inode);
            }
        }
    }

    fn unfollow(&mut self, id: u64, inodes: [u64; 2]) {
        // One that is not known is 0.
        self.unfollowed.extend(inodes.into_iter().filter(|&inode| inode != 0).map(|inode| (inode, id)));
    }

    /// For a while nothing was watched, and the kernel side has forgotten what it followed: of no end it is known whether it is
    /// open. Calls `changed` before and after with each connection that had an open one.
    pub fn lose_sight(&mut self, mut changed: impl FnMut(&Connection, Moment)) {
        let mut unfollowed = Vec::new();
        for connection in self.connections.values_mut() {
            unfollowed.push((connection.id, inodes(connection)));
            changed(connection, Moment::Before);
            for end in [End::Client, End::Server] {
                if connection.end(end).is_open() {
                    *connection.end_mut(end) = EndState::Unknown;
                }
            }
            connection.followed = [false; 2];
            changed(connection, Moment::After);
            self.adrift.insert(connection.id);
        }
        for (id, inodes) in unfollowed {
            self.unfollow(id, inodes);
        }
    }

    /// Ends of which it is not known whether they are open, of connections that the kernel side does not know; in order of their
    /// numbers.
    #[must_use]
    pub fn lost(&self) -> Vec<(u64, End)> {
        let mut ids: Vec<u64> = self.unfollowed.values().copied().collect();
        ids.sort_unstable();
        ids.dedup();
        let ends = ids.into_iter().flat_map(|id| [End::Client, End::Server].map(|end| (id, end)));
        ends.filter(|&(id, end)| self.get(id).is_some_and(|it| *it.end(end) == EndState::Unknown)).collect()
    }

    /// The number by which what a round found is known. That of a connection whose ends found no room at its start, or were
    /// forgotten, is not the kernel side's.
    #[must_use]
    pub fn number_of(&self, found: &Found) -> u64 {
        if !found.is_seed || self.connections.contains_key(&found.connection) {
            return found.connection;
        }
        let known = found.inodes().into_iter().find_map(|inode| self.unfollowed.get(&inode));
        known.copied().unwrap_or(found.connection)
    }

    /// Is it impossible to tell what a round found from a connection that is counted already? An accepted end is, whose client, which
    /// would tell, is gone, while there is a connection whose accepted end found no room, and whose client may be gone; and anything
    /// that no hook saw, once there are some that were `forgotten`.
    #[must_use]
    pub fn is_stranger(&self, found: &Found, forgotten: bool) -> bool {
        found.is_seed
            && !self.connections.contains_key(&self.number_of(found))
            && (forgotten || found.is_orphan() && !self.adrift.is_empty())
    }

    /// From now on what a round found is known by the number that it has there; tells whether it had another.
    pub(super) fn renumber(&mut self, found: &Found) -> bool {
        let known = self.number_of(found);
        if known == found.connection {
            return false;
        }
        let Some(mut connection) = self.forget(known) else { return false };
        connection.id = found.connection;
        connection.listener = found.listener;
        self.connections.insert(connection.id, connection);
        true
    }

    /// Takes out a connection, whether or not it is closed.
    pub fn forget(&mut self, id: u64) -> Option<Box<Connection>> {
        let connection = self.connections.remove(&id)?;
        if self.has_unfollowed() {
            self.adrift.remove(&id);
            self.follow(id, inodes(&connection));
        }
        Some(connection)
    }

    pub(super) fn has_unfollowed(&self) -> bool {
        !self.unfollowed.is_empty()
    }

    pub(super) fn insert(&mut self, connection: Connection) {
        self.connections.insert(connection.id, Box::new(connection));
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Connection> {
        self.connections.get_mut(&id).map(Box::as_mut)
    }

    /// Notes the stack of a connection's opener.
    pub fn tell_stack(&mut self, id: u64, stack: StackId) {
        if let Some(connection) = self.get_mut(id) {
            connection.stack = Some(stack);
        }
    }

    /// A connection that is not closed.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<&Connection> {
        self.connections.get(&id).map(Box::as_ref)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.connections.values().map(Box::as_ref)
    }
}

/// May an accepted end without a client be of this one? Not if its client is followed, and open.
fn may_be_orphan(connection: &Connection) -> bool {
    let is_client_there = connection.client.is_open() && connection.is_followed(End::Client);
    connection.is_untracked(End::Server) && !is_client_there
}

/// Those of both ends; 0 where one is not known.
fn inodes(connection: &Connection) -> [u64; 2] {
    [connection.client_inode, connection.accepted.as_ref().map_or(0, |accepted| accepted.inode)]
}

#[cfg(test)]
pub(super) mod tests;
