//! One answer for many hosts: which program leaks on which socket, on how many hosts and on which. Pure.
//!
//! Each recording is judged alone. [`HostAnswer`] takes in what the recordings of one host show, [`Fleet`] adds up hosts, and
//! [`Merged`] is the result, worst first. Neither the order of recordings nor that of hosts matters.

mod forms;
mod host;
mod merge;
#[cfg(test)]
mod tests;
mod text;

use serde::Serialize;
use sockleak_core::{assess::Loss, attribution::by::By, verdict::Verdict};

pub use forms::write;
pub use host::{HostAnswer, Moment, Recorded};
pub use merge::Fleet;

/// Version of the form in JSON, which `docs/fleet.schema.json` describes. It grows when a reader has to change.
pub const SCHEMA_VERSION: u32 = 1;

/// The findings of many hosts, merged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Merged {
    /// `fleet`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// See [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What findings are grouped by.
    pub by: By,
    /// Hosts with at least one recording that was read.
    pub hosts: u64,
    /// Recordings that were read.
    pub recordings: u64,
    /// Of those, recordings that are still being written, or that were broken off.
    pub unfinished: u64,
    /// Recordings with nothing of the part that `--since` and `--until` mean.
    pub outside: u64,
    /// Nothing is known to be missing: every recording was read, and each is complete.
    pub complete: bool,
    /// What could not be read.
    pub unreadable: Vec<Unreadable>,
    /// Hosts with an incomplete recording.
    pub incomplete: HostList,
    /// What is missing there, a sentence each, the one of most hosts first.
    pub incomplete_because: Vec<Reason>,
    /// What was lost on all hosts together.
    pub losses: Vec<LossOnHosts>,
    /// The leak ages that recordings were judged with.
    pub leak_ages: Vec<LeakAge>,
    /// The verdicts on each program on each socket, worst first. Healthy and undecided programs are not among them.
    pub findings: Vec<FleetFinding>,
    /// Programs of which too little was seen to judge them.
    pub undecided: Vec<FleetFinding>,
    /// Pairs of program and socket that are healthy on every host.
    pub healthy: u64,
    /// Pairs of program and socket that were left out: there were too many.
    pub left_out: u64,
}

/// A recording or a store that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unreadable {
    /// The file or directory.
    pub file: String,
    /// Why, and what to do.
    pub because: String,
}

/// Hosts: how many, and the first of them by name or by connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HostList {
    /// How many there are.
    pub count: u64,
    /// Those with the most connections; all of them, or a bounded number.
    pub named: Vec<NamedHost>,
}

/// A host of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamedHost {
    /// Its name.
    pub host: String,
    /// Connections there that have the verdict. 0 where the list is not about connections.
    pub count: u64,
}

/// A sentence on what is missing, and the hosts that it is true of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The sentence.
    pub because: String,
    /// The hosts.
    pub hosts: HostList,
}

/// What was lost at a hook, on all hosts together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LossOnHosts {
    /// The hook, what was lost and how often.
    #[serde(flatten)]
    pub loss: Loss,
    /// On how many hosts.
    pub hosts: u64,
}

/// A leak age, and how many hosts were judged with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LeakAge {
    /// Nanoseconds.
    pub leak_age_ns: u64,
    /// On how many hosts.
    pub hosts: u64,
}

/// When the first server is full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirstFull {
    /// The host.
    pub host: String,
    /// Until all slots are in use, at the present growth. 0 if they are.
    pub seconds: u64,
}

/// A build of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Build {
    /// Build id of its executable, from stacks.
    pub build_id: String,
    /// Hosts that run it.
    pub hosts: HostList,
}

/// A verdict on a program on a socket, over all hosts that have it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FleetFinding {
    /// The verdict.
    pub verdict: Verdict,
    /// The socket.
    pub path: String,
    /// The program, or the group that it was asked for instead.
    pub program: String,
    /// The hosts with this verdict, those with the most connections first.
    pub hosts: HostList,
    /// Hosts on which the program used the socket, whatever the verdict.
    pub of_hosts: u64,
    /// Connections that carry the verdict, on all hosts together. Of a starved program: failed connects and connections.
    pub count: u64,
    /// Connections that the program opened there, with those from before the trace.
    pub opened: u64,
    /// Of those, released at both ends.
    pub closed: u64,
    /// The longest that one of the connections lasts, in nanoseconds.
    pub oldest_ns: Option<u64>,
    /// By how many an hour the connections grow, on all hosts together. None if no host's growth is known.
    pub growth_per_hour: Option<f64>,
    /// The host whose server is full first. None if that is known of none.
    pub first_full: Option<FirstFull>,
    /// Hosts on which there is a reason to doubt the verdict.
    pub uncertain_hosts: u64,
    /// Hosts whose verdict is of an earlier recording: the last one did not show enough of the program.
    pub earlier_hosts: u64,
    /// Builds of the program, where stacks tell them; that of most hosts first.
    pub builds: Vec<Build>,
    /// Of an undecided program: the nanoseconds that still have to be observed on the host that is closest. None if no time is
    /// known to be enough.
    pub missing_ns: Option<u64>,
}

impl FleetFinding {
    /// Does the verdict accuse the program of a leak?
    #[must_use]
    pub const fn is_accused(&self) -> bool {
        matches!(self.verdict, Verdict::ClientLeak | Verdict::ServerLeak | Verdict::StaleClient)
    }
}
