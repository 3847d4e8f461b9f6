//! The judgement.

use super::{
    Doubt, Figures, Finding, Hardship, Verdict,
    evidence::{Case, End, HeldEnd, Keeper, Observation, OpenConnection, Settings, SocketFacts},
    forecast,
    growth::{Crowd, Curve},
    history::History,
    starvation,
};

/// One who closes nothing has left at least so many connections to the kernel.
const LEFT_TO_EXIT: u64 = 3;

/// What the evidence says of a program on a socket: the most severe first, at least one finding.
#[must_use]
pub fn judge(
    case: &Case<'_>,
    socket: &SocketFacts,
    observation: &Observation,
    settings: &Settings,
) -> Vec<Finding> {
    let bench = Bench::new(case, socket, observation, settings);
    let found = [bench.growing(), bench.held(), bench.stale(), bench.starved(), bench.inherited()];
    let mut findings: Vec<Finding> = found.into_iter().flatten().collect();
    let has = |verdict| findings.iter().any(|finding: &Finding| finding.verdict == verdict);
    let accused = [Verdict::ClientLeak, Verdict::StaleClient, Verdict::Inherited].into_iter().any(has);
    findings.extend(bench.exit_only().filter(|_| !accused));
    if findings.is_empty() {
        findings.push(bench.healthy());
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    findings
}

/// The evidence, sorted.
struct Bench<'a> {
    case: &'a Case<'a>,
    socket: &'a SocketFacts,
    observation: &'a Observation,
    leak_age: u64,
    /// Old client ends that the program holds and the server serves, or has served.
    old: Vec<&'a OpenConnection>,
    /// Old client ends that others hold.
    inherited: Vec<&'a OpenConnection>,
    /// Server ends whose client went long ago.
    held: Vec<&'a HeldEnd>,
    /// Such server ends that the program accepted and others hold.
    handed_over: Vec<&'a HeldEnd>,
    /// Over the whole observation, per nanosecond.
    rate: Option<f64>,
    /// That of a client's leak, over the time that shows it.
    leak: Option<f64>,
    /// The oldest that it keeps became old a short time ago.
    is_short: bool,
}

/// A connection that a finding rests on.
#[derive(Clone, Copy)]
struct Bearer {
    since: u64,
    before_trace: bool,
    opener_seen: bool,
}

