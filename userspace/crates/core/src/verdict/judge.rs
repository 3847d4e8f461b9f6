//! The judgement.

use std::collections::BTreeSet;

use super::{
    Doubt, Figures, Finding, Hardship, Verdict,
    evidence::Case,
    facts::{End, HeldEnd, Keeper, Observation, OpenConnection, Settings, SocketFacts},
    forecast,
    growth::Curve,
    hardship,
    history::History,
    keeping::{Judged, Keeping},
};

/// One who closes nothing has left at least so many connections to the kernel.
const LEFT_TO_EXIT: u64 = 3;
/// A server that leaks keeps at least so many ends: one may belong to a job that is not done.
const KEPT_BY_SERVER: usize = 2;
/// An end outlasts the longest that the server took to let go when it is kept so many times as long.
const MARGIN: u64 = 2;
/// Of a server that has closed no end after its client, none is overdue before so many leak ages.
const FIRST: u64 = 10;
/// An observation of so many leak ages is long enough.
const ENOUGH: u64 = 3;
/// So many attempts have to fail, and one in so many, for so long, before a server is too small.
const CRAMMED: u64 = 3;
/// See [`CRAMMED`].
const ONE_IN: u64 = 20;
/// See [`CRAMMED`]: nanoseconds.
const CRAMMED_FOR: u64 = 1_000_000_000;

/// What the evidence says of a program on a socket: the most severe first, at least one finding.
#[must_use]
pub fn judge(
    case: &Case<'_>,
    socket: &SocketFacts,
    observation: &Observation,
    settings: &Settings,
) -> Vec<Finding> {
    let evidence = Evidence::new(case, socket, observation, settings);
    let found =
        [evidence.kept(), evidence.held(), evidence.stale(), evidence.suffering(), evidence.inherited()];
    let mut findings: Vec<Finding> = found.into_iter().flatten().collect();
    if findings.iter().any(|finding| finding.verdict == Verdict::Saturated) {
        findings.retain(|finding| !evidence.is_being_served(finding));
    }
    if !findings.iter().any(|finding| finding.verdict == Verdict::Starved) {
        findings.extend(evidence.unanswered());
    }
    let has = |verdict| findings.iter().any(|finding: &Finding| finding.verdict == verdict);
    let others = [
        Verdict::ClientLeak,
        Verdict::Suspect,
        Verdict::StaleClient,
        Verdict::Inherited,
        // What the server closes at once, the client need not.
        Verdict::Undecided,
    ];
    let says_more = others.into_iter().any(has);
    findings.extend(evidence.exit_only().filter(|_| !says_more));
    if findings.is_empty() {
        findings.push(evidence.young().unwrap_or_else(|| evidence.healthy()));
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    findings
}

/// What a program did on a socket, sorted for the judgement.
struct Evidence<'a> {
    case: &'a Case<'a>,
    socket: &'a SocketFacts,
    observation: &'a Observation,
    leak_age: u64,
    /// What the program keeps.
    keeping: Keeping<'a>,
    /// Old client ends that others hold.
    inherited: Vec<&'a OpenConnection>,
    /// Server ends whose client went long ago.
    held: Vec<&'a HeldEnd>,
    /// Such server ends that the program accepted and others hold.
    handed_over: Vec<&'a HeldEnd>,
    /// Over the whole observation, per nanosecond.
    rate: Option<f64>,
    /// Since the first of those that it keeps became old.
    recent: Option<f64>,
}

/// A connection that a finding counts.
#[derive(Clone, Copy)]
struct Counted {
    since: u64,
    before_trace: bool,
    opener_seen: bool,
}

