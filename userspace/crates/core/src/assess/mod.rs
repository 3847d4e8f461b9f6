//! What a session comes to at one moment, as plain figures: a [`Report`] with its [`findings`], the evidence for them, and what is
//! missing from it.
//!
//! Whoever presents it (text, HTML, JSON, metrics, a page) starts from here.

pub mod containers;
mod doubts;
mod filtered;
pub mod findings;
mod growth;
mod keepers;
pub mod missing;
mod open;
pub mod stacks;
pub mod usage;
mod window;

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

pub use filtered::{Filtered, Wanted};
pub use open::{EndReport, HeldBy, Open, OpenList, Opener, Party};
pub use usage::{Idle, UseReport};
pub use window::Earlier;

use crate::{
    attribution::by::By,
    event::Window,
    lifecycle::{Connection, EndState},
    session::{Session, Settings, SocketId, Tally},
    text::errno_name,
};

/// Failures that cost evidence, as the kernel side counted them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The hook: `connect`, `release`, `accept`, `attempt`, `lookup`.
    pub hook: Cow<'static, str>,
    /// What was lost.
    pub what: Cow<'static, str>,
    /// How often, at least.
    pub count: u64,
}

/// Version of the report's form in JSON, which `docs/report.schema.json` describes. It grows when a reader has to change:
/// fields are removed or change their meaning. New ones may come at any time.
pub const SCHEMA_VERSION: u32 = 1;

/// A report, of a session that stays as it is meanwhile.
#[derive(Clone, Debug, Serialize)]
pub struct Report<'s> {
    /// See [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Nanoseconds since boot.
    #[serde(skip)]
    pub now: u64,
    /// The part of a recording that it is about; None if it is about all of it.
    #[serde(skip)]
    pub window: Option<Window>,
    /// What [`Report::keep_only`] left out; None if everything is reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filtered: Option<Filtered>,
    /// How long was observed; of a part, how long that is.
    pub seconds: f64,
    /// The targets as given.
    pub targets: Vec<String>,
    /// Age from which a connection counts as old, in nanoseconds.
    pub leak_age_ns: u64,
    /// Nothing is known to be missing.
    pub complete: bool,
    /// What is missing, a sentence each.
    pub incomplete_because: Vec<String>,
    /// What figures and findings are grouped by.
    pub by: By,
    /// Per socket and program, or whatever they are grouped by.
    pub programs: Vec<Program>,
    /// What it comes to, the most severe first.
    pub findings: Vec<findings::FindingReport>,
    /// The connections that are not released at both ends, oldest first. The JSON form writes them one by one.
    #[serde(skip)]
    pub open: OpenList<'s>,
    /// The stacks that those come from, where stacks were taken.
    pub stacks: Vec<stacks::StackReport>,
    /// Open connections that [`Report::hide_younger`] took out of that list.
    pub younger_not_shown: u64,
    /// What was lost.
    pub losses: Vec<Loss>,
    /// Failed connects that may be missing at most: runs of their hooks that the kernel skipped.
    pub skipped_runs: u64,
    /// Ends that were open when they were first met and are released now, of which it is not known when and by whom.
    pub unseen_releases: u64,
}

/// What a program, or another group, did on a socket.
#[derive(Clone, Debug, Serialize)]
pub struct Program {
    /// The socket.
    pub path: String,
    /// The group's name.
    pub program: String,
    /// Connections opened.
    pub opened: u64,
    /// Connections that were there before tracing started.
    pub before_trace: u64,
    /// Of both, released at both ends.
    pub closed: u64,
    /// Client ends not released.
    pub open_client: u64,
    /// Server ends not released.
    pub open_server: u64,
    /// Client ends not released and older than the leak age.
    pub old_client: u64,
    /// Server ends not released whose client left longer ago than the leak age.
    pub old_server: u64,
    /// Age of the oldest open connection, nanoseconds.
    pub oldest_ns: Option<u64>,
    /// Failed connects by error.
    pub failed: BTreeMap<String, u64>,
}

/// What surrounds a session when a report is made: when, and what its evidence does not cover.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Now: nanoseconds since boot.
    pub now: u64,
    /// What was lost.
    pub losses: Vec<Loss>,
    /// Runs of the hooks for failed connects that the kernel skipped.
    pub skipped_runs: u64,
    /// Further sentences on what is missing.
    pub gaps: Vec<String>,
}

impl<'s> Report<'s> {
    /// Draws it up.
    #[must_use]
    pub fn new(session: &'s Session, coverage: Coverage) -> Self {
        let incomplete_because = coverage.missing(session);
        let Coverage { now, losses, skipped_runs, .. } = coverage;
        let &Settings { started, leak_age, by, .. } = session.settings();
        let mut rows: BTreeMap<(SocketId, &str), Program> = BTreeMap::new();
        for (socket, program, tally) in session.tallies() {
            let path = &session.sockets()[socket.0].name;
            let name = session.program(program);
            rows.insert((socket, name), Program::new(path, name, tally));
        }
        for (socket, connection) in session.open() {
            if let Some(row) = rows.get_mut(&(socket, session.program(connection.opener.group))) {
                row.add(connection, now, leak_age);
            }
        }
        let open = OpenList::new(session, now);
        Self {
            schema_version: SCHEMA_VERSION,
            now,
            window: None,
            filtered: None,
            seconds: (now.saturating_sub(started)) as f64 / 1e9,
            targets: session.targets().map(str::to_owned).collect(),
            leak_age_ns: leak_age,
            findings: findings::findings(session, now, !incomplete_because.is_empty()),
            complete: incomplete_because.is_empty(),
            incomplete_because,
            by,
            programs: rows.into_values().collect(),
            open,
            stacks: stacks::stacks(session),
            younger_not_shown: 0,
            losses,
            skipped_runs,
            unseen_releases: session.unseen_releases(),
        }
    }

    /// Takes connections younger than this, in nanoseconds, out of the list of open ones. Those from before tracing stay:
    /// they are older than is known. Figures and findings do not change.
    pub fn hide_younger(&mut self, age: u64) {
        self.younger_not_shown += self.open.drop_younger(age);
    }

    /// Leaves command lines out: they hold secrets. Where programs are told apart by those they are names, and stay.
    pub fn hide_argv(&mut self) {
        self.open.hide_argv();
    }

    /// How many connections are not released at both ends, shown or not.
    #[must_use]
    pub fn not_closed(&self) -> u64 {
        self.open.len() as u64 + self.younger_not_shown
    }
}

impl Program {
    fn new(path: &str, program: &str, tally: &Tally) -> Self {
        let failed = tally.record.failed().iter().map(|(&errno, &count)| (errno_name(errno), count));
        Self {
            path: path.to_owned(),
            program: program.to_owned(),
            opened: tally.opened(),
            before_trace: tally.before_trace,
            closed: tally.record.closed(),
            open_client: 0,
            open_server: 0,
            old_client: 0,
            old_server: 0,
            oldest_ns: None,
            failed: failed.collect(),
        }
    }

    fn add(&mut self, connection: &Connection, now: u64, leak_age: u64) {
        let age = connection.age(now);
        self.open_client += u64::from(connection.client.is_open());
        self.open_server += u64::from(connection.server.is_open());
        self.old_client += u64::from(connection.client.is_open() && age >= leak_age);
        if let (EndState::Released { at, .. }, true) = (&connection.client, connection.server.is_open()) {
            self.old_server += u64::from(now.saturating_sub(*at) >= leak_age);
        }
        self.oldest_ns = self.oldest_ns.max(Some(age));
    }
}
