//! What is over and was long ago makes room: a session of months takes no more memory than one of days.
//!
//! Programs with nothing open are counted together with others, sockets likewise; names that nothing refers to are forgotten. The
//! records alone decide when, so that a replay comes to the same.

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;

use super::{Session, SocketId, Tally, sockets::MOST_SOCKETS};
use crate::{
    attribution::{
        stacks::StackId,
        who::{ProgramId, Who},
    },
    event::End,
    lifecycle::{Connection, EndState},
};

/// Tallies of programs on sockets, of which each takes up to 40 KiB.
const MOST_TALLIES: usize = 4096;
/// Connections with an end whose release will not be heard of, since the kernel side had no room for it.
const MOST_UNFOLLOWED: usize = 4096;
/// Listeners that were closed: what happened before may be told after.
const MOST_CLOSED: usize = 1024;

/// From so many of each on, it is time to make room. Where hardly any could be made, it is not tried again at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Many {
    tallies: usize,
    listeners: usize,
    sockets: usize,
    unfollowed: usize,
}

impl Default for Many {
    fn default() -> Self {
        Self {
            tallies: MOST_TALLIES,
            listeners: 2 * MOST_CLOSED,
            sockets: MOST_SOCKETS,
            unfollowed: MOST_UNFOLLOWED,
        }
    }
}

/// What open connections refer to.
#[derive(Default)]
struct Used {
    listeners: FxHashSet<u64>,
    sockets: FxHashSet<SocketId>,
    tallies: FxHashSet<(SocketId, ProgramId)>,
    programs: FxHashSet<ProgramId>,
    groups: FxHashSet<ProgramId>,
    stacks: FxHashSet<StackId>,
}

impl Used {
    fn add(&mut self, connection: &Connection, socket: Option<SocketId>) {
        self.listeners.insert(connection.listener);
        if let Some(socket) = socket {
            self.sockets.insert(socket);
            self.tallies.insert((socket, connection.opener.group));
        }
        self.stacks.extend(connection.stack);
        let accepted = connection.accepted.as_ref().and_then(|accepted| accepted.by.as_deref());
        let ends = [&connection.client, &connection.server].into_iter().filter_map(|end| match end {
            EndState::Released { by, .. } => Some(&**by),
            EndState::Open | EndState::ReleasedUnseen { .. } | EndState::Unknown => None,
        });
        [&*connection.opener].into_iter().chain(accepted).chain(ends).for_each(|who| self.name(who));
    }

    fn name(&mut self, who: &Who) {
        self.programs.insert(who.program);
        self.groups.insert(who.group);
    }
}

impl Session {
    /// Is it time to make room?
    #[inline]
    pub(super) fn is_crowded(&self) -> bool {
        let many = &self.many;
        self.books.tallies.len() > many.tallies
            || self.books.listeners.len() > many.listeners
            || self.by_name.len() > many.sockets
            || self.unfollowed.len() > many.unfollowed
            || self.processes.is_crowded()
            || self.stacks.is_crowded()
    }

    /// Makes room.
    pub(super) fn make_room(&mut self) {
        self.forget_unfollowed();
        let mut used = Used::default();
        for connection in self.table.iter() {
            used.add(connection, self.socket_of_listener(connection.listener));
        }
        self.holders.everybody().for_each(|who| used.name(who));
        self.last = None;
        self.forget_listeners(&used);
        self.forget_sockets(&used);
        self.fold_tallies(&used);
        let Used { mut groups, programs, stacks, .. } = used;
        groups.extend(self.books.tallies.keys().map(|(_, group)| group));
        self.processes.keep_only(&groups, programs);
        self.stacks.keep_only(stacks);
        let next = |most: usize, left: usize| most.max(left + left / 4);
        let Many { tallies, listeners, sockets, unfollowed } = Many::default();
        self.many = Many {
            tallies: next(tallies, self.books.tallies.len()),
            listeners: next(listeners, self.books.listeners.len()),
            sockets: next(sockets, self.by_name.len()),
            unfollowed: next(unfollowed, self.unfollowed.len()),
        };
    }

