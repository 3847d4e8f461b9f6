//! `--by` and `--older-than`.

use serde_json::Value;
use sockleak_core::attribution::by::By;

use crate::{
    printed,
    scene::{self, SECOND, Scratch, opened},
};

const MASTER: &str = "/run/haproxy/ma.sock";

#[test]
fn figures_are_grouped_as_asked() {
    let scene = scene::busy();
    for (by, expected) in [
        (
            By::Program,
            &[
                ("/opt/certificates/bin/cert-renewer", 8),
                ("/usr/bin/metrics-exporter", 360),
                ("/usr/local/bin/deploy", 2),
            ][..],
        ),
        (By::Cmdline, &[("/opt/certificates/bin/cert-renewer --watch /etc/ssl/private", 8)]),
        (
            By::Unit,
            &[
                ("cert-renewer.service", 6),
                ("docker 8f3c1d2e4b5a", 2),
                ("[no unit] /usr/local/bin/deploy", 2),
                ("[unknown unit] /usr/bin/metrics-exporter", 360),
            ],
        ),
        (
            By::Container,
            &[
                ("docker 8f3c1d2e4b5a", 2),
                ("[no container] /opt/certificates/bin/cert-renewer", 6),
                ("[no container] /usr/local/bin/deploy", 2),
                ("[unknown container] /usr/bin/metrics-exporter", 360),
            ],
        ),
        (By::User, &[("root", 8), ("web", 360), ("uid 1001", 2)]),
        (
            By::Pid,
            &[
                ("/opt/certificates/bin/cert-renewer (pid 203)", 6),
                ("/opt/certificates/bin/cert-renewer (pid 223)", 2),
            ],
        ),
    ] {
        let seen = scene.seen(by);
        let report = seen.report();
        let opened = opened(&report);
        for (group, count) in expected {
            assert_eq!(opened.get(&(MASTER, group)), Some(count), "{by:?}: {opened:?}");
        }
        // Whatever they are grouped by, they are the same connections.
        assert_eq!(opened.values().sum::<u64>(), 374, "{by:?}: {opened:?}");
        assert_eq!(report.open.len(), 15);
    }
}

#[test]
fn a_replay_groups_as_the_capture_did() {
    let (scratch, scene) = (Scratch::new(), scene::incomplete());
    let trace = scratch.file("t.db");
    scene.record(&trace, "db1");
    let path = trace.to_str().unwrap();
    for (name, by) in [
        ("program", By::Program),
        ("cmdline", By::Cmdline),
        ("unit", By::Unit),
        ("container", By::Container),
        ("pod", By::Pod),
        ("image", By::Image),
        ("user", By::User),
        ("pid", By::Pid),
    ] {
        let live = scene::line(&scene.seen(by).report());
        assert_eq!(live, scene::line(&scene::replayed(&trace, by).report()));
        let line: Value = serde_json::from_str(&printed(&["report", "--json", "--by", name, path])).unwrap();
        assert_eq!(line["by"], name);
        for field in ["programs", "findings", "open"] {
            assert_eq!(line[field], live[field], "--by {name}: {field}");
        }
    }
}

#[test]
fn findings_are_about_groups() {
    let seen = scene::busy().seen(By::Unit);
    let report = seen.report();
    let leak = report.findings.iter().find(|it| it.verdict.name() == "client-leak").unwrap();
    assert_eq!(leak.program, "cert-renewer.service");
    let starved = report.findings.iter().find_map(|it| it.hardship.as_ref()).unwrap();
    assert_eq!(starved.holders[0].program, "cert-renewer.service");
    // Whatever its group is called, it is HAProxy that keeps its ends.
    let server = report.findings.iter().find(|it| it.verdict.name() == "server-leak").unwrap();
    assert_eq!(server.program, "haproxy.service");
    assert!(server.advice.contains("HAProxy is known to keep"), "{}", server.advice);
    // And no server is taken for it by the name of its group.
    assert!(
        report
            .findings
            .iter()
            .filter(|it| it.program != "haproxy.service")
            .all(|it| !it.advice.contains("in three cases"))
    );
    // A connection's own program stays what it is.
    let open = report.open.iter().find(|it| it.group == "cert-renewer.service").unwrap();
    assert_eq!(open.opener.program, "/opt/certificates/bin/cert-renewer");
}

#[test]
fn groups_are_bounded_in_number() {
    let mut scene = scene::quiet();
    scene.listener(1, MASTER);
    for nth in 0..5_000 {
        scene.pass(nth, 10_000 + nth as u32, 1, 1);
    }
    let seen = scene.seen(By::Pid);
    let report = seen.report();
    // Those that were over for longest count together, and nobody twice.
    assert!(report.programs.len() <= 4_096, "{} rows", report.programs.len());
    let rows = opened(&report);
    assert_eq!(rows.values().sum::<u64>(), 5_000);
    assert_eq!(rows[&(MASTER, "[other processes]")], 5_000 - (report.programs.len() as u64 - 1));
    let last = rows.keys().filter(|(_, name)| name.ends_with("(pid 14999)")).count();
    assert_eq!(last, 1, "the last one is not named");
}

#[test]
fn the_young_are_hidden_and_counted() {
    let scene = scene::busy();
    let seen = scene.seen(By::Program);
    let (whole, mut old) = (seen.report(), seen.report());
    old.hide_younger(1_500 * SECOND);
    assert!(old.open.iter().all(|it| it.before_trace || it.age_ns >= 1_500 * SECOND));
    assert!(old.open.iter().any(|it| it.before_trace));
    assert_eq!(old.younger_not_shown, 2);
    assert_eq!(old.not_closed(), whole.open.len() as u64);
    let figures = |report| {
        let value = scene::line(report);
        (value["programs"].clone(), value["findings"].clone())
    };
    assert_eq!(figures(&whole), figures(&old));

    let scratch = Scratch::new();
    let trace = scratch.file("t.db");
    scene.record(&trace, "db1");
    let text = printed(&["report", "--older-than", "25m", trace.to_str().unwrap()]);
    assert!(text.contains("\n2 younger ones are not shown.\n"), "{text}");
    assert!(text.contains("15 of them not closed at both ends"), "{text}");
}
