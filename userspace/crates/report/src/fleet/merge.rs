//! Hosts added up. Sums are of integers and lists are kept in order, so the order of hosts does not matter.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, btree_map::Entry},
};

use sockleak_core::{assess::Loss, attribution::by::By, verdict::Verdict};

use super::{
    Build, FirstFull, FleetFinding, HostAnswer, HostList, LeakAge, LossOnHosts, Merged, NamedHost, Reason,
    SCHEMA_VERSION, Unreadable,
    host::{HostVerdict, Pair, Said, joined},
};

/// Pairs of program and socket that are kept. More are counted.
const MOST_PAIRS: usize = 1 << 17;
/// Sentences on what is missing that are kept.
const MOST_REASONS: usize = 1 << 12;

/// The sum of hosts. Its size depends on how many different programs and sockets there are, and on how many hosts are named, not on
/// how many recordings are taken in.
#[derive(Clone, Debug)]
pub struct Fleet {
    by: By,
    /// Hosts that a list names.
    named: usize,
    hosts: u64,
    recordings: u64,
    unfinished: u64,
    outside: u64,
    unreadable: Vec<Unreadable>,
    incomplete: HostList,
    because: BTreeMap<String, HostList>,
    losses: BTreeMap<(String, String), (u64, u64)>,
    leak_ages: BTreeMap<u64, u64>,
    pairs: BTreeMap<Pair, OnHosts>,
    left_out: u64,
}

/// A pair of program and socket, on the hosts that have it.
#[derive(Clone, Debug, Default)]
struct OnHosts {
    hosts: u64,
    verdicts: BTreeMap<Verdict, Sum>,
}

/// A verdict on it.
#[derive(Clone, Debug, Default)]
struct Sum {
    hosts: HostList,
    count: u64,
    opened: u64,
    closed: u64,
    oldest_ns: Option<u64>,
    growth: Option<i64>,
    first_full: Option<(u64, String)>,
    uncertain_hosts: u64,
    earlier_hosts: u64,
    builds: BTreeMap<String, HostList>,
    missing_ns: Option<u64>,
}

impl Fleet {
    /// Of no host yet. Lists name so many hosts at most.
    #[must_use]
    pub const fn new(by: By, named: usize) -> Self {
        Self {
            by,
            named,
            hosts: 0,
            recordings: 0,
            unfinished: 0,
            outside: 0,
            unreadable: Vec::new(),
            incomplete: HostList { count: 0, named: Vec::new() },
            because: BTreeMap::new(),
            losses: BTreeMap::new(),
            leak_ages: BTreeMap::new(),
            pairs: BTreeMap::new(),
            left_out: 0,
        }
    }

    /// Takes in a host, once. A host without a recording that could be read is none.
    pub fn add(&mut self, host: HostAnswer) {
        if host.is_empty() {
            return;
        }
        self.hosts += 1;
        self.recordings += host.recordings;
        self.unfinished += host.unfinished;
        for leak_age in host.leak_ages {
            *self.leak_ages.entry(leak_age).or_default() += 1;
        }
        for (key, count) in host.losses {
            let sum = self.losses.entry(key).or_default();
            *sum = (sum.0 + count, sum.1 + 1);
        }
        if !host.incomplete_because.is_empty() {
            self.incomplete.add(&host.name, 0, self.named);
        }
        for because in host.incomplete_because {
            let has_room = self.because.len() < MOST_REASONS;
            match self.because.entry(because) {
                Entry::Vacant(_) if !has_room => {}
                entry => entry.or_default().add(&host.name, 0, self.named),
            }
        }
        for (pair, said) in host.pairs {
            let has_room = self.pairs.len() < MOST_PAIRS;
            match self.pairs.entry(pair) {
                Entry::Vacant(_) if !has_room => self.left_out += 1,
                entry => entry.or_default().add(&host.name, said, &host.latest.file, self.named),
            }
        }
    }

    /// Notes a recording or a store that could not be read.
    pub fn cannot_read(&mut self, unreadable: Unreadable) {
        self.unreadable.push(unreadable);
    }

    /// Notes a recording with nothing of the part that is wanted.
    pub const fn note_outside(&mut self) {
        self.outside += 1;
    }

    /// How many recordings were taken in.
    #[must_use]
    pub const fn recordings(&self) -> u64 {
        self.recordings
    }