impl<'a> Evidence<'a> {
    fn new(
        case: &'a Case<'a>,
        socket: &'a SocketFacts,
        observation: &'a Observation,
        settings: &Settings,
    ) -> Self {
        // Ages are divided by it.
        let leak_age = settings.leak_age.max(1);
        let now = observation.now;
        let is_old = |since: u64| now.saturating_sub(since) >= leak_age;
        let keeping = Keeping::new(case, socket, observation, leak_age);
        // When those from before tracing began is not known: not in several periods, at any rate.
        let joins = keeping.began(&keeping.old).into_iter().map(|began| began.saturating_add(leak_age));
        let curve = Curve::new(&case.record.history, joins, leak_age);
        let inherited = case.open.iter().filter(|it| it.client == End::Open && it.inherited);
        let first = leak_age.saturating_mul(FIRST);
        let patience = socket.linger.map_or(first, |longest| leak_age.max(longest.saturating_mul(MARGIN)));
        let (handed_over, held): (Vec<_>, Vec<&HeldEnd>) =
            case.held.iter().filter(|end| is_old(end.since)).partition(|end| end.keeper == Keeper::Another);
        let mut held: Vec<_> =
            held.into_iter().filter(|end| now.saturating_sub(end.since) >= patience).collect();
        if held.len() < KEPT_BY_SERVER {
            held.clear();
        }
        Self {
            rate: curve.rate(now),
            recent: curve.rate_since_first(keeping.end.saturating_add(leak_age).min(now)),
            keeping,
            inherited: inherited.filter(|it| is_old(it.opened)).collect(),
            held,
            handed_over,
            case,
            socket,
            observation,
            leak_age,
        }
    }

    /// What it keeps: a leak, something like it, a pool, or nobody knows.
    fn kept(&self) -> Option<Finding> {
        let (verdict, paused) = match self.keeping.judged {
            Judged::Leak => (Verdict::ClientLeak, false),
            Judged::Suspect { paused } => (Verdict::Suspect, paused),
            Judged::Calm => return self.calm(),
        };
        let overdue = &self.keeping.overdue;
        let mut finding = self.finding(verdict, overdue.iter().map(|it| opened(it)));
        let rate = self.recent.filter(|_| !self.keeping.stalled);
        finding.figures.growth_per_hour = rate.map(forecast::per_hour);
        finding.figures.unused = self.keeping.unused.len() as u64;
        finding.figures.processes = self.keeping.processes;
        // Stale ends are leaked too, but take no slots.
        let serving = overdue.iter().filter(|it| !matches!(it.server, End::Released { .. })).count();
        self.predict(&mut finding.figures, rate.map(|rate| rate * serving as f64 / overdue.len() as f64));
        finding.uncertain.extend(self.keeping.is_few.then_some(Doubt::PerhapsFilling));
        finding.uncertain.extend(paused.then_some(Doubt::Paused));
        let is_inferred = self.socket.limit_is_inferred || self.socket.seems_full;
        let inferred = self.keeping.rests_on_slots && is_inferred;
        finding.uncertain.extend(inferred.then_some(Doubt::SlotsInferred));
        Some(finding)
    }

    /// A pool; or what was watched is not enough to call it one.
    fn calm(&self) -> Option<Finding> {
        let members: Vec<_> = self.keeping.old.iter().filter(|it| !self.is_stale(it)).collect();
        let all_before = members.iter().all(|it| it.before_trace);
        let is_known = self.keeping.all_used || !(self.is_brief() || all_before);
        let verdict = if is_known { Verdict::Pool } else { Verdict::Undecided };
        let mut finding = self.found(verdict, members.iter().map(|it| opened(it)))?;
        finding.figures.processes = self.keeping.processes;
        finding.figures.is_used = self.keeping.all_used;
        finding.figures.needed_ns = (!is_known && self.is_brief()).then(|| self.needed());
        Some(finding)
    }

    /// Too little was seen to tell a pool from a leak.
    fn is_brief(&self) -> bool {
        self.observed() < self.needed()
    }

    fn observed(&self) -> u64 {
        self.observation.now.saturating_sub(self.observation.started)
    }

    fn needed(&self) -> u64 {
        self.leak_age.saturating_mul(ENOUGH)
    }

    /// It keeps young connections, and has not been watched for long enough to see whether it ends such.
    fn young(&self) -> Option<Finding> {
        let now = self.observation.now;
        let longest = self.case.record.lifetimes.percentile(100).unwrap_or(0).saturating_mul(MARGIN);
        let is_longer = |it: &&OpenConnection| now.saturating_sub(it.opened) > longest;
        let ends = self.case.open.iter().filter(|it| it.client == End::Open && !it.inherited);
        let young = ends.filter(|it| !hardship::is_waiting(it)).filter(is_longer).map(opened);
        let mut finding = self.found(Verdict::Undecided, young).filter(|_| self.is_brief())?;
        finding.figures.needed_ns = Some(self.needed());
        Some(finding)
    }

