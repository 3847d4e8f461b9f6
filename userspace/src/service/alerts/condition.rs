//! What holds now and is worth an alert. Pure.

use std::collections::{BTreeMap, btree_map::Entry};

use serde::{Deserialize, Serialize};
use sockleak_core::{time::human, verdict::Verdict};

use super::notification::{Key, Kind};
use crate::service::config::AlertSettings;

/// What the service sees now, as far as alerts go.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The sockets that there are.
    pub sockets: Vec<SocketFacts>,
    /// What was found.
    pub findings: Vec<FindingFacts>,
    /// What is wrong with the tracing now, a sentence each.
    pub degraded: Vec<String>,
}

/// A socket.
#[derive(Clone, Debug, Default)]
pub struct SocketFacts {
    /// Its path, or `@name`.
    pub path: String,
    /// Slots in use.
    pub used: u64,
    /// How many there are, where known.
    pub limit: Option<u64>,
    /// Until all are in use, at the growth of the leaks on it; 0 if they are. None if nothing leaks, or there is no limit.
    pub seconds_until_full: Option<u64>,
}

/// A verdict about a program.
#[derive(Clone, Debug)]
pub struct FindingFacts {
    /// The verdict.
    pub verdict: Verdict,
    /// Path of the socket, or `@name`.
    pub socket: String,
    /// The program, or the group that findings are made of.
    pub program: String,
    /// Connections that carry it.
    pub count: u64,
    /// What was found, in a sentence.
    pub summary: String,
    /// Why it may be wrong, a sentence each.
    pub uncertain: Vec<String>,
    /// It was so, and is not any more.
    pub is_over: bool,
}

/// Something that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What it is.
    #[serde(flatten)]
    pub key: Key,
    /// In a sentence.
    pub summary: String,
    /// Why it may be wrong, a sentence each.
    pub uncertain: Vec<String>,
    /// As in [`super::Notification::value`].
    pub value: Option<u64>,
    /// Slots of the socket, where known.
    pub limit: Option<u64>,
}

/// Says what of the facts is worth an alert: each key once, in their order.
#[must_use]
pub fn conditions(settings: &AlertSettings, facts: &Facts) -> Vec<Condition> {
    let mut all = BTreeMap::new();
    for socket in &facts.sockets {
        let forecast =
            forecast(settings, socket).map(|it| Condition { uncertain: doubts(facts, socket), ..it });
        [slots(settings, socket), forecast].into_iter().flatten().for_each(|it| add(&mut all, it));
    }
    let holds = facts.findings.iter().filter(|finding| !finding.is_over);
    for finding in holds.filter(|finding| settings.findings.contains(&finding.verdict)) {
        let limit = facts.sockets.iter().find(|socket| socket.path == finding.socket).and_then(|it| it.limit);
        add(&mut all, self::finding(finding, limit));
    }
    if settings.degraded && !facts.degraded.is_empty() {
        add(&mut all, degraded(&facts.degraded));
    }
    all.into_values().collect()
}

/// Why the leaks on a socket may be none, each reason once: its forecast rests on them.
fn doubts(facts: &Facts, socket: &SocketFacts) -> Vec<String> {
    let is_leak = |it: &&FindingFacts| {
        !it.is_over && matches!(it.verdict, Verdict::ClientLeak | Verdict::ServerLeak | Verdict::Suspect)
    };
    let leaks = facts.findings.iter().filter(|it| it.socket == socket.path).filter(is_leak);
    let mut doubts: Vec<String> = Vec::new();
    for doubt in leaks.flat_map(|leak| &leak.uncertain) {
        if !doubts.contains(doubt) {
            doubts.push(doubt.clone());
        }
    }
    doubts
}

/// Several sockets may have one path, in as many containers: the worst of them counts.
fn add(all: &mut BTreeMap<Key, Condition>, condition: Condition) {
    let badness = |it: &Condition| match it.key.kind {
        Kind::Forecast => u64::MAX - it.value.unwrap_or(u64::MAX),
        Kind::Finding | Kind::Slots | Kind::Degraded => it.value.unwrap_or(0),
    };
    match all.entry(condition.key.clone()) {
        Entry::Vacant(place) => {
            place.insert(condition);
        }
        Entry::Occupied(mut place) => {
            if badness(&condition) > badness(place.get()) {
                place.insert(condition);
            }
        }
    }
}

fn of_socket(kind: Kind, socket: &SocketFacts, summary: String, value: u64) -> Condition {
    let key = Key { kind, socket: Some(socket.path.clone()), program: None, verdict: None };
    Condition { key, summary, uncertain: Vec::new(), value: Some(value), limit: socket.limit }
}

fn slots(settings: &AlertSettings, socket: &SocketFacts) -> Option<Condition> {
    let limit = socket.limit.filter(|&limit| limit > 0)?;
    let (used, percent) = (socket.used, settings.slots_percent);
    let is_much = u128::from(used) * 100 >= u128::from(limit) * u128::from(percent);
    let summary = || format!("{used} of {limit} slots of {} are in use", socket.path);
    (percent > 0 && is_much).then(|| of_socket(Kind::Slots, socket, summary(), used))
}

fn forecast(settings: &AlertSettings, socket: &SocketFacts) -> Option<Condition> {
    let limit = socket.limit?;
    let within = settings.forecast?.as_secs();
    let seconds = socket.seconds_until_full.filter(|&seconds| seconds <= within)?;
    let summary = match seconds {
        // While it lasts, it is no good news that the forecast came true.
        0 => format!("all {limit} slots of {} are in use, and their holders do not close them", socket.path),
        seconds => {
            let time = human(seconds.saturating_mul(1_000_000_000));
            format!("all {limit} slots of {} will be in use in {time}", socket.path)
        }
    };
    Some(of_socket(Kind::Forecast, socket, summary, seconds))
}

fn finding(finding: &FindingFacts, limit: Option<u64>) -> Condition {
    let key = Key {
        kind: Kind::Finding,
        socket: Some(finding.socket.clone()),
        program: Some(finding.program.clone()),
        verdict: Some(finding.verdict),
    };
    Condition {
        key,
        summary: finding.summary.clone(),
        uncertain: finding.uncertain.clone(),
        value: Some(finding.count),
        limit,
    }
}

/// One alert, whatever the reasons: there are figures in them that change.
fn degraded(reasons: &[String]) -> Condition {
    let summary = format!("the tracing is incomplete: {}", reasons.join("; "));
    let key = Key { kind: Kind::Degraded, socket: None, program: None, verdict: None };
    Condition { key, summary, uncertain: Vec::new(), value: None, limit: None }
}
