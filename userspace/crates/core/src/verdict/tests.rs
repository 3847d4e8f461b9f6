//! Each verdict, and where it begins: just under and just over.

use super::{
    Verdict::{
        ClientLeak, ExitOnly, Healthy, Inherited, Pool, Saturated, ServerLeak, StaleClient, Starved, Suspect,
        Undecided,
    },
    simulate::{AGE, HOUR, MINUTE, SECOND, SETTINGS},
    *,
};

mod crowded;
mod keeping;
mod naming;
mod scenes;

const START: u64 = 5000 * SECOND;
const US: u32 = 7;
const THEM: u32 = 8;

/// What is given to the judge about program 7. Times count from the start of tracing.
struct Desk {
    record: Record,
    open: Vec<OpenConnection>,
    held: Vec<HeldEnd>,
    facts: SocketFacts,
    incomplete: bool,
}

impl Desk {
    fn new() -> Self {
        let record = Record::new(START, &SETTINGS);
        Self { record, open: vec![], held: vec![], facts: SocketFacts::default(), incomplete: false }
    }

    /// With open connections that were made at these times.
    fn open_since(times: impl IntoIterator<Item = u64>) -> Self {
        let mut desk = Self::new();
        desk.open.extend(times.into_iter().map(open));
        desk
    }

    fn findings(&self, now: u64) -> Vec<Finding> {
        let case = Case { program: US, record: &self.record, open: &self.open, held: &self.held };
        let observation = Observation { started: START, now: START + now, incomplete: self.incomplete };
        judge(&case, &self.facts, &observation, &SETTINGS)
    }

    fn verdicts(&self, now: u64) -> Vec<Verdict> {
        self.findings(now).iter().map(|finding| finding.verdict).collect()
    }

    /// The first finding, which must have this verdict.
    fn found(&self, now: u64, verdict: Verdict) -> Finding {
        let finding = self.findings(now).remove(0);
        assert_eq!(finding.verdict, verdict);
        finding
    }

    /// The program's client ends are released, one each minute, in this way.
    fn released(mut self, number: u64, ending: Ending) -> Self {
        for nth in 0..number {
            let opened = START + nth * MINUTE;
            let release = ClientRelease {
                opened,
                before_trace: false,
                at: opened + SECOND,
                ending,
                process: 0,
                reception: Reception::Served,
            };
            self.record.release(&release);
        }
        self
    }
}

fn open(opened: u64) -> OpenConnection {
    OpenConnection {
        opened: START + opened,
        before_trace: false,
        opener_seen: true,
        client: End::Open,
        server: End::Open,
        queued: false,
        inherited: false,
        process: 0,
        usage: None,
    }
}

fn before() -> OpenConnection {
    OpenConnection { before_trace: true, opener_seen: false, ..open(0) }
}

fn minutes(number: u64) -> impl Iterator<Item = u64> {
    (0..number).map(|minute| minute * MINUTE)
}

#[test]
fn what_is_young_is_healthy() {
    assert_eq!(Desk::new().verdicts(HOUR), [Healthy]);
    let desk = Desk::open_since([HOUR]);
    assert_eq!(desk.verdicts(HOUR + AGE - 1), [Healthy]);
    assert_eq!(desk.verdicts(HOUR + AGE), [Pool]);
    let finding = desk.found(HOUR + 5, Healthy);
    assert_eq!((finding.count, finding.figures.oldest_ns), (0, Some(5)));
}

#[test]
fn a_leak_has_connections_from_three_stretches_of_time() {
    let leak = Desk::open_since(minutes(6));
    let finding = leak.found(7 * MINUTE, Suspect);
    assert_eq!(finding.count, 6);
    assert_eq!(finding.figures.oldest_ns, Some(7 * MINUTE));
    // So does a pool that is being filled.
    assert_eq!(finding.uncertain, [Doubt::PerhapsFilling]);
    let growth = finding.figures.growth_per_hour.unwrap_or_default();
    assert!((50.0..70.0).contains(&growth), "{growth}");

    // The third one is still too young, and then it is not.
    let three = Desk::open_since([0, 0, 0, 60, 60, 60, 110, 110, 110, 150].map(|second| second * SECOND));
    assert_eq!(three.verdicts(210 * SECOND - 1), [Pool]);
    assert_eq!(three.verdicts(210 * SECOND), [Suspect]);
    assert_eq!(Desk::open_since(minutes(3)).verdicts(4 * MINUTE), [Suspect]);
    assert_eq!(Desk::open_since(minutes(2)).verdicts(4 * MINUTE), [Pool]);

    // Many, but from two stretches: a program that started its workers twice.
    let twice = Desk::open_since((0..30).flat_map(|nth| [nth, 2 * AGE - 1 - nth]));
    assert_eq!(twice.verdicts(3 * AGE + MINUTE), [Pool]);
}

