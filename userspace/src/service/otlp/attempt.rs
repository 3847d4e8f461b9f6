//! What comes of a request, and what of that is news.

use std::time::Duration;

use hyper::StatusCode;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use prost::Message as _;
use sockleak_core::text::escape::terminal;

use crate::service::post::Answer;

/// Characters of a collector's words that are repeated.
const MOST_WORDS: usize = 200;

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The collector has all of it.
    Taken,
    /// It has some of it, or something to say: what.
    TakenInPart(String),
    /// It was not asked: why.
    Unsent(String),
    /// It does not want it: why, and what to do. That is asked again with the next figures, no sooner.
    Refused(String),
    /// It may have it at another time.
    Failed {
        /// Why not now.
        reason: String,
        /// When it wants to be asked again.
        wait: Option<Duration>,
    },
}

/// Takes in an answer.
pub(super) async fn judge(answer: Answer) -> Outcome {
    let status = answer.status();
    let wait = answer.retry_after();
    if status.is_success() { taken(&answer.body().await) } else { failed(status, wait) }
}

/// Which answers mean that the same may be sent again is laid down by OTLP.
fn failed(status: StatusCode, wait: Option<Duration>) -> Outcome {
    let hint = match status.as_u16() {
        429 | 502..=504 => return Outcome::Failed { reason: format!("it answers {status}"), wait },
        300..=399 => "redirects are not followed; write the address that it leads to into endpoint",
        401 | 403 => "check token_file in [otlp]",
        404 | 405 => "check endpoint in [otlp]; \"/v1/metrics\" is added to it",
        413 => "set a higher limit there",
        500.. => "see the collector's own log",
        _ => "check endpoint in [otlp], and that it takes OTLP over HTTP",
    };
    Outcome::Refused(format!("it answers {status}; {hint}"))
}

fn taken(body: &[u8]) -> Outcome {
    // A proxy in front may answer with anything. It said that it was taken.
    let said = ExportMetricsServiceResponse::decode(body).unwrap_or_default().partial_success;
    let ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message } =
        said.unwrap_or_default();
    if rejected <= 0 && error_message.is_empty() {
        return Outcome::Taken;
    }
    let words: String = error_message.chars().take(MOST_WORDS).collect();
    Outcome::TakenInPart(match rejected {
        ..=0 => format!("it takes all figures, and says: {words}"),
        more => format!("it does not take {more} of the figures, and says: {words}"),
    })
}

/// Tells what is news, so that a collector that is gone for a month is told of once.
#[derive(Debug, Default)]
pub(super) struct Teller {
    told: Option<Outcome>,
}

impl Teller {
    /// Logs an outcome, if it is news.
    pub(super) fn tell(&mut self, outcome: &Outcome, origin: &str) {
        if let Some(news) = self.news(outcome, origin) {
            match outcome {
                Outcome::Taken => tracing::info!("{news}"),
                _ => tracing::warn!("{news}"),
            }
        }
    }

    /// What is to be said of an outcome, safe for a terminal. Nothing, if it is as before.
    fn news(&mut self, outcome: &Outcome, origin: &str) -> Option<String> {
        // That it wants another wait is no news.
        let now = match outcome.clone() {
            Outcome::Failed { reason, .. } => Outcome::Failed { reason, wait: None },
            other => other,
        };
        let before = self.told.replace(now);
        if before == self.told {
            return None;
        }
        let news = match (self.told.as_ref()?, before) {
            // As it should be.
            (Outcome::Taken, None) => return None,
            (Outcome::Taken, Some(_)) => format!("figures reach {origin} again"),
            // Words may differ each time.
            (Outcome::TakenInPart(_), Some(Outcome::TakenInPart(_))) => return None,
            (Outcome::TakenInPart(words), _) => format!("figures reach {origin}: {words}"),
            (Outcome::Unsent(reason), _) => format!("figures are not sent to {origin}: {reason}"),
            (Outcome::Refused(reason), _) => format!("{origin} does not take figures: {reason}"),
            (Outcome::Failed { reason, .. }, _) => {
                format!("figures do not reach {origin}: {reason}. The latest are tried again")
            }
        };
        Some(terminal(&news).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(rejected: i64, words: &str) -> Vec<u8> {
        let said =
            ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message: words.to_owned() };
        ExportMetricsServiceResponse { partial_success: Some(said) }.encode_to_vec()
    }

    #[test]
    fn answers_are_understood() {
        let now = Some(Duration::from_secs(3));
        for status in [429, 502, 503, 504] {
            let outcome = failed(StatusCode::from_u16(status).expect("it is one"), now);
            assert!(matches!(outcome, Outcome::Failed { wait, .. } if wait == now), "{status}");
        }
        for (status, hint) in [
            (302, "redirects"),
            (400, "check endpoint"),
            (401, "token_file"),
            (404, "/v1/metrics"),
            (408, "check endpoint"),
            (413, "limit"),
            (500, "log"),
            (501, "log"),
        ] {
            let outcome = failed(StatusCode::from_u16(status).expect("it is one"), now);
            assert!(matches!(outcome, Outcome::Refused(said) if said.contains(hint)), "{status}");
        }
    }

    #[test]
    fn what_is_taken_in_part_is_told() {
        for body in [&b""[..], b"<html>", &response(0, ""), b"\x0a\x00"] {
            assert_eq!(taken(body), Outcome::Taken, "{body:?}");
        }
        for (rejected, words, expected) in [
            (3, "too old", "it does not take 3 of the figures, and says: too old"),
            (0, "use /v2", "it takes all figures, and says: use /v2"),
        ] {
            assert_eq!(taken(&response(rejected, words)), Outcome::TakenInPart(expected.to_owned()));
        }
        let Outcome::TakenInPart(long) = taken(&response(1, &"ä".repeat(9000))) else { panic!("it is one") };
        assert!(long.chars().count() < 300);
    }

    #[test]
    fn what_is_as_before_is_not_told_again() {
        let failed = |reason: &str, wait| Outcome::Failed {
            reason: reason.to_owned(),
            wait: Some(Duration::from_secs(wait)),
        };
        let part = |words: &str| Outcome::TakenInPart(words.to_owned());
        let mut teller = Teller::default();
        for (outcome, expected) in [
            (Outcome::Taken, None),
            (failed("refused", 1), Some("do not reach http://c: refused")),
            (failed("refused", 2), None),
            (failed("late", 2), Some("do not reach http://c: late")),
            (Outcome::Refused("no".to_owned()), Some("does not take figures: no")),
            (Outcome::Refused("no".to_owned()), None),
            (Outcome::Unsent("no token".to_owned()), Some("are not sent to http://c: no token")),
            (Outcome::Taken, Some("reach http://c again")),
            (Outcome::Taken, None),
            (part("3\u{1b}[2J"), Some("reach http://c: 3\\u{1b}[2J")),
            (part("4"), None),
            (Outcome::Taken, Some("again")),
        ] {
            let news = teller.news(&outcome, "http://c");
            assert_eq!(news.is_some(), expected.is_some(), "{outcome:?}: {news:?}");
            assert!(news.unwrap_or_default().contains(expected.unwrap_or_default()), "{outcome:?}");
        }
    }
}