    fn held(&self) -> Option<Finding> {
        let mut finding = self.found(Verdict::ServerLeak, self.held.iter().map(|end| released(end)))?;
        let presumed = self.held.iter().filter(|end| end.keeper == Keeper::Presumed).count() as u64;
        finding.uncertain.extend((presumed > 0).then_some(Doubt::KeeperUnknown(presumed)));
        let shared = self.held.iter().filter(|end| end.keeper == Keeper::OneOfSeveral).count() as u64;
        finding.uncertain.extend((shared > 0).then_some(Doubt::AcceptorUnknown(shared)));
        // Those that were released in the end are not known here: this is the growth of what stayed.
        let none = History::new(self.observation.started);
        let first_seen = |end: &HeldEnd| if end.before_trace { none.started() } else { end.since };
        let joins = self.held.iter().map(|end| first_seen(end).saturating_add(self.leak_age));
        let (curve, now) = (Curve::new(&none, joins, self.leak_age), self.observation.now);
        // Where all were kept at one moment, nothing is known since then.
        let at_once = self.held.iter().map(|end| first_seen(end)).collect::<BTreeSet<_>>().len() < 2;
        let rate = curve.rate_since_first(now).or_else(|| curve.rate(now).filter(|_| at_once));
        finding.figures.growth_per_hour = rate.map(forecast::per_hour);
        self.predict(&mut finding.figures, rate);
        Some(finding)
    }

    fn stale(&self) -> Option<Finding> {
        // Who has an old stale end has had the connection for longer still.
        let stale = self.keeping.old.iter().filter(|it| self.is_stale(it));
        let stale = stale.map(|it| Counted { since: stale_since(it).unwrap_or(it.opened), ..opened(it) });
        self.found(Verdict::StaleClient, stale)
    }

    /// Was its server end released long ago?
    fn is_stale(&self, connection: &OpenConnection) -> bool {
        let since = stale_since(connection);
        since.is_some_and(|since| self.observation.now.saturating_sub(since) >= self.leak_age)
    }

    fn inherited(&self) -> Option<Finding> {
        let opened = self.inherited.iter().map(|it| opened(it));
        let accepted = self.handed_over.iter().map(|end| released(end));
        let mut finding = self.found(Verdict::Inherited, opened.chain(accepted))?;
        finding.accepted = self.handed_over.len() as u64;
        Some(finding)
    }

    /// A victim of others, or of a server that is too small.
    fn suffering(&self) -> Option<Finding> {
        self.starved().or_else(|| self.saturated())
    }

    /// Are the connections that a finding would call kept no older than the last connect that found no room? Then they are what the
    /// server has to do, and not kept by anybody.
    fn is_being_served(&self, finding: &Finding) -> bool {
        let since = self.observation.now.saturating_sub(finding.figures.oldest_ns.unwrap_or(u64::MAX));
        let keeps = matches!(finding.verdict, Verdict::Pool | Verdict::Undecided);
        keeps && self.case.record.starvation.crammed().is_some_and(|run| run.last >= since)
    }

    /// Attempts fail, and nobody keeps anything.
    fn saturated(&self) -> Option<Finding> {
        let record = self.case.record;
        let run = record.starvation.crammed()?;
        let (count, length) = (run.count, run.length());
        let tries = record.failed.values().sum::<u64>().saturating_add(record.opened);
        let is_much = count >= CRAMMED && count.saturating_mul(ONE_IN) >= tries && length >= CRAMMED_FOR;
        let mut finding = self.finding(Verdict::Saturated, std::iter::empty());
        finding.count = count;
        (is_much && self.socket.kept == 0).then_some(finding)
    }

    fn starved(&self) -> Option<Finding> {
        let hardship = hardship::hardship(self.case, self.socket, self.observation.now, self.leak_age)?;
        let waits =
            |it: &&OpenConnection| hardship::waits_long(it, self.socket, self.observation.now, self.leak_age);
        let waiting = self.case.open.iter().filter(|it| hardship.waiting > 0 && waits(it));
        let mut finding = self.finding(Verdict::Starved, waiting.map(opened));
        finding.uncertain.extend(self.socket.limit_is_inferred.then_some(Doubt::SlotsInferred));
        let Hardship { refused, abandoned, waiting, turned_away, .. } = hardship;
        finding.count = refused + abandoned + waiting + turned_away;
        finding.hardship = Some(hardship);
        Some(finding)
    }

