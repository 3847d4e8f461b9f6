//! What the recordings of one host say together: of each program on each socket, the last that could judge it counts.

use std::collections::{BTreeMap, BTreeSet};

use sockleak_core::{
    assess::{Loss, Report, findings::FindingReport, stacks::StackReport},
    verdict::Verdict,
};

/// When a recording began, and its file. The later one counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Nanoseconds since 1970.
    pub began: i128,
    /// The file.
    pub file: String,
}

/// What one recording shows.
#[derive(Clone, Debug)]
pub struct Recorded<'r> {
    /// When it began, and its file.
    pub moment: Moment,
    /// It ended in order.
    pub is_ended: bool,
    /// Age from which a connection counts as old, in nanoseconds.
    pub leak_age_ns: u64,
    /// The verdicts.
    pub findings: &'r [FindingReport],
    /// The stacks that findings refer to.
    pub stacks: &'r [StackReport],
    /// What is missing, a sentence each.
    pub incomplete_because: &'r [String],
    /// What was lost.
    pub losses: &'r [Loss],
}

impl<'r> Recorded<'r> {
    /// What a report shows.
    #[must_use]
    pub fn new(moment: Moment, is_ended: bool, report: &'r Report<'_>) -> Self {
        Self {
            moment,
            is_ended,
            leak_age_ns: report.leak_age_ns,
            findings: &report.findings,
            stacks: &report.stacks,
            incomplete_because: &report.incomplete_because,
            losses: &report.losses,
        }
    }
}

/// What all recordings of one host show.
#[derive(Clone, Debug)]
pub struct HostAnswer {
    pub(super) name: String,
    pub(super) recordings: u64,
    pub(super) unfinished: u64,
    pub(super) pairs: BTreeMap<Pair, Said>,
    pub(super) latest: Moment,
    pub(super) incomplete_because: BTreeSet<String>,
    pub(super) losses: BTreeMap<(String, String), u64>,
    pub(super) leak_ages: BTreeSet<u64>,
}

/// A socket and a program.
pub(super) type Pair = (String, String);

/// What a recording said of a program on a socket.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// It could judge the program.
    is_judged: bool,
    pub(super) moment: Moment,
    pub(super) verdicts: BTreeMap<Verdict, HostVerdict>,
}

/// A verdict on one host.
#[derive(Clone, Debug, Default)]
pub(super) struct HostVerdict {
    pub(super) count: u64,
    pub(super) opened: u64,
    pub(super) closed: u64,
    pub(super) oldest_ns: Option<u64>,
    /// Thousandths, so that sums do not depend on the order.
    pub(super) growth: Option<i64>,
    pub(super) seconds_until_full: Option<u64>,
    pub(super) is_uncertain: bool,
    pub(super) missing_ns: Option<u64>,
    pub(super) build: Option<String>,
}

impl HostAnswer {
    /// A host without a recording.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            recordings: 0,
            unfinished: 0,
            pairs: BTreeMap::new(),
            latest: Moment::default(),
            incomplete_because: BTreeSet::new(),
            losses: BTreeMap::new(),
            leak_ages: BTreeSet::new(),
        }
    }

    /// Takes in a recording.
    pub fn add(&mut self, recorded: &Recorded<'_>) {
        self.recordings += 1;
        self.unfinished += u64::from(!recorded.is_ended);
        self.leak_ages.insert(recorded.leak_age_ns);
        self.incomplete_because.extend(recorded.incomplete_because.iter().cloned());
        for loss in recorded.losses {
            *self.losses.entry((loss.hook.to_string(), loss.what.to_string())).or_default() += loss.count;
        }
        if recorded.moment > self.latest {
            self.latest = recorded.moment.clone();
        }
        let mut said: BTreeMap<(&str, &str), Said> = BTreeMap::new();
        for finding in recorded.findings {
            let said = said.entry((&finding.path, &finding.program)).or_insert_with(|| Said {
                is_judged: false,
                moment: recorded.moment.clone(),
                verdicts: BTreeMap::new(),
            });
            said.is_judged |= finding.verdict != Verdict::Undecided;
            said.verdicts.entry(finding.verdict).or_default().add(finding, recorded.stacks);
        }
        for ((path, program), said) in said {
            let pair = (path.to_owned(), program.to_owned());
            let is_newer = |it: &Said| (said.is_judged, &said.moment) > (it.is_judged, &it.moment);
            if self.pairs.get(&pair).is_none_or(is_newer) {
                self.pairs.insert(pair, said);
            }
        }
    }

    /// Was no recording taken in?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.recordings == 0
    }
}

impl HostVerdict {
    fn add(&mut self, finding: &FindingReport, stacks: &[StackReport]) {
        let thousandths = |growth: f64| (growth * 1_000.0).round() as i64;
        let missing = |needed: u64| needed.saturating_sub(finding.observed_ns.unwrap_or(0));
        self.count += finding.count;
        self.opened += finding.opened;
        self.closed += finding.closed;
        self.oldest_ns = self.oldest_ns.max(finding.oldest_ns);
        self.growth = joined(self.growth, finding.growth().map(thousandths), i64::saturating_add);
        self.seconds_until_full = joined(self.seconds_until_full, finding.seconds_until_full, u64::min);
        self.is_uncertain |= !finding.uncertain.is_empty();
        self.missing_ns = joined(self.missing_ns, finding.needed_ns.map(missing), u64::min);
        self.build = joined(self.build.take(), build(finding, stacks), String::min);
    }
}

/// Both, or the one that there is.
pub(super) fn joined<T>(one: Option<T>, other: Option<T>, join: impl FnOnce(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(join(one, other)),
        (one, other) => one.or(other),
    }
}

/// Build id of the program's executable, if a frame of its stacks is of that file.
fn build(finding: &FindingReport, stacks: &[StackReport]) -> Option<String> {
    let is_of_program = |module: &str| {
        let rest = finding.program.strip_prefix(module);
        !module.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ':']))
    };
    let ids = finding.opened_at.iter().map(|at| at.stack);
    let frames = ids.filter_map(|id| stacks.iter().find(|stack| stack.id == id)).flat_map(|it| &it.frames);
    let own = frames.filter(|frame| frame.module.as_deref().is_some_and(is_of_program));
    own.filter_map(|frame| frame.build_id.as_deref()).next().map(str::to_owned)
}
