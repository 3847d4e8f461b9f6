//! A snapshot added up for the series that are shown.

use std::{borrow::Cow, collections::BTreeMap};

use sockleak_core::{attribution::limits::Limit, event::Queue, text::escape::terminal, verdict::Verdict};

use super::{OTHER, Own, counts::Counts, fleet::FleetFigures, names::Names};
use crate::{
    probe::status::Outcome,
    service::snapshot::{LIFETIME_BOUNDS, STATES, Snapshot, SocketSnapshot},
};

/// Findings with series of their own, the most severe of them.
pub(super) const MOST_FINDINGS: usize = 200;

/// Everything that is shown, in whatever form.
#[derive(Debug)]
pub struct Figures {
    pub(super) version: String,
    pub(super) host: String,
    pub(super) kernel: String,
    pub(super) started_ms: i64,
    pub(super) complete: bool,
    pub(super) skipped_runs: u64,
    pub(super) unseen_releases: u64,
    /// Events lost by hook and what was lost.
    pub(super) losses: BTreeMap<(String, String), u64>,
    /// Hooks by name and kind, and whether they are attached.
    pub(super) hooks: BTreeMap<(&'static str, String), bool>,
    pub(super) sockets: BTreeMap<String, SocketFigures>,
    /// Connections by socket, program and verdict.
    pub(super) findings: BTreeMap<(String, String, &'static str), u64>,
    pub(super) own: Own,
    /// What is shown instead of sockets and programs, if a scraper of many hosts asks.
    pub(super) fleet: Option<FleetFigures>,
}

/// A socket, or several that are shown together: those of one path in several namespaces, and the others.
#[derive(Debug, Default)]
pub(super) struct SocketFigures {
    pub(super) found: u64,
    pub(super) slots: u64,
    pub(super) limit: Option<u64>,
    pub(super) queue: Option<Queue>,
    pub(super) backlog: Option<u64>,
    pub(super) states: BTreeMap<&'static str, u64>,
    pub(super) oldest_ns: u64,
    pub(super) since_accept_ns: Option<u64>,
    pub(super) seconds_until_full: Option<u64>,
    /// By upper bound, cumulative; the last counts all.
    pub(super) lifetimes: Vec<u64>,
    pub(super) lifetimes_seconds: f64,
    pub(super) programs: BTreeMap<String, Counts>,
    /// Client ends that are open, and the old ones among them, by program.
    pub(super) held: BTreeMap<String, (u64, u64)>,
}

impl Figures {
    pub(super) fn new(snapshot: &Snapshot, own: Own, names: &mut Names) -> Self {
        let mut losses = BTreeMap::new();
        for loss in &snapshot.losses {
            let count: &mut u64 = losses.entry((loss.hook.to_string(), loss.what.to_string())).or_default();
            *count = count.saturating_add(loss.count);
        }
        let mut hooks = BTreeMap::new();
        for status in &snapshot.hooks {
            let kind = status.kind.map_or_else(|| "none".to_owned(), |kind| kind.to_string());
            *hooks.entry((status.hook.name(), kind)).or_default() |= status.status == Outcome::Attached;
        }
        let sockets = sockets(snapshot, names);
        Self {
            version: snapshot.version.clone().into_owned(),
            host: snapshot.host.clone(),
            kernel: snapshot.kernel.clone(),
            started_ms: snapshot.started_ms,
            complete: snapshot.complete,
            skipped_runs: snapshot.skipped_runs,
            unseen_releases: snapshot.unseen_releases,
            losses,
            hooks,
            sockets,
            // Its sockets have been named.
            findings: findings(snapshot, names),
            own,
            fleet: None,
        }
    }

    /// The same host, as scrapers of many hosts are shown it.
    pub(super) fn for_fleet(self, snapshot: &Snapshot) -> Self {
        Self { fleet: Some(FleetFigures::new(snapshot)), ..self }
    }
}

/// A name as reports and terminals show it: a file may be called anything, and somebody looks at the series in a terminal. It is
/// made so before figures are added up, since two names may be shown alike.
fn shown(name: &str) -> Cow<'_, str> {
    terminal(name)
}

fn sockets(snapshot: &Snapshot, names: &mut Names) -> BTreeMap<String, SocketFigures> {
    let mut together: BTreeMap<&str, Vec<&SocketSnapshot>> = BTreeMap::new();
    let shown: Vec<_> = snapshot.sockets.iter().map(|socket| (shown(&socket.path), socket)).collect();
    for (path, socket) in &shown {
        let is_only_tried = snapshot.is_only_tried(socket);
        let name = if is_only_tried { names.known_socket(path) } else { names.socket(path) };
        together.entry(name).or_default().push(socket);
    }
    together.into_iter().map(|(name, sockets)| (name.to_owned(), socket(name, &sockets, names))).collect()
}

fn socket(name: &str, sockets: &[&SocketSnapshot], names: &mut Names) -> SocketFigures {
    let mut figures = SocketFigures {
        states: STATES.iter().map(|state| (state.name(), 0)).collect(),
        lifetimes: vec![0; LIFETIME_BOUNDS.len() + 1],
        // Of several, one without a limit can take any number of connections.
        limit: sockets
            .iter()
            .map(|socket| socket.limit.map(|Limit { slots, .. }| slots))
            .try_fold(0, |sum: u64, slots| Some(sum.saturating_add(slots?))),
        ..SocketFigures::default()
    };
    sockets.iter().for_each(|socket| figures.add(socket));
    let each = sockets.iter().flat_map(|socket| &socket.programs);
    let each: Vec<_> = each.map(|program| (shown(&program.program), program)).collect();
    let mut programs: BTreeMap<&str, Counts> = BTreeMap::new();
    for (shown, program) in &each {
        programs.entry(shown).or_default().add(&Counts::of(program));
    }
    figures.programs = names.rows(name, &programs);
    for (shown, program) in &each {
        let shown = if names.shows(name, shown) { shown } else { OTHER };
        let (open, old) = figures.held.entry(shown.to_owned()).or_default();
        *open = open.saturating_add(program.open_client);
        *old = old.saturating_add(program.old_client);
    }
    figures
}

impl SocketFigures {
    fn add(&mut self, socket: &SocketSnapshot) {
        let found = socket.programs.iter().map(|program| program.before_trace);
        self.found = found.fold(self.found, u64::saturating_add);
        self.slots = self.slots.saturating_add(socket.slots);
        self.backlog = sum(self.backlog, socket.backlog.map(u64::from));
        if let Some(more) = socket.queue {
            let own = self.queue.get_or_insert(Queue { length: 0, max: 0 });
            own.length = own.length.saturating_add(more.length);
            own.max = own.max.saturating_add(more.max);
        }
        for (state, count) in &socket.states {
            let own: &mut u64 = self.states.entry(state.name()).or_default();
            *own = own.saturating_add(*count);
        }
        self.oldest_ns = self.oldest_ns.max(socket.oldest_ns.unwrap_or(0));
        self.since_accept_ns = least(self.since_accept_ns, socket.since_accept_ns);
        self.seconds_until_full = least(self.seconds_until_full, socket.seconds_until_full);
        for (own, more) in self.lifetimes.iter_mut().zip(&socket.lifetimes) {
            *own = own.saturating_add(*more);
        }
        self.lifetimes_seconds += socket.lifetimes_seconds;
    }
}

fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    a.into_iter().chain(b).reduce(u64::saturating_add)
}

fn least(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    a.into_iter().chain(b).min()
}

/// Whoever is accused is named, whether the program is among the busiest or not.
fn findings(snapshot: &Snapshot, names: &Names) -> BTreeMap<(String, String, &'static str), u64> {
    let mut all = BTreeMap::new();
    let holds = snapshot.findings.iter().filter(|finding| !finding.is_over());
    let unhealthy = holds.filter(|finding| finding.verdict != Verdict::Healthy);
    for (nth, finding) in unhealthy.enumerate() {
        let program = if nth < MOST_FINDINGS { shown(&finding.program) } else { Cow::Borrowed(OTHER) };
        let socket = names.known_socket(&shown(&finding.path)).to_owned();
        let key = (socket, program.into_owned(), finding.verdict.name());
        let count: &mut u64 = all.entry(key).or_default();
        *count = count.saturating_add(finding.count);
    }
    all
}
