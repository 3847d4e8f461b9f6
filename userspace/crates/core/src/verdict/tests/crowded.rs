//! Victims, and who only looks like one.

use super::*;

const EAGAIN: i32 = 11;
const ECONNREFUSED: i32 = 111;

/// All ten slots are in use, so many of them by the program itself.
fn full(own: u64) -> Crowding {
    Crowding { used: 10, own, limit: Some(10), queue_full: true, last_accept: Some(START) }
}

/// A socket whose ten slots are in use.
fn full_now(own: u64) -> SocketFacts {
    let holders = holders(&[(US, own), (THEM, 10 - own)]);
    SocketFacts { limit: Some(10), used: 10, holders, last_accept: Some(START), ..SocketFacts::default() }
}

fn queued(opened: u64) -> OpenConnection {
    OpenConnection { queued: true, ..open(opened) }
}

/// Attempts fail at these times, and nothing else happens.
fn refused(times: &[u64], errno: i32, crowding: &Crowding) -> Desk {
    let mut desk = Desk::new();
    for at in times {
        desk.record.fail(START + at, errno, crowding);
    }
    desk
}

#[test]
fn attempts_that_fail_on_a_full_socket_starve() {
    let mut desk = refused(&[HOUR, 2 * HOUR], EAGAIN, &full(0));
    desk.facts = full_now(0);
    let finding = desk.found(3 * HOUR, Starved);
    let holders = holders(&[(THEM, 10)]);
    let expected = Hardship { refused: 2, goes_on: true, holders, ..Hardship::default() };
    assert_eq!((finding.count, finding.hardship), (2, Some(expected)));
    assert_eq!(finding.figures.failed, BTreeMap::from([(EAGAIN, 2)]));
    // It is over: who holds slots now need not be who held them then.
    desk.facts.used = 9;
    let over = Hardship { refused: 2, ..Hardship::default() };
    assert_eq!(desk.found(3 * HOUR, Starved).hardship, Some(over));
    // A wait that a signal ended.
    assert_eq!(refused(&[HOUR], 4, &full(0)).verdicts(HOUR), [Starved]);
    // The server was away, or does not let it in: that has nothing to do with slots.
    for errno in [ECONNREFUSED, 2, 13] {
        assert_eq!(refused(&[HOUR], errno, &full(0)).verdicts(HOUR), [Healthy]);
    }
}

/// A connection made at this moment, served, and closed a second later.
fn served(opened: u64) -> ClientRelease {
    let (opened, at) = (START + opened, START + opened + SECOND);
    let reception = Reception::Served;
    ClientRelease { opened, before_trace: false, at, ending: Ending::Closed, process: 0, reception }
}

/// A connection made at this moment, and given up in the queue after so long.
fn given_up(opened: u64, lasting: u64, crowding: Crowding) -> ClientRelease {
    let visit = served(opened);
    ClientRelease { at: visit.opened + lasting, reception: Reception::Queued(crowding), ..visit }
}

#[test]
fn who_was_served_since_is_starved_no_more() {
    let goes_on = |desk: &Desk| desk.found(3 * HOUR, Starved).hardship.map(|it| it.goes_on);
    let mut desk = refused(&[HOUR], EAGAIN, &full(0));
    desk.facts = full_now(0);
    desk.record.release(&served(HOUR - SECOND));
    assert_eq!(goes_on(&desk), Some(true), "that was before");
    desk.record.release(&served(HOUR + SECOND));
    assert_eq!(goes_on(&desk), Some(false));
    // It fails again.
    desk.record.fail(START + 2 * HOUR, EAGAIN, &full(0));
    assert_eq!(goes_on(&desk), Some(true));
    desk.open.push(open(2 * HOUR + SECOND));
    assert_eq!(goes_on(&desk), Some(false));
}

/// A server that closes after each answer looks like one that turns clients away.
#[test]
fn who_was_never_served_is_not_turned_away() {
    let mut desk = Desk::new();
    desk.facts = SocketFacts { limit_is_inferred: true, ..full_now(0) };
    for nth in 0..5 {
        let visit = served(HOUR + nth * MINUTE);
        desk.record.turn_away(visit.at, 10);
        desk.record.release(&ClientRelease { reception: Reception::ClosedAtOnce, ..visit });
    }
    assert_eq!(desk.verdicts(2 * HOUR), [Healthy]);
    assert!(!desk.record.was_refused(Some(10), false));
    desk.record.release(&served(HOUR / 2));
    let finding = desk.found(2 * HOUR, Starved);
    assert_eq!(finding.hardship.map(|it| (it.turned_away, it.goes_on)), Some((5, true)));
    assert_eq!(finding.uncertain, [Doubt::SlotsInferred]);
    assert!(desk.record.was_refused(Some(10), false));
    // There are more slots than it seemed then.
    assert!(!desk.record.was_refused(Some(11), false));
    desk.facts = SocketFacts { limit_is_inferred: false, ..full_now(0) };
    assert_eq!(desk.found(2 * HOUR, Starved).uncertain, []);
}

