//! What happens without an event: rounds over all descriptors find connections and holders, and lost releases are made up for.

use std::sync::Arc;

use sockleak_abi::PROCESSOR_BITS;

use super::{
    FoundConnection, Holder, Session, SocketId,
    books::{Unknown, Weight},
    notice::Kind,
    pending::Pending,
};
use crate::{
    event::{End, Held, HeldSocket, Peer, What},
    lifecycle::{Change, Found, LiveEnds, Moment, other},
};

impl Session {
    /// A descriptor that a round found.
    pub(super) fn held(&mut self, held: &Held) -> Option<Kind> {
        self.latest = held.at;
        let socket = match self.books.socket_of(held.listener) {
            Ok(socket) => socket?,
            Err(Unknown) => return Some(self.misfit()),
        };
        self.books.moment = held.at;
        let holder = self.processes.identify(held.holder);
        let (id, is_seed, end, peer, opener) = match held.socket {
            HeldSocket::End { connection, is_seed, end, peer, opener } => {
                (connection, is_seed, end, peer, opener)
            }
            HeldSocket::Listener { queue } => {
                self.books.sockets[socket.0].queue = Some(queue);
                self.learn_limit(held.listener, &holder);
                self.holders.add_listener(held.listener, Holder { who: holder, fd: held.fd });
                return None;
            }
        };
        let is_opener = end == End::Client && opener == Some(holder.actor.id.pid);
        let opener = if is_opener { Arc::clone(&holder) } else { self.processes.unknown(opener) };
        let found = Found {
            at: held.at,
            connection: id,
            is_seed,
            listener: held.listener,
            end,
            inode: held.inode,
            peer,
            holder: Arc::clone(&holder),
            opener,
        };
        if self.table.is_stranger(&found, self.forgotten > 0) {
            self.meet_stranger(id, peer);
            return Some(Kind::Stranger);
        }
        let known = self.table.get(self.table.number_of(&found));
        let (before, old) =
            (known.map(Weight::of).unwrap_or_default(), known.map(|connection| connection.opener.group));
        let was_open = known.is_some_and(|connection| connection.end(other(end)).is_open());
        self.highest = self.highest.max(id >> PROCESSOR_BITS);
        let Ok((change, is_new)) = self.table.find(&found) else { return Some(self.misfit()) };
        self.unseen += u64::from(was_open && peer == Peer::Released);
        // To one that waits in a queue no descriptor refers: it is found through the listener's.
        if held.inode != 0 {
            self.holders.add((id, end), Holder { who: holder, fd: held.fd }, held.at, held.usage);
        }
        if is_new {
            // It may have been a stranger as long as one was there that it could be.
            self.strangers.remove(&id);
            self.found.push(id, false);
            return Some(Kind::Found(id));
        }
        if self.is_pending(id) {
            // It is entered when the round is over, as it is then.
            return None;
        }
        self.changed(socket, before, change, false);
        if let (Some(old), Some(connection)) = (old, self.table.get(id))
            && connection.opener.group != old
        {
            self.books.rename(socket, connection, old);
        }
        None
    }

    /// A connection was found that may be one of those that are counted as unknown. It stays so: it is not known when it was made, nor
    /// by whom. That it is released later is no misfit.
    fn meet_stranger(&mut self, id: u64, peer: Peer) {
        /// Beyond that, their releases are misfits.
        const MOST: usize = 65_536;

        if self.strangers.len() < MOST {
            self.strangers.entry(id).or_insert(if peer == Peer::Released { 1 } else { 2 });
        }
    }

    /// Is an event about a connection that may be one of those that are counted as unknown?
    pub(super) fn is_strangers(&mut self, what: &What) -> bool {
        let Some(id) = what.connection() else { return false };
        let Some(ends) = self.strangers.get_mut(&id) else { return false };
        if matches!(what, What::Release { .. }) {
            *ends -= 1;
            if *ends == 0 {
                self.strangers.remove(&id);
            }
        }
        true
    }

