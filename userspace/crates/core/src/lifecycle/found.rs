//! Connections that a round over all descriptors found: those from before tracing enter the table, and those that are in it
//! are put right where records were lost.

use std::sync::Arc;

use super::{
    connection::{Accepted, Connection, EndState, Origin},
    table::{Anomaly, Change, Found, Table},
};
use crate::event::{End, Peer};

impl Table {
    /// Takes in what a round found. Returns what became of the connection, and whether it is new.
    ///
    /// # Errors
    /// If an end is found that was released: an end never opens again. If it is a stranger (see [`Table::is_stranger`]).
    pub fn find(&mut self, found: &Found) -> Result<(Change, bool), Anomaly> {
        let is_renumbered = self.renumber(found);
        let id = found.connection;
        if self.is_stranger(found, false) {
            return Err(Anomaly::Unknown);
        }
        let Some(connection) = self.get_mut(id) else {
            self.insert(Connection::found(found));
            return Ok((Change::Live(id), true));
        };
        if connection.end(found.end).is_released() {
            return Err(Anomaly::Repeated);
        }
        // The kernel side has followed it all the time, and only this table had lost sight of it.
        let is_met_again =
            !found.is_seed && ![End::Client, End::Server].iter().any(|end| connection.is_followed(*end));
        // One whose release would not be heard of is open now, and is looked for in every round.
        *connection.end_mut(found.end) = EndState::Open;
        connection.learn(found);
        if is_renumbered || is_met_again {
            connection.follow_both(found);
        }
        let other = connection.end_mut(other(found.end));
        match (found.peer, &other) {
            (Peer::Released, EndState::Open | EndState::Unknown) => {
                *other = EndState::ReleasedUnseen { known: Some(found.at) };
            }
            // It is entered with this one. One that was not accepted yet is in no descriptor table.
            (_, EndState::Unknown) if is_renumbered || is_met_again => *other = EndState::Open,
            _ => {}
        }
        self.settle(id).map(|change| (change, false))
    }
}

impl Connection {
    fn found(found: &Found) -> Self {
        let peer = match found.peer {
            Peer::Open(_) | Peer::Queued => EndState::Open,
            Peer::Released => EndState::ReleasedUnseen { known: None },
        };
        let (client, server) = match found.end {
            End::Client => (EndState::Open, peer),
            End::Server => (peer, EndState::Open),
        };
        let mut connection = Self {
            id: found.connection,
            listener: found.listener,
            opened: found.at,
            origin: if found.is_seed { Origin::BeforeTrace } else { Origin::StartLost },
            opener: Arc::clone(&found.opener),
            client_inode: 0,
            accepted: None,
            client,
            server,
            stack: None,
            followed: [false; 2],
        };
        connection.learn(found);
        connection.follow_both(found);
        connection
    }

    /// The kernel side enters the other end with one that it did not know: perhaps no descriptor leads to it. Of a connection that
    /// it knew it does not: an end that found no room there is in no list, and its absence from it says nothing.
    fn follow_both(&mut self, found: &Found) {
        if found.peer != Peer::Released {
            self.follow(other(found.end));
        }
    }

    /// What a descriptor tells beyond the state of the ends.
    fn learn(&mut self, found: &Found) {
        self.follow(found.end);
        let peer_inode = if let Peer::Open(inode) = found.peer { inode } else { 0 };
        let (client_inode, server_inode) = match found.end {
            End::Client => (found.inode, peer_inode),
            End::Server => (peer_inode, found.inode),
        };
        if self.client_inode == 0 {
            self.client_inode = client_inode;
        }
        // A server end in a descriptor table was accepted, whether or not a record said so.
        if server_inode != 0 {
            let accepted = self.accepted.get_or_insert(Accepted { at: None, by: None, inode: server_inode });
            if accepted.by.is_none() && found.end == End::Server {
                accepted.by = Some(Arc::clone(&found.holder));
            }
        }
        let is_guess = self.origin != Origin::Seen && self.opener.process.is_none();
        if is_guess && found.end == End::Client {
            self.opener = Arc::clone(&found.opener);
        }
    }
}

/// The end that is not this one.
#[must_use]
pub const fn other(end: End) -> End {
    match end {
        End::Client => End::Server,
        End::Server => End::Client,
    }
}

#[cfg(test)]
mod tests;
