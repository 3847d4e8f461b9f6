//! Who refers to which end, by the last complete scan over all descriptors.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use crate::{
    attribution::who::Who,
    event::{End, Usage},
};

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

/// The last complete scan, and the one under way.
#[derive(Debug, Default)]
pub(super) struct Holders {
    complete: Option<Scan>,
    gathering: Option<Scan>,
}

#[derive(Debug, Default)]
struct Scan {
    ends: FxHashMap<(u64, End), Scanned>,
    listeners: Vec<(u64, Holder)>,
    /// Listener, pid and descriptor of each of these.
    named: FxHashSet<(u64, u32, u32)>,
}

/// What a descriptor scan told of an end.
#[derive(Debug, Default)]
struct Scanned {
    /// Nearly all have one.
    holders: SmallVec<[Holder; 1]>,
    /// How it was used, and when that was read: nanoseconds since boot.
    usage: Option<(u64, Usage)>,
}

impl Holders {
    pub(super) fn begin(&mut self) {
        self.gathering = Some(Scan::default());
    }

    pub(super) fn end(&mut self) {
        self.complete = self.gathering.take().or(self.complete.take());
    }

    /// `usage` was read at `at`: nanoseconds since boot.
    pub(super) fn add(&mut self, end: (u64, End), holder: Holder, at: u64, usage: Option<Usage>) {
        if let Some(scan) = &mut self.gathering {
            let scanned = scan.ends.entry(end).or_default();
            if !scanned.holders.iter().any(|known| known.is_same(&holder)) {
                scanned.holders.push(holder);
            }
            scanned.usage = usage.map(|usage| (at, usage));
        }
    }

    /// How an end was used by the last complete scan, and when that was read. None if that is not known.
    pub(super) fn usage(&self, end: (u64, End)) -> Option<(u64, Usage)> {
        self.complete.as_ref()?.ends.get(&end)?.usage
    }

    pub(super) fn add_listener(&mut self, listener: u64, holder: Holder) {
        if let Some(scan) = &mut self.gathering
            && scan.named.insert((listener, holder.who.actor.id.pid, holder.fd))
        {
            scan.listeners.push((listener, holder));
        }
    }

    /// None if no scan was completed: then nobody knows. An end that nobody holds is in flight, or its connection
    /// is younger than the scan.
    pub(super) fn of(&self, end: (u64, End)) -> Option<&[Holder]> {
        self.complete.as_ref().map(|scan| scan.ends.get(&end).map_or(&[][..], |it| it.holders.as_slice()))
    }

    pub(super) fn listeners(&self) -> impl Iterator<Item = (u64, &Holder)> {
        self.complete.iter().flat_map(|scan| &scan.listeners).map(|(listener, holder)| (*listener, holder))
    }

    /// Everybody who is named.
    pub(super) fn everybody(&self) -> impl Iterator<Item = &Who> {
        let scans = self.complete.iter().chain(&self.gathering);
        scans.flat_map(|scan| {
            let of_ends = scan.ends.values().flat_map(|scanned| &scanned.holders);
            of_ends.chain(scan.listeners.iter().map(|(_, holder)| holder)).map(|holder| &*holder.who)
        })
    }

    pub(super) fn forget(&mut self, connection: u64) {
        for scan in self.complete.iter_mut().chain(&mut self.gathering) {
            for end in [End::Client, End::Server] {
                scan.ends.remove(&(connection, end));
            }
        }
    }
}
