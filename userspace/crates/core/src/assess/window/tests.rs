//! Reports of parts of a session.

use super::*;
use crate::{
    assess::Coverage,
    event::{End, Record},
    session::{Session, Settings},
    testing::{SECOND, accept, attempt, connect, event, feed, listener, process, release, session_with},
};

/// A program that closed long ago, one that keeps, and one that failed early.
fn records() -> Vec<(u64, u32, crate::event::What)> {
    let mut all = vec![(1, 30, attempt(Some(7), "/s.sock"))];
    for connection in 1..=4 {
        all.push((connection, 20, connect(connection, 7)));
        all.push((connection, 1, accept(connection, 7)));
    }
    for (second, pid, end) in [(6, 20, End::Client), (6, 1, End::Server)] {
        all.push((second, pid, release(1, 7, end)));
    }
    all.push((50, 20, connect(5, 7)));
    for (second, pid, end) in [(60, 20, End::Client), (60, 1, End::Server)] {
        all.push((second, pid, release(2, 7, end)));
    }
    all.push((70, 40, connect(6, 7)));
    all.sort_by_key(|(second, ..)| *second);
    all
}

fn session_until(until: u64) -> Session {
    let mut session = session_with(&["/s.sock"], Settings { leak_age: 5 * SECOND, ..Settings::default() });
    let programs = [(1, "/server"), (20, "/keeper"), (30, "/early"), (40, "/late")];
    feed(&mut session, programs.map(|(pid, program)| process(pid, Some(program))));
    feed(&mut session, [listener(7, "/s.sock")]);
    let records = records().into_iter().filter(|(second, ..)| *second <= until);
    feed(&mut session, records.map(|(second, pid, what)| -> Record { event(second, pid, what) }));
    session
}

fn report(session: &Session, now: u64) -> Report<'_> {
    Report::new(session, Coverage { now: now * SECOND, ..Coverage::default() })
}

/// Opened, there before, closed, failed by program; and whom findings name.
type Told = (Vec<(String, [u64; 4])>, Vec<String>);

fn told(since: u64, until: u64) -> Told {
    let (earlier, session) = (session_until(since - 1), session_until(until));
    let mut report = report(&session, until);
    report.restrict(
        Window { since: since * SECOND, until: until * SECOND },
        &Earlier::new(self::report(&earlier, since)),
    );
    let figures = |it: &Program| [it.opened, it.before_trace, it.closed, it.failed.values().sum()];
    (
        report.programs.iter().map(|it| (it.program.clone(), figures(it))).collect(),
        report.findings.iter().map(|it| it.program.clone()).collect(),
    )
}

#[test]
fn figures_count_the_window_alone() {
    let row = |name: &str, figures| (name.to_owned(), figures);
    let (rows, findings) = told(10, 65);
    assert_eq!(rows, [row("/keeper", [1, 3, 1, 0])]);
    assert_eq!(findings, ["/keeper"]);
    // Nothing happens in it, and three are open all the time.
    assert_eq!(told(20, 30).0, [row("/keeper", [0, 3, 0, 0])]);
    let (rows, findings) = told(65, 80);
    assert_eq!(rows, [row("/keeper", [0, 3, 0, 0]), row("/late", [1, 0, 0, 0])]);
    assert!(!findings.contains(&"/early".to_owned()), "{findings:?}");
}

#[test]
fn a_verdict_rests_on_what_was_before() {
    let whole = session_until(65);
    let verdicts =
        |report: &Report<'_>| report.findings.iter().map(|it| (it.verdict, it.count)).collect::<Vec<_>>();
    let mut part = report(&whole, 65);
    let earlier = session_until(9);
    part.restrict(Window { since: 10 * SECOND, until: 65 * SECOND }, &Earlier::new(report(&earlier, 10)));
    let of_keeper = |report: Report<'_>| {
        let mut report = report;
        report.findings.retain(|it| it.program == "/keeper");
        verdicts(&report)
    };
    assert_eq!(part.window, Some(Window { since: 10 * SECOND, until: 65 * SECOND }));
    assert!((part.seconds - 55.0).abs() < 1e-9);
    assert_eq!(of_keeper(part), of_keeper(report(&whole, 65)));
}
