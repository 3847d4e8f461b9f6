//! What the service knows at a moment, without the single connections: what metrics, alerts and the page are made of.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use serde::{Deserialize, Serialize};
use sockleak_core::{
    assess::{
        Coverage, Loss,
        findings::FindingReport,
        stacks::{self, StackReport},
    },
    attribution::limits::Limit,
    event::{Queue, name::shown_without_padding},
    lifecycle::{Connection, State},
    session::Session,
    text::errno_name,
    time::Clock,
    verdict::{Endings, Lifetimes},
};

use crate::probe::status::HookStatus;

/// Upper bounds of the lifetimes' buckets, in seconds: from a health check's to a leak's.
pub const LIFETIME_BOUNDS: [f64; 12] =
    [0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 3600.0, 86_400.0];

/// What is known at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When: milliseconds since 1970, UTC.
    pub at_ms: i64,
    /// Since when figures count: likewise.
    pub started_ms: i64,
    /// Name of the host.
    pub host: String,
    /// The kernel's release.
    pub kernel: String,
    /// Of sockleak.
    pub version: Cow<'static, str>,
    /// The targets as given.
    pub targets: Vec<String>,
    /// Age from which a connection counts as old, in nanoseconds.
    pub leak_age_ns: u64,
    /// Nothing is known to be missing.
    pub complete: bool,
    /// What is missing, a sentence each.
    pub incomplete_because: Vec<String>,
    /// What was lost.
    pub losses: Vec<Loss>,
    /// Failed connects that may be missing at most.
    pub skipped_runs: u64,
    /// Ends of which it is not known when they were released and by whom.
    pub unseen_releases: u64,
    /// How each hook came out.
    pub hooks: Vec<HookStatus>,
    /// The sockets, by path.
    pub sockets: Vec<SocketSnapshot>,
    /// The verdicts, the most severe first.
    pub findings: Vec<FindingReport>,
    /// The stacks that most of the connections of findings come from, where stacks were taken.
    pub stacks: Vec<StackReport>,
}

/// A socket at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SocketSnapshot {
    /// Its path, or `@name`.
    pub path: String,
    /// Slots in use.
    pub slots: u64,
    /// How many there are, and how that is known.
    pub limit: Option<Limit>,
    /// Backlog of the listener that was described last.
    pub backlog: Option<u32>,
    /// Its accept queue, where that is known.
    pub queue: Option<Queue>,
    /// Time since the last accept that was seen, in nanoseconds.
    pub since_accept_ns: Option<u64>,
    /// Connections that are not closed, by state.
    pub states: BTreeMap<State, u64>,
    /// Age of the oldest of them, in nanoseconds.
    pub oldest_ns: Option<u64>,
    /// The shortest time until all slots are used that a finding predicts, in seconds.
    pub seconds_until_full: Option<u64>,
    /// Who connects there.
    pub programs: Vec<ProgramSnapshot>,
    /// How long client ends lived that were released: for each of [`LIFETIME_BOUNDS`], how many no longer than that; the last
    /// counts all.
    pub lifetimes: Vec<u64>,
    /// The sum of those times, in seconds.
    pub lifetimes_seconds: f64,
}

/// A program, or another group, at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgramSnapshot {
    /// Its name.
    pub program: String,
    /// Connections that it was seen to open.
    pub opened: u64,
    /// Connections that were there before.
    pub before_trace: u64,
    /// Of both, released at both ends.
    pub closed: u64,
    /// Client ends not released.
    pub open_client: u64,
    /// Server ends not released.
    pub open_server: u64,
    /// Client ends not released and older than the leak age.
    pub old_client: u64,
    /// How its client ends were released.
    pub endings: Endings,
    /// Failed connects by error.
    pub failed: BTreeMap<String, u64>,
}

/// What does not come from the session.
#[derive(Clone, Debug)]
pub struct Surroundings<'a> {
    /// Turns times since boot into time of day.
    pub clock: &'a Clock,
    /// Name of the host.
    pub host: &'a str,
    /// The kernel's release.
    pub kernel: &'a str,
    /// How each hook came out.
    pub hooks: &'a [HookStatus],
}

impl Snapshot {
    /// Is it a name on which nobody listened, and to which connects failed? Where a target stands for any number of names,
    /// whoever likes can make as many such: they must not take the place of what is watched.
    #[must_use]
    pub fn is_only_tried(&self, socket: &SocketSnapshot) -> bool {
        let is_open =
            |target: &String| !target.starts_with(['/', '@']) || target.contains(['*', '?', '[', '{']);
        // Padded in any of a hundred ways, an abstract name is a name of its own each time.
        let is_padded = shown_without_padding(&socket.path) != socket.path;
        socket.was_only_tried()
            && (is_padded || self.targets.iter().any(is_open))
            && !self.targets.contains(&socket.path)
    }

