//! What outlives a restart.

use super::*;
use crate::service::alerts::state::Undelivered;

/// What is written, read again and taken up.
fn restarted(alerts: &Alerts, seconds: u64, settle: u64) -> Alerts {
    let (sinks, _) = Sinks::open(&[]).expect("there are none");
    let directory = tempfile::tempdir().expect("a directory can be created");
    let path = directory.path().join("alerts.json");
    Saved::of(alerts, sinks.undelivered()).write(&path).expect("it is written");
    let saved = Saved::read(&path).expect("it is readable");
    assert_eq!(saved, Saved::of(alerts, sinks.undelivered()));
    let mut alerts = Alerts::new(&settings(), "host".to_owned());
    alerts.restore(&saved, &at(seconds), Duration::from_secs(settle));
    alerts
}

#[test]
fn a_restart_neither_repeats_nor_forgets() {
    let leak = finding("/s", "x", Verdict::ClientLeak, 3);
    let full = conditions(
        &settings(),
        &Facts { sockets: vec![socket("/s", 9, Some(10), None)], ..Facts::default() },
    );
    let both: Vec<_> = [leak.clone()].into_iter().chain(full).collect();
    let mut alerts = Alerts::new(&settings(), "host".to_owned());
    assert!(alerts.update(&at(0), &both).is_empty());
    assert_eq!(alerts.update(&at(30), &both).len(), 2);

    // Still there: nothing is told. Over, as usual: it is.
    let mut same = restarted(&alerts, 1000, 0);
    assert!(same.update(&at(1000), &both).is_empty() && same.update(&at(1100), &both).is_empty());
    assert!(same.update(&at(1200), &[]).is_empty());
    let over = same.update(&at(1230), &[]);
    assert_eq!(over.iter().map(|it| it.status).collect::<Vec<_>>(), [Status::Resolved; 2]);
    assert_eq!(over[0].since, at(0).rfc3339(), "it is known since when");

    // A leak is not over because it has not been found yet; slots are seen at once.
    let mut settling = restarted(&alerts, 1000, 240);
    assert!(settling.update(&at(1000), &[]).is_empty());
    let kinds = |news: Vec<Notification>| news.into_iter().map(|it| it.key.kind).collect::<Vec<_>>();
    assert_eq!(kinds(settling.update(&at(1030), &[])), [Kind::Slots]);
    assert!(settling.update(&at(1239), &[]).is_empty());
    assert_eq!(kinds(settling.update(&at(1240), &[])), [Kind::Finding]);

    // When something was lost before is not known.
    let blind = conditions(&settings(), &Facts { degraded: vec!["lost".to_owned()], ..Facts::default() });
    let mut blinded = Alerts::new(&settings(), "host".to_owned());
    assert!(blinded.update(&at(0), &blind).is_empty());
    assert_eq!(blinded.update(&at(30), &blind).len(), 1);
    let mut blinded = restarted(&blinded, 1000, 1);
    assert!(blinded.update(&at(1000), &[]).is_empty() && blinded.update(&at(1599), &[]).is_empty());
    assert_eq!(kinds(blinded.update(&at(1600), &[])), [Kind::Degraded]);

    // Once it was found, it is over as usual.
    let mut again = restarted(&alerts, 1000, 240);
    assert!(again.update(&at(1010), &both).is_empty() && again.update(&at(1020), &both[1..]).is_empty());
    assert_eq!(kinds(again.update(&at(1050), &both[1..])), [Kind::Finding]);

    // What only waited has to hold for the whole time again.
    let mut young = Alerts::new(&settings(), "host".to_owned());
    assert!(young.update(&at(0), &both).is_empty());
    let mut young = restarted(&young, 29, 0);
    assert!(young.update(&at(40), &both).is_empty());
    assert_eq!(young.update(&at(70), &both).len(), 2);
}

/// Figures and ages change with each look: that alone is not written, nor brought to the disk.
#[test]
fn what_is_said_anew_need_not_be_saved() {
    let (sinks, _) = Sinks::open(&[]).expect("there are none");
    let mut alerts = Alerts::new(&AlertSettings { quiet: Duration::ZERO, ..settings() }, "host".to_owned());
    let mut saved = |seconds, counts: &[u64]| {
        let held: Vec<_> = counts.iter().map(|&n| finding("/s", "x", Verdict::ClientLeak, n)).collect();
        drop(alerts.update(&at(seconds), &held));
        Saved::of(&alerts, sinks.undelivered())
    };
    let (first, later) = (saved(0, &[3]), saved(2, &[4]));
    assert!(later != first && later.is_as_good_as(&first));
    let over = saved(4, &[]);
    assert!(!over.is_as_good_as(&later));
    // It is another one, of the same name.
    let again = saved(6, &[4]);
    assert!(!again.is_as_good_as(&over) && !again.is_as_good_as(&later));
    let mut waiting = again.clone();
    waiting.undelivered = vec![Undelivered { origin: String::new(), notifications: vec![notification("x")] }];
    assert!(!waiting.is_as_good_as(&again));
}

#[test]
fn state_that_is_not_understood_is_named() {
    let directory = tempfile::tempdir().expect("a directory can be created");
    let path = directory.path().join("alerts.json");
    assert_eq!(Saved::read(&path).expect("there is nothing"), Saved::default());
    let verdict = r#"{"version":1,"undelivered":[],"firing":[{"kind":"finding","socket":null,"program":null,
        "verdict":"nonsense","summary":"","uncertain":[],"value":null,"limit":null,"since":""}]}"#;
    for (text, expected) in [
        ("", "cannot be understood"),
        ("{\"version\":1}", "cannot be understood"),
        (verdict, "\\\"nonsense\\\" is no verdict"),
        ("{\"version\":2,\"other\":1}", "of a newer sockleak (form 2); update sockleak"),
    ] {
        std::fs::write(&path, text).expect("it is written");
        let said = Saved::read(&path).expect_err(text).to_string();
        assert!(said.contains("alerts.json") && said.contains(&expected.replace("\\\"", "\"")), "{said}");
    }
    let said =
        Saved::default().write(&directory.path().join("none/x")).expect_err("there is no folder").to_string();
    assert!(said.contains("none/x cannot be read or written"), "{said}");
}