#[test]
fn a_leak_goes_on() {
    let leak = Desk::open_since(minutes(24));
    assert_eq!(leak.verdicts(25 * MINUTE), [ClientLeak]);
    assert_eq!(leak.verdicts(30 * MINUTE), [ClientLeak]);
    // It pauses: for twice as long as it went on, that may be a pause.
    assert_eq!(leak.found(HOUR, Suspect).uncertain, [Doubt::Paused]);
    assert_eq!(leak.verdicts(2 * HOUR), [Pool]);
    // A program that closes most: it was a leak, and pauses.
    let paused = Desk { open: leak.open, ..Desk::new().released(50, Ending::Closed) };
    assert_eq!(paused.found(9 * HOUR, Suspect).uncertain, [Doubt::Paused]);
}

#[test]
fn a_short_observation_decides_nothing() {
    let two = Desk::open_since([0, 0]);
    assert_eq!(two.verdicts(AGE - 1), [Undecided]);
    let early = two.found(3 * AGE - 1, Undecided);
    assert_eq!((early.figures.needed_ns, early.figures.growth_per_hour), (Some(3 * AGE), None));
    let later = two.found(3 * AGE, Pool);
    assert_eq!((later.uncertain, later.figures.growth_per_hour), (vec![], Some(0.0)));
    // Younger than what it was seen to end.
    let ends =
        |at| Desk { open: vec![open(30 * SECOND)], ..Desk::new().released(1, Ending::Closed) }.verdicts(at);
    assert_eq!((ends(31 * SECOND), ends(33 * SECOND)), (vec![Healthy], vec![Undecided]));
    let mut full = Desk::open_since([0, 60, 65, 70, 80, 90, 100, 119].map(|second| second * SECOND));
    full.facts =
        SocketFacts { limit: Some(8), used: 8, holders: holders(&[(US, 8)]), ..SocketFacts::default() };
    assert_eq!(full.verdicts(HOUR), [Pool]);
    full.open.extend([110, 120].map(|second| open(second * SECOND)));
    assert_eq!(full.verdicts(HOUR), [ClientLeak]);
}

fn holders(slots: &[(u32, u64)]) -> Vec<Holder> {
    slots.iter().map(|&(program, slots)| Holder { program, slots }).collect()
}

#[test]
fn a_leak_that_filled_all_slots_hours_ago_is_one() {
    let mut full = Desk::open_since(minutes(10));
    full.facts = SocketFacts {
        limit: Some(10),
        used: 10,
        holders: holders(&[(US, 10)]),
        last_accept: None,
        ..SocketFacts::default()
    };
    let finding = full.found(9 * HOUR, ClientLeak);
    assert_eq!((finding.count, finding.figures.seconds_until_full), (10, Some(0)));
    assert!(finding.figures.growth_per_hour.is_some_and(|growth| (growth - 60.0).abs() < 5.0));
    full.facts.limit = Some(11);
    assert_eq!(full.verdicts(9 * HOUR), [Pool]);
    full.facts.limit = None;
    assert_eq!(full.verdicts(9 * HOUR), [Pool]);
    // Others filled it: who has a few connections there did not.
    full.facts = SocketFacts { limit: Some(20), used: 20, ..full.facts };
    assert_eq!(full.verdicts(9 * HOUR), [Pool]);
    full.facts.holders = holders(&[(US, 11), (THEM, 9)]);
    assert_eq!(full.verdicts(9 * HOUR), [ClientLeak]);
}

/// A pool that rests is no leak because others come and go, even when all of them together fill the server.
#[test]
fn a_pool_is_none_when_visitors_fill_the_rest() {
    let mut pool = Desk::open_since(minutes(8));
    let full = SocketFacts {
        limit: Some(10),
        used: 10,
        holders: holders(&[(US, 8), (THEM, 2)]),
        last_accept: None,
        ..SocketFacts::default()
    };
    let accepted = |at| SocketFacts { youngest_served: Some(START + at), ..full.clone() };
    pool.facts = accepted(9 * HOUR - SECOND);
    assert_eq!(pool.verdicts(9 * HOUR), [Pool]);
    // Its last one was made after 7 minutes, and another was due within three of its pauses.
    pool.facts = accepted(10 * MINUTE + SECOND);
    assert_eq!(pool.verdicts(9 * HOUR), [Pool]);
    // Nobody was accepted since it could have added more.
    for facts in [accepted(10 * MINUTE), accepted(7 * MINUTE), full.clone()] {
        pool.facts = facts;
        assert_eq!(pool.verdicts(9 * HOUR), [ClientLeak]);
    }
}

