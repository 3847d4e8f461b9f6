//! All connections that are not closed at both ends.

use rustc_hash::FxHashMap;

use super::connection::{Accepted, Connection, EndState};
use crate::{
    attribution::who::Who,
    event::{End, Reason, What},
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

/// The connections that are not closed, by number.
#[derive(Debug, Default)]
pub struct Table {
    connections: FxHashMap<u64, Box<Connection>>,
}

impl Table {
    /// Takes in an event about a connection; others are none of its business and change nothing.
    ///
    /// # Errors
    /// If the event does not fit: then the table stays as it is.
    pub fn apply(&mut self, at: u64, who: Who, what: &What) -> Result<Option<Change>, Anomaly> {
        match *what {
            What::Connect { connection, .. } => {
                self.connect(at, who, what).map(|()| Some(Change::Live(connection)))
            }
            What::Accept { connection, server_inode, .. } => {
                self.accept(connection, Accepted { at, by: who, inode: server_inode }).map(Some)
            }
            What::Release { connection, end, reason, .. } => {
                self.release(connection, end, at, who, reason).map(Some)
            }
            What::ListenerClosed { .. } | What::Attempt { .. } => Ok(None),
        }
    }

    fn connect(&mut self, at: u64, opener: Who, what: &What) -> Result<(), Anomaly> {
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
        let connection =
            Connection { id, listener, opened: at, opener, client_inode, accepted: None, client, server };
        self.connections.insert(id, Box::new(connection));
        Ok(())
    }

    fn accept(&mut self, id: u64, accepted: Accepted) -> Result<Change, Anomaly> {
        let connection = self.connections.get_mut(&id).ok_or(Anomaly::Unknown)?;
        if connection.accepted.is_some() {
            return Err(Anomaly::Repeated);
        }
        connection.accepted = Some(accepted);
        Ok(Change::Live(id))
    }

    fn release(&mut self, id: u64, end: End, at: u64, by: Who, reason: Reason) -> Result<Change, Anomaly> {
        let connection = self.connections.get_mut(&id).ok_or(Anomaly::Unknown)?;
        let state = connection.end_mut(end);
        if state.is_released() {
            return Err(Anomaly::Repeated);
        }
        *state = EndState::Released { at, by, reason };
        if connection.client.is_released() && connection.server.is_released() {
            let closed = self.connections.remove(&id).ok_or(Anomaly::Unknown)?;
            return Ok(Change::Closed(closed));
        }
        Ok(Change::Live(id))
    }

    /// A connection that is not closed.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<&Connection> {
        self.connections.get(&id).map(Box::as_ref)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.connections.values_mut().map(Box::as_mut)
    }

    /// Forgets and returns the connections that are released at both ends.
    pub(super) fn take_closed(&mut self) -> Vec<Connection> {
        let is_closed = |_: &u64, connection: &mut Box<Connection>| {
            connection.client.is_released() && connection.server.is_released()
        };
        let mut closed: Vec<_> = self.connections.extract_if(is_closed).map(|(_, it)| *it).collect();
        closed.sort_by_key(|connection| connection.id);
        closed
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.connections.values().map(Box::as_ref)
    }
}

#[cfg(test)]
pub(super) mod tests;
