//! Findings of whole sessions.

use super::*;
use crate::{
    attribution::limits::GivenLimit,
    event::{Reason, What},
    session::Settings,
    testing::{SECOND, accept, connect, event, feed, listener, process, release, session_with},
};

const HOLDER: u32 = 20;
const VISITOR: u32 = 30;

/// Verdicts by program, of a server that serves three: one program has taken them all, and the other reads an error and closes before
/// the server does.
fn verdicts(given: bool) -> Vec<(Verdict, String)> {
    let limits = if given { vec![GivenLimit::parse("s.sock=3").expect("it is well-formed")] } else { vec![] };
    let mut session =
        session_with(&["/s.sock"], Settings { leak_age: 5 * SECOND, limits, ..Settings::default() });
    feed(&mut session, [process(1, Some("/server")), process(HOLDER, Some("/holder"))]);
    feed(&mut session, [process(VISITOR, Some("/visitor")), listener(7, "/s.sock")]);
    let mut step = |second, pid, what: What| feed(&mut session, [event(second, pid, what)]);
    for connection in 1..=3 {
        step(connection, HOLDER, connect(connection, 7));
        step(connection, 1, accept(connection, 7));
    }
    for connection in 10..20 {
        step(connection, VISITOR, connect(connection, 7));
        step(connection, 1, accept(connection, 7));
        step(connection, VISITOR, release(connection, 7, End::Client));
        let left = What::Release { connection, listener: 7, end: End::Server, reason: Reason::Exit(0) };
        step(connection, 1, left);
    }
    let findings = findings(&session, 30 * SECOND, false);
    findings.into_iter().map(|it| (it.verdict, it.program)).collect()
}

#[test]
fn who_comes_to_a_full_socket_is_turned_away_whoever_closes_first() {
    let told = |verdict, program: &str| (verdict, program.to_owned());
    assert_eq!(verdicts(true), [told(Verdict::Suspect, "/holder"), told(Verdict::Starved, "/visitor")]);
    // Where it is not known how many there are, a short visit is a short visit.
    assert_eq!(verdicts(false), [told(Verdict::Pool, "/holder"), told(Verdict::Healthy, "/visitor")]);
}
