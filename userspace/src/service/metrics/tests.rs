//! Snapshots made up here, written and read back.

use std::collections::BTreeMap;

mod fleet;
pub(in crate::service) mod otlp;
mod parser;

use sockleak_core::{
    assess::{
        Loss,
        findings::{FindingReport, HardshipReport},
    },
    attribution::limits::{Limit, Source},
    event::Queue,
    lifecycle::State,
    text::escape::{is_unsafe, terminal},
    verdict::{Endings, Verdict},
};

pub(in crate::service) use parser::Samples;

use super::{figures::MOST_FINDINGS, names::MOST_SOCKETS, *};
use crate::{
    probe::{
        plan::{Hook, Kind},
        status::{HookStatus, Outcome},
    },
    service::snapshot::{LIFETIME_BOUNDS, ProgramSnapshot, SocketSnapshot},
};
use parser::{Parsed, parse, parse_prometheus};

const HOSTILE: &str = "/bin/\"a\\b\"\n# EOF\n{x=\"y\"} 1\u{1b}[2J\u{202e}<b>";

fn program(name: &str, opened: u64) -> ProgramSnapshot {
    ProgramSnapshot {
        program: name.to_owned(),
        opened,
        before_trace: 1,
        closed: opened / 2,
        open_client: 3,
        open_server: 4,
        old_client: 2,
        endings: Endings { closed: 5, ended: 6, by_another: 7, unseen: 8 },
        failed: BTreeMap::from([("EAGAIN".to_owned(), 9)]),
    }
}

fn socket(path: &str, programs: Vec<ProgramSnapshot>) -> SocketSnapshot {
    let mut lifetimes = vec![0; LIFETIME_BOUNDS.len() + 1];
    lifetimes[1..].fill(2);
    lifetimes[LIFETIME_BOUNDS.len()] = 5;
    SocketSnapshot {
        path: path.to_owned(),
        slots: 8,
        limit: Some(Limit { slots: 10, source: Source::Given }),
        backlog: Some(10),
        queue: Some(Queue { length: 1, max: 10 }),
        since_accept_ns: Some(1_500_000_000),
        states: BTreeMap::from([(State::Open, 8)]),
        oldest_ns: Some(60_000_000_000),
        seconds_until_full: Some(3600),
        programs,
        lifetimes,
        lifetimes_seconds: 12.5,
    }
}

fn finding(path: &str, program: &str, verdict: Verdict) -> FindingReport {
    FindingReport {
        verdict,
        path: path.to_owned(),
        program: program.to_owned(),
        count: 4,
        accepted: 0,
        oldest_ns: None,
        opened: 4,
        closed: 0,
        p50_ns: None,
        p99_ns: None,
        failed: BTreeMap::new(),
        growth_per_hour: None,
        slots_used: 8,
        slots_limit: Some(10),
        limit_source: Some(Source::Given),
        seconds_until_full: None,
        hardship: None,
        opened_at: Vec::new(),
        containers: Vec::new(),
        needed_ns: None,
        observed_ns: None,
        processes: 0,
        unused: 0,
        uncertain: Vec::new(),
        advice: String::new(),
    }
}

fn snapshot(sockets: Vec<SocketSnapshot>, findings: Vec<FindingReport>) -> Snapshot {
    let hook = |hook, kind, status| HookStatus { hook, function: "f".into(), kind, status, reason: None };
    let loss = |count| Loss { hook: "accept".into(), what: "events (ring buffer full)".into(), count };
    Snapshot {
        at_ms: 1_767_323_045_000,
        started_ms: 1_767_323_000_000,
        host: "db1".to_owned(),
        kernel: "6.12.0".to_owned(),
        version: "0.1.0".into(),
        targets: vec!["*.sock".to_owned()],
        leak_age_ns: 60_000_000_000,
        complete: false,
        incomplete_because: vec!["something is missing".to_owned()],
        losses: vec![loss(3), loss(4)],
        skipped_runs: 2,
        unseen_releases: 1,
        hooks: vec![
            hook(Hook::Connect, Some(Kind::Fexit), Outcome::Attached),
            hook(Hook::Attempt, None, Outcome::Refused),
        ],
        sockets,
        findings,
        stacks: Vec::new(),
    }
}

pub(in crate::service) const OWN: Own = Own {
    started_ms: 1_767_323_040_000,
    cpu_seconds: 1.25,
    resident_bytes: 4096,
    store_bytes: Some(7),
    events_dropped: 1,
    web_restarts: 0,
    alerts: AlertCounts { delivered: 3, refused: 1, dropped: 2, retried: 9, waiting: 1 },
    archive: None,
};

