//! An HTTP server to which a JSON object each is posted, in order, until it takes it.
//!
//! [`Webhook`] is the end that never waits, [`Delivery`] the one that runs beside it.

mod post;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hyper::Uri;
use post::{Outcome, Poster};
use rustls::RootCertStore;
use tokio::sync::Notify;

use super::{Notification, SinkCounts, SinkError, Undelivered, queue::Queue};
use crate::service::config::TokenFile;

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// Before an attempt is made a second time.
    pub(super) first: Duration,
    /// Before it is made the umpteenth time.
    pub(super) longest: Duration,
    /// For an attempt to come to something.
    pub(super) attempt: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_mins(5),
            attempt: Duration::from_secs(10),
        }
    }
}

impl Timing {
    /// How long to wait after so many failures in a row: twice as long each time, and less by up to half of it, at
    /// `random` from 0 to 1, so that the services of many hosts do not come back at once.
    fn wait(&self, failures: u32, random: f64) -> Duration {
        let doubled =
            2_u32.checked_pow(failures.saturating_sub(1)).and_then(|times| self.first.checked_mul(times));
        let most = doubled.unwrap_or(self.longest).min(self.longest);
        most.mul_f64(1.0 - random.clamp(0.0, 1.0) / 2.0).max(self.first.min(self.longest))
    }
}

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
    timing: Timing,
    origin: String,
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
) -> Result<(Webhook, Delivery), SinkError> {
    let scheme = url.scheme_str().unwrap_or("http");
    let origin = format!("{scheme}://{}", url.authority().map_or("", |authority| authority.as_str()));
    let poster = Poster::new(url, token, roots, timing.attempt, &origin)?;
    let shared = Arc::<Shared>::default();
    let webhook = Webhook { shared: Arc::clone(&shared), origin: origin.clone() };
    Ok((webhook, Delivery { shared, poster, timing, origin }))
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
            let outcome = self.poster.post(&notification).await;
            if self.is_done(number, &notification, outcome, failures > 0) {
                failures = 0;
                continue;
            }
            failures = failures.saturating_add(1);
            tokio::time::sleep(self.timing.wait(failures, fastrand::f64())).await;
        }
    }

    /// Takes in what came of an attempt, the last one before which failed or not. Is the notification dealt with?
    fn is_done(
        &self,
        number: u64,
        notification: &Notification,
        outcome: Outcome,
        failed_before: bool,
    ) -> bool {
        let origin = &self.origin;
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

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("origin", &self.origin).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
