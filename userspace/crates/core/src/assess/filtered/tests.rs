//! Reports that leave out what nobody asked for.

use super::*;
use crate::{
    assess::Coverage,
    attribution::filter::Glob,
    session::Settings,
    testing::{SECOND, accept, attempt, connect, event, feed, listener, process, release, session_with},
};

/// `/keeper` (pid 20) keeps three connections, `/other` (pid 30) one, `/tidy` (pid 40) none; of two that `/tidy` left,
/// the server keeps its ends. `/early` (pid 50) failed.
fn session(by: By) -> Session {
    let settings = Settings { leak_age: 5 * SECOND, by, ..Settings::default() };
    let mut session = session_with(&["/s.sock"], settings);
    let programs = [(1, "/server"), (20, "/keeper"), (30, "/other"), (40, "/tidy"), (50, "/early")];
    feed(&mut session, programs.map(|(pid, program)| process(pid, Some(program))));
    feed(&mut session, [listener(7, "/s.sock")]);
    for (connection, pid) in [(1, 20), (2, 20), (3, 20), (4, 30), (5, 40), (6, 40)] {
        feed(&mut session, [event(1, pid, connect(connection, 7)), event(1, 1, accept(connection, 7))]);
    }
    feed(&mut session, [event(2, 50, attempt(Some(7), "/s.sock"))]);
    feed(&mut session, [5, 6].map(|connection| event(2, 40, release(connection, 7, End::Client))));
    session
}

fn filter(pids: &[u32], program: Option<&str>) -> Filter {
    let programs = program.map(|text| Glob::parse(text).expect("a glob"));
    Filter { pids: pids.to_vec(), programs: programs.into_iter().collect(), ..Filter::default() }
}

/// Programs with a row, programs with a finding, numbers of open connections.
type Told = (Vec<String>, Vec<String>, Vec<u64>);

fn told(session: &Session, wanted: &Wanted) -> (Told, Option<Filtered>) {
    let mut report = Report::new(session, Coverage { now: 100 * SECOND, ..Coverage::default() });
    report.keep_only(wanted);
    let mut findings: Vec<String> = report.findings.iter().map(|it| it.program.clone()).collect();
    findings.sort();
    findings.dedup();
    let rows = report.programs.iter().map(|it| it.program.clone()).collect();
    let mut open: Vec<u64> = report.open.iter().map(|it| it.connection).collect();
    open.sort_unstable();
    ((rows, findings, open), report.filtered)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn programs_are_chosen_by_their_processes() {
    let session = session(By::Program);
    let whole = told(&session, &Wanted::default());
    assert_eq!(whole.1, None);
    assert_eq!(whole.0.2, [1, 2, 3, 4, 5, 6]);
    let expect = |processes, rows: &[&str], findings: &[&str], open: &[u64]| {
        let (told, filtered) = told(&session, &Wanted { processes, ..Wanted::default() });
        assert_eq!(told, (names(rows), names(findings), open.to_vec()));
        let left_out = filtered.expect("something was asked for");
        assert_eq!(left_out.programs, whole.0.0.len() as u64 - rows.len() as u64);
        assert_eq!(left_out.open, 6 - open.len() as u64);
    };
    expect(filter(&[20], None), &["/keeper"], &["/keeper"], &[1, 2, 3]);
    expect(filter(&[], Some("other")), &["/other"], &["/other"], &[4]);
    expect(filter(&[20, 30], Some("/ke*")), &["/keeper"], &["/keeper"], &[1, 2, 3]);
    // It has nothing open, and is known by its process.
    expect(filter(&[50], None), &["/early"], &["/early"], &[]);
    // The server answers for the ends that it keeps, and its client for having opened them.
    expect(filter(&[1], None), &[], &["/server"], &[5, 6]);
    expect(filter(&[40], None), &["/tidy"], &["/tidy"], &[5, 6]);
    expect(filter(&[99], None), &[], &[], &[]);
}

#[test]
fn verdicts_choose_their_programs() {
    let session = session(By::Program);
    let wanted = |verdicts: &[Verdict], processes| Wanted { verdicts: verdicts.to_vec(), processes };
    let leak = wanted(&[Verdict::ServerLeak], Filter::default());
    let (told_leak, filtered) = told(&session, &leak);
    assert_eq!(told_leak, (names(&[]), names(&["/server"]), vec![5, 6]));
    assert_eq!(filtered.map(|it| it.by).as_deref(), Some("--verdict server-leak"));
    let both = wanted(&[Verdict::ServerLeak, Verdict::Suspect], filter(&[20], None));
    let (told_both, filtered) = told(&session, &both);
    assert!(told_both.1.iter().all(|it| it == "/keeper"), "{told_both:?}");
    assert_eq!(filtered.map(|it| it.by).as_deref(), Some("--pid 20 --verdict server-leak,suspect"));
}

#[test]
fn a_group_is_known_by_its_name_if_by_nothing_else() {
    for (by, name, matches, not) in [
        (By::Program, "/usr/bin/x", filter(&[], Some("x")), filter(&[], Some("y"))),
        (By::Stack, "/usr/bin/x: main at a.c:7", filter(&[], Some("x")), filter(&[], Some("main*"))),
        (By::Pid, "/usr/bin/x (pid 7)", filter(&[7], Some("x")), filter(&[8], Some("x"))),
    ] {
        assert!(is_name(&matches, by, name) && !is_name(&not, by, name), "{name}");
    }
    let user = |user: &str| Filter { users: vec![user.to_owned()], ..Filter::default() };
    assert!(is_name(&user("web"), By::User, "web") && is_name(&user("33"), By::User, "uid 33"));
    let unit = |glob| Filter { units: vec![Glob::parse(glob).expect("a glob")], ..Filter::default() };
    assert!(is_name(&unit("a"), By::Unit, "a.service (of user 1000)"));
    assert!(!is_name(&unit("a"), By::Unit, "[no unit] /usr/bin/a"));
}
