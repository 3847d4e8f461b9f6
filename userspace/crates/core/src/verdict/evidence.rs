//! What a judgement rests on: what a program has done on a socket, and what it has open there.

use std::collections::BTreeMap;

use super::{
    facts::{ClientRelease, Crowding, Ending, Endings, HeldEnd, OpenConnection, Reception, Settings},
    history::History,
    lasting::Lasting,
    lifetimes::Lifetimes,
    starvation::Starvation,
};

/// What a program has done on a socket as a client; the connections that are open now are kept elsewhere. Each method
/// takes constant time, but for steps that become ever rarer, and memory stays below 30 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    leak_age: u64,
    pub(super) opened: u64,
    pub(super) closed: u64,
    pub(super) failed: BTreeMap<i32, u64>,
    pub(super) endings: Endings,
    pub(super) lifetimes: Lifetimes,
    pub(super) lasting: Lasting,
    pub(super) history: History,
    pub(super) starvation: Starvation,
    /// When the last connection was made that the server served, and that was then released: nanoseconds since boot.
    pub(super) last_served: Option<u64>,
}

impl Record {
    /// An empty one. Start and leak age are those of the observation and the settings that it is judged with.
    #[must_use]
    pub fn new(started: u64, settings: &Settings) -> Self {
        Self {
            leak_age: settings.leak_age,
            opened: 0,
            closed: 0,
            failed: BTreeMap::new(),
            endings: Endings::default(),
            lifetimes: Lifetimes::default(),
            lasting: Lasting::default(),
            history: History::new(started),
            starvation: Starvation::default(),
            last_served: None,
        }
    }

    /// A connection was made, or found that was opened before tracing started.
    pub fn open(&mut self) {
        self.opened += 1;
    }

    /// A connection that was counted turns out to be another program's. Its client end must not be released yet.
    pub fn disown(&mut self) {
        self.opened = self.opened.saturating_sub(1);
    }

    /// A client end was released.
    pub fn release(&mut self, release: &ClientRelease) {
        let &ClientRelease { opened, before_trace, at, ending, process, reception } = release;
        let ways = &mut self.endings;
        let way = match ending {
            Ending::Closed => &mut ways.closed,
            Ending::Ended => &mut ways.ended,
            Ending::ByAnother => &mut ways.by_another,
            Ending::Unseen => &mut ways.unseen,
        };
        *way += 1;
        if ending != Ending::Unseen && !before_trace {
            self.lifetimes.add(at.saturating_sub(opened));
        }
        let life = at.saturating_sub(opened);
        let is_accepted = !matches!(reception, Reception::Queued(_));
        if is_accepted && life >= self.leak_age / 2 {
            self.lasting.add(at, life, process, ending);
        }
        if reception == Reception::Served {
            self.last_served = self.last_served.max(Some(opened));
        }
        if let Reception::Queued(crowding) = reception {
            // Who waits in a queue is not served: that is no use of a connection, and no sign of a leak.
            self.starvation.abandoned(opened, at, &crowding, self.leak_age);
        } else if life >= self.leak_age {
            let first = if before_trace { self.history.started() } else { opened };
            self.history.add(first.saturating_add(self.leak_age), at);
        }
    }

    /// Both ends of a connection are released.
    pub fn close(&mut self) {
        self.closed += 1;
    }

    /// A connect failed.
    pub fn fail(&mut self, at: u64, errno: i32, crowding: &Crowding) {
        *self.failed.entry(errno).or_default() += 1;
        self.starvation.refused(at, errno, crowding);
    }

    /// The server closed a connection right after it was accepted, while so many others stayed open: `level`.
    pub fn turn_away(&mut self, at: u64, level: u64) {
        self.starvation.turned_away(at, level);
    }

    /// Counts what another one has counted, of which nothing is open any more. When its connections were old, and what it suffered,
    /// is forgotten: a judgement of both together says nothing of either.
    pub fn absorb(&mut self, other: &Self) {
        self.opened += other.opened;
        self.closed += other.closed;
        for (&errno, count) in &other.failed {
            *self.failed.entry(errno).or_default() += count;
        }
        self.endings.add(other.endings);
        self.lifetimes.merge(&other.lifetimes);
    }

    /// The age, in nanoseconds, from which a connection has outlasted all that the program was seen to end.
    #[must_use]
    pub fn natural_age(&self) -> u64 {
        self.lasting.natural_age(self.leak_age, self.endings.closed > 0, |_| true)
    }

    /// It was refused or turned away while all slots were in use, where there are `limit`. Where that is inferred, who was never
    /// served, nor is now (neither then `is_sure`), may be answered like that always.
    #[must_use]
    pub fn was_refused(&self, limit: Option<u64>, is_sure: bool) -> bool {
        self.starvation.was_refused(limit.filter(|_| is_sure || self.last_served.is_some()))
    }

    /// Its attempts have failed for longer than the leak age since the last accept.
    #[must_use]
    pub fn is_stalled(&self, last_accept: Option<u64>) -> bool {
        self.starvation.is_stalled(last_accept, self.leak_age)
    }

    /// Connections made.
    #[must_use]
    pub const fn opened(&self) -> u64 {
        self.opened
    }

    /// Of those, released at both ends.
    #[must_use]
    pub const fn closed(&self) -> u64 {
        self.closed
    }

    /// Failed connects by error number.
    #[must_use]
    pub const fn failed(&self) -> &BTreeMap<i32, u64> {
        &self.failed
    }

    /// How client ends were released.
    #[must_use]
    pub const fn endings(&self) -> Endings {
        self.endings
    }

    /// From start to release of the client end, of those of which both were seen.
    #[must_use]
    pub const fn lifetimes(&self) -> &Lifetimes {
        &self.lifetimes
    }
}

/// A program on a socket.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The program.
    pub program: u32,
    /// What it did as a client.
    pub record: &'a Record,
    /// Its connections that are not released at both ends.
    pub open: &'a [OpenConnection],
    /// What it holds as a server.
    pub held: &'a [HeldEnd],
}

#[cfg(test)]
mod tests;
