//! Asks a service: one over HTTP, or a thread of this process that plays a recording or traces. Whichever it is, it is asked the
//! questions of the API and answers in JSON.

mod http;
mod link;
mod path;
mod stream;

use std::{future::Future, pin::Pin, time::Duration};

use futures_util::Stream;
use serde::de::DeserializeOwned;
use thiserror::Error;

pub use http::{ClientError, ReportError, Server, Service};

use crate::service::{
    link::{Answer, Question},
    model::{Event, Refused},
};

/// So long is waited for an answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// An answer that is waited for.
pub(crate) type Asked<'a> = Pin<Box<dyn Future<Output = Result<Answer, Trouble>> + Send + 'a>>;
/// A stream of events that is waited for.
pub(crate) type Listened<'a> = Pin<Box<dyn Future<Output = Result<Events, Trouble>> + Send + 'a>>;
/// Events as they happen. What goes wrong ends it.
pub(crate) type Events = Pin<Box<dyn Stream<Item = Result<Told, Trouble>> + Send>>;

/// Something from the stream of events.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// It happened.
    Event(Box<Event>),
    /// So many were missed.
    Missed(u64),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Trouble {
    /// There was none in time.
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// Nobody is there.
    #[error("{0}")]
    Unreachable(String),
    /// It is refused: HTTP's status and a sentence.
    #[error("{1} (status {0})")]
    Refused(u16, String),
    /// It is none of a service.
    #[error("what answers is no sockleak, or another version: {0}")]
    Unreadable(String),
    /// The thread that answers has ended.
    #[error("nobody answers any more")]
    Gone,
}

/// Who answers.
pub(crate) trait Source: Send + Sync {
    /// Asks. Nobody waits for longer than [`PATIENCE`].
    fn ask(&self, question: Question) -> Asked<'_>;

    /// Listens to events from now on.
    fn listen(&self) -> Listened<'_>;
}

/// Asks, and reads the answer.
pub(crate) async fn ask<T: DeserializeOwned>(source: &dyn Source, question: Question) -> Result<T, Trouble> {
    let answer = tokio::time::timeout(PATIENCE, source.ask(question)).await;
    let answer = answer.map_err(|_| Trouble::Silent(PATIENCE))??;
    read(&answer)
}

/// Reads an answer.
fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Trouble> {
    if answer.status == 200 {
        let read = serde_json::from_slice(&answer.body);
        return read.map_err(|error| Trouble::Unreadable(brief(error.to_string())));
    }
    Err(refused(answer))
}

/// What a refusal says.
fn refused(answer: &Answer) -> Trouble {
    let refused = serde_json::from_slice::<Refused>(&answer.body);
    let sentence = refused.map_or_else(|_| "it is refused".to_owned(), |refused| brief(refused.error));
    Trouble::Refused(answer.status, sentence)
}

/// Whoever answers may say much: as much of it as fits on a line or two.
fn brief(mut sentence: String) -> String {
    const LONGEST: usize = 300;

    if sentence.len() > LONGEST {
        sentence.truncate(sentence.floor_char_boundary(LONGEST));
        sentence.push_str("...");
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::model::Sockets;

    #[test]
    fn answers_are_read() {
        let read = |status, body: &'static str| {
            let answer = Answer { status, ..Answer::new("", body) };
            read::<Sockets>(&answer).map(|sockets| sockets.at_ms)
        };
        assert_eq!(read(200, r#"{"at_ms": 7, "sockets": [], "newer": 1}"#), Ok(7));
        assert!(matches!(read(200, "<html>"), Err(Trouble::Unreadable(_))));
        assert_eq!(
            read(401, r#"{"error": "that token is not valid here"}"#).map_err(|trouble| trouble.to_string()),
            Err("that token is not valid here (status 401)".to_owned())
        );
        assert_eq!(read(502, "<html>"), Err(Trouble::Refused(502, "it is refused".to_owned())));
    }

    #[test]
    fn long_sentences_are_cut() {
        let body = format!(r#"{{"error": "{}"}}"#, "ä".repeat(1 << 20));
        let answer = Answer { status: 500, ..Answer::new("", body) };
        let said = read::<Sockets>(&answer).unwrap_err().to_string();
        assert!(said.len() < 330 && said.ends_with("ä... (status 500)"), "{said}");
    }
}