fn encode(snapshot: &Snapshot) -> Parsed {
    read(&mut Metrics::default(), snapshot, &OWN)
}

/// Written in each form and read back: series and values are the same.
fn read(metrics: &mut Metrics, snapshot: &Snapshot, own: &Own) -> Parsed {
    let parsed = parse(&metrics.encode(snapshot, own, Exposition::OpenMetrics));
    let text = parse_prometheus(&metrics.encode(snapshot, own, Exposition::Prometheus));
    assert_eq!(text.samples, parsed.samples);
    assert_eq!(text.types.len(), parsed.types.len());
    parsed
}

/// One with something of everything.
pub(in crate::service) fn busy() -> Snapshot {
    let programs = vec![program("/bin/a", 20), program(HOSTILE, 3)];
    let sockets = vec![socket("/s", programs), socket(HOSTILE, vec![program(HOSTILE, 7)])];
    snapshot(sockets, vec![finding("/s", "/bin/a", Verdict::ClientLeak)])
}

/// What Prometheus reads of it.
pub(in crate::service) fn samples(metrics: &mut Metrics, snapshot: &Snapshot) -> Samples {
    read(metrics, snapshot, &OWN).samples
}

/// Prometheus's own form, to the byte. `promtool check metrics` finds nothing wrong with it.
#[test]
fn prometheus_has_its_own_form() {
    let socket = SocketSnapshot {
        states: BTreeMap::from([(State::Open, 8)]),
        ..socket("/s", vec![program("/bin/\"a\\", 20)])
    };
    let snapshot = snapshot(vec![socket], vec![finding("/s", "/bin/a", Verdict::ClientLeak)]);
    let text = Metrics::default().encode(&snapshot, &OWN, Exposition::Prometheus);
    assert_eq!(text, include_str!("tests/metrics.prom"));
}

#[test]
fn every_figure_has_its_series() {
    let findings =
        vec![finding("/s", "/bin/a", Verdict::ClientLeak), finding("/s", "/bin/a", Verdict::Healthy)];
    let parsed = encode(&snapshot(vec![socket("/s", vec![program("/bin/a", 20)])], findings));
    let (s, a) = ("socket=/s", "program=/bin/a");
    for (name, labels, expected) in [
        ("sockleak_opened_total", &[s, a][..], 20.0),
        ("sockleak_closed_total", &[s, a], 10.0),
        ("sockleak_client_ends_released_total", &[s, a, "how=closed"], 5.0),
        ("sockleak_client_ends_released_total", &[s, a, "how=exit"], 6.0),
        ("sockleak_client_ends_released_total", &[s, a, "how=by_another"], 7.0),
        ("sockleak_client_ends_released_total", &[s, a, "how=unseen"], 8.0),
        ("sockleak_failed_total", &[s, a, "errno=EAGAIN"], 9.0),
        ("sockleak_client_ends", &[s, a], 3.0),
        ("sockleak_client_ends_old", &[s, a], 2.0),
        ("sockleak_findings", &[s, a, "verdict=client-leak"], 4.0),
        ("sockleak_connections", &[s, "state=open"], 8.0),
        ("sockleak_connections", &[s, "state=queued"], 0.0),
        ("sockleak_found_total", &[s], 1.0),
        ("sockleak_lifetime_seconds_bucket", &[s, "le=0.001"], 0.0),
        ("sockleak_lifetime_seconds_bucket", &[s, "le=0.005"], 2.0),
        ("sockleak_lifetime_seconds_bucket", &[s, "le=86400.0"], 2.0),
        ("sockleak_lifetime_seconds_bucket", &[s, "le=+Inf"], 5.0),
        ("sockleak_lifetime_seconds_count", &[s], 5.0),
        ("sockleak_lifetime_seconds_sum", &[s], 12.5),
        ("sockleak_oldest_seconds", &[s], 60.0),
        ("sockleak_slots_used", &[s], 8.0),
        ("sockleak_slots_limit", &[s], 10.0),
        ("sockleak_seconds_until_full", &[s], 3600.0),
        ("sockleak_accept_queue_length", &[s], 1.0),
        ("sockleak_accept_queue_max", &[s], 10.0),
        ("sockleak_last_accept_age_seconds", &[s], 1.5),
        ("sockleak_complete", &[], 0.0),
        ("sockleak_events_lost_total", &["hook=accept", "what=events (ring buffer full)"], 7.0),
        ("sockleak_hook_attached", &["hook=connect", "kind=fexit"], 1.0),
        ("sockleak_hook_attached", &["hook=attempt", "kind=none"], 0.0),
        ("sockleak_skipped_runs_total", &[], 2.0),
        ("sockleak_unseen_releases_total", &[], 1.0),
        ("sockleak_observed_since_timestamp_seconds", &[], 1_767_323_000.0),
        ("sockleak_build_info", &["version=0.1.0", "kernel=6.12.0"], 1.0),
        ("sockleak_process_cpu_seconds_total", &[], 1.25),
        ("sockleak_process_resident_memory_bytes", &[], 4096.0),
        ("sockleak_store_bytes", &[], 7.0),
        ("sockleak_http_events_dropped_total", &[], 1.0),
        ("sockleak_http_restarts_total", &[], 0.0),
        ("sockleak_alert_notifications_total", &["outcome=delivered"], 3.0),
        ("sockleak_alert_notifications_total", &["outcome=refused"], 1.0),
        ("sockleak_alert_notifications_total", &["outcome=dropped"], 2.0),
        ("sockleak_alert_notifications_total", &["outcome=retried"], 9.0),
        ("sockleak_alert_notifications_waiting", &[], 1.0),
    ] {
        assert_eq!(parsed.get(name, labels), Some(expected), "{name} {labels:?}");
    }
    assert_eq!(parsed.get("sockleak_findings", &[s, a, "verdict=healthy"]), None);
    assert_eq!(parsed.types.len(), 31, "a family is missing above: {:?}", parsed.types.keys());
}