    /// Of the connections with an end that cannot be followed, keeps those that were made last: when the others end will never
    /// be known. They are counted, and stay opened and not closed.
    fn forget_unfollowed(&mut self) {
        let is_unknown = |end: End, it: &Connection| *it.end(end) == EndState::Unknown;
        let table = &self.table;
        self.unfollowed.retain(|&id| {
            table.get(id).is_some_and(|it| is_unknown(End::Client, it) || is_unknown(End::Server, it))
        });
        if self.unfollowed.len() <= MOST_UNFOLLOWED {
            return;
        }
        let excess = self.unfollowed.len() - MOST_UNFOLLOWED / 4 * 3;
        for id in self.unfollowed.drain(..excess) {
            let Some(connection) = self.table.forget(id) else { continue };
            if let Some(followed) = self.books.followed(connection.listener) {
                let socket = followed.socket;
                self.books.lose(socket, &connection);
            }
            self.holders.forget(id);
            self.forgotten += 1;
        }
    }

    /// Of the listeners that are closed, and on which nothing is open, keeps those that were closed last.
    fn forget_listeners(&mut self, used: &Used) {
        let listeners = self.books.listeners.iter().filter(|(id, _)| !used.listeners.contains(id));
        let closed = listeners.filter_map(|(&id, followed)| Some((followed.closed?.0, id)));
        let mut closed: Vec<_> = closed.collect();
        closed.sort_unstable();
        closed.truncate(closed.len().saturating_sub(MOST_CLOSED));
        for (_, id) in closed {
            self.books.listeners.remove(&id);
        }
    }

    /// Of the sockets that nobody listens on, and on which nothing is open, those that were asked for longest ago become others.
    fn forget_sockets(&mut self, used: &Used) {
        let excess = self.by_name.len().saturating_sub(MOST_SOCKETS / 4 * 3);
        if self.by_name.len() <= MOST_SOCKETS {
            return;
        }
        let others = self.other_paths();
        let listening = self.books.listeners.values().filter(|it| it.closed.is_none()).map(|it| it.socket);
        let busy: FxHashSet<_> = listening.chain(used.sockets.iter().copied()).chain([others]).collect();
        let mut over: Vec<_> = self.by_name.values().copied().filter(|id| !busy.contains(id)).collect();
        over.sort_unstable_by_key(|id| (self.books.sockets[id.0].touched, *id));
        over.truncate(excess);
        let over: BTreeSet<_> = over.into_iter().collect();
        self.by_name.retain(|_, id| !over.contains(id));
        self.books.listeners.retain(|_, followed| !over.contains(&followed.socket));
        for id in over.iter().rev() {
            let timeline = self.books.sockets[id.0].timeline.clone();
            self.books.sockets[others.0].timeline.absorb(&timeline, self.books.moment);
            self.books.sockets[id.0].vacate();
            self.books.vacant.push(*id);
        }
        let mut moved: Vec<_> =
            self.books.tallies.keys().copied().filter(|(socket, _)| over.contains(socket)).collect();
        moved.sort_unstable();
        let group = self.processes.others();
        for tally in moved {
            self.move_tally(tally, (others, group));
        }
    }

    /// Of the programs that have nothing open on a socket, those that were busy there longest ago are counted together.
    fn fold_tallies(&mut self, used: &Used) {
        let excess = self.books.tallies.len().saturating_sub(MOST_TALLIES / 4 * 3);
        if self.books.tallies.len() <= MOST_TALLIES {
            return;
        }
        let others = self.processes.others();
        let tallies = self.books.tallies.iter();
        let is_over = |key: &(SocketId, ProgramId)| key.1 != others && !used.tallies.contains(key);
        let mut over: Vec<_> =
            tallies.filter(|(key, _)| is_over(key)).map(|(&key, tally)| (tally.touched, key)).collect();
        over.sort_unstable();
        over.truncate(excess);
        for (_, (socket, group)) in over {
            self.move_tally((socket, group), (socket, others));
        }
    }

    fn move_tally(&mut self, from: (SocketId, ProgramId), to: (SocketId, ProgramId)) {
        let Some(tally) = self.books.tallies.remove(&from) else { return };
        let moment = self.books.moment;
        self.books.tally(to.0, to.1).absorb(&tally, moment);
    }
}

impl Tally {
    /// Counts what another has counted, of which nothing is open.
    fn absorb(&mut self, other: &Self, now: u64) {
        self.record.absorb(&other.record);
        self.before_trace += other.before_trace;
        self.timeline.absorb(&other.timeline, now);
    }
}

#[cfg(test)]
mod tests;
