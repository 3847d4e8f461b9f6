//! What a scraper of many hosts gets.

use super::*;
use crate::service::metrics::MetricDetail;

fn encoded(snapshot: &Snapshot, form: Exposition) -> String {
    Metrics::default().encode_in(MetricDetail::Fleet, snapshot, &OWN, form)
}

fn read_fleet(snapshot: &Snapshot) -> Parsed {
    let parsed = parse(&encoded(snapshot, Exposition::OpenMetrics));
    let text = parse_prometheus(&encoded(snapshot, Exposition::Prometheus));
    assert_eq!(parsed.samples, text.samples, "both forms have the same series");
    parsed
}

/// Whatever the host does: a thousand sockets with a hundred programs each, and a finding of every verdict on all of them.
#[test]
fn there_are_under_a_hundred_series() {
    let programs = |nth: usize| (0..100).map(|it| program(&format!("/bin/p{nth}-{it}"), it)).collect();
    let sockets: Vec<_> = (0..1000).map(|nth| socket(&format!("/run/s{nth}"), programs(nth))).collect();
    let findings = (0..5000).flat_map(|nth| {
        Verdict::ALL
            .map(|verdict| finding(&format!("/run/s{}", nth % 1000), &format!("/bin/p{nth}"), verdict))
    });
    let mut busy = snapshot(sockets, findings.collect());
    for nth in 0..200 {
        busy.losses.push(Loss { hook: format!("h{nth}").into(), what: "x".into(), count: 1 });
        busy.sockets[nth].programs[0].failed = [(format!("E{nth}"), 1)].into();
    }
    let parsed = read_fleet(&busy);
    assert!((60..100).contains(&parsed.samples.len()), "{}", parsed.samples.len());
    let count = |name: &str| parsed.samples.keys().filter(|(it, _)| it == name).count();
    assert_eq!(count("sockleak_fleet_client_ends_old"), 13);
    let others = ["socket=other", "program=other", "verdict=client-leak"];
    assert!(parsed.get("sockleak_fleet_findings", &others).is_some());
}

#[test]
fn names_are_the_same_on_every_host() {
    let sockets = vec![
        socket("/run/user/1000/bus", vec![program("/bin/a", 4)]),
        SocketSnapshot { slots: 9, ..socket("/run/user/1001/bus", vec![program("/bin/a", 6)]) },
    ];
    let findings = vec![
        finding("/run/user/1000/bus", "/bin/a", Verdict::ClientLeak),
        finding("/run/user/1001/bus", "/bin/a", Verdict::ClientLeak),
        finding("/run/user/1001/bus", "/bin/a", Verdict::Healthy),
    ];
    let parsed = read_fleet(&snapshot(sockets, findings));
    let (s, a) = ("socket=/run/user/*/bus", "program=/bin/a");
    for (name, labels, expected) in [
        ("sockleak_fleet_findings", &[s, a, "verdict=client-leak"][..], 8.0),
        ("sockleak_fleet_client_ends", &[s, a], 6.0),
        ("sockleak_fleet_client_ends_old", &[s, a], 4.0),
        ("sockleak_fleet_slots_used_ratio", &[s], 0.9),
        ("sockleak_fleet_seconds_until_full", &[s], 3600.0),
        ("sockleak_fleet_opened_total", &[], 10.0),
        ("sockleak_fleet_failed_total", &["errno=EAGAIN"], 18.0),
        ("sockleak_fleet_failed_total", &["errno=other"], 0.0),
        ("sockleak_fleet_events_lost_total", &[], 7.0),
        ("sockleak_fleet_hooks_missing", &[], 1.0),
        ("sockleak_complete", &[], 0.0),
        ("sockleak_build_info", &["version=0.1.0", "kernel=6.12.0"], 1.0),
    ] {
        assert_eq!(parsed.get(name, labels), Some(expected), "{name} {labels:?}");
    }
    assert!(!parsed.types.contains_key("sockleak_opened"), "nothing is told twice");
}

#[test]
fn names_cannot_forge_series() {
    let hostile = snapshot(
        vec![socket(HOSTILE, vec![program(HOSTILE, 3)])],
        vec![finding(HOSTILE, HOSTILE, Verdict::Starved)],
    );
    let text = encoded(&hostile, Exposition::Prometheus);
    assert!(!text.contains(|c| c != '\n' && is_unsafe(c)), "{text:?}");
}
