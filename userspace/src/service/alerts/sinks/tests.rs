use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use super::*;
use crate::service::alerts::{
    Alerts, Saved,
    tests::{notification, settings},
};

/// What is logged meanwhile.
fn logged(act: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panicked").extend_from_slice(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, act);
    let text = log.0.lock().expect("nobody panicked").clone();
    String::from_utf8(text).expect("it is text")
}

#[test]
fn the_log_is_told_in_a_line_that_is_safe() {
    let (mut sinks, deliveries) = Sinks::open(&[SinkSettings::Log]).expect("there is a log");
    assert!(deliveries.is_empty());
    let news = Notification {
        uncertain: vec!["events were lost".to_owned()],
        ..notification("/usr/bin/\u{1b}[2Jx leaks\nWARN forged")
    };
    let text = logged(|| sinks.send(&news));
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.contains("WARN")
            && text.contains("alert firing: client-leak: /usr/bin/\\u{1b}[2Jx leaks\\u{a}WARN forged"),
        "{text}"
    );
    assert!(text.contains("(uncertain: events were lost), since 2026-"), "{text}");
    let over = Notification { status: Status::Resolved, ..news };
    assert!(logged(|| sinks.send(&over)).contains("alert resolved: client-leak: "));
    assert_eq!((sinks.counts()[0].kind, sinks.counts()[0].delivered), ("log", 2));
}

#[test]
fn what_a_file_does_not_take_is_in_the_log() {
    let path = std::path::PathBuf::from("/proc/none/alerts.jsonl");
    let (mut sinks, _) = Sinks::open(&[SinkSettings::File { path }]).expect("it is opened later");
    let text = logged(|| sinks.send(&notification("it leaks")));
    assert!(
        text.contains("ERROR") && text.contains("/proc/none/alerts.jsonl") && text.contains("it leaks"),
        "{text}"
    );
    assert_eq!(sinks.counts()[0].refused, 1);
}

#[test]
fn what_was_not_delivered_outlives_a_restart() {
    let hook = |url: &str| SinkSettings::Webhook { url: url.parse().expect("it is an address"), token: None };
    let settings_of = ["http://a.example/1", "http://b.example/1", "http://a.example/2"].map(hook);
    let (mut sinks, _deliveries) = Sinks::open(&settings_of).expect("they need nothing");
    sinks.send(&notification("one"));
    sinks.send(&notification("two"));
    let alerts = Alerts::new(&settings(), "host".to_owned());
    let saved = Saved::of(&alerts, sinks.undelivered());
    let text = serde_json::to_string(&saved).expect("it is JSON");
    assert!(!text.contains("a.example/"), "an address may be a secret: {text}");
    // One of them is configured no more.
    let (sinks, _deliveries) =
        Sinks::open(&[hook("http://a.example/3"), hook("http://c.example/")]).expect("they need nothing");
    sinks.restore(&saved);
    assert_eq!(sinks.counts().iter().map(|it| it.waiting).collect::<Vec<_>>(), [2, 0]);
    assert_eq!(sinks.undelivered()[0].notifications, saved.undelivered[0].notifications);
}
