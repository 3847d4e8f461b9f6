//! What the lifecycles of a program's connections on one socket say about it.
//!
//! Pure: [`Record`]s take in what happens, in constant time an event and bounded memory; [`judge()`] looks at a record
//! and at what is open now. A false accusation is worse than a missing one: whatever is unknown accuses nobody.

mod advice;
mod evidence;
mod facts;
mod forecast;
mod growth;
mod hardship;
mod history;
mod judge;
mod keeping;
mod lasting;
mod lifetimes;
mod starvation;
mod trend;
mod usage;

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use advice::{Parties, advice};
pub use evidence::{Case, Record};
pub use facts::{
    ClientRelease, Crowding, End, Ending, Endings, HeldEnd, Holder, Keeper, Observation, OpenConnection,
    Reception, Settings, SocketFacts,
};
pub use judge::judge;
pub use lifetimes::Lifetimes;
pub use usage::{EndUse, Usage};

/// A conclusion about a program on a socket; the greater, the more severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// None of the others.
    Healthy,
    /// A number of old connections that does not grow.
    Pool,
    /// Too little was seen to say anything of what is open.
    Undecided,
    /// It never closes what it opens; the kernel does, at its exit.
    ExitOnly,
    /// What it opened or accepted is held by another process or program, and not by itself any more.
    Inherited,
    /// Its attempts fail although nobody keeps anything: the server is too small or too slow.
    Saturated,
    /// It gets no slot because others hold them: a victim.
    Starved,
    /// Its old connections look like a leak, with too little evidence to accuse it.
    Suspect,
    /// The server released its end, the client holds its own.
    StaleClient,
    /// As a server, it holds ends whose clients have gone.
    ServerLeak,
    /// Its old connections keep growing in number.
    ClientLeak,
}

impl Verdict {
    /// All, the most severe first.
    pub const ALL: [Self; 11] = [
        Self::ClientLeak,
        Self::ServerLeak,
        Self::StaleClient,
        Self::Suspect,
        Self::Starved,
        Self::Saturated,
        Self::Inherited,
        Self::ExitOnly,
        Self::Undecided,
        Self::Pool,
        Self::Healthy,
    ];

    /// Its name in text, JSON and arguments.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Pool => "pool",
            Self::Undecided => "undecided",
            Self::Saturated => "saturated",
            Self::Suspect => "suspect",
            Self::ExitOnly => "exit-only",
            Self::Inherited => "inherited",
            Self::Starved => "starved",
            Self::StaleClient => "stale-client",
            Self::ServerLeak => "server-leak",
            Self::ClientLeak => "client-leak",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no verdict has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no verdict; they are {}", Verdict::ALL.map(Verdict::name).join(", "))]
pub struct UnknownVerdict {
    /// The name.
    pub name: String,
}

impl FromStr for Verdict {
    type Err = UnknownVerdict;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|verdict| verdict.name() == name);
        named.ok_or_else(|| UnknownVerdict { name: name.to_owned() })
    }
}

/// Why a finding may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// Events were lost.
    EventsLost,
    /// So many of its connections were opened before tracing started: when they began and who opened them was not seen.
    BeforeTrace(u64),
    /// Of so many of its connections the opener was not seen, though they began after tracing started.
    OpenerUnknown(u64),
    /// Observed for too short a time to tell whether the number grows.
    TooEarly,
    /// So few were kept so far that a pool which is being filled would look the same.
    PerhapsFilling,
    /// It was a leak while more came; none came lately.
    Paused,
    /// Of so many of the program's connections it is not known whether an end is open, or since when it is not.
    UnknownEnds(u64),
    /// Of so many of the server ends that the program accepted it is not known who holds them now.
    KeeperUnknown(u64),
    /// How many slots there are is inferred from how the server accepts and closes.
    SlotsInferred,
    /// So many of the server ends are held by several programs, and it was not seen which of them accepted the connection.
    AcceptorUnknown(u64),
}

/// What was measured, beside a verdict. As a client, unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Connections that it opened.
    pub opened: u64,
    /// Of those, released at both ends.
    pub closed: u64,
    /// The longest that a connection of this finding lasts, in nanoseconds: from its start; for stale ends from the
    /// server's release; for a server's leak from the client's. Of healthy programs: of all that is open.
    pub oldest_ns: Option<u64>,
    /// Half of the client ends that were released lived no longer than this, in nanoseconds.
    pub p50_ns: Option<u64>,
    /// And 99 % of them no longer than this.
    pub p99_ns: Option<u64>,
    /// Failed connects by error number.
    pub failed: BTreeMap<i32, u64>,
    /// By how many an hour its old client ends grow; for a server's leak the ends that it holds. None if the
    /// observation is too short.
    pub growth_per_hour: Option<f64>,
    /// Slots in use on the socket, by everybody.
    pub slots_used: u64,
    /// How many there are.
    pub slots_limit: Option<u64>,
    /// Until all slots are used at this growth: of leaks only. 0 if they are.
    pub seconds_until_full: Option<u64>,
    /// Nanoseconds that have to be observed to decide. Of undecided programs only; None if no time is enough.
    pub needed_ns: Option<u64>,
    /// Processes of the program that keep the connections of this finding.
    pub processes: u64,
    /// Of the connections of this finding, those that are known to be unused.
    pub unused: u64,
    /// All of a pool's connections are known to be used.
    pub is_used: bool,
}

/// What a victim suffers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hardship {
    /// Failed connects.
    pub refused: u64,
    /// Connections that it gave up while they were queued.
    pub abandoned: u64,
    /// Connections that are queued for longer than the leak age.
    pub waiting: u64,
    /// Connections that the server accepted and closed at once, while it served as many others as it can.
    pub turned_away: u64,
    /// It still gets nothing.
    pub goes_on: bool,
    /// Who holds the slots now, most first, without the victim. Empty if it is over.
    pub holders: Vec<Holder>,
    /// Slots that belong to nobody any more: the server has not released them. 0 if it is over.
    pub held_by_server: u64,
}

/// A verdict with what it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The verdict.
    pub verdict: Verdict,
    /// Connections (of a starved program: failed connects and connections) that carry it.
    pub count: u64,
    /// Of those, server ends that the program accepted and others hold. 0 unless the verdict is [`Verdict::Inherited`].
    pub accepted: u64,
    /// What was measured.
    pub figures: Figures,
    /// Of a starved program; and of an undecided one that may be starved.
    pub hardship: Option<Hardship>,
    /// Why it may be wrong.
    pub uncertain: Vec<Doubt>,
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod simulate;
#[cfg(test)]
mod tests;