#[test]
fn what_is_older_than_the_trace_began_in_one_period() {
    let mut desk = Desk::new();
    desk.open.extend((0..10).map(|nth| OpenConnection { opened: START + nth * MINUTE, ..before() }));
    let finding = desk.found(11 * MINUTE, Undecided);
    assert_eq!((finding.count, finding.uncertain), (10, vec![Doubt::BeforeTrace(10)]));
    assert_eq!(finding.figures.growth_per_hour, Some(0.0));
    // It counts as one: two more make a leak.
    desk.open.push(open(55 * MINUTE));
    assert_eq!(desk.verdicts(HOUR), [Pool]);
    let mut desk = Desk::open_since((1..20).map(|nth| nth * 3 * MINUTE));
    desk.open.extend([before(); 10]);
    assert_eq!(desk.found(HOUR, ClientLeak).uncertain, [Doubt::BeforeTrace(10)]);
}

#[test]
fn a_stale_end_has_been_one_for_long() {
    let mut desk = Desk::new();
    let released = |at| OpenConnection { server: End::Released { at }, ..open(0) };
    desk.open.push(released(Some(START + HOUR)));
    assert_eq!(desk.verdicts(HOUR + AGE - 1), [Pool]);
    let finding = desk.found(HOUR + AGE, StaleClient);
    assert_eq!((finding.count, finding.figures.oldest_ns), (1, Some(AGE)));
    assert_eq!(desk.verdicts(HOUR + AGE), [StaleClient]);
    // Released before tracing started: since it was first seen.
    desk.open = vec![OpenConnection { server: End::Released { at: None }, ..before() }];
    assert_eq!(desk.verdicts(AGE - 1), [Undecided]);
    assert_eq!(desk.found(AGE, StaleClient).uncertain, [Doubt::BeforeTrace(1)]);
    // Nobody knows when: nobody is accused.
    desk.open = vec![released(None)];
    assert_eq!(desk.found(HOUR, Pool).uncertain, [Doubt::UnknownEnds(1)]);
    // The client's end is not known to be open.
    let unknown = OpenConnection { client: End::Unknown, ..released(Some(START)) };
    desk.open = vec![unknown, OpenConnection { client: End::Released { at: None }, ..unknown }];
    assert_eq!(desk.found(HOUR, Healthy).uncertain, [Doubt::UnknownEnds(2)]);
}

#[test]
fn stale_ends_that_grow_are_leaked_but_take_no_slot() {
    let mut desk = Desk::open_since(minutes(60));
    desk.facts = SocketFacts { limit: Some(1000), used: 60, ..SocketFacts::default() };
    let seconds = desk.found(HOUR, ClientLeak).figures.seconds_until_full;
    assert!(seconds.is_some_and(|seconds| seconds.abs_diff(940 * 60) < 600), "{seconds:?}");
    for connection in &mut desk.open {
        connection.server = End::Released { at: Some(connection.opened + SECOND) };
    }
    assert_eq!(desk.verdicts(HOUR), [ClientLeak, StaleClient]);
    assert_eq!(desk.found(HOUR, ClientLeak).figures.seconds_until_full, None);
}

#[test]
fn a_server_that_holds_what_clients_left_leaks() {
    let mut desk = Desk::new();
    let end = HeldEnd { since: START + HOUR, before_trace: false, keeper: Keeper::Itself };
    desk.held.push(end);
    desk.facts.linger = Some(0);
    // One may belong to a job that is not done.
    assert_eq!(desk.verdicts(HOUR + AGE), [Healthy]);
    desk.held.push(end);
    assert_eq!(desk.verdicts(HOUR + AGE - 1), [Healthy]);
    let finding = desk.found(HOUR + AGE, ServerLeak);
    assert_eq!((finding.count, finding.figures.oldest_ns, finding.uncertain), (2, Some(AGE), vec![]));
    // It took as long before, or was never seen to close one.
    desk.facts.linger = Some(AGE);
    assert_eq!(
        (desk.verdicts(HOUR + 2 * AGE - 1), desk.verdicts(HOUR + 2 * AGE)),
        (vec![Healthy], vec![ServerLeak])
    );
    desk.facts.linger = None;
    assert_eq!(
        (desk.verdicts(HOUR + 10 * AGE - 1), desk.verdicts(HOUR + 10 * AGE)),
        (vec![Healthy], vec![ServerLeak])
    );
    desk.facts.linger = Some(0);
    assert_eq!(desk.verdicts(HOUR + AGE), [ServerLeak]);
    desk.held[0].before_trace = true;
    assert_eq!(desk.found(2 * HOUR, ServerLeak).uncertain, [Doubt::BeforeTrace(1)]);
    // One a minute, in slots of which there are 100.
    desk.held = minutes(60)
        .map(|at| HeldEnd { since: START + at, before_trace: false, keeper: Keeper::Itself })
        .collect();
    desk.facts = SocketFacts { limit: Some(100), used: 60, linger: Some(0), ..SocketFacts::default() };
    let figures = desk.found(HOUR, ServerLeak).figures;
    assert!(figures.growth_per_hour.is_some_and(|growth| (growth - 60.0).abs() < 2.0));
    assert!(figures.seconds_until_full.is_some_and(|seconds| seconds.abs_diff(40 * 60) < 120));
    // The same, but a day later: most of the time nothing was the matter.
    let late = |end: &HeldEnd| HeldEnd { since: end.since + 24 * HOUR, ..*end };
    desk.held = desk.held.iter().map(late).collect();
    let growth = desk.found(25 * HOUR, ServerLeak).figures.growth_per_hour;
    assert!(growth.is_some_and(|growth| (growth - 60.0).abs() < 3.0), "{growth:?}");
    desk.facts.used = 100;
    assert_eq!(desk.found(25 * HOUR, ServerLeak).figures.seconds_until_full, Some(0));
    desk.facts.limit = None;
    assert_eq!(desk.found(25 * HOUR, ServerLeak).figures.seconds_until_full, None);
}

