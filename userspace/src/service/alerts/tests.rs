use std::time::Duration;

use jiff::Timestamp;
use sockleak_core::{
    assess::{Loss, missing::Missing},
    verdict::Verdict,
};

use super::*;
use crate::service::{config::AlertSettings, health::Watch};

mod saved;

const SECOND: u64 = 1_000_000_000;

/// Thirty seconds of quiet.
pub(super) fn settings() -> AlertSettings {
    AlertSettings::default()
}

/// A moment, so many seconds after the first.
pub(super) fn at(seconds: u64) -> Moment {
    let time = Timestamp::from_second(1_790_000_000 + seconds as i64).expect("it is a time");
    Moment { boot_ns: (1000 + seconds) * SECOND, time }
}

/// Something that is told.
pub(super) fn notification(summary: &str) -> Notification {
    Notification {
        version: 1,
        status: Status::Firing,
        key: finding("/run/a.sock", "/usr/bin/x", Verdict::ClientLeak, 3).key,
        summary: summary.to_owned(),
        uncertain: Vec::new(),
        value: Some(3),
        limit: Some(10),
        since: at(0).rfc3339(),
        time: at(30).rfc3339(),
        host: "host".to_owned(),
    }
}

fn socket(path: &str, used: u64, limit: Option<u64>, seconds_until_full: Option<u64>) -> SocketFacts {
    SocketFacts { path: path.to_owned(), used, limit, seconds_until_full }
}

fn found(verdict: Verdict, count: u64) -> FindingFacts {
    FindingFacts {
        verdict,
        socket: "/run/a.sock".to_owned(),
        program: "/usr/bin/x".to_owned(),
        count,
        summary: format!("{verdict} of {count}"),
        uncertain: vec!["perhaps".to_owned()],
        is_over: false,
    }
}

/// A finding as a condition.
pub(super) fn finding(socket: &str, program: &str, verdict: Verdict, count: u64) -> Condition {
    let (socket, program) = (socket.to_owned(), program.to_owned());
    let facts = Facts {
        findings: vec![FindingFacts { socket, program, ..found(verdict, count) }],
        ..Facts::default()
    };
    let settings = AlertSettings { findings: Verdict::ALL.to_vec(), ..settings() };
    conditions(&settings, &facts).swap_remove(0)
}

/// The facts of a socket, and what is said of it: kind, value and summary.
fn said(settings: &AlertSettings, sockets: &[SocketFacts]) -> Vec<(Kind, Option<u64>, String)> {
    let facts = Facts { sockets: sockets.to_vec(), ..Facts::default() };
    let said = conditions(settings, &facts);
    said.into_iter().map(|it| (it.key.kind, it.value, it.summary)).collect()
}

#[test]
fn slots_count_from_a_share_of_the_limit_on() {
    for (used, limit, percent, expected) in [
        (7, Some(10), 80, false),
        (8, Some(10), 80, true),
        (12, Some(10), 80, true),
        (8, None, 80, false),
        (8, Some(0), 80, false),
        (10, Some(10), 0, false),
        (0, Some(10), 1, false),
        (1, Some(101), 1, false),
        (1, Some(1), 100, true),
        (u64::MAX, Some(u64::MAX), 100, true),
    ] {
        let settings = AlertSettings { slots_percent: percent, ..settings() };
        let said = said(&settings, &[socket("/s", used, limit, None)]);
        assert_eq!(!said.is_empty(), expected, "{used} {limit:?} {percent}");
        if let [(kind, value, summary)] = said.as_slice() {
            assert_eq!((*kind, *value), (Kind::Slots, Some(used)));
            assert!(summary.starts_with(&format!("{used} of ")) && summary.contains("/s"), "{summary}");
        }
    }
}

#[test]
fn a_forecast_has_the_doubts_of_the_leaks_it_rests_on() {
    let doubted = |verdict, doubt: &str, is_over| FindingFacts {
        uncertain: vec![doubt.to_owned()],
        is_over,
        ..found(verdict, 3)
    };
    let findings = vec![
        doubted(Verdict::ClientLeak, "a", false),
        doubted(Verdict::ServerLeak, "a", false),
        doubted(Verdict::ClientLeak, "over", true),
        doubted(Verdict::Suspect, "perhaps", false),
        doubted(Verdict::Pool, "no leak", false),
        FindingFacts { socket: "/run/b.sock".to_owned(), ..doubted(Verdict::ClientLeak, "elsewhere", false) },
    ];
    let facts =
        Facts { sockets: vec![socket("/run/a.sock", 4, Some(10), Some(60))], findings, ..Facts::default() };
    let said = conditions(&settings(), &facts);
    let forecast = said.iter().find(|it| it.key.kind == Kind::Forecast).expect("it is full in a minute");
    assert_eq!(forecast.uncertain, ["a", "perhaps"]);
}