    /// The result.
    #[must_use]
    pub fn merged(mut self) -> Merged {
        self.unreadable.sort();
        let mut incomplete_because: Vec<Reason> =
            self.because.into_iter().map(|(because, hosts)| Reason { because, hosts }).collect();
        incomplete_because.sort_by_key(|reason| Reverse(reason.hosts.count));
        let (mut findings, mut undecided, mut healthy) = (Vec::new(), Vec::new(), 0);
        for (pair, on_hosts) in self.pairs {
            healthy += u64::from(on_hosts.verdicts.keys().all(|&it| it == Verdict::Healthy));
            for (verdict, sum) in on_hosts.verdicts {
                match verdict {
                    Verdict::Healthy => {}
                    Verdict::Undecided => undecided.push(sum.finding(verdict, &pair, on_hosts.hosts)),
                    _ => findings.push(sum.finding(verdict, &pair, on_hosts.hosts)),
                }
            }
        }
        rank(&mut findings);
        rank(&mut undecided);
        let losses = self.losses.into_iter().map(|((hook, what), (count, hosts))| LossOnHosts {
            loss: Loss { hook: hook.into(), what: what.into(), count },
            hosts,
        });
        let leak_ages = self.leak_ages.into_iter().map(|(leak_age_ns, hosts)| LeakAge { leak_age_ns, hosts });
        Merged {
            kind: "fleet",
            schema_version: SCHEMA_VERSION,
            by: self.by,
            hosts: self.hosts,
            recordings: self.recordings,
            unfinished: self.unfinished,
            outside: self.outside,
            complete: self.unreadable.is_empty() && self.incomplete.count == 0,
            unreadable: self.unreadable,
            incomplete: self.incomplete,
            incomplete_because,
            losses: losses.collect(),
            leak_ages: leak_ages.collect(),
            findings,
            undecided,
            healthy,
            left_out: self.left_out,
        }
    }
}

impl OnHosts {
    fn add(&mut self, host: &str, said: Said, latest: &str, named: usize) {
        self.hosts += 1;
        let is_earlier = said.moment.file != latest;
        for (verdict, it) in said.verdicts {
            self.verdicts.entry(verdict).or_default().add(host, it, is_earlier, named);
        }
    }
}

impl Sum {
    fn add(&mut self, host: &str, it: HostVerdict, is_earlier: bool, named: usize) {
        self.hosts.add(host, it.count, named);
        self.count += it.count;
        self.opened += it.opened;
        self.closed += it.closed;
        self.oldest_ns = self.oldest_ns.max(it.oldest_ns);
        self.growth = joined(self.growth, it.growth, i64::saturating_add);
        let full = it.seconds_until_full.map(|seconds| (seconds, host.to_owned()));
        self.first_full = joined(self.first_full.take(), full, Ord::min);
        self.uncertain_hosts += u64::from(it.is_uncertain);
        self.earlier_hosts += u64::from(is_earlier);
        if let Some(build) = it.build {
            self.builds.entry(build).or_default().add(host, it.count, named);
        }
        self.missing_ns = joined(self.missing_ns, it.missing_ns, u64::min);
    }

    fn finding(self, verdict: Verdict, (path, program): &Pair, of_hosts: u64) -> FleetFinding {
        let builds = self.builds.into_iter().map(|(build_id, hosts)| Build { build_id, hosts });
        let mut builds: Vec<Build> = builds.collect();
        builds.sort_by_key(|build| Reverse(build.hosts.count));
        FleetFinding {
            verdict,
            path: path.clone(),
            program: program.clone(),
            hosts: self.hosts,
            of_hosts,
            count: self.count,
            opened: self.opened,
            closed: self.closed,
            oldest_ns: self.oldest_ns,
            growth_per_hour: self.growth.map(|thousandths| thousandths as f64 / 1_000.0),
            first_full: self.first_full.map(|(seconds, host)| FirstFull { host, seconds }),
            uncertain_hosts: self.uncertain_hosts,
            earlier_hosts: self.earlier_hosts,
            builds,
            missing_ns: self.missing_ns,
        }
    }
}

impl HostList {
    /// Adds a host, and keeps the first `named`: those with the most connections, then by name.
    fn add(&mut self, host: &str, count: u64, named: usize) {
        self.count += 1;
        let place = self
            .named
            .binary_search_by(|it| (Reverse(it.count), &*it.host).cmp(&(Reverse(count), host)))
            .unwrap_or_else(|place| place);
        if place < named {
            self.named.insert(place, NamedHost { host: host.to_owned(), count });
            self.named.truncate(named);
        }
    }
}

/// Accusations first, then suspicions, then what else is amiss; within those by hosts, then by connections.
fn rank(findings: &mut [FleetFinding]) {
    let tier = |verdict| match verdict {
        Verdict::ClientLeak | Verdict::ServerLeak | Verdict::StaleClient => 0,
        Verdict::Suspect => 1,
        Verdict::Starved | Verdict::Saturated => 2,
        Verdict::Inherited | Verdict::ExitOnly => 3,
        Verdict::Undecided | Verdict::Pool | Verdict::Healthy => 4,
    };
    findings.sort_by(|a, b| {
        let key = |it: &FleetFinding| {
            (tier(it.verdict), Reverse(it.hosts.count), Reverse(it.count), Reverse(it.verdict))
        };
        key(a).cmp(&key(b)).then_with(|| (&a.path, &a.program).cmp(&(&b.path, &b.program)))
    });
}
