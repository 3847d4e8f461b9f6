//! Events as they happen, as server-sent events.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use hyper::body::{Body, Frame};
use serde::Deserialize;
use tokio::{
    sync::{OwnedSemaphorePermit, broadcast::error::RecvError},
    time,
};

use super::room::Answering;
use crate::service::link::Subscription;

/// What is given back when a stream ends.
type Place = (OwnedSemaphorePermit, Streaming);

/// A comment after so long without events: so that it shows when the client has gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A stream of events is being sent, as long as this lives: a flag says so.
#[derive(Debug)]
pub(super) struct Streaming {
    flag: Arc<AtomicBool>,
    _answering: Answering,
}

impl Streaming {
    /// Sets the flag.
    pub(super) fn new(flag: Arc<AtomicBool>, answering: Answering) -> Self {
        flag.store(true, Ordering::Relaxed);
        Self { flag, _answering: answering }
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.flag.store(false, Ordering::Relaxed);
    }
}

/// The body of a stream of events.
pub(super) struct Events(Pin<Box<dyn Stream<Item = Bytes> + Send>>);

/// What is between two events.
struct State {
    subscription: Subscription,
    number: u64,
    /// Events that the tracer had dropped when the last one came; None before the first.
    dropped: Option<u64>,
    _place: Place,
}

impl Events {
    /// Takes a place among those who are told, until it is dropped.
    pub(super) fn new(subscription: Subscription, place: Place) -> Self {
        let state = State { subscription, number: 0, dropped: None, _place: place };
        // Something has to come at once, so that the client knows that it is heard.
        let greeting = stream::once(async { Bytes::from_static(b"retry: 5000\n\n") });
        Self(Box::pin(greeting.chain(stream::unfold(state, |mut state| async {
            let text = state.next().await?;
            Some((text, state))
        }))))
    }
}

impl State {
    async fn next(&mut self) -> Option<Bytes> {
        match time::timeout(HEARTBEAT, self.subscription.events.recv()).await {
            Err(_) => Some(Bytes::from_static(b":\n\n")),
            Ok(Err(RecvError::Closed)) => None,
            Ok(Err(RecvError::Lagged(count))) => Some(lost(count).into()),
            Ok(Ok(event)) => {
                let before = self.dropped.replace(event.dropped).unwrap_or(event.dropped);
                let mut text = String::new();
                if event.dropped > before {
                    text = lost(event.dropped - before);
                }
                self.number += 1;
                text.push_str(&told(self.number, &String::from_utf8_lossy(&event.text)));
                Some(text.into())
            }
        }
    }
}

/// An event in the form of the stream. JSON has no line ends but between values, and here not even those.
fn told(number: u64, json: &str) -> String {
    #[derive(Deserialize)]
    struct Typed<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
    }
    let kind = serde_json::from_str::<Typed<'_>>(json).map_or("message", |typed| typed.kind);
    let json = json.replace(['\r', '\n'], " ");
    format!("id: {number}\nevent: {kind}\ndata: {json}\n\n")
}

fn lost(count: u64) -> String {
    format!("event: missed\ndata: {{\"type\":\"missed\",\"count\":{count}}}\n\n")
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.as_mut().poll_next(context).map(|text| text.map(|text| Ok(Frame::data(text))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_three_lines() {
        for (json, expected) in [
            (
                r#"{"type":"connect","x":1}"#,
                "id: 3\nevent: connect\ndata: {\"type\":\"connect\",\"x\":1}\n\n",
            ),
            ("{\"x\":\n1}", "id: 3\nevent: message\ndata: {\"x\": 1}\n\n"),
            // A type with an escape in it is none of ours.
            (r#"{"type":"a\nevent: b"}"#, "id: 3\nevent: message\ndata: {\"type\":\"a\\nevent: b\"}\n\n"),
        ] {
            assert_eq!(told(3, json), expected);
        }
        assert_eq!(lost(5), "event: missed\ndata: {\"type\":\"missed\",\"count\":5}\n\n");
    }
}