#[test]
fn forecasts_count_within_a_time() {
    let hour = Some(Duration::from_hours(1));
    for (seconds, forecast, expected) in [
        (Some(3600), hour, Some("all 10 slots of /s will be in use in 1 h 0 min")),
        (Some(3601), hour, None),
        (Some(0), hour, Some("all 10 slots of /s are in use, and their holders do not close them")),
        (Some(0), None, None),
        (None, hour, None),
    ] {
        let settings = AlertSettings { forecast, ..settings() };
        let said = said(&settings, &[socket("/s", 2, Some(10), seconds)]);
        assert_eq!(said.first().map(|it| it.2.as_str()), expected);
        assert!(said.first().is_none_or(|it| (it.0, it.1) == (Kind::Forecast, seconds)));
    }
}

#[test]
fn the_worst_of_several_sockets_of_one_path_counts() {
    let sockets = [8, 10, 9].map(|used| socket("/s", used, Some(10), Some(100 - used)));
    let said = said(&settings(), &sockets);
    assert_eq!(
        said.iter().map(|it| (it.0, it.1)).collect::<Vec<_>>(),
        [(Kind::Slots, Some(10)), (Kind::Forecast, Some(90))]
    );
}

#[test]
fn findings_count_that_are_asked_for() {
    let facts = Facts {
        sockets: vec![socket("/run/a.sock", 2, Some(10), None)],
        findings: Verdict::ALL.map(|verdict| found(verdict, 3)).to_vec(),
        degraded: vec!["12 events were lost".to_owned(), "accepts are not seen".to_owned()],
    };
    let all = conditions(&settings(), &facts);
    let verdicts: Vec<_> = all.iter().map(|it| it.key.verdict).collect();
    assert_eq!(verdicts, [Some(Verdict::ServerLeak), Some(Verdict::ClientLeak), None]);
    assert_eq!((all[1].value, all[1].limit), (Some(3), Some(10)));
    assert_eq!((all[1].summary.as_str(), all[1].uncertain.len()), ("client-leak of 3", 1));
    assert_eq!(all[2].summary, "the tracing is incomplete: 12 events were lost; accepts are not seen");
    let none = AlertSettings { findings: Vec::new(), degraded: false, ..settings() };
    assert!(conditions(&none, &facts).is_empty());
}

/// A report tells for good that a program was starved; the alert is over when the hardship is.
#[test]
fn what_is_over_holds_no_more() {
    let settings = AlertSettings { findings: Verdict::ALL.to_vec(), ..settings() };
    let mut alerts = Alerts::new(&settings, "host".to_owned());
    let mut told = Vec::new();
    for (seconds, is_over) in [(0, false), (30, false), (40, true), (70, true), (80, false), (110, false)] {
        let starved = FindingFacts { is_over, ..found(Verdict::Starved, 3) };
        let facts = Facts { findings: vec![starved], ..Facts::default() };
        let news = alerts.update(&at(seconds), &conditions(&settings, &facts));
        told.extend(news.into_iter().map(|it| (seconds, it.status)));
    }
    assert_eq!(told, [(30, Status::Firing), (70, Status::Resolved), (110, Status::Firing)]);
}

/// Updates at moments with what holds then, and what is told at which.
fn told(settings: &AlertSettings, updates: &[(u64, &[u64])]) -> Vec<(u64, Status, u64)> {
    let mut alerts = Alerts::new(settings, "host".to_owned());
    let mut all = Vec::new();
    for &(seconds, held) in updates {
        let held: Vec<_> =
            held.iter().map(|n| finding("/s", &n.to_string(), Verdict::ClientLeak, *n)).collect();
        let news = alerts.update(&at(seconds), &held);
        all.extend(news.into_iter().map(|it| (seconds, it.status, it.value.expect("it has a count"))));
    }
    all
}

#[test]
fn news_is_told_once_when_it_has_held_and_once_when_it_is_over() {
    use Status::{Firing, Resolved};
    let quiet = |seconds| AlertSettings { quiet: Duration::from_secs(seconds), ..settings() };
    for (seconds, updates, expected) in [
        (30, &[(0, &[1][..]), (29, &[1]), (30, &[1]), (90, &[1])][..], &[(30, Firing, 1)][..]),
        // It was gone in between.
        (30, &[(0, &[1]), (20, &[]), (25, &[1]), (54, &[1]), (55, &[1])], &[(55, Firing, 1)]),
        // It is back before it is over.
        (30, &[(0, &[1]), (30, &[1]), (40, &[]), (69, &[]), (69, &[1]), (200, &[1])], &[(30, Firing, 1)]),
        (
            30,
            &[(0, &[1]), (30, &[1]), (40, &[]), (70, &[]), (71, &[1]), (101, &[1])],
            &[(30, Firing, 1), (70, Resolved, 1), (101, Firing, 1)],
        ),
        // It is back, and gone again for a short time.
        (30, &[(0, &[1]), (30, &[1]), (40, &[]), (50, &[1]), (71, &[]), (72, &[1])], &[(30, Firing, 1)]),
        // Each on its own.
        (
            10,
            &[(0, &[1]), (5, &[1, 2]), (10, &[1, 2]), (15, &[2]), (25, &[2])],
            &[(10, Firing, 1), (15, Firing, 2), (25, Resolved, 1)],
        ),
        (0, &[(0, &[1]), (1, &[])], &[(0, Firing, 1), (1, Resolved, 1)]),
        // Time that stands still, and one condition twice.
        (30, &[(5, &[1, 1]), (5, &[1]), (5, &[])], &[]),
    ] {
        assert_eq!(told(&quiet(seconds), updates), expected, "{updates:?}");
    }
}