/// It may be answered like that always, or the server was full before anybody looked.
#[test]
fn who_may_be_turned_away_is_not_healthy() {
    let mut desk = Desk::new();
    for nth in 0..5 {
        let visit = served(HOUR + nth * MINUTE);
        desk.record.turn_away(visit.at, 10);
        desk.record.release(&ClientRelease {
            reception: Reception::ClosedAtOnce,
            ending: Ending::Ended,
            ..visit
        });
    }
    desk.facts = SocketFacts { limit: None, ..full_now(0) };
    assert_eq!(desk.verdicts(2 * HOUR), [ExitOnly], "the server does not seem full");
    desk.facts.seems_full = true;
    let finding = desk.findings(2 * HOUR).remove(0);
    let hardship =
        Hardship { turned_away: 5, goes_on: true, holders: holders(&[(THEM, 10)]), ..Hardship::default() };
    assert_eq!((finding.verdict, finding.count, finding.hardship), (Undecided, 5, Some(hardship)));
    assert_eq!(desk.verdicts(2 * HOUR), [Undecided]);
    // It serves one less now, or the program holds most of what is held.
    desk.facts.used = 9;
    assert_eq!(desk.verdicts(2 * HOUR), [ExitOnly]);
    desk.facts = SocketFacts { seems_full: true, limit: None, ..full_now(6) };
    assert_eq!(desk.verdicts(2 * HOUR), [ExitOnly]);
}

#[test]
fn slots_decide() {
    // A burst outruns the queue while slots are free.
    let burst = Crowding { used: 9, ..full(0) };
    assert_eq!(refused(&[HOUR, 2 * HOUR], EAGAIN, &burst).verdicts(3 * HOUR), [Healthy]);
    // Who holds more than half of them is no victim.
    assert_eq!(refused(&[HOUR], EAGAIN, &full(5)).verdicts(HOUR), [Starved]);
    assert_eq!(refused(&[HOUR], EAGAIN, &full(6)).verdicts(HOUR), [Healthy]);
    let mut desk = refused(&[HOUR], EAGAIN, &full(5));
    desk.facts = full_now(5);
    assert_eq!(desk.verdicts(HOUR), [Starved]);
    desk.facts = full_now(6);
    assert_eq!(desk.verdicts(HOUR), [Healthy]);
}

#[test]
fn without_a_limit_nobody_accepts_for_long() {
    let unknown = Crowding { limit: None, ..full(0) };
    let times = |last: u64| [HOUR, HOUR + SECOND, HOUR + last];
    assert_eq!(refused(&times(AGE - 1), EAGAIN, &unknown).verdicts(2 * HOUR), [Saturated]);
    let stalled = refused(&times(AGE), EAGAIN, &unknown);
    let hardship = Hardship { refused: 3, goes_on: true, ..Hardship::default() };
    assert_eq!(stalled.found(2 * HOUR, Starved).hardship, Some(hardship));
    let elsewhere = Crowding { queue_full: false, ..unknown };
    assert_eq!(refused(&times(AGE), EAGAIN, &elsewhere).verdicts(2 * HOUR), [Healthy]);
    assert_eq!(refused(&times(AGE), ECONNREFUSED, &unknown).verdicts(2 * HOUR), [Healthy]);
    let own = Crowding { own: 6, ..unknown };
    assert_eq!(refused(&times(AGE), EAGAIN, &own).verdicts(2 * HOUR), [Saturated]);

    // Bursts on a server that goes on accepting in between.
    let mut desk = Desk::new();
    for nth in 0..1000 {
        let at = START + nth * 10 * SECOND;
        desk.record.fail(at, EAGAIN, &Crowding { last_accept: Some(at - SECOND), ..unknown });
    }
    assert_eq!(desk.verdicts(3 * HOUR), [Saturated]);
    // One stall among them is remembered, and over.
    let accept = START + 10_000 * SECOND;
    for at in [AGE, 2 * AGE] {
        desk.record.fail(accept + at, EAGAIN, &Crowding { last_accept: Some(accept), ..unknown });
    }
    desk.facts.last_accept = Some(accept);
    let goes_on = |desk: &Desk| desk.found(3 * HOUR, Starved).hardship.map(|it| (it.refused, it.goes_on));
    assert_eq!(goes_on(&desk), Some((2, true)));
    desk.facts.last_accept = Some(accept + 3 * AGE);
    assert_eq!(goes_on(&desk), Some((2, false)));
}