#[test]
fn what_others_hold_is_not_the_opener_s_leak() {
    let mut desk = Desk::open_since(minutes(30));
    for connection in &mut desk.open {
        connection.inherited = true;
    }
    assert_eq!(desk.verdicts(AGE - 1), [Healthy]);
    let finding = desk.found(30 * MINUTE, Inherited);
    assert_eq!((finding.count, desk.verdicts(30 * MINUTE)), (30, vec![Inherited]));
    // Nor is it stale in the opener's hands.
    desk.open.truncate(1);
    desk.open[0].server = End::Released { at: Some(START) };
    assert_eq!(desk.verdicts(HOUR), [Inherited]);
    desk.open[0].client = End::Unknown;
    assert_eq!(desk.verdicts(HOUR), [Healthy]);
}

#[test]
fn who_leaves_closing_to_the_kernel() {
    let exits = |number| Desk::new().released(number, Ending::Ended);
    assert_eq!(exits(2).verdicts(HOUR), [Healthy]);
    assert_eq!(exits(3).verdicts(HOUR), [ExitOnly]);
    assert_eq!(exits(3).found(HOUR, ExitOnly).count, 3);
    assert_eq!(exits(9).released(1, Ending::Closed).verdicts(HOUR), [Healthy]);
    assert_eq!(Desk::new().released(9, Ending::ByAnother).verdicts(HOUR), [Healthy]);
    let unseen = exits(3).released(2, Ending::Unseen);
    assert_eq!(unseen.found(HOUR, ExitOnly).uncertain, [Doubt::UnknownEnds(2)]);
    // A pool beside it is no crime; a leak says more.
    let mut desk = exits(3);
    desk.open.push(open(0));
    assert_eq!(desk.verdicts(HOUR), [ExitOnly, Pool]);
    desk.open = minutes(60).map(open).collect();
    assert_eq!(desk.verdicts(HOUR), [ClientLeak]);
    desk.open = vec![OpenConnection { inherited: true, ..open(0) }];
    assert_eq!(desk.verdicts(HOUR), [Inherited]);
}

/// Who accepted an end is not accused of what others keep, and not for certain of what nobody was seen to keep.
#[test]
fn a_server_end_is_its_keepers() {
    let end = |keeper| HeldEnd { since: START, before_trace: false, keeper };
    let judged = |held: &[Keeper], now: u64| {
        let mut desk = Desk::new();
        desk.held = held.iter().map(|&keeper| end(keeper)).collect();
        let findings = desk.findings(now);
        findings.into_iter().map(|it| (it.verdict, it.count, it.accepted, it.uncertain)).collect::<Vec<_>>()
    };
    use Keeper::{Another, Itself, OneOfSeveral, Presumed};
    assert_eq!(judged(&[OneOfSeveral; 2], HOUR), [(ServerLeak, 2, 0, vec![Doubt::AcceptorUnknown(2)])]);
    assert_eq!(judged(&[Itself; 2], HOUR), [(ServerLeak, 2, 0, vec![])]);
    assert_eq!(judged(&[Another; 2], HOUR), [(Inherited, 2, 2, vec![])]);
    assert_eq!(judged(&[Itself, Presumed], HOUR), [(ServerLeak, 2, 0, vec![Doubt::KeeperUnknown(1)])]);
    let both = [(ServerLeak, 2, 0, vec![]), (Inherited, 1, 1, vec![])];
    assert_eq!(judged(&[Another, Itself, Itself], HOUR), both);
    assert_eq!(judged(&[Another, Itself], HOUR), [(Inherited, 1, 1, vec![])], "one may belong to a job");
    assert_eq!(judged(&[Another], SECOND), [(Healthy, 0, 0, vec![])], "it is young");
}
