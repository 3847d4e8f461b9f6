//! Turns lists of lives into what the judgement is given, for the tests.

use std::collections::BTreeMap;

use super::*;

pub(super) const SECOND: u64 = 1_000_000_000;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const AGE: u64 = MINUTE;
pub(super) const SETTINGS: Settings = Settings { leak_age: AGE };
/// The program that listens.
pub(super) const SERVER: u32 = 0;

/// A connection, accepted when it is made. Times count from the start of tracing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    pub(super) program: u32,
    pub(super) opened: u64,
    pub(super) client: Option<(u64, Ending)>,
    pub(super) server: Option<u64>,
    pub(super) before_trace: bool,
}

/// A life that both sides end together.
pub(super) fn life(program: u32, opened: u64, closed: Option<u64>) -> Life {
    let client = closed.map(|at| (at, Ending::Closed));
    Life { program, opened, client, server: closed, before_trace: false }
}

/// Something that a record takes in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Update {
    Open,
    Release(ClientRelease),
    Close,
    /// A connect failed, at this time.
    Fail(u64, Crowding),
}

/// A socket and everything that happens there.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) started: u64,
    pub(super) limit: Option<u64>,
    pub(super) lives: Vec<Life>,
    /// Failed connects, by program.
    pub(super) failures: Vec<(u32, u64, Crowding)>,
}

impl Scene {
    pub(super) fn new(lives: impl IntoIterator<Item = Life>) -> Self {
        Self { started: 5000 * SECOND, limit: None, lives: lives.into_iter().collect(), failures: vec![] }
    }

    /// What happens until `now`, with the program whose record takes it in.
    pub(super) fn updates(&self, now: u64) -> Vec<(u32, Update)> {
        let mut updates = Vec::new();
        for life in self.lives.iter().filter(|life| life.opened <= now) {
            let &Life { program, opened, client, server, before_trace } = life;
            updates.push((program, Update::Open));
            let client = client.filter(|&(at, _)| at <= now);
            if let Some((at, ending)) = client {
                let (opened, at) = (self.started + opened, self.started + at);
                let release = ClientRelease {
                    opened,
                    before_trace,
                    at,
                    ending,
                    process: 0,
                    reception: Reception::Served,
                };
                updates.push((program, Update::Release(release)));
            }
            if client.is_some() && server.is_some_and(|at| at <= now) {
                updates.push((program, Update::Close));
            }
        }
        let failures = self.failures.iter().filter(|&&(_, at, _)| at <= now);
        updates.extend(failures.map(|&(program, at, crowding)| (program, Update::Fail(at, crowding))));
        updates
    }

    pub(super) fn feed(&self, records: &mut BTreeMap<u32, Record>, updates: &[(u32, Update)]) {
        for (program, update) in updates {
            let record = records.entry(*program).or_insert_with(|| Record::new(self.started, &SETTINGS));
            match update {
                Update::Open => record.open(),
                Update::Release(release) => record.release(release),
                Update::Close => record.close(),
                Update::Fail(at, crowding) => record.fail(self.started + at, 11, crowding),
            }
        }
    }

    /// The findings on every program.
    pub(super) fn judge(&self, now: u64, records: &BTreeMap<u32, Record>) -> BTreeMap<u32, Vec<Finding>> {
        let observation = Observation { started: self.started, now: self.started + now, incomplete: false };
        let facts = self.facts(now);
        let none = Record::new(self.started, &SETTINGS);
        let programs = records.keys().copied().chain([SERVER]);
        let judged = programs.map(|program| {
            let record = records.get(&program).unwrap_or(&none);
            let (open, held) = (self.open(now, program), self.held(now));
            let held = if program == SERVER { &held[..] } else { &[] };
            let case = Case { program, record, open: &open, held };
            (program, judge(&case, &facts, &observation, &SETTINGS))
        });
        judged.collect()
    }

    /// Those that take a slot.
    fn served(&self, now: u64) -> impl Iterator<Item = &Life> {
        self.lives.iter().filter(move |life| life.opened <= now && life.server.is_none_or(|at| at > now))
    }

    /// Slots in use.
    pub(super) fn used(&self, now: u64) -> u64 {
        self.served(now).count() as u64
    }

    fn facts(&self, now: u64) -> SocketFacts {
        let mut slots: BTreeMap<u32, u64> = BTreeMap::new();
        for life in self.served(now).filter(|life| life.client.is_none_or(|(at, _)| at > now)) {
            *slots.entry(life.program).or_default() += 1;
        }
        let used = self.used(now);
        let holders = slots.into_iter().map(|(program, slots)| Holder { program, slots }).collect();
        let last = self.lives.iter().map(|life| life.opened).filter(|&at| at <= now).max();
        let last_accept = last.map(|at| self.started + at);
        SocketFacts {
            limit: self.limit,
            used,
            holders,
            last_accept,
            youngest_served: last_accept,
            ..SocketFacts::default()
        }
    }

