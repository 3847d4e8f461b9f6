//! An HTTP server to which a JSON object each is posted, in order, until it takes it.
//!
//! [`Webhook`] is the end that never waits, [`Delivery`] the one that runs beside it.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hyper::{StatusCode, Uri, header::CONTENT_TYPE};
use rustls::RootCertStore;
use sockleak_core::text::escape;
use tokio::sync::Notify;

use super::{Notification, SinkCounts, Undelivered, queue::Queue};
use crate::service::{
    CertificateError,
    config::TokenFile,
    post::{Poster, Timing},
};

/// What both ends share.
#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    news: Notify,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing in it is half done at any moment.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where notifications for a server are put.
pub(super) struct Webhook {
    shared: Arc<Shared>,
    origin: String,
}

/// What delivers them.
pub struct Delivery {
    shared: Arc<Shared>,
    poster: Poster,
    token: Option<TokenFile>,
    timing: Timing,
}

/// What came of an attempt.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The server has it.
    Taken,
    /// It will never have it: why, and what to do.
    Refused(String),
    /// It may have it another time: why not now.
    Failed(String),
}

/// Makes both ends. `roots` are what the server's certificate is verified by: those of the system if none are given.
///
/// # Errors
/// If there are none.
pub(super) fn open(
    url: &Uri,
    token: Option<TokenFile>,
    roots: Option<RootCertStore>,
    timing: Timing,
) -> Result<(Webhook, Delivery), CertificateError> {
    let poster = Poster::new(url, roots, timing.attempt)?;
    let shared = Arc::<Shared>::default();
    let webhook = Webhook { shared: Arc::clone(&shared), origin: poster.origin().to_owned() };
    Ok((webhook, Delivery { shared, poster, token, timing }))
}

impl Webhook {
    /// Scheme and host.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Puts one at the end of the queue.
    pub(super) fn push(&self, notification: Notification) {
        let mut queue = self.shared.queue();
        if queue.push(notification) && queue.dropped.is_power_of_two() {
            let (origin, dropped) = (&self.origin, queue.dropped);
            tracing::warn!(
                "{dropped} alerts for {origin} were dropped: it has taken none for too long; see to that server"
            );
        }
        drop(queue);
        self.shared.news.notify_one();
    }

    /// What became of them.
    pub(super) fn counts(&self) -> SinkCounts {
        let queue = self.shared.queue();
        SinkCounts {
            kind: "webhook",
            destination: self.origin.clone(),
            delivered: queue.delivered,
            refused: queue.refused,
            dropped: queue.dropped,
            waiting: queue.len() as u64,
            retried: queue.retried,
        }
    }

    /// What waits.
    pub(super) fn undelivered(&self) -> Undelivered {
        let notifications = self.shared.queue().all().cloned().collect();
        Undelivered { origin: self.origin.clone(), notifications }
    }
}

impl Delivery {
    /// Delivers what there is and what will come. Never ends: stop it by dropping it, at any moment; what was under way is
    /// delivered again after a restart, if the server did not take it.
    pub async fn run(self) {
        let mut failures = 0_u32;
        loop {
            let (number, notification) = self.next().await;
            let outcome = self.post(&notification).await;
            if self.is_done(number, &notification, outcome, failures > 0) {
                failures = 0;
                continue;
            }
            failures = failures.saturating_add(1);
            tokio::time::sleep(self.timing.wait(failures, fastrand::f64())).await;
        }
    }

    /// Posts a notification, once.
    async fn post(&self, notification: &Notification) -> Outcome {
        // The token is read each time: it may have been replaced.
        let token = self.token.as_ref().map(TokenFile::read).transpose();
        let (token, body) = match (token, escape::json_bytes(notification)) {
            (Ok(token), Ok(body)) => (token, body),
            (Err(error), _) => return Outcome::Failed(error.to_string()),
            (_, Err(error)) => return Outcome::Failed(error.to_string()),
        };
        let headers = [(CONTENT_TYPE, "application/json")];
        let answer = self.poster.post(&headers, token.as_ref(), body.into()).await;
        answer.map_or_else(|error| Outcome::Failed(error.to_string()), |answer| judge(answer.status()))
    }

    /// Takes in what came of an attempt, the last one before which failed or not. Is the notification dealt with?
    fn is_done(
        &self,
        number: u64,
        notification: &Notification,
        outcome: Outcome,
        failed_before: bool,
    ) -> bool {
        let origin = self.poster.origin();
        let mut queue = self.shared.queue();
        match outcome {
            Outcome::Taken => {
                queue.delivered += 1;
                if failed_before {
                    tracing::info!("alerts reach {origin} again");
                }
            }
            Outcome::Refused(reason) => {
                queue.refused += 1;
                let line = super::line(notification);
                tracing::error!("{origin} does not take an alert: {reason}. It is: {line}");
            }
            Outcome::Failed(reason) => {
                queue.retried += 1;
                if !failed_before {
                    let waiting = queue.len();
                    tracing::warn!(
                        "alerts do not reach {origin}: {reason}. {waiting} wait, and are tried again"
                    );
                }
                return false;
            }
        }
        queue.remove(number);
        true
    }

    /// The oldest that waits, or will.
    async fn next(&self) -> (u64, Notification) {
        loop {
            let first = self.shared.queue().first().cloned();
            if let Some(first) = first {
                return first;
            }
            self.shared.news.notified().await;
        }
    }
}

/// What an answer means. That a token is wrong can be put right while the alert waits; a payload or address that
/// the server does not like will never be another.
fn judge(status: StatusCode) -> Outcome {
    match status.as_u16() {
        200..=299 => Outcome::Taken,
        300..=399 => Outcome::Refused(format!(
            "it answers {status}, and redirects are not followed; write the address that it leads to into url"
        )),
        401 | 403 => Outcome::Failed(format!("it answers {status}; check token_file")),
        408 | 425 | 429 | 500.. => Outcome::Failed(format!("it answers {status}")),
        _ => Outcome::Refused(format!("it answers {status}; check url, and what that server expects")),
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("poster", &self.poster).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