    /// Takes it.
    #[must_use]
    pub fn new(session: &Session, frame: &Coverage, around: &Surroundings<'_>) -> Self {
        let incomplete_because = frame.missing(session);
        let findings =
            sockleak_core::assess::findings::findings(session, frame.now, !incomplete_because.is_empty());
        let milliseconds = |at: u64| around.clock.timestamp(at).as_millisecond();
        Self {
            at_ms: milliseconds(frame.now),
            started_ms: milliseconds(session.settings().started),
            host: around.host.to_owned(),
            kernel: around.kernel.to_owned(),
            version: Cow::Borrowed(env!("CARGO_PKG_VERSION")),
            targets: session.targets().map(str::to_owned).collect(),
            leak_age_ns: session.settings().leak_age,
            complete: incomplete_because.is_empty(),
            incomplete_because,
            losses: frame.losses.clone(),
            skipped_runs: frame.skipped_runs,
            unseen_releases: session.unseen_releases(),
            hooks: around.hooks.to_vec(),
            sockets: sockets(session, frame.now, &findings),
            stacks: stacks::numbered(session, findings.iter().flat_map(FindingReport::shown_stacks)),
            findings,
        }
    }
}

/// The sockets, by path, with what findings say of them.
pub(crate) fn sockets(session: &Session, now: u64, findings: &[FindingReport]) -> Vec<SocketSnapshot> {
    let mut until_full: HashMap<&str, u64> = HashMap::new();
    for finding in findings {
        if let Some(seconds) = finding.seconds_until_full {
            let soonest = until_full.entry(&finding.path).or_insert(seconds);
            *soonest = (*soonest).min(seconds);
        }
    }
    let mut all: Vec<SocketSnapshot> = session
        .sockets()
        .iter()
        .map(|socket| SocketSnapshot {
            path: socket.name.clone(),
            slots: socket.slots,
            limit: socket.limit,
            backlog: socket.backlog,
            queue: socket.queue,
            since_accept_ns: socket.last_accept.map(|at| now.saturating_sub(at)),
            states: BTreeMap::new(),
            oldest_ns: None,
            seconds_until_full: until_full.get(socket.name.as_str()).copied(),
            programs: Vec::new(),
            lifetimes: vec![0; LIFETIME_BOUNDS.len() + 1],
            lifetimes_seconds: 0.0,
        })
        .collect();
    let mut places = BTreeMap::new();
    for (socket, program, tally) in session.tallies() {
        let its = &mut all[socket.0];
        its.add_lifetimes(tally.record.lifetimes());
        places.insert((socket, program), its.programs.len());
        let failed = tally.record.failed().iter().map(|(&errno, &count)| (errno_name(errno), count));
        its.programs.push(ProgramSnapshot {
            program: session.program(program).to_owned(),
            opened: tally.opened(),
            before_trace: tally.before_trace,
            closed: tally.record.closed(),
            open_client: 0,
            open_server: 0,
            old_client: 0,
            endings: tally.record.endings(),
            failed: failed.collect(),
        });
    }
    for (socket, connection) in session.open() {
        let place = places.get(&(socket, connection.opener.group)).copied();
        all[socket.0].add(connection, place, now, session.settings().leak_age);
    }
    // One that is looked for no more is there until its last connection is closed.
    let is_over: Vec<_> = session.sockets().iter().map(|socket| socket.is_retired).collect();
    let mut is_over = is_over.into_iter();
    all.retain(|socket| !is_over.next().unwrap_or(false) || !socket.states.is_empty());
    all
}

impl SocketSnapshot {
    fn was_only_tried(&self) -> bool {
        let connected = |it: &ProgramSnapshot| it.opened + it.before_trace > 0;
        let was_tried = !self.programs.is_empty() && !self.programs.iter().any(connected);
        was_tried && self.backlog.is_none() && self.states.is_empty()
    }

    fn add_lifetimes(&mut self, lifetimes: &Lifetimes) {
        for (duration, count) in lifetimes.iter() {
            let seconds = duration as f64 / 1e9;
            self.lifetimes_seconds += seconds * count as f64;
            let first = LIFETIME_BOUNDS.partition_point(|&bound| bound < seconds);
            for bucket in &mut self.lifetimes[first..] {
                *bucket += count;
            }
        }
    }

    fn add(&mut self, connection: &Connection, program: Option<usize>, now: u64, leak_age: u64) {
        let age = connection.age(now);
        *self.states.entry(connection.state()).or_default() += 1;
        self.oldest_ns = self.oldest_ns.max(Some(age));
        if let Some(its) = program.and_then(|place| self.programs.get_mut(place)) {
            its.open_client += u64::from(connection.client.is_open());
            its.open_server += u64::from(connection.server.is_open());
            its.old_client += u64::from(connection.client.is_open() && age >= leak_age);
        }
    }
}

/// The states that a connection that is not closed can have.
pub const STATES: [State; 5] =
    [State::Queued, State::Abandoned, State::Open, State::ClientClosed, State::ServerClosed];
