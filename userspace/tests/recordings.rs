//! Recordings of real servers and of made-up ones, whose truth is known, through the real stages.

use std::{collections::BTreeSet, ops::ControlFlow, path::Path};

use sockleak_core::{
    assess::findings::{FindingReport, findings},
    attribution::{by::By, limits::GivenLimit, selection::Selection},
    session::{Session, Settings},
    verdict::Verdict,
};
use sockleak_recording::Trace;
use sockleak_report::words;

/// What is found in a recording.
fn found(name: &str) -> Vec<FindingReport> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/recordings").join(name);
    let trace = Trace::open(&file.with_extension("db")).unwrap();
    let header = trace.header();
    let settings = Settings {
        started: header.started,
        leak_age: header.leak_age,
        limits: header.limits.iter().filter_map(|it| GivenLimit::parse(it).ok()).collect(),
        by: By::Program,
    };
    let mut session = Session::new(Selection::recorded(header.targets.clone()), settings);
    trace
        .replay(|record| {
            session.feed(record);
            ControlFlow::Continue(())
        })
        .unwrap();
    findings(&session, trace.progress().now, false)
}

/// The verdicts on a program on a socket, by the ends of their paths.
fn told(findings: &[FindingReport], socket: &str, program: &str) -> BTreeSet<Verdict> {
    let of = findings.iter().filter(|it| it.path.ends_with(socket) && it.program.ends_with(program));
    of.map(|it| it.verdict).collect()
}

fn set<const N: usize>(verdicts: [Verdict; N]) -> BTreeSet<Verdict> {
    BTreeSet::from(verdicts)
}

fn accused(findings: &[FindingReport]) -> Vec<(&str, Verdict)> {
    let leaks = [Verdict::ClientLeak, Verdict::ServerLeak];
    let accused = findings.iter().filter(|it| leaks.contains(&it.verdict));
    accused.map(|it| (it.program.as_str(), it.verdict)).collect()
}

#[test]
fn leaks_beside_what_ends_are_found() {
    for name in ["leak-beside-90s-requests", "leak-in-recycling-pool", "leak-in-storms"] {
        let findings = found(name);
        assert_eq!(accused(&findings), [(&*format!("/usr/bin/{name}"), Verdict::ClientLeak)]);
    }
}

#[test]
fn what_is_healthy_is_not_accused() {
    for name in ["pool-fills-slowly", "server-lingers", "sessions-third-morning"] {
        assert_eq!(accused(&found(name)), [], "{name}");
    }
    let filling = found("pool-fills-slowly");
    assert!(filling[0].verdict == Verdict::Pool || !filling[0].uncertain.is_empty());
    assert_eq!(found("sessions-third-morning")[0].verdict, Verdict::Pool);
    assert!(found("server-lingers").iter().all(|it| it.verdict == Verdict::Healthy));
}

#[test]
fn terminals_and_journal_streams_are_no_leak() {
    let findings = found("field-healthy-accused");
    assert_eq!(accused(&findings), []);
    assert_eq!(told(&findings, ".s.PGSQL.5432", "/psql"), set([Verdict::Pool]));
    // Opened by systemd before it executed the service's program.
    assert_eq!(told(&findings, "stdout", "/systemd"), set([Verdict::Inherited]));
    assert!(
        told(&findings, "redis-server.sock", "/python3.11 /field/redis_pool.py").contains(&Verdict::Pool)
    );
}

#[test]
fn a_server_that_is_too_small_is_saturated() {
    let findings = found("field-php-fpm-saturated");
    let of_nginx = told(&findings, "fpm.sock", "/nginx");
    // And nobody keeps anything: no pool beside it.
    assert_eq!(of_nginx, set([Verdict::Saturated]));
    assert!(findings.iter().any(|it| it.slots_limit == Some(3)), "three are served at a time");
    assert_eq!(accused(&findings), []);
}

/// The leak has filled the server, and does not become a pool by standing still.
#[test]
fn a_full_postgresql_is_no_pool() {
    let findings = found("field-postgresql-full");
    let told_of_leak = told(&findings, ".s.PGSQL.5432", "/python3.11 /field/pg_leak.py");
    assert_eq!(told_of_leak, set([Verdict::ClientLeak]));
    let leak = findings.iter().find(|it| it.verdict == Verdict::ClientLeak).unwrap();
    assert_eq!((leak.slots_limit, leak.seconds_until_full), (Some(20), Some(0)));
    assert_eq!(told(&findings, "admin.sock", "/socat"), set([Verdict::Suspect]));
    assert!(told(&findings, "admin.sock", "/python3.11 (agent.service)").contains(&Verdict::Starved));
}

#[test]
fn who_held_every_slot_before_the_capture_is_suspected() {
    let findings = found("field-full-before-capture");
    assert_eq!(told(&findings, "haproxy-master.sock", "/socat"), set([Verdict::Suspect]));
    assert!(
        told(&findings, "haproxy-master.sock", "/python3.11 (agent.service)").contains(&Verdict::Starved)
    );
    // A leak of 15 beside it has stopped: a program that closes nothing may also have filled its pool.
    assert_eq!(told(&findings, ".s.PGSQL.5432", "/python3.11 /field/sa_pool.py"), set([Verdict::Suspect]));
    let holder = findings.iter().find(|it| it.program.ends_with("/socat")).unwrap();
    // Others suffer from what fills a socket up: it is told first. A full socket takes no more, and what stopped does not grow.
    assert_eq!(findings[0].program, holder.program);
    assert_eq!(
        words::sentence(&findings[0], 60_000_000_000),
        "/usr/bin/socat keeps 10 connections to /run/haproxy-master.sock that it may have forgotten, the oldest for \
         1 min 40 s; 10 of 10 slots are in use, none is free."
    );
    let stopped = findings.iter().find(|it| it.program.ends_with("/sa_pool.py")).unwrap();
    assert_eq!((stopped.growth_per_hour, stopped.seconds_until_full), (None, None));
    assert!(!holder.advice.contains("raise the server's limit"), "{}", holder.advice);
}