/// Seconds, how many events were lost by then and whether a hook is missing; what is told then.
type Losses<'a> = &'a [(u64, u64, bool, Option<Status>)];

/// A loss is over when nothing more was lost for a while; what is missing for good is not.
#[test]
fn degraded_is_told_while_it_matters() {
    use Status::{Firing, Resolved};
    let tables: [Losses<'_>; 4] = [
        &[
            (0, 0, false, None),
            (10, 5, false, None),
            (40, 5, false, Some(Firing)),
            (609, 5, false, None),
            // Ten minutes are over, and then it has to be gone for the quiet period.
            (610, 5, false, None),
            (639, 5, false, None),
            (640, 5, false, Some(Resolved)),
            (9000, 5, false, None),
            (9001, 6, false, None),
            (9031, 6, false, Some(Firing)),
        ],
        // More and more, however slowly: it is one.
        &[
            (0, 1, false, None),
            (30, 1, false, Some(Firing)),
            (599, 2, false, None),
            (1198, 3, false, None),
            (1797, 3, false, None),
            (1798, 3, false, None),
            (1828, 3, false, Some(Resolved)),
        ],
        // A hook is missing for as long as it is.
        &[
            (0, 1, true, None),
            (30, 1, true, Some(Firing)),
            (99_000, 1, true, None),
            (99_001, 1, false, None),
            (99_031, 1, false, Some(Resolved)),
        ],
        // One that lasts is no second alert beside one that passes.
        &[(0, 1, false, None), (30, 1, false, Some(Firing)), (599, 1, true, None), (5000, 1, true, None)],
    ];
    for table in tables {
        let (mut watch, mut alerts) = (Watch::default(), Alerts::new(&settings(), "host".to_owned()));
        for &(second, lost, is_blind, expected) in table {
            let loss = Loss { hook: "accept".into(), what: "events".into(), count: lost };
            let missing = (lost > 0).then_some(Missing::Lost(loss));
            let mut degraded: Vec<_> =
                watch.look(at(second).boot_ns, missing.as_slice()).iter().map(Missing::to_string).collect();
            degraded.extend(is_blind.then(|| "the attempt hook is not attached".to_owned()));
            let held = conditions(&settings(), &Facts { degraded, ..Facts::default() });
            let news: Vec<_> = alerts.update(&at(second), &held).into_iter().map(|it| it.status).collect();
            assert_eq!(news, expected.as_slice(), "after {second} s");
        }
    }
}

#[test]
fn a_notification_says_what_it_is_about() {
    let mut alerts = Alerts::new(&AlertSettings { quiet: Duration::ZERO, ..settings() }, "web-1".to_owned());
    let condition = finding("/run/a.sock", "/usr/bin/x", Verdict::ClientLeak, 4);
    let firing = alerts.update(&at(0), &[condition]).swap_remove(0);
    assert_eq!(
        serde_json::to_value(&firing).expect("it is JSON"),
        serde_json::json!({
            "version": 1,
            "status": "firing",
            "kind": "finding",
            "socket": "/run/a.sock",
            "program": "/usr/bin/x",
            "verdict": "client-leak",
            "summary": "client-leak of 4",
            "uncertain": ["perhaps"],
            "value": 4,
            "limit": null,
            "since": "2026-09-21T14:13:20.000Z",
            "time": "2026-09-21T14:13:20.000Z",
            "host": "web-1",
        })
    );
    assert_eq!(alerts.firing(), 1);
    let resolved = alerts.update(&at(60), &[]).swap_remove(0);
    assert_eq!((resolved.status, resolved.summary.as_str()), (Status::Resolved, "over: client-leak of 4"));
    assert_eq!(
        (resolved.since.as_str(), resolved.time.as_str()),
        (&*firing.since, "2026-09-21T14:14:20.000Z")
    );
    assert_eq!(alerts.firing(), 0);
}

#[test]
fn the_documented_notification_is_one() {
    let page = include_str!("../../../../docs/service.md");
    let (_, example) = page.split_once("```json\n").expect("there is an example");
    let (example, _) = example.split_once("\n```").expect("it ends");
    let documented: serde_json::Value = serde_json::from_str(example).expect("it is JSON");
    let notification: Notification = serde_json::from_str(example).expect("it is a notification");
    assert_eq!(serde_json::to_value(&notification).expect("it is JSON"), documented);
    assert_eq!(notification.version, Notification::VERSION);
    for field in documented.as_object().expect("it is an object").keys() {
        assert!(page.contains(&format!("| `{field}` |")), "{field} is not explained");
    }
}
