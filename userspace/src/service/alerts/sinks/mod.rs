//! Whom alerts are told: the log, files of JSON lines, HTTP servers, collectors.

mod file;
mod logs;
mod queue;
mod webhook;

use hyper::Uri;
use sockleak_core::text::escape::terminal;

pub use webhook::Delivery;

use super::{
    notification::{Notification, Status},
    state::{Saved, Undelivered},
};
use crate::service::{
    CertificateError, collector,
    config::{SinkSettings, TokenFile},
    post::Timing,
};
use file::FileSink;
use webhook::{Form, Webhook};

/// Where a collector takes log records.
const LOGS: &str = "/v1/logs";

/// What became of what was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkCounts {
    /// `log`, `file`, `webhook` or `otlp`.
    pub kind: &'static str,
    /// The file, or scheme and host of the server.
    pub destination: String,
    /// Notifications that arrived.
    pub delivered: u64,
    /// Those that were given up: the file was not writable, or the server would not have them.
    pub refused: u64,
    /// Those that found no room in the queue.
    pub dropped: u64,
    /// Those that wait.
    pub waiting: u64,
    /// Attempts that failed and were or will be made again.
    pub retried: u64,
}

/// All sinks.
#[derive(Debug)]
pub struct Sinks {
    sinks: Vec<Sink>,
}

#[derive(Debug)]
enum Sink {
    Log { delivered: u64 },
    File(FileSink),
    Webhook(Webhook),
}

impl Sinks {
    /// Makes the sinks ready, and what has to run beside them on a tokio runtime ([`Delivery::run`]), one for each webhook.
    ///
    /// # Errors
    /// If there is nothing to verify a server's certificate by.
    pub fn open(settings: &[SinkSettings]) -> Result<(Self, Vec<Delivery>), CertificateError> {
        let mut deliveries = Vec::new();
        let sinks = settings.iter().map(|settings| {
            Ok(match settings {
                SinkSettings::Log => Sink::Log { delivered: 0 },
                SinkSettings::File { path } => Sink::File(FileSink::new(path.clone())),
                SinkSettings::Webhook { url, token } => {
                    Sink::Webhook(begin(url, Form::Json, token.as_ref(), &mut deliveries)?)
                }
                SinkSettings::Otlp { url, token } => {
                    let url = collector::address(url, LOGS);
                    Sink::Webhook(begin(&url, Form::Otlp, token.as_ref(), &mut deliveries)?)
                }
            })
        });
        let sinks = sinks.collect::<Result<_, _>>()?;
        Ok((Self { sinks }, deliveries))
    }

    /// Tells all of them. Never waits for a server. Whatever a file does not take is logged.
    pub fn send(&mut self, notification: &Notification) {
        for sink in &mut self.sinks {
            match sink {
                Sink::Log { delivered } => {
                    tracing::warn!("{}", line(notification));
                    *delivered += 1;
                }
                Sink::File(file) => {
                    if let Err(error) = file.append(notification) {
                        let (path, line) = (file.path().display(), line(notification));
                        tracing::error!(
                            "an alert cannot be written to {path} ({error}); make room or change its owner. It is: {line}"
                        );
                    }
                }
                Sink::Webhook(webhook) => webhook.push(notification.clone()),
            }
        }
    }

    /// What became of what was told, sink by sink in the order of the configuration.
    #[must_use]
    pub fn counts(&self) -> Vec<SinkCounts> {
        let counts = self.sinks.iter().map(|sink| match sink {
            Sink::Log { delivered } => {
                SinkCounts { kind: "log", delivered: *delivered, ..SinkCounts::default() }
            }
            Sink::File(file) => file.counts(),
            Sink::Webhook(webhook) => webhook.counts(),
        });
        counts.collect()
    }

    /// The notifications that wait for webhooks.
    #[must_use]
    pub fn undelivered(&self) -> Vec<Undelivered> {
        self.webhooks().map(Webhook::undelivered).filter(|it| !it.notifications.is_empty()).collect()
    }

    /// Takes up what webhooks did not get before a restart. What waits for one that is configured no more is forgotten.
    pub fn restore(&self, saved: &Saved) {
        let mut saved: Vec<_> = saved.undelivered.iter().collect();
        for webhook in self.webhooks() {
            // Two at one place are told apart by their order.
            if let Some(at) = saved.iter().position(|it| it.origin == webhook.origin()) {
                saved.remove(at).notifications.iter().for_each(|it| webhook.push(it.clone()));
            }
        }
    }

    fn webhooks(&self) -> impl Iterator<Item = &Webhook> {
        self.sinks.iter().filter_map(|sink| match sink {
            Sink::Webhook(webhook) => Some(webhook),
            Sink::Log { .. } | Sink::File(_) => None,
        })
    }
}

/// Makes the end that never waits, and adds the one that delivers.
fn begin(
    url: &Uri,
    form: Form,
    token: Option<&TokenFile>,
    deliveries: &mut Vec<Delivery>,
) -> Result<Webhook, CertificateError> {
    let (webhook, delivery) = webhook::open(url, form, token.cloned(), None, Timing::default())?;
    deliveries.push(delivery);
    Ok(webhook)
}

/// A notification in a line of text, safe for a terminal.
fn line(notification: &Notification) -> String {
    let Notification { status, key, summary, uncertain, since, .. } = notification;
    let what = key.verdict.map_or(key.kind.name(), |verdict| verdict.name());
    let mut line = format!("alert {}: {what}: {summary}", status.name());
    if *status == Status::Firing && !uncertain.is_empty() {
        line.push_str(&format!(" (uncertain: {})", uncertain.join("; ")));
    }
    line.push_str(&format!(", since {since}"));
    terminal(&line).into_owned()
}

#[cfg(test)]
mod tests;
