//! The sections that there are, and the keys that each knows.

/// A section: where it is, in words, and the keys that it knows.
#[derive(Debug)]
pub(super) struct Schema {
    /// As the user writes it; empty for what is before the first section.
    pub(super) header: &'static str,
    /// Its keys, in the order in which they are shown.
    pub(super) keys: &'static [&'static str],
}

impl Schema {
    /// Where its keys are, within a sentence.
    pub(super) fn place(&self) -> String {
        if self.header.is_empty() {
            return "at the top of the file".to_owned();
        }
        format!("in {}", self.header)
    }
}

/// What is before the first section.
pub(super) const TOP: Schema = Schema {
    header: "",
    keys: &[
        "leak_age", "by", "stacks", "use", "target", "alerts", "store", "archive", "http", "otlp", "probe",
    ],
};
/// A socket to watch.
pub(super) const TARGET: Schema = Schema { header: "[[target]]", keys: &["socket", "limit"] };
/// When to raise an alert.
pub(super) const ALERTS: Schema = Schema {
    header: "[alerts]",
    keys: &["slots_percent", "forecast", "for", "findings", "degraded", "sink"],
};
/// Whom to tell.
pub(super) const SINK: Schema =
    Schema { header: "[[alerts.sink]]", keys: &["kind", "url", "token_file", "path"] };
/// What is kept.
pub(super) const STORE: Schema =
    Schema { header: "[store]", keys: &["directory", "keep", "max_bytes", "history_keep"] };
/// Where closed segments go.
pub(super) const ARCHIVE: Schema =
    Schema { header: "[archive]", keys: &["url", "credentials_file", "command_lines", "bandwidth"] };
/// Where the service answers.
pub(super) const HTTP: Schema = Schema { header: "[http]", keys: &["listen", "token_file"] };
/// Whom figures are sent to.
pub(super) const OTLP: Schema =
    Schema { header: "[otlp]", keys: &["endpoint", "interval", "detail", "token_file"] };
/// How to hook into the kernel.
pub(super) const PROBE: Schema =
    Schema { header: "[probe]", keys: &["hooks", "ring_size", "max_connections"] };

/// All of them.
pub(super) const ALL: [&Schema; 9] = [&TOP, &TARGET, &ALERTS, &SINK, &STORE, &ARCHIVE, &HTTP, &OTLP, &PROBE];
