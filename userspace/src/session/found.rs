//! What happens without an event: rounds over all descriptors find connections and holders, and lost releases are made up for.

use super::{FoundConnection, Holder, Notice, Session, SocketId, Tally};
use crate::{
    attribution::who::ProgramId,
    event::{End, Held, HeldSocket},
    lifecycle::{Change, Connection, Found, LiveEnds},
};

impl Session {
    /// A descriptor that a round found.
    pub(super) fn held(&mut self, held: &Held) -> Option<Notice<'_>> {
        let socket = match self.listeners.get(&held.listener) {
            Some(followed) => (*followed)?.socket,
            None => return Some(self.misfit()),
        };
        let holder = self.processes.identify(held.holder);
        let HeldSocket::End { connection, is_seed, end, peer, opener } = held.socket else {
            self.holders.add_listener(held.listener, Holder { who: holder, fd: held.fd });
            return None;
        };
        let is_opener = end == End::Client && opener == Some(holder.actor.id.pid);
        let opener = if is_opener { holder.clone() } else { self.processes.unknown(opener) };
        let found = Found {
            at: held.at,
            connection,
            is_seed,
            listener: held.listener,
            end,
            inode: held.inode,
            peer,
            holder: holder.clone(),
            opener,
        };
        let before = self.table.get(connection).map(|known| (known.server.is_open(), known.opener.program));
        let Ok((change, is_new)) = self.table.find(&found) else { return Some(self.misfit()) };
        self.holders.add((connection, end), Holder { who: holder, fd: held.fd });
        self.settle(socket, before, &change, is_new)
    }

    /// An end turned out to be released.
    pub(super) fn gone(&mut self, connection: u64, end: End) -> Option<Notice<'_>> {
        let known = self.table.get(connection)?;
        let socket = self.listeners.get(&known.listener).copied().flatten()?.socket;
        let before = Some((known.server.is_open(), known.opener.program));
        let Ok(change) = self.table.gone(connection, end) else { return Some(self.misfit()) };
        self.settle(socket, before, &change, false)
    }

    /// Counts what became of a connection without an event. `before`: did its server end take a slot, and whose was it?
    fn settle(
        &mut self,
        socket: SocketId,
        before: Option<(bool, ProgramId)>,
        change: &Change,
        is_new: bool,
    ) -> Option<Notice<'_>> {
        let id = match change {
            Change::Live(id) => *id,
            Change::Closed(connection) => connection.id,
        };
        let (listener, is_open, program) = match change {
            Change::Closed(connection) => (connection.listener, false, connection.opener.program),
            Change::Live(id) => {
                let connection = self.table.get(*id)?;
                (connection.listener, connection.server.is_open(), connection.opener.program)
            }
        };
        if let Some(followed) = self.listeners.get_mut(&listener).and_then(Option::as_mut) {
            match (before.is_some_and(|(was_open, _)| was_open), is_open) {
                (false, true) => followed.occupied += 1,
                (true, false) => followed.occupied = followed.occupied.saturating_sub(1),
                _ => {}
            }
        }
        match before {
            None => self.tallies.entry((socket, program)).or_default().before_trace += 1,
            // Its opener became known: the count moves along.
            Some((_, old)) if old != program => {
                let was = self.tallies.entry((socket, old)).or_default();
                was.before_trace = was.before_trace.saturating_sub(1);
                if *was == Tally::default() {
                    self.tallies.remove(&(socket, old));
                }
                self.tallies.entry((socket, program)).or_default().before_trace += 1;
            }
            Some(_) => {}
        }
        if let Change::Closed(connection) = change {
            self.tallies.entry((socket, program)).or_default().closed += 1;
            self.forget(Some(connection));
        }
        is_new.then_some(Notice::Found(id))
    }

    /// What is known of a connection whose start was not seen; None once it is closed.
    #[must_use]
    pub fn found(&self, id: u64) -> Option<FoundConnection<'_>> {
        let connection = self.table.get(id)?;
        let followed = self.listeners.get(&connection.listener).copied().flatten()?;
        Some(FoundConnection {
            socket: &self.sockets[followed.socket.0],
            program: self.processes.name(connection.opener.program),
            open: followed.occupied,
            connection,
        })
    }

    pub(super) fn forget(&mut self, closed: Option<&Connection>) {
        if let Some(connection) = closed {
            self.holders.forget(connection.id);
        }
    }

    /// The ends that lost records left open; see [`crate::lifecycle::Table::gone_by`]. To be fed back as
    /// [`crate::event::Record::Gone`].
    #[must_use]
    pub fn gone_by(&self, live: &LiveEnds, taken: u64) -> Vec<(u64, End)> {
        self.table.gone_by(live, taken)
    }
}
