//! An HTTP server to which notifications are posted, in order, until it takes them: as a JSON object each, or as log records for a
//! collector.
//!
//! [`Webhook`] is the end that never waits, [`Delivery`] the one that runs beside it.

mod form;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hyper::Uri;
use rustls::RootCertStore;
use tokio::sync::Notify;

pub(super) use form::Form;

use super::{
    Notification, SinkCounts, Undelivered,
    queue::{Queue, Waiting},
};
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
    form: Form,
}

/// What delivers them.
pub struct Delivery {
    shared: Arc<Shared>,
    poster: Poster,
    token: Option<TokenFile>,
    timing: Timing,
    form: Form,
}

/// What came of an attempt.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The server has all of it.
    Taken,
    /// It has some of it, and will never have the rest.
    TakenInPart {
        /// How many notifications it does not take.
        refused: u64,
        /// Why, in its own words.
        words: String,
    },
    /// It will never have it: why, and what to do.
    Refused(String),
    /// It may have it another time.
    Failed {
        /// Why not now.
        reason: String,
        /// When it wants to be asked again.
        wait: Option<Duration>,
    },
}

impl Outcome {
    const fn failed(reason: String) -> Self {
        Self::Failed { reason, wait: None }
    }
}

/// Makes both ends. `roots` are what the server's certificate is verified by: those of the system if none are given.
///
/// # Errors
/// If there are none.
pub(super) fn open(
    url: &Uri,
    form: Form,
    token: Option<TokenFile>,
    roots: Option<RootCertStore>,
    timing: Timing,
) -> Result<(Webhook, Delivery), CertificateError> {
    let poster = Poster::new(url, roots, timing.attempt)?;
    let shared = Arc::<Shared>::default();
    let webhook = Webhook { shared: Arc::clone(&shared), origin: poster.origin().to_owned(), form };
    Ok((webhook, Delivery { shared, poster, token, timing, form }))
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
            kind: self.form.kind(),
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
            let waiting = self.next().await;
            let (outcome, wait) = match self.post(&waiting).await {
                Outcome::Failed { reason, wait } => (Outcome::failed(reason), wait),
                outcome => (outcome, None),
            };
            if self.is_done(&waiting, outcome, failures > 0) {
                failures = 0;
                continue;
            }
            failures = failures.saturating_add(1);
            let wait = wait.unwrap_or_else(|| self.timing.wait(failures, fastrand::f64()));
            tokio::time::sleep(wait).await;
        }
    }

    /// Posts notifications, once.
    async fn post(&self, waiting: &[Waiting]) -> Outcome {
        // The token is read each time: it may have been replaced.
        let token = match self.token.as_ref().map(TokenFile::read).transpose() {
            Ok(token) => token,
            Err(error) => return Outcome::failed(error.to_string()),
        };
        let notifications: Vec<_> = waiting.iter().map(|(_, notification)| notification.clone()).collect();
        let body = match self.form.body(&notifications) {
            Ok(body) => body,
            Err(error) => return Outcome::failed(error.to_string()),
        };
        match self.poster.post(&self.form.headers(), token.as_ref(), body).await {
            Ok(answer) => self.form.judge(answer).await,
            Err(error) => Outcome::failed(error.to_string()),
        }
    }

    /// Takes in what came of an attempt, the last one before which failed or not. Are the notifications dealt with?
    fn is_done(&self, posted: &[Waiting], outcome: Outcome, failed_before: bool) -> bool {
        let origin = self.poster.origin();
        let count = posted.len() as u64;
        let mut queue = self.shared.queue();
        match outcome {
            Outcome::Taken => {
                queue.delivered += count;
                if failed_before {
                    tracing::info!("alerts reach {origin} again");
                }
            }
            Outcome::TakenInPart { refused, words } => {
                let refused = refused.min(count);
                (queue.delivered, queue.refused) =
                    (queue.delivered + count - refused, queue.refused + refused);
                tracing::error!("{origin} does not take {refused} of {count} alerts, and says: {words}");
            }
            Outcome::Refused(reason) => {
                queue.refused += count;
                for (_, notification) in posted {
                    let line = super::line(notification);
                    tracing::error!("{origin} does not take an alert: {reason}. It is: {line}");
                }
            }
            Outcome::Failed { reason, .. } => {
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
        posted.iter().for_each(|(number, _)| queue.remove(*number));
        true
    }

    /// The oldest that wait, or will: as many as go into a request.
    async fn next(&self) -> Vec<Waiting> {
        loop {
            let first = self.shared.queue().first(self.form.most());
            if !first.is_empty() {
                return first;
            }
            self.shared.news.notified().await;
        }
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
mod collector_tests;
#[cfg(test)]
mod tests;
