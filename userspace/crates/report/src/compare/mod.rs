//! Two recordings compared: which leaks are new, which go on, and which are gone. Pure.
//!
//! A leak is gone only if the second recording would have shown it. Otherwise the answer is that not enough was seen.

mod rate;
mod seen;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;
use sockleak_core::{
    assess::{Program, Report, findings::FindingReport},
    attribution::by::By,
    time::human,
    verdict::Verdict,
};

pub use rate::{Rate, Trend};
pub use text::render;

/// Version of the form in JSON, which docs/json.md describes. It grows when a reader has to change.
pub const SCHEMA_VERSION: u32 = 1;

/// A recording, as it takes part in a comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Recorded {
    /// The file.
    pub file: String,
    /// Where it was made.
    pub host: String,
    /// When it began.
    pub time: String,
    /// How long was observed.
    pub seconds: f64,
    /// The sockleak that recorded it.
    pub version: String,
    /// The targets as given.
    pub targets: Vec<String>,
    /// Slots as given: `ma.sock=10`.
    pub limits: Vec<String>,
    /// Age from which a connection counts as old, in nanoseconds.
    pub leak_age_ns: u64,
    /// Nothing is known to be missing.
    pub complete: bool,
    /// What is missing, a sentence each.
    pub incomplete_because: Vec<String>,
}

/// What became of a leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is in the second recording alone.
    New,
    /// It is in both.
    Still,
    /// The second recording does not show enough to tell.
    NotEnoughSeen,
    /// It is in the first recording alone, and the second would have shown it.
    Gone,
}

impl Change {
    /// Its name in text, JSON and arguments.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Still => "still",
            Self::NotEnoughSeen => "not-enough-seen",
            Self::Gone => "gone",
        }
    }
}

/// Which connections are meant: a program may leak some and not others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It opens and does not close: `client-leak` and `suspect`.
    Client,
    /// It does not notice that the server has closed: `stale-client`.
    Stale,
    /// As a server it does not let go: `server-leak`.
    Server,
}

impl Kind {
    const fn of(verdict: Verdict) -> Option<Self> {
        match verdict {
            Verdict::ClientLeak | Verdict::Suspect => Some(Self::Client),
            Verdict::StaleClient => Some(Self::Stale),
            Verdict::ServerLeak => Some(Self::Server),
            _ => None,
        }
    }
}

/// What a recording says of a program on a socket.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Of the leak; without one the gravest verdict on the program there. Null if it has none.
    pub verdict: Option<Verdict>,
    /// Connections that carry the verdict: of a leak those that are kept.
    pub count: u64,
    /// Connections that it opened, with those from before tracing.
    pub opened: u64,
    /// Of those, released at both ends.
    pub closed: u64,
    /// Of its connections, those whose client end is open at the end.
    pub open_client: u64,
    /// Of its connections, those whose server end is open at the end.
    pub open_server: u64,
    /// By how many an hour it grows: of leaks.
    pub growth: Option<Rate>,
    /// Half of the client ends that were released lived no longer than this, in nanoseconds.
    pub p50_ns: Option<u64>,
    /// And 99 % of them no longer than this.
    pub p99_ns: Option<u64>,
    /// The longest that one of those connections lasts, in nanoseconds.
    pub oldest_ns: Option<u64>,
    /// Why the verdict may be wrong, a sentence each.
    pub uncertain: Vec<String>,
}

impl Figures {
    /// Is the verdict that of a leak, or of a suspect?
    #[must_use]
    pub fn is_leak(&self) -> bool {
        self.verdict.and_then(Kind::of).is_some()
    }
}

/// A leak, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Leak {
    /// What became of it.
    pub change: Change,
    /// The socket.
    pub path: String,
    /// The program, or the group that it was asked for instead.
    pub program: String,
    /// Which connections are meant.
    pub kind: Kind,
    /// In the first recording; None if the program did not appear there.
    pub before: Option<Figures>,
    /// In the second.
    pub after: Option<Figures>,
    /// Of a leak in both: how its growth changed. None if one of the rates is not known.
    pub trend: Option<Trend>,
    /// Why not enough was seen, and what else is to be known, a sentence each.
    pub because: Vec<String>,
}

