//! Who refers to which end, by the last complete round over all descriptors.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use crate::{attribution::who::Who, event::End};

/// A process with a descriptor of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process.
    pub who: Arc<Who>,
    /// The descriptor.
    pub fd: u32,
}

impl Holder {
    /// Once the first thread of a process has ended, the kernel shows the table that its threads share once for each of them.
    fn is_same(&self, other: &Self) -> bool {
        let process = |it: &Self| (it.who.actor.id.pid, it.who.actor.id.start);
        self.fd == other.fd && process(self) == process(other)
    }
}

/// The last complete round, and the one under way.
#[derive(Debug, Default)]
pub(super) struct Holders {
    complete: Option<Round>,
    gathering: Option<Round>,
}

#[derive(Debug, Default)]
struct Round {
    /// Nearly all have one.
    ends: FxHashMap<(u64, End), SmallVec<[Holder; 1]>>,
    listeners: Vec<(u64, Holder)>,
    /// Listener, pid and descriptor of each of these.
    named: FxHashSet<(u64, u32, u32)>,
}

impl Holders {
    pub(super) fn begin(&mut self) {
        self.gathering = Some(Round::default());
    }

    pub(super) fn end(&mut self) {
        self.complete = self.gathering.take().or(self.complete.take());
    }

    pub(super) fn add(&mut self, end: (u64, End), holder: Holder) {
        if let Some(round) = &mut self.gathering {
            let holders = round.ends.entry(end).or_default();
            if !holders.iter().any(|known| known.is_same(&holder)) {
                holders.push(holder);
            }
        }
    }

    pub(super) fn add_listener(&mut self, listener: u64, holder: Holder) {
        if let Some(round) = &mut self.gathering
            && round.named.insert((listener, holder.who.actor.id.pid, holder.fd))
        {
            round.listeners.push((listener, holder));
        }
    }

    /// None if no round was completed: then nobody knows. An end that nobody holds is in flight, or its connection
    /// is younger than the round.
    pub(super) fn of(&self, end: (u64, End)) -> Option<&[Holder]> {
        self.complete.as_ref().map(|round| round.ends.get(&end).map_or(&[][..], SmallVec::as_slice))
    }

    pub(super) fn listeners(&self) -> impl Iterator<Item = (u64, &Holder)> {
        self.complete.iter().flat_map(|round| &round.listeners).map(|(listener, holder)| (*listener, holder))
    }

    /// Everybody who is named.
    pub(super) fn everybody(&self) -> impl Iterator<Item = &Who> {
        let rounds = self.complete.iter().chain(&self.gathering);
        rounds.flat_map(|round| {
            let of_ends = round.ends.values().flatten();
            of_ends.chain(round.listeners.iter().map(|(_, holder)| holder)).map(|holder| &*holder.who)
        })
    }

    pub(super) fn forget(&mut self, connection: u64) {
        for round in self.complete.iter_mut().chain(&mut self.gathering) {
            for end in [End::Client, End::Server] {
                round.ends.remove(&(connection, end));
            }
        }
    }
}