/// A report tells for good that a program was starved; the series is there while it is.
#[test]
fn a_hardship_that_is_over_is_not_counted() {
    let starved = |program: &str, goes_on| {
        let hardship = HardshipReport {
            turned_away: 0,
            refused: 4,
            abandoned: 0,
            waiting: 0,
            goes_on,
            holders: Vec::new(),
            held_by_server: 0,
        };
        FindingReport { hardship: Some(hardship), ..finding("/s", program, Verdict::Starved) }
    };
    let findings = vec![starved("/bin/a", true), starved("/bin/b", false)];
    let parsed = encode(&snapshot(vec![socket("/s", Vec::new())], findings));
    let count = |program| parsed.get("sockleak_findings", &["socket=/s", program, "verdict=starved"]);
    assert_eq!((count("program=/bin/a"), count("program=/bin/b")), (Some(4.0), None));
}

#[test]
fn nothing_known_is_well_formed_too() {
    let parsed = encode(&snapshot(Vec::new(), Vec::new()));
    assert!(!parsed.types.contains_key("sockleak_opened"));
    let bare = SocketSnapshot {
        limit: None,
        backlog: None,
        queue: None,
        since_accept_ns: None,
        states: BTreeMap::new(),
        oldest_ns: None,
        seconds_until_full: None,
        ..socket("@x", Vec::new())
    };
    let parsed = encode(&snapshot(vec![bare], Vec::new()));
    assert_eq!(parsed.get("sockleak_oldest_seconds", &["socket=@x"]), Some(0.0));
    assert_eq!(parsed.get("sockleak_slots_limit", &["socket=@x"]), None);
}

/// Two mount namespaces may have a socket of the same path: its series are one, and each of them once.
#[test]
fn sockets_of_one_path_count_together() {
    let two = vec![
        socket("/s", vec![program("/bin/a", 4), program("/bin/b", 2)]),
        SocketSnapshot {
            slots: 1,
            queue: None,
            seconds_until_full: Some(60),
            ..socket("/s", vec![program("/bin/a", 6)])
        },
    ];
    let parsed = encode(&snapshot(two, Vec::new()));
    let s = "socket=/s";
    for (name, labels, expected) in [
        ("sockleak_opened_total", &[s, "program=/bin/a"][..], 10.0),
        ("sockleak_opened_total", &[s, "program=/bin/b"], 2.0),
        ("sockleak_client_ends", &[s, "program=/bin/a"], 6.0),
        ("sockleak_slots_used", &[s], 9.0),
        ("sockleak_slots_limit", &[s], 20.0),
        ("sockleak_seconds_until_full", &[s], 60.0),
        ("sockleak_accept_queue_max", &[s], 10.0),
        ("sockleak_lifetime_seconds_count", &[s], 10.0),
    ] {
        assert_eq!(parsed.get(name, labels), Some(expected), "{name} {labels:?}");
    }
    let one_without =
        vec![socket("/s", Vec::new()), SocketSnapshot { limit: None, ..socket("/s", Vec::new()) }];
    assert_eq!(encode(&snapshot(one_without, Vec::new())).get("sockleak_slots_limit", &[s]), None);
}