    /// The server closes at once whoever comes, and perhaps because it is full.
    fn unanswered(&self) -> Option<Finding> {
        let hardship = hardship::perhaps_turned_away(self.case, self.socket)?;
        let mut finding = self.finding(Verdict::Undecided, std::iter::empty());
        finding.count = hardship.turned_away;
        finding.hardship = Some(hardship);
        Some(finding)
    }

    fn exit_only(&self) -> Option<Finding> {
        let endings = self.case.record.endings;
        let mut finding = self.finding(Verdict::ExitOnly, std::iter::empty());
        finding.count = endings.ended;
        (endings.ended >= LEFT_TO_EXIT && endings.closed == 0).then_some(finding)
    }

    fn healthy(&self) -> Finding {
        let open = self.case.open.iter().filter(|it| it.client == End::Open);
        let mut finding = self.finding(Verdict::Healthy, open.map(opened));
        finding.count = 0;
        finding
    }

    /// The finding, if anything bears it.
    fn found(&self, verdict: Verdict, connections: impl Iterator<Item = Counted>) -> Option<Finding> {
        Some(self.finding(verdict, connections)).filter(|finding| finding.count > 0)
    }

    fn finding(&self, verdict: Verdict, connections: impl Iterator<Item = Counted>) -> Finding {
        let connections: Vec<Counted> = connections.collect();
        let count = |what: fn(&Counted) -> bool| {
            connections.iter().filter(|connection| what(connection)).count() as u64
        };
        let ends = self.case.open.iter().filter(|it| is_unknown(it)).count() as u64;
        let unknown = match verdict {
            Verdict::ServerLeak => 0,
            Verdict::ExitOnly => ends + self.case.record.endings.unseen,
            _ => ends,
        };
        let before = count(|it| it.before_trace);
        let unseen = count(|it| !it.before_trace && !it.opener_seen);
        let doubts = [
            (Doubt::EventsLost, u64::from(self.observation.incomplete)),
            (Doubt::BeforeTrace(before), before),
            (Doubt::OpenerUnknown(unseen), unseen),
            (Doubt::UnknownEnds(unknown), unknown),
        ];
        let doubts = doubts.into_iter().filter(|&(_, weight)| weight > 0);
        let oldest =
            connections.iter().map(|connection| self.observation.now.saturating_sub(connection.since)).max();
        Finding {
            verdict,
            count: count(|_| true),
            accepted: 0,
            figures: self.figures(oldest),
            hardship: None,
            uncertain: doubts.map(|(doubt, _)| doubt).collect(),
        }
    }

    fn figures(&self, oldest_ns: Option<u64>) -> Figures {
        let record = self.case.record;
        Figures {
            opened: record.opened,
            closed: record.closed,
            oldest_ns,
            p50_ns: record.lifetimes.percentile(50),
            p99_ns: record.lifetimes.percentile(99),
            failed: record.failed.clone(),
            growth_per_hour: self.rate.map(forecast::per_hour),
            slots_used: self.socket.used,
            slots_limit: self.socket.limit,
            seconds_until_full: None,
            needed_ns: None,
            processes: 0,
            unused: 0,
            is_used: false,
        }
    }

    /// Adds what comes of a leak that takes so many slots a nanosecond.
    fn predict(&self, figures: &mut Figures, rate: Option<f64>) {
        let limit = self.socket.limit;
        figures.seconds_until_full =
            limit.and_then(|limit| forecast::seconds_until_full(self.socket.used, limit, rate));
    }
}

fn opened(connection: &OpenConnection) -> Counted {
    let &OpenConnection { opened: since, before_trace, opener_seen, .. } = connection;
    Counted { since, before_trace, opener_seen }
}

const fn released(end: &HeldEnd) -> Counted {
    Counted { since: end.since, before_trace: end.before_trace, opener_seen: true }
}

/// Since when the server's end is released. Before tracing is as good as at its first sight.
fn stale_since(connection: &OpenConnection) -> Option<u64> {
    match connection.server {
        End::Released { at } => at.or_else(|| connection.before_trace.then_some(connection.opened)),
        End::Open | End::Unknown => None,
    }
}

/// Is it unknown whether an end is open, or since when it is not?
fn is_unknown(connection: &OpenConnection) -> bool {
    let unclear = |end: End| match end {
        End::Open => false,
        End::Released { at } => at.is_none() && !connection.before_trace,
        End::Unknown => true,
    };
    unclear(connection.client) || unclear(connection.server)
}