impl Leak {
    /// Is it one in either recording? Else it is a program of which too little was seen.
    #[must_use]
    pub fn leaks(&self) -> bool {
        [&self.before, &self.after].into_iter().flatten().any(Figures::is_leak)
    }

    /// Is it new, and an accusation rather than a suspicion?
    #[must_use]
    pub fn is_new_accusation(&self) -> bool {
        self.change == Change::New && !self.is_suspicion()
    }

    /// Does the second recording only suspect it?
    #[must_use]
    pub fn is_suspicion(&self) -> bool {
        self.after.as_ref().is_some_and(|after| after.verdict == Some(Verdict::Suspect))
    }
}

/// Two recordings compared.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// `comparison`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// See [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What both are grouped by.
    pub by: By,
    /// The first recording.
    pub before: Recorded,
    /// The second.
    pub after: Recorded,
    /// Why the two may not be comparable, a sentence each.
    pub caveats: Vec<String>,
    /// The leaks: new ones first, then those that go on, those of which not enough was seen, and those that are gone.
    pub leaks: Vec<Leak>,
}

/// A recording and its report.
#[derive(Clone, Copy, Debug)]
pub struct Side<'r, 's> {
    /// Where it comes from.
    pub recorded: &'r Recorded,
    /// What it shows.
    pub report: &'r Report<'s>,
}

type Key<'r> = (&'r str, &'r str, Kind);

/// Compares. `is_reversed` says that the second recording began before the first.
#[must_use]
pub fn compare(before: Side<'_, '_>, after: Side<'_, '_>, is_reversed: bool) -> Comparison {
    let (earlier, later) = (leaks(before.report), leaks(after.report));
    let mut keys: Vec<Key<'_>> = earlier.keys().chain(later.keys()).copied().collect();
    keys.extend(undecided(after.report));
    keys.sort_unstable();
    keys.dedup();
    let mut leaks: Vec<Leak> = keys
        .into_iter()
        .filter_map(|key| leak(key, (before.report, earlier.get(&key)), (after.report, later.get(&key))))
        .collect();
    leaks.sort_by(|a, b| {
        let kept = |leak: &Leak| leak.after.as_ref().map_or(0, |after| after.count);
        a.change.cmp(&b.change).then(b.leaks().cmp(&a.leaks())).then_with(|| kept(b).cmp(&kept(a)))
    });
    Comparison {
        kind: "comparison",
        schema_version: SCHEMA_VERSION,
        by: after.report.by,
        before: before.recorded.clone(),
        after: after.recorded.clone(),
        caveats: caveats(before.recorded, after.recorded, is_reversed),
        leaks,
    }
}

/// The leaks of a report.
fn leaks<'r>(report: &'r Report<'_>) -> BTreeMap<Key<'r>, &'r FindingReport> {
    let findings = report.findings.iter();
    let leaks = findings.filter_map(|it| Some(((&*it.path, &*it.program, Kind::of(it.verdict)?), it)));
    // The gravest come first, and count.
    leaks.rev().collect()
}

/// Programs of which a report says that too little was seen.
fn undecided<'r>(report: &'r Report<'_>) -> impl Iterator<Item = Key<'r>> {
    let findings = report.findings.iter().filter(|it| it.verdict == Verdict::Undecided);
    findings.map(|it| (&*it.path, &*it.program, Kind::Client))
}

type Sight<'r, 's> = (&'r Report<'s>, Option<&'r &'r FindingReport>);

