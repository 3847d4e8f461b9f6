//! What is enough to accuse, and of what.

use super::*;

/// Ten are enough to accuse a program that closes others, 24 of one that was never seen to close any.
#[test]
fn so_many_are_enough_to_accuse() {
    let closes = |number| {
        let desk = Desk::open_since(minutes(number));
        let (open, facts) = (desk.open, desk.facts);
        Desk { open, facts, ..Desk::new().released(3, Ending::Closed) }
    };
    assert_eq!(
        (closes(9).verdicts(10 * MINUTE), closes(10).verdicts(11 * MINUTE)),
        (vec![Suspect], vec![ClientLeak])
    );
    let never = |number| Desk::open_since(minutes(number)).verdicts((number + 1) * MINUTE);
    assert_eq!((never(23), never(24)), (vec![Suspect], vec![ClientLeak]));
    assert_eq!(closes(10).found(11 * MINUTE, ClientLeak).uncertain, []);
    // Three, when no slot is left within the hour.
    let mut soon = Desk::open_since(minutes(3));
    soon.facts = SocketFacts { limit: Some(10), used: 3, ..SocketFacts::default() };
    assert_eq!(soon.verdicts(4 * MINUTE), [ClientLeak]);
    soon.facts.limit = Some(1000);
    assert_eq!(soon.verdicts(4 * MINUTE), [Suspect]);
}

#[test]
fn three_unused_ones_are_enough() {
    let used = |last: u64| {
        let end = EndUse { last: Some(START + last), sends: 10, bytes: 100, unread: Some(0) };
        Some(Usage {
            since: START,
            until: u64::MAX,
            client: EndUse { last: Some(START + last - 1), ..end },
            server: end,
        })
    };
    let mut desk = Desk::open_since(minutes(3));
    desk.open.iter_mut().for_each(|it| it.usage = used(it.opened - START + SECOND));
    let finding = desk.found(4 * MINUTE, ClientLeak);
    assert_eq!((finding.count, finding.figures.unused, finding.uncertain), (3, 3, vec![]));
    // Two are; the third was used a moment ago.
    desk.open[2].usage = used(4 * MINUTE - SECOND);
    assert_eq!(desk.verdicts(4 * MINUTE), [Pool]);
    // Many that are used are a pool, however they grow.
    let mut pool = Desk::open_since(minutes(60));
    pool.open.iter_mut().for_each(|it| it.usage = used(HOUR - SECOND));
    assert_eq!(pool.verdicts(HOUR + AGE), [Pool]);
}

/// A connection is overdue when it has outlasted twice what the program ended itself.
#[test]
fn the_natural_age_is_the_program_s_own() {
    let mut desk = Desk::open_since(minutes(30));
    let lived = |life: u64| ClientRelease {
        opened: START,
        before_trace: false,
        at: START + life,
        ending: Ending::Closed,
        process: 0,
        reception: Reception::Served,
    };
    desk.record.release(&lived(10 * MINUTE));
    assert_eq!(desk.found(31 * MINUTE, ClientLeak).count, 12);
    desk.record.release(&lived(20 * MINUTE));
    assert_eq!(desk.verdicts(31 * MINUTE), [Pool]);
}

#[test]
fn one_connection_of_each_process_is_no_leak() {
    let mut desk = Desk::open_since(minutes(30));
    (1..).zip(&mut desk.open).for_each(|(process, it)| it.process = process);
    let finding = desk.found(31 * MINUTE, Pool);
    assert_eq!((finding.count, finding.figures.processes), (30, 30));
    desk.open.iter_mut().for_each(|it| it.process = 7);
    assert_eq!(desk.found(31 * MINUTE, ClientLeak).figures.processes, 1);
}

