//! How notifications are put into a request, and what the answer to it means.

use std::io;

use bytes::Bytes;
use hyper::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderName},
};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use prost::Message as _;
use sockleak_core::text::escape::{self, terminal};

use super::{super::logs, Notification, Outcome};
use crate::service::{collector, post::Answer};

/// Characters of a collector's words that are repeated.
const MOST_WORDS: usize = 200;

/// What a server expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Form {
    /// A JSON object in each request.
    Json,
    /// OTLP: log records, several in a request.
    Otlp,
}

impl Form {
    /// The kind of sink in the configuration and in figures.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Json => "webhook",
            Self::Otlp => "otlp",
        }
    }

    /// Notifications in a request.
    pub(super) const fn most(self) -> usize {
        match self {
            Self::Json => 1,
            Self::Otlp => 100,
        }
    }

    pub(super) fn headers(self) -> Vec<(HeaderName, &'static str)> {
        match self {
            Self::Json => vec![(CONTENT_TYPE, "application/json")],
            Self::Otlp => collector::headers().to_vec(),
        }
    }

    /// The body of a request.
    ///
    /// # Errors
    /// If it cannot be put together: why.
    pub(super) fn body(self, notifications: &[Notification]) -> io::Result<Bytes> {
        match self {
            Self::Json => {
                let body = notifications.first().map_or(Ok(Vec::new()), escape::json_bytes);
                body.map(Bytes::from).map_err(Into::into)
            }
            Self::Otlp => {
                let request = logs::request(notifications).encode_to_vec();
                collector::compressed(&request)
            }
        }
    }

    /// What an answer means.
    pub(super) async fn judge(self, answer: Answer) -> Outcome {
        let (status, wait) = (answer.status(), answer.retry_after());
        match self {
            Self::Json => judge_webhook(status),
            Self::Otlp if status.is_success() => taken(&answer.body().await),
            Self::Otlp => match status.as_u16() {
                // No other answer means that the same may be sent again: OTLP lays that down.
                429 | 502..=504 => Outcome::Failed { reason: format!("it answers {status}"), wait },
                300..=399 => {
                    refused(status, "redirects are not followed; write the address that it leads to into url")
                }
                401 | 403 => refused(status, "check token_file"),
                404 | 405 => {
                    refused(status, "check url, to which \"/v1/logs\" is added, and that it takes logs")
                }
                _ => refused(status, "see the collector's own log"),
            },
        }
    }
}

fn refused(status: StatusCode, hint: &str) -> Outcome {
    Outcome::Refused(format!("it answers {status}; {hint}"))
}

/// That a token is wrong can be put right while the alert waits; a payload or address that the server does not like will never be
/// another.
pub(super) fn judge_webhook(status: StatusCode) -> Outcome {
    let failed = |reason| Outcome::Failed { reason, wait: None };
    match status.as_u16() {
        200..=299 => Outcome::Taken,
        300..=399 => {
            refused(status, "and redirects are not followed; write the address that it leads to into url")
        }
        401 | 403 => failed(format!("it answers {status}; check token_file")),
        408 | 425 | 429 | 500.. => failed(format!("it answers {status}")),
        _ => refused(status, "check url, and what that server expects"),
    }
}

/// A collector takes a request, whole or in part. A proxy in front may answer with anything.
fn taken(body: &[u8]) -> Outcome {
    let said = ExportLogsServiceResponse::decode(body).unwrap_or_default().partial_success;
    let ExportLogsPartialSuccess { rejected_log_records: rejected, error_message } = said.unwrap_or_default();
    match u64::try_from(rejected) {
        Ok(count @ 1..) => {
            let words: String = error_message.chars().take(MOST_WORDS).collect();
            Outcome::TakenInPart { refused: count, words: terminal(&words).into_owned() }
        }
        _ => Outcome::Taken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_collector_does_not_take_is_counted() {
        let body = |rejected, words: &str| {
            let said =
                ExportLogsPartialSuccess { rejected_log_records: rejected, error_message: words.to_owned() };
            ExportLogsServiceResponse { partial_success: Some(said) }.encode_to_vec()
        };
        for body in [&b""[..], b"<html>", &body(0, "use /v2"), &body(-4, "")] {
            assert_eq!(taken(body), Outcome::Taken, "{body:?}");
        }
        let expected = Outcome::TakenInPart { refused: 3, words: r"old\u{1b}".to_owned() };
        assert_eq!(taken(&body(3, "old\x1b")), expected);
    }
}
