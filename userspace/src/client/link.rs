//! A thread of this process that answers, over the same link as the service's.

use futures_util::stream;
use tokio::sync::broadcast::error::RecvError;

use super::{Asked, Events, Listened, Source, Told, Trouble};
use crate::service::link::{AskError, Asker, Question, Subscription};

impl Source for Asker {
    fn ask(&self, question: Question) -> Asked<'_> {
        Box::pin(async {
            let answered = Self::ask(self, question).await.map_err(trouble)?;
            Ok(answered.answer.clone())
        })
    }

    fn listen(&self) -> Listened<'_> {
        Box::pin(async {
            let subscription = self.subscribe(true).await.map_err(trouble)?;
            let listener = Listener { subscription, dropped: None, told: None };
            let events =
                stream::unfold(listener, |mut listener| async { Some((listener.next().await, listener)) });
            Ok(Box::pin(events) as Events)
        })
    }
}

struct Listener {
    subscription: Subscription,
    /// Events that were dropped when the last one came; None before the first.
    dropped: Option<u64>,
    /// It came after some that were missed, which are told first.
    told: Option<Told>,
}

impl Listener {
    async fn next(&mut self) -> Result<Told, Trouble> {
        if let Some(told) = self.told.take() {
            return Ok(told);
        }
        let text = match self.subscription.events.recv().await {
            Ok(text) => text,
            Err(RecvError::Closed) => return Err(Trouble::Gone),
            Err(RecvError::Lagged(count)) => return Ok(Told::Missed(count)),
        };
        let event = serde_json::from_slice(&text.text);
        let told = Told::Event(Box::new(event.map_err(|error| Trouble::Unreadable(error.to_string()))?));
        let before = self.dropped.replace(text.dropped).unwrap_or(text.dropped);
        if text.dropped > before {
            self.told = Some(told);
            return Ok(Told::Missed(text.dropped - before));
        }
        Ok(told)
    }
}

fn trouble(error: AskError) -> Trouble {
    match error {
        AskError::Gone => Trouble::Gone,
        AskError::TooLong | AskError::Busy => Trouble::Refused(503, error.to_string()),
    }
}