    /// For a while nothing was watched: what is open still is for rounds to find.
    pub(super) fn unwatched(&mut self, since: u64, until: u64) {
        self.enter_found();
        self.latest = until;
        self.books.moment = until;
        // Both numbers are a recording's, which may be a stranger's.
        let (times, length) = self.blind;
        self.blind = (times.saturating_add(1), length.saturating_add(until.saturating_sub(since)));
        let Self { table, books, .. } = self;
        let mut before = Weight::default();
        table.lose_sight(|connection, moment| {
            let socket = books.followed(connection.listener).map(|followed| followed.socket);
            match (moment, socket) {
                (Moment::Before, _) => before = Weight::of(connection),
                (Moment::After, Some(socket)) => books.weigh(socket, connection, before),
                (Moment::After, None) => {}
            }
        });
    }

    /// What no round has found since nothing was watched; to be fed back as [`crate::event::Record::Gone`] when they are over.
    #[must_use]
    pub fn lost(&self) -> Vec<(u64, End)> {
        self.table.lost()
    }

    /// An end turned out to be released.
    pub(super) fn gone(&mut self, id: u64, end: End) -> Option<Kind> {
        if self.is_pending(id) {
            self.enter_found();
        }
        let known = self.table.get(id)?;
        let socket = self.books.followed(known.listener)?.socket;
        let before = Weight::of(known);
        let Ok(change) = self.table.gone(id, end, self.books.moment) else { return Some(self.misfit()) };
        self.unseen += 1;
        self.changed(socket, before, change, false);
        None
    }

    /// Counts what became of a connection.
    pub(super) fn changed(&mut self, socket: SocketId, before: Weight, change: Change, is_new: bool) {
        match change {
            Change::Live(id) => self.weigh_live(socket, id, before, is_new),
            Change::Closed(connection) => {
                self.books.weigh(socket, &connection, before);
                self.holders.forget(connection.id);
                self.closed = Some((socket, connection));
            }
        }
    }

    /// Is it a connection that a round has found, and that is not counted yet?
    pub(super) fn is_pending(&self, id: u64) -> bool {
        self.found.is_old(id).is_some()
    }

    /// At the end of a round: counts the connections that it has found. One whose opener is unknown waits for the next round:
    /// his descriptor may have come by before the other end was entered.
    pub(super) fn enter_known(&mut self) {
        let found = std::mem::take(&mut self.found);
        let mut unknown = Pending::default();
        for (id, is_old) in found.iter() {
            let connection = self.table.get(id);
            if is_old || connection.is_none_or(|it| it.opener.process.is_some()) {
                self.found.push(id, is_old);
            } else {
                unknown.push(id, true);
            }
        }
        self.enter_found();
        self.found = unknown;
    }

    /// Counts the connections that rounds have found, with what is known of them.
    pub(super) fn enter_found(&mut self) {
        for (id, _) in std::mem::take(&mut self.found).iter() {
            let listener = self.table.get(id).map(|connection| connection.listener);
            let socket = listener.and_then(|listener| Some(self.books.followed(listener)?.socket));
            if let Some(socket) = socket {
                self.weigh_live(socket, id, Weight::default(), true);
            }
        }
    }

    /// What is known of a connection by now, whether a round found it or its start was seen; None once it is closed.
    #[must_use]
    pub fn look_up(&self, id: u64) -> Option<FoundConnection<'_>> {
        let connection = self.table.get(id)?;
        let followed = self.books.followed(connection.listener)?;
        Some(FoundConnection {
            socket: &self.books.sockets[followed.socket.0],
            program: self.processes.name(connection.opener.program),
            open: followed.occupied,
            connection,
        })
    }

    /// The ends that lost records left open; see [`crate::lifecycle::Table::gone_by`]. To be fed back as
    /// [`crate::event::Record::Gone`].
    #[must_use]
    pub fn gone_by(&self, live: &LiveEnds, taken: u64) -> Vec<(u64, End)> {
        self.table.gone_by(live, taken)
    }
}