impl<'a> Bench<'a> {
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
        let ends = || case.open.iter().filter(|it| it.client == End::Open);
        let old = || ends().filter(|it| is_old(it.opened));
        let own = |it: &&OpenConnection| !it.inherited && !starvation::is_waiting(it);
        let old_own: Vec<_> = old().filter(own).collect();
        let joins = old_own.iter().map(|it| {
            // When it really began is not known: not in several periods, at any rate.
            let began = if it.before_trace { observation.started } else { it.opened };
            began.saturating_add(leak_age)
        });
        let old_held = |handed_over: bool| {
            let held = case.held.iter().filter(|end| is_old(end.since));
            held.filter(|end| (end.keeper == Keeper::Another) == handed_over).collect()
        };
        let curve = Curve::new(&case.record.history, joins, leak_age);
        let crowd = if socket.is_full() && socket.is_held_by(case.program) {
            Crowd::Filled { last_accept: socket.last_accept }
        } else {
            Crowd::Room
        };
        Self {
            rate: curve.rate(now),
            leak: curve.leak(now, crowd),
            is_short: curve.is_short(now),
            old: old_own,
            inherited: old().filter(|it| it.inherited).collect(),
            held: old_held(false),
            handed_over: old_held(true),
            case,
            socket,
            observation,
            leak_age,
        }
    }

    /// The client's leak, or its pool.
    fn growing(&self) -> Option<Finding> {
        if let Some(rate) = self.leak {
            let mut finding = self.finding(Verdict::ClientLeak, self.old.iter().map(|it| opened(it)));
            finding.figures.growth_per_hour = Some(forecast::per_hour(rate));
            // Stale ends are leaked too, but take no slots.
            let serving = self.old.iter().filter(|it| !matches!(it.server, End::Released { .. })).count();
            self.predict(&mut finding.figures, Some(rate * serving as f64 / self.old.len() as f64));
            finding.uncertain.extend(self.is_short.then_some(Doubt::PerhapsFilling));
            return Some(finding);
        }
        let members = self.old.iter().filter(|it| !self.is_stale(it));
        let mut finding = self.found(Verdict::Pool, members.map(|it| opened(it)))?;
        finding.uncertain.extend(self.rate.is_none().then_some(Doubt::TooEarly));
        Some(finding)
    }

    fn held(&self) -> Option<Finding> {
        let mut finding = self.found(Verdict::ServerLeak, self.held.iter().map(|end| released(end)))?;
        let presumed = self.held.iter().filter(|end| end.keeper == Keeper::Presumed).count() as u64;
        finding.uncertain.extend((presumed > 0).then_some(Doubt::KeeperUnknown(presumed)));
        // Those that were released in the end are not known here: this is the growth of what stayed.
        let none = History::new(self.observation.started);
        let first_seen = |end: &HeldEnd| if end.before_trace { none.started() } else { end.since };
        let joins = self.held.iter().map(|end| first_seen(end).saturating_add(self.leak_age));
        let (curve, now) = (Curve::new(&none, joins, self.leak_age), self.observation.now);
        let crowd = if self.socket.is_full() { Crowd::Filled { last_accept: None } } else { Crowd::Room };
        let rate = curve.leak(now, crowd).or_else(|| curve.rate(now));
        finding.figures.growth_per_hour = rate.map(forecast::per_hour);
        self.predict(&mut finding.figures, rate);
        Some(finding)
    }

    fn stale(&self) -> Option<Finding> {
        // Who has an old stale end has had the connection for longer still.
        let stale = self.old.iter().filter(|it| self.is_stale(it));
        let stale = stale.map(|it| Bearer { since: stale_since(it).unwrap_or(it.opened), ..opened(it) });
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

    fn starved(&self) -> Option<Finding> {
        let hardship = starvation::hardship(self.case, self.socket, self.observation.now, self.leak_age)?;
        let waits = |it: &&OpenConnection| {
            starvation::waits_long(it, self.socket, self.observation.now, self.leak_age)
        };
        let waiting = self.case.open.iter().filter(|it| hardship.waiting > 0 && waits(it));
        let mut finding = self.finding(Verdict::Starved, waiting.map(opened));
        let Hardship { refused, abandoned, waiting, .. } = hardship;
        finding.count = refused + abandoned + waiting;
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
    fn found(&self, verdict: Verdict, bearers: impl Iterator<Item = Bearer>) -> Option<Finding> {
        Some(self.finding(verdict, bearers)).filter(|finding| finding.count > 0)
    }

    fn finding(&self, verdict: Verdict, bearers: impl Iterator<Item = Bearer>) -> Finding {
        let bearers: Vec<Bearer> = bearers.collect();
        let count = |what: fn(&Bearer) -> bool| bearers.iter().filter(|bearer| what(bearer)).count() as u64;
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
        let oldest = bearers.iter().map(|bearer| self.observation.now.saturating_sub(bearer.since)).max();
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
        }
    }

    /// Adds what comes of a leak that takes so many slots a nanosecond.
    fn predict(&self, figures: &mut Figures, rate: Option<f64>) {
        let limit = self.socket.limit;
        figures.seconds_until_full =
            limit.and_then(|limit| forecast::seconds_until_full(self.socket.used, limit, rate));
    }
}

fn opened(connection: &OpenConnection) -> Bearer {
    let &OpenConnection { opened: since, before_trace, opener_seen, .. } = connection;
    Bearer { since, before_trace, opener_seen }
}

const fn released(end: &HeldEnd) -> Bearer {
    Bearer { since: end.since, before_trace: end.before_trace, opener_seen: true }
}

/// Since when the server's end is released. Before the trace is as good as at its first sight.
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
