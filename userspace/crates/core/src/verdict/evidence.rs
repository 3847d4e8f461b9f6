//! What a judgement rests on. Times are nanoseconds since boot, programs are the caller's numbers.

use std::collections::BTreeMap;

use super::{history::History, lasting::Lasting, lifetimes::Lifetimes, starvation::Starvation, usage::Usage};

/// The user's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Age from which a connection counts as old, in nanoseconds.
    pub leak_age: u64,
}

/// The trace as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When it began; the same for all records.
    pub started: u64,
    /// Now.
    pub now: u64,
    /// Something is known to be missing.
    pub incomplete: bool,
}

/// How a client end was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The opener closed it, or dropped it otherwise while it lived on, as exec does.
    Closed,
    /// The opener exited or was killed.
    Ended,
    /// Another process than the opener was the last to hold it.
    ByAnother,
    /// The record was lost.
    Unseen,
}

/// How many client ends were released in each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Endings {
    /// See [`Ending::Closed`].
    pub closed: u64,
    /// See [`Ending::Ended`].
    pub ended: u64,
    /// See [`Ending::ByAnother`].
    pub by_another: u64,
    /// See [`Ending::Unseen`].
    pub unseen: u64,
}

impl Endings {
    fn add(&mut self, other: Self) {
        self.closed += other.closed;
        self.ended += other.ended;
        self.by_another += other.by_another;
        self.unseen += other.unseen;
    }
}

/// How crowded a socket was when something happened there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crowding {
    /// Slots in use: accepted server ends that are open.
    pub used: u64,
    /// Of those, whose client end is open and was opened by the program in question.
    pub own: u64,
    /// How many slots there are, if that is known.
    pub limit: Option<u64>,
    /// The accept queue had no room.
    pub queue_full: bool,
    /// The last accept before.
    pub last_accept: Option<u64>,
}

/// What the server did with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// It accepted it, and did not close it at once.
    Served,
    /// It accepted it and closed it at once, before the client did.
    ClosedAtOnce,
    /// It has not accepted it: how crowded the socket was when the client gave up.
    Queued(Crowding),
}

/// The release of a client end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientRelease {
    /// When the connection was made, or first seen.
    pub opened: u64,
    /// It is older than the trace.
    pub before_trace: bool,
    /// When the end was released; for [`Ending::Unseen`] when that was found out.
    pub at: u64,
    /// How.
    pub ending: Ending,
    /// A number of the process that opened it, other than that of any other process; 0 if it is not known.
    pub process: u64,
    /// What the server had done with it.
    pub reception: Reception,
}

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

    /// A connection was made, or found that is older than the trace.
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

    /// An attempt failed.
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

    /// Failed attempts by error number.
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

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is open.
    Open,
    /// It is not.
    Released {
        /// Since when. If the record was lost: when that was found out. None if it was released before the connection
        /// was first seen.
        at: Option<u64>,
    },
    /// Nothing is heard of it.
    Unknown,
}

/// A connection that is not released at both ends, as its opener has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenConnection {
    /// When it was made, or first seen.
    pub opened: u64,
    /// It is older than the trace.
    pub before_trace: bool,
    /// The opener is known from the connect itself.
    pub opener_seen: bool,
    /// The client's end.
    pub client: End,
    /// The server's.
    pub server: End,
    /// It was not accepted yet.
    pub queued: bool,
    /// The opener does not hold the client's end any more, another process does.
    pub inherited: bool,
    /// A number of the process that opened it, other than that of any other process; 0 if it is not known.
    pub process: u64,
    /// How it is used, where that is known.
    pub usage: Option<Usage>,
}

/// An accepted server end that is open though the client's is released, as the server program has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldEnd {
    /// When the client's end was released, or that was found out.
    pub since: u64,
    /// It was released before the trace; `since` is when it was first seen.
    pub before_trace: bool,
    /// Who holds it.
    pub keeper: Keeper,
}

/// Who holds a server end, as the program in question sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keeper {
    /// The program does.
    #[default]
    Itself,
    /// The program accepted it; no descriptor scan tells who holds it now.
    Presumed,
    /// The program is one of several that hold it, and it was not seen who accepted it.
    OneOfSeveral,
    /// The program accepted it, and only others hold it now.
    Another,
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

/// Slots that a program's connections take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The program that opened them.
    pub program: u32,
    /// How many, of those whose client end is open.
    pub slots: u64,
}

/// A socket now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketFacts {
    /// How many connections the server serves at a time, if that is known.
    pub limit: Option<u64>,
    /// That number is inferred from how the server accepts and closes.
    pub limit_is_inferred: bool,
    /// The number is not known, and the server may be full since before it was first seen: it closes at once whoever comes. One that
    /// closes after each answer looks the same.
    pub seems_full: bool,
    /// Slots in use: accepted server ends that are open.
    pub used: u64,
    /// Whose they are, in any order. What is missing from `used` belongs to clients that have gone.
    pub holders: Vec<Holder>,
    /// The last accept.
    pub last_accept: Option<u64>,
    /// When the youngest connection was made that the server has accepted: nanoseconds since boot.
    pub youngest_served: Option<u64>,
    /// Somebody waits for a slot, or was refused or turned away since the socket filled up.
    pub is_pressed: bool,
    /// Connections that anybody keeps there for longer than that program ever kept one that it closed itself.
    pub kept: u64,
    /// The longest that the server kept an end after its client had gone, and then closed: nanoseconds. None if it has
    /// closed none.
    pub linger: Option<u64>,
    /// Clients wait or fail, and the server has accepted nobody for longer than the leak age.
    pub is_stalled: bool,
}

impl SocketFacts {
    /// No slot is free. Not if the limit is unknown.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.used >= limit)
    }

    /// Nobody gets a slot, whether or not their number is known.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.is_full() || (self.limit.is_none() && self.is_stalled && self.used > 0)
    }

    /// Does this program hold more than half of the slots in use? It is then no victim of others.
    #[must_use]
    pub fn is_held_by(&self, program: u32) -> bool {
        let own = self.holders.iter().filter(|holder| holder.program == program);
        own.map(|holder| holder.slots).sum::<u64>().saturating_mul(2) > self.used
    }
}

#[cfg(test)]
mod tests;