/// Anybody can connect to as many names as he likes: they take no series from what is watched.
#[test]
fn sockets_that_nobody_listened_on_count_together() {
    let tried = |path: &str| SocketSnapshot {
        backlog: None,
        states: BTreeMap::new(),
        programs: vec![ProgramSnapshot { before_trace: 0, ..program("/bin/a", 0) }],
        ..socket(path, Vec::new())
    };
    let mut sockets: Vec<_> = (0..1000).map(|nth| tried(&format!("/tmp/{nth}/a.sock"))).collect();
    sockets.extend([socket("/s", Vec::new()), tried("/tmp/named.sock")]);
    let mut snapshot = snapshot(sockets, vec![finding("/tmp/3/a.sock", "/bin/a", Verdict::Starved)]);
    snapshot.targets.push("/tmp/named.sock".to_owned());
    let mut metrics = Metrics::default();
    let parsed = read(&mut metrics, &snapshot, &OWN);
    let failed = |parsed: &Parsed, socket: &str| {
        parsed.get("sockleak_failed_total", &[&format!("socket={socket}"), "program=/bin/a", "errno=EAGAIN"])
    };
    let other = ["socket=other", "program=other", "errno=EAGAIN"];
    assert_eq!(parsed.get("sockleak_failed_total", &other), Some(9000.0));
    assert_eq!(failed(&parsed, "/tmp/named.sock"), Some(9.0), "it was asked for by name");
    assert_eq!(failed(&parsed, "/tmp/3/a.sock"), None);
    let starved = ["socket=other", "program=/bin/a", "verdict=starved"];
    assert_eq!(parsed.get("sockleak_findings", &starved), Some(4.0));
    // Somebody listens.
    snapshot.sockets[3].backlog = Some(10);
    let parsed = read(&mut metrics, &snapshot, &OWN);
    assert_eq!(failed(&parsed, "/tmp/3/a.sock"), Some(9.0));
    assert_eq!(parsed.get("sockleak_failed_total", &other), Some(9000.0), "no counter falls");
    // Every name is one that was asked for.
    snapshot.targets.retain(|target| target.starts_with('/'));
    let parsed = read(&mut metrics, &snapshot, &OWN);
    assert_eq!(failed(&parsed, "/tmp/4/a.sock"), Some(9.0));
}

/// A program may call itself anything: it stays one label, and is shown as a report in a terminal shows it.
#[test]
fn names_cannot_forge_series() {
    // Two names that are shown alike are one series.
    let shown = terminal(HOSTILE).into_owned();
    let programs = vec![program(HOSTILE, 3), program(&shown, 2)];
    let sockets = vec![socket(HOSTILE, programs), socket(&shown, vec![program(HOSTILE, 4)])];
    let findings =
        vec![finding(HOSTILE, HOSTILE, Verdict::Starved), finding(&shown, &shown, Verdict::Starved)];
    let snapshot = snapshot(sockets, findings);
    let parsed = encode(&snapshot);
    let (s, p) = (format!("socket={shown}"), format!("program={shown}"));
    assert!(s.contains("\\u{1b}[2J\\u{202e}"), "{s}");
    assert_eq!(parsed.get("sockleak_opened_total", &[&s, &p]), Some(9.0));
    assert_eq!(parsed.get("sockleak_findings", &[&s, &p, "verdict=starved"]), Some(8.0));
    for form in [Exposition::Prometheus, Exposition::OpenMetrics] {
        let text = Metrics::default().encode(&snapshot, &OWN, form);
        assert!(!text.contains(|c| c != '\n' && is_unsafe(c)), "{text:?}");
    }
}

#[test]
fn the_number_of_series_is_bounded() {
    let programs = |nth: usize| (0..100).map(|it| program(&format!("/bin/{nth}-{it}"), it)).collect();
    let sockets: Vec<_> = (0..1000).map(|nth| socket(&format!("/s{nth}"), programs(nth))).collect();
    let findings = (0..5000).map(|nth| finding("/s1", &format!("/bin/{nth}"), Verdict::ClientLeak)).collect();
    let snapshot = snapshot(sockets, findings);
    let mut metrics = Metrics::default();
    for _ in 0..2 {
        let parsed = read(&mut metrics, &snapshot, &Own::default());
        let count = |name: &str| parsed.samples.keys().filter(|(it, _)| it == name).count();
        assert_eq!(count("sockleak_slots_used"), MOST_SOCKETS + 1);
        assert_eq!(count("sockleak_findings"), MOST_FINDINGS + 1);
        assert!(count("sockleak_opened_total") < 2500, "{}", count("sockleak_opened_total"));
        let opened = parsed.samples.iter().filter(|((name, _), _)| name == "sockleak_opened_total");
        assert_eq!(opened.map(|(_, value)| value).sum::<f64>(), 1000.0 * 4950.0);
        assert!(parsed.samples.len() < 40_000, "{}", parsed.samples.len());
    }
}