/// What became of a leak. None if it is none in either recording, and both would show it.
fn leak(key: Key<'_>, before: Sight<'_, '_>, after: Sight<'_, '_>) -> Option<Leak> {
    let (path, program, kind) = key;
    let mut because = Vec::new();
    let change = match (before.1, after.1) {
        (None, Some(_)) => {
            let why = seen::enough(key, before.0, "the first recording", None);
            because.extend(
                why.into_iter().map(|why| format!("It is not known whether it leaked before: {why}")),
            );
            Change::New
        }
        (Some(_), Some(_)) => Change::Still,
        (earlier, None) => {
            because = seen::enough(key, after.0, "the second recording", earlier.map(|it| (before.0, *it)));
            match (because.is_empty(), earlier) {
                (false, _) => Change::NotEnoughSeen,
                (true, Some(_)) => Change::Gone,
                (true, None) => return None,
            }
        }
    };
    let figures = [figures(key, before), figures(key, after)];
    let [earlier, later] = figures;
    let trend = trend(earlier.as_ref(), later.as_ref()).filter(|_| change == Change::Still);
    Some(Leak {
        change,
        path: path.to_owned(),
        program: program.to_owned(),
        kind,
        before: earlier,
        after: later,
        trend,
        because,
    })
}

fn trend(before: Option<&Figures>, after: Option<&Figures>) -> Option<Trend> {
    let (before, after) = (before?, after?);
    Some(Rate::trend(before.growth?, after.growth?, (before.count, after.count)))
}

/// What a report says of a program on a socket.
fn figures((path, program, _): Key<'_>, (report, leak): Sight<'_, '_>) -> Option<Figures> {
    let row = row(report, path, program);
    let told = leak.copied().or_else(|| finding(report, path, program));
    if row.is_none() && told.is_none() {
        return None;
    }
    Some(Figures {
        verdict: told.map(|it| it.verdict),
        count: told.filter(|it| it.verdict != Verdict::Healthy).map_or(0, |it| it.count),
        opened: row.map_or(0, |row| row.opened + row.before_trace),
        closed: row.map_or(0, |row| row.closed),
        open_client: row.map_or(0, |row| row.open_client),
        open_server: row.map_or(0, |row| row.open_server),
        growth: leak.and_then(|it| Rate::new(it.growth_per_hour?, it.count)),
        p50_ns: told.and_then(|it| it.p50_ns),
        p99_ns: told.and_then(|it| it.p99_ns),
        oldest_ns: told.and_then(|it| it.oldest_ns),
        uncertain: told.map_or_else(Vec::new, |it| it.uncertain.clone()),
    })
}

/// What a program did on a socket.
fn row<'r>(report: &'r Report<'_>, path: &str, program: &str) -> Option<&'r Program> {
    report.programs.iter().find(|row| row.path == path && row.program == program)
}

/// The gravest finding about a program on a socket.
fn finding<'r>(report: &'r Report<'_>, path: &str, program: &str) -> Option<&'r FindingReport> {
    report.findings.iter().find(|it| it.path == path && it.program == program)
}

/// Why two recordings may not be comparable.
fn caveats(before: &Recorded, after: &Recorded, is_reversed: bool) -> Vec<String> {
    let mut caveats = Vec::new();
    let mut differ = |what: &str, before: &str, after: &str, consequence: &str| {
        if before != after {
            caveats.push(format!("The {what} differ: {before} before, {after} after{consequence}"));
        }
    };
    let list = |words: &[String]| {
        let mut words = words.to_vec();
        words.sort();
        if words.is_empty() { "none".to_owned() } else { words.join(" ") }
    };
    differ(
        "targets",
        &list(&before.targets),
        &list(&after.targets),
        ". A socket that one recording did not follow has no leak there",
    );
    differ(
        "leak ages",
        &human(before.leak_age_ns),
        &human(after.leak_age_ns),
        ". --leak-age judges both by the same",
    );
    differ("limits", &list(&before.limits), &list(&after.limits), ". --limit gives both the same");
    differ("hosts", &before.host, &after.host, "");
    differ("versions of sockleak that recorded", &before.version, &after.version, "");
    if is_reversed {
        caveats.push("The first recording began after the second".to_owned());
    }
    for (which, recorded) in [("first", before), ("second", after)] {
        let why = &recorded.incomplete_because;
        caveats.extend(why.iter().map(|why| format!("The {which} recording is incomplete: {why}")));
    }
    caveats
}
