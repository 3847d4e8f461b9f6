//! Figures for a scraper of many hosts: under a hundred series whatever the host does, with names that are the same on all hosts.
//!
//! They are gauges of the worst, and sums over the whole host. Nothing is remembered from one scrape to the next, so a program that is
//! no longer among the worst loses its series, and counters are of the host alone.

use std::{cmp::Reverse, collections::BTreeMap};

use sockleak_core::{text::escape::terminal, verdict::Verdict};

use super::{OTHER, pattern::pattern};
use crate::{
    probe::status::Outcome,
    service::snapshot::{Snapshot, SocketSnapshot},
};

/// Findings with series of their own. The others are added up by verdict, of which there are ten.
const MOST_FINDINGS: usize = 18;
/// Pairs of program and socket whose open ends have series of their own.
const MOST_PAIRS: usize = 12;
/// Sockets whose slots are shown: the fullest.
const MOST_SOCKETS: usize = 8;
/// Sockets whose forecast is shown: those that are full first.
const MOST_FORECASTS: usize = 5;
/// Errors that are told apart.
const ERRORS: [&str; 3] = ["EAGAIN", "ECONNREFUSED", "ENOENT"];

/// The figures of a host.
#[derive(Debug, Default)]
pub(super) struct FleetFigures {
    /// Connections by socket, program and verdict.
    pub(super) findings: BTreeMap<(String, String, &'static str), u64>,
    /// Client ends that are open, and the old ones among them, by socket and program.
    pub(super) ends: BTreeMap<(String, String), (u64, u64)>,
    /// The part of the slots that is in use, by socket.
    pub(super) slots: Vec<(String, f64)>,
    /// Seconds until a socket is full.
    pub(super) forecasts: Vec<(String, u64)>,
    pub(super) opened: u64,
    pub(super) closed: u64,
    pub(super) failed: BTreeMap<&'static str, u64>,
    pub(super) lost: u64,
    pub(super) missing_hooks: u64,
}

impl FleetFigures {
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        let programs = || snapshot.sockets.iter().flat_map(|socket| &socket.programs);
        let mut failed: BTreeMap<&'static str, u64> =
            ERRORS.into_iter().chain([OTHER]).map(|error| (error, 0)).collect();
        for (error, count) in programs().flat_map(|program| &program.failed) {
            let known = ERRORS.into_iter().find(|known| known == error).unwrap_or(OTHER);
            *failed.entry(known).or_default() += count;
        }
        let missing = |outcome| matches!(outcome, Outcome::Unsupported | Outcome::Refused);
        Self {
            findings: findings(snapshot),
            ends: ends(snapshot),
            slots: slots(snapshot),
            forecasts: forecasts(snapshot),
            opened: programs().map(|it| it.opened).sum(),
            closed: programs().map(|it| it.closed).sum(),
            failed,
            lost: snapshot.losses.iter().map(|loss| loss.count).fold(0, u64::saturating_add),
            missing_hooks: snapshot.hooks.iter().filter(|hook| missing(hook.status)).count() as u64,
        }
    }
}

/// A name as it is on every host, and as terminals show it.
fn common(name: &str) -> String {
    pattern(&terminal(name))
}

/// The gravest findings, then those of most connections; the others by verdict.
fn findings(snapshot: &Snapshot) -> BTreeMap<(String, String, &'static str), u64> {
    let mut sums: BTreeMap<(String, String, Verdict), u64> = BTreeMap::new();
    let hold = snapshot.findings.iter().filter(|it| !it.is_over() && it.verdict != Verdict::Healthy);
    for finding in hold {
        let key = (common(&finding.path), common(&finding.program), finding.verdict);
        let sum = sums.entry(key).or_default();
        *sum = sum.saturating_add(finding.count);
    }
    let mut ranked: Vec<_> = sums.into_iter().collect();
    ranked.sort_by_key(|((_, _, verdict), count)| (Reverse(*verdict), Reverse(*count)));
    let mut shown = BTreeMap::new();
    for (nth, ((socket, program, verdict), count)) in ranked.into_iter().enumerate() {
        let names =
            if nth < MOST_FINDINGS { (socket, program) } else { (OTHER.to_owned(), OTHER.to_owned()) };
        let sum: &mut u64 = shown.entry((names.0, names.1, verdict.name())).or_default();
        *sum = sum.saturating_add(count);
    }
    shown
}

/// Open client ends of the pairs with the most old ones; the others together.
fn ends(snapshot: &Snapshot) -> BTreeMap<(String, String), (u64, u64)> {
    let mut sums: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    for socket in &snapshot.sockets {
        for program in socket.programs.iter().filter(|it| it.open_client > 0) {
            let (open, old) = sums.entry((common(&socket.path), common(&program.program))).or_default();
            *open = open.saturating_add(program.open_client);
            *old = old.saturating_add(program.old_client);
        }
    }
    let mut ranked: Vec<_> = sums.into_iter().collect();
    ranked.sort_by_key(|(_, (open, old))| (Reverse(*old), Reverse(*open)));
    let mut shown = BTreeMap::new();
    for (nth, (pair, (open, old))) in ranked.into_iter().enumerate() {
        let pair = if nth < MOST_PAIRS { pair } else { (OTHER.to_owned(), OTHER.to_owned()) };
        let sum: &mut (u64, u64) = shown.entry(pair).or_default();
        *sum = (sum.0.saturating_add(open), sum.1.saturating_add(old));
    }
    shown
}

/// The fullest sockets. Of several with one pattern, the fullest counts.
fn slots(snapshot: &Snapshot) -> Vec<(String, f64)> {
    let ratio = |socket: &SocketSnapshot| {
        let slots = socket.limit?.slots;
        (slots > 0).then(|| socket.slots as f64 / slots as f64)
    };
    let mut fullest: BTreeMap<String, f64> = BTreeMap::new();
    for (socket, ratio) in snapshot.sockets.iter().filter_map(|socket| Some((socket, ratio(socket)?))) {
        let most = fullest.entry(common(&socket.path)).or_default();
        *most = most.max(ratio);
    }
    let mut ranked: Vec<_> = fullest.into_iter().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked.truncate(MOST_SOCKETS);
    ranked
}

/// The sockets that are full first.
fn forecasts(snapshot: &Snapshot) -> Vec<(String, u64)> {
    let mut soonest: BTreeMap<String, u64> = BTreeMap::new();
    for socket in &snapshot.sockets {
        let Some(seconds) = socket.seconds_until_full else { continue };
        let least = soonest.entry(common(&socket.path)).or_insert(seconds);
        *least = seconds.min(*least);
    }
    let mut ranked: Vec<_> = soonest.into_iter().collect();
    ranked.sort_by_key(|(_, seconds)| *seconds);
    ranked.truncate(MOST_FORECASTS);
    ranked
}
