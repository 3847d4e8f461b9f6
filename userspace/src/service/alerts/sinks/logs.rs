//! Notifications as OTLP's log records. Pure.

use jiff::Timestamp;
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber},
};
use sockleak_core::text::escape::terminal;

use super::{Notification, Status};
use crate::service::collector::{attribute, attribute_of, resource, scope};

/// What tells these records from others.
const EVENT: &str = "sockleak.alert";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A request with all of them. They are of one host.
pub(super) fn request(notifications: &[Notification]) -> ExportLogsServiceRequest {
    let host = notifications.first().map_or("", |it| it.host.as_str());
    let kernel = nix::sys::utsname::uname().ok();
    let kernel = kernel.as_ref().map_or("".into(), |it| it.release().to_string_lossy());
    let log_records = notifications.iter().map(record).collect();
    let scope_logs = vec![ScopeLogs { scope: Some(scope(VERSION)), log_records, ..ScopeLogs::default() }];
    let resource = Some(resource(host, VERSION, &kernel));
    let all = ResourceLogs { resource, scope_logs, ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![all] }
}

/// A notification: its sentence is the body, what it is about are the attributes. Those that figures have too have the same names.
fn record(notification: &Notification) -> LogRecord {
    let (severity, severity_text) = match notification.status {
        Status::Firing => (SeverityNumber::Warn, "WARN"),
        Status::Resolved => (SeverityNumber::Info, "INFO"),
    };
    let at = nanoseconds(&notification.time);
    LogRecord {
        time_unix_nano: at,
        observed_time_unix_nano: at,
        severity_number: severity.into(),
        severity_text: severity_text.to_owned(),
        body: Some(text(&notification.summary)),
        attributes: attributes(notification),
        event_name: EVENT.to_owned(),
        ..LogRecord::default()
    }
}

fn attributes(notification: &Notification) -> Vec<KeyValue> {
    let key = &notification.key;
    let mut attributes = vec![
        // Not every collector passes the event's name on.
        attribute(("event.name", EVENT)),
        attribute(("status", notification.status.name())),
        attribute(("kind", key.kind.name())),
    ];
    let texts = [
        ("verdict", key.verdict.map(|verdict| verdict.name().to_owned())),
        ("program", key.program.as_deref().map(|it| terminal(it).into_owned())),
        ("socket", key.socket.as_deref().map(|it| terminal(it).into_owned())),
        ("since", Some(notification.since.clone())),
    ];
    attributes.extend(texts.iter().filter_map(|(key, value)| Some(attribute((*key, value.as_deref()?)))));
    let numbers = [("value", notification.value), ("limit", notification.limit)];
    attributes.extend(numbers.into_iter().filter_map(|(key, value)| {
        Some(attribute_of(key, Value::IntValue(i64::try_from(value?).unwrap_or(i64::MAX))))
    }));
    if !notification.uncertain.is_empty() {
        let values = notification.uncertain.iter().map(|it| text(it)).collect();
        attributes.push(attribute_of("uncertain", Value::ArrayValue(ArrayValue { values })));
    }
    attributes
}

/// Names in it are of other programs.
fn text(text: &str) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(terminal(text).into_owned())) }
}

/// Since 1970; 0 if it is no time.
fn nanoseconds(time: &str) -> u64 {
    let time = time.parse::<Timestamp>().map(Timestamp::as_nanosecond);
    time.ok().and_then(|time| u64::try_from(time).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::alerts::tests::notification;

    fn value<'r>(record: &'r LogRecord, key: &str) -> Option<&'r Value> {
        record.attributes.iter().find(|it| it.key == key)?.value.as_ref()?.value.as_ref()
    }

    fn string<'r>(record: &'r LogRecord, key: &str) -> Option<&'r str> {
        match value(record, key)? {
            Value::StringValue(text) => Some(text),
            _ => None,
        }
    }

    #[test]
    fn an_alert_is_a_record_with_what_it_is_about() {
        let mut over = notification("it is over");
        (over.status, over.uncertain) = (Status::Resolved, vec!["Events were lost".to_owned()]);
        over.key.program = Some("/bin/\u{1b}[2Jx".to_owned());
        let request = request(&[notification("x keeps 3"), over]);
        let [of_host] = request.resource_logs.as_slice() else { panic!("{request:?}") };
        let about = &of_host.resource.as_ref().expect("there is one").attributes;
        assert!(
            about.iter().any(|it| it.key == "service.name") && about.iter().any(|it| it.key == "host.name")
        );
        let [firing, resolved] = of_host.scope_logs[0].log_records.as_slice() else { panic!("{request:?}") };
        let at: Timestamp = notification("").time.parse().expect("it is a time");
        assert_eq!(u128::from(firing.time_unix_nano), at.as_nanosecond() as u128);
        assert_eq!((firing.severity_number, resolved.severity_number), (13, 9));
        for (key, expected) in [
            ("event.name", "sockleak.alert"),
            ("status", "firing"),
            ("kind", "finding"),
            ("verdict", "client-leak"),
            ("program", "/usr/bin/x"),
            ("socket", "/run/a.sock"),
        ] {
            assert_eq!(string(firing, key), Some(expected), "{key}");
        }
        assert_eq!(
            (value(firing, "value"), value(firing, "limit")),
            (Some(&Value::IntValue(3)), Some(&Value::IntValue(10)))
        );
        assert_eq!(string(resolved, "program"), Some(r"/bin/\u{1b}[2Jx"));
        assert!(value(firing, "uncertain").is_none() && value(resolved, "uncertain").is_some());
    }
}
