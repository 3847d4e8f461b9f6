//! What the caller tells of: the time of tracing, what happens to a program's connections, and what is open of them. Times are nanoseconds
//! since boot, programs are the caller's numbers.

use super::usage::Usage;

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
    pub(super) fn add(&mut self, other: Self) {
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
    /// It was opened before tracing started.
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
    /// It was opened before tracing started.
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
    /// It was released before tracing started; `since` is when it was first seen.
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