#[test]
fn who_holds_a_full_socket_is_no_pool_while_others_wait() {
    let mut desk = Desk::open_since([0; 10]);
    desk.facts =
        SocketFacts { limit: Some(10), used: 10, holders: holders(&[(US, 10)]), ..SocketFacts::default() };
    assert_eq!(desk.verdicts(HOUR), [Pool]);
    desk.facts.is_pressed = true;
    assert_eq!(desk.found(9 * HOUR, Suspect).count, 10);
    // At once, when they were there before.
    let mut before = Desk { open: vec![before(); 10], ..Desk::new() };
    before.facts = desk.facts.clone();
    assert_eq!(before.verdicts(SECOND), [Suspect]);
    // The number of slots is not known, and nobody is accepted.
    desk.facts = SocketFacts { limit: None, is_stalled: true, ..desk.facts };
    assert_eq!(desk.verdicts(HOUR), [Suspect]);
    // It holds less than half.
    desk.facts.holders = holders(&[(US, 5), (THEM, 5)]);
    assert_eq!(desk.verdicts(HOUR), [Pool]);
}

/// Nobody keeps anything, and attempts fail all the same.
#[test]
fn a_server_that_is_too_small_is_saturated() {
    let crammed = Crowding { used: 3, own: 3, limit: None, queue_full: true, last_accept: None };
    let failed = |times: &[u64], opened: u64, kept: u64| {
        let mut desk = Desk::new();
        times.iter().for_each(|at| desk.record.fail(START + at, 11, &crammed));
        (0..opened).for_each(|_| desk.record.open());
        desk.facts = SocketFacts { used: 3, kept, holders: holders(&[(US, 3)]), ..SocketFacts::default() };
        desk.verdicts(HOUR)
    };
    let three = [0, SECOND / 2, SECOND];
    assert_eq!(failed(&three, 57, 0), [Saturated]);
    assert_eq!(failed(&three, 58, 0), [Healthy]);
    assert_eq!(failed(&three, 57, 1), [Healthy]);
    assert_eq!(failed(&three[1..], 0, 0), [Healthy]);
    assert_eq!(failed(&[0, 1, SECOND - 1], 57, 0), [Healthy]);
}

/// A server that was full when the capture began, and closes at once whoever comes.
#[test]
fn who_holds_what_seems_full_is_suspect_if_it_uses_nothing() {
    let idle = |last: u64| {
        let end = EndUse { last: Some(START + last), sends: 1, bytes: 10, unread: Some(0) };
        Some(Usage { since: START, until: u64::MAX, client: EndUse::default(), server: end })
    };
    let holding = |number: u64, usage: Option<Usage>| {
        let mut desk = Desk { open: vec![OpenConnection { usage, ..before() }; 10], ..Desk::new() };
        let holders = holders(&[(US, number), (THEM, 10 - number)]);
        desk.facts = SocketFacts { seems_full: true, used: 10, holders, ..SocketFacts::default() };
        desk
    };
    let finding = holding(10, idle(SECOND)).found(SECOND + AGE, Suspect);
    assert_eq!((finding.count, finding.figures.unused), (10, 10));
    assert_eq!(finding.uncertain, [Doubt::BeforeTrace(10), Doubt::SlotsInferred]);
    // Somebody who closed first once seems to have been served.
    let mut visited = holding(10, idle(SECOND));
    visited.facts.youngest_served = Some(START + HOUR);
    assert_eq!(visited.verdicts(2 * HOUR), [Suspect]);
    // It is used; whether it is, is not known; others hold as many.
    assert_eq!(holding(10, idle(AGE)).verdicts(SECOND + AGE), [Pool]);
    assert_eq!(holding(10, None).verdicts(SECOND + AGE), [Undecided]);
    assert_eq!(holding(5, idle(SECOND)).verdicts(SECOND + AGE), [Undecided]);
    // One of ten is used.
    let mut desk = holding(10, idle(SECOND));
    desk.open[3].usage = idle(AGE);
    assert_eq!(desk.found(SECOND + AGE, Suspect).count, 9);
    // Half of them are.
    (0..5).for_each(|nth| desk.open[nth].usage = idle(AGE));
    assert_eq!(desk.verdicts(SECOND + AGE), [Undecided]);
}