#[test]
fn who_waits_long_in_the_queue_starves() {
    let mut desk = Desk::new();
    desk.open.extend([queued(HOUR), queued(HOUR + SECOND)]);
    desk.facts = SocketFacts { last_accept: Some(START + 2 * HOUR), ..full_now(0) };
    assert_eq!(desk.verdicts(HOUR + AGE - 1), [Healthy]);
    let finding = desk.found(HOUR + AGE, Starved);
    assert_eq!((finding.count, finding.figures.oldest_ns), (1, Some(AGE)));
    assert_eq!(desk.verdicts(2 * HOUR), [Starved]);
    // Slots are free, and the server accepts: its turn will come.
    desk.facts.used = 9;
    assert_eq!(desk.verdicts(2 * HOUR), [Healthy]);
    // Nobody has been accepted since the first queued, nor since the second.
    for (accept, waiting) in [(HOUR, 1), (HOUR - 1, 2)] {
        for limit in [Some(10), None] {
            desk.facts = SocketFacts { limit, last_accept: Some(START + accept), ..desk.facts };
            assert_eq!(desk.found(2 * HOUR, Starved).hardship.map(|it| it.waiting), Some(waiting));
        }
    }
    desk.facts.last_accept = None;
    assert_eq!(desk.found(2 * HOUR, Starved).count, 2);
    desk.facts.holders = holders(&[(US, 6)]);
    assert_eq!(desk.verdicts(2 * HOUR), [Healthy]);
}

#[test]
fn who_gave_up_in_the_queue_starved() {
    let abandoned = |crowding: Crowding, lasting: u64| {
        let mut desk = Desk::new();
        desk.record.release(&given_up(HOUR, lasting, crowding));
        desk.verdicts(2 * HOUR)
    };
    assert_eq!(abandoned(full(0), 1), [Starved]);
    assert_eq!(abandoned(full(6), 1), [Healthy]);
    let unknown = Crowding { limit: None, ..full(0) };
    assert_eq!(abandoned(unknown, AGE - 1), [Healthy]);
    assert_eq!(abandoned(unknown, AGE), [Starved]);
    assert_eq!(abandoned(Crowding { last_accept: Some(START + HOUR), ..unknown }, AGE), [Healthy]);
}

#[test]
fn a_victim_is_no_culprit() {
    // Its probes wait, more and more of them, beside the one connection that it has.
    let mut desk = Desk::open_since([0]);
    desk.open.extend(minutes(60).map(queued));
    desk.facts = full_now(1);
    assert_eq!(desk.verdicts(HOUR), [Starved, Pool]);
    let hardship = desk.found(HOUR, Starved).hardship.unwrap_or_default();
    assert_eq!((hardship.waiting, hardship.holders), (60, holders(&[(THEM, 9)])));
    // What it gave up in the queue is no history of a leak either.
    for nth in 0..60 {
        desk.record.release(&given_up(nth * MINUTE, 5 * AGE, full(1)));
    }
    let finding = desk.findings(HOUR).remove(1);
    assert_eq!((finding.verdict, finding.count, finding.figures.growth_per_hour), (Pool, 1, Some(0.0)));
}

#[test]
fn holders_are_named_most_first_and_the_server_s_share_too() {
    let mut desk = Desk::new();
    desk.open.push(queued(0));
    let slots = holders(&[(US, 1), (3, 2), (9, 4), (2, 2), (5, 0)]);
    desk.facts = SocketFacts {
        limit: Some(12),
        used: 12,
        holders: slots,
        last_accept: None,
        ..SocketFacts::default()
    };
    let hardship = desk.found(HOUR, Starved).hardship.unwrap_or_default();
    assert_eq!(hardship.holders, holders(&[(9, 4), (2, 2), (3, 2)]));
    assert_eq!(hardship.held_by_server, 3);
}