    fn open(&self, now: u64, program: u32) -> Vec<OpenConnection> {
        let own = self.lives.iter().filter(|life| life.program == program && life.opened <= now);
        let end = |released: Option<u64>| match released.filter(|&at| at <= now) {
            Some(at) => End::Released { at: Some(self.started + at) },
            None => End::Open,
        };
        let all = own.map(|life| OpenConnection {
            opened: self.started + life.opened,
            before_trace: life.before_trace,
            opener_seen: !life.before_trace,
            client: end(life.client.map(|(at, _)| at)),
            server: end(life.server),
            queued: false,
            inherited: false,
            process: 0,
            usage: None,
        });
        all.filter(|it| it.client == End::Open || it.server == End::Open).collect()
    }

    fn held(&self, now: u64) -> Vec<HeldEnd> {
        let held = self.lives.iter().filter(|life| life.server.is_none_or(|at| at > now));
        let since = held.filter_map(|life| life.client.map(|(at, _)| at)).filter(|&at| at <= now);
        since
            .map(|at| HeldEnd { since: self.started + at, before_trace: false, keeper: Keeper::Itself })
            .collect()
    }

    /// The findings on every program, from an ordinary feed.
    pub(super) fn findings(&self, now: u64) -> BTreeMap<u32, Vec<Finding>> {
        let mut records = BTreeMap::new();
        self.feed(&mut records, &self.updates(now));
        self.judge(now, &records)
    }

    /// What is concluded about a program.
    pub(super) fn verdicts(&self, now: u64, program: u32) -> Vec<Verdict> {
        let findings = self.findings(now).remove(&program).unwrap_or_default();
        findings.iter().map(|finding| finding.verdict).collect()
    }

    /// At which of these times program 1 is accused of a leak.
    pub(super) fn accused(&self, times: impl IntoIterator<Item = u64>) -> Vec<u64> {
        self.told(times, &[Verdict::ClientLeak])
    }

    /// At which of these times it is accused or suspected.
    pub(super) fn suspected(&self, times: impl IntoIterator<Item = u64>) -> Vec<u64> {
        self.told(times, &[Verdict::ClientLeak, Verdict::Suspect])
    }

    fn told(&self, times: impl IntoIterator<Item = u64>, verdicts: &[Verdict]) -> Vec<u64> {
        let is_told = |&at: &u64| self.verdicts(at, 1).iter().any(|it| verdicts.contains(it));
        times.into_iter().filter(is_told).collect()
    }
}

/// Connections that are never released, one each `every`.
pub(super) fn leak(program: u32, every: u64, from: u64, until: u64) -> impl Iterator<Item = Life> {
    (0..)
        .map(move |nth| from + nth * every)
        .take_while(move |&at| at < until)
        .map(move |at| life(program, at, None))
}

/// Connections that all last equally long, one each `every`.
pub(super) fn steady(program: u32, every: u64, lasting: u64, until: u64) -> impl Iterator<Item = Life> {
    leak(program, every, 0, until).map(move |it| life(program, it.opened, Some(it.opened + lasting)))
}

/// A pool of program 1 whose first member comes at `from` and the others one each `every`; each is replaced after
/// `lasting`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Members {
    pub(super) size: u64,
    pub(super) from: u64,
    pub(super) every: u64,
    pub(super) lasting: u64,
}

impl Members {
    pub(super) fn lives(self, until: u64) -> impl Iterator<Item = Life> {
        let Self { size, from, every, lasting } = self;
        (0..size).flat_map(move |member| {
            let starts = (0..).map(move |nth| from + member * every + nth * lasting);
            starts.take_while(move |&at| at < until).map(move |at| life(1, at, Some(at + lasting)))
        })
    }
}

/// Pseudo-random numbers, the same in every run.
#[derive(Clone, Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    /// Below 1.
    pub(super) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Exponentially distributed.
    pub(super) fn span(&mut self, mean: u64) -> u64 {
        (-(1.0 - self.unit()).ln() * mean as f64) as u64
    }
}

/// Connections of program 1 that come independently of each other at `number / lasting` and last `lasting` on average.
pub(super) fn crowd(number: u64, lasting: u64, until: u64, seed: u64) -> Vec<Life> {
    let mut random = Random(seed);
    // What is there at the start lasts on average as long as what comes later.
    let present = (0..number).map(|_| Life { before_trace: true, ..life(1, 0, Some(random.span(lasting))) });
    let mut lives: Vec<_> = present.collect();
    let mut at = random.span(lasting / number);
    while at < until {
        lives.push(life(1, at, Some(at + random.span(lasting))));
        at += random.span(lasting / number);
    }
    lives
}

/// The same, but ever more often: not at all at the start, so often at `until`.
pub(super) fn rush(number: u64, lasting: u64, until: u64, seed: u64) -> Vec<Life> {
    let mut random = Random(seed);
    let mut lives = crowd(number, lasting, until, !seed);
    lives.retain(|life| random.unit() * (until as f64) < life.opened as f64);
    lives
}
