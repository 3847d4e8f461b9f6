//! Figures for a collector, by OTLP over HTTP.
//!
//! What is sent are totals: only the latest matter, and a request that is lost is made up for by the next. So there is no
//! queue. The tracer puts the latest figures in place of those before, which takes no waiting; a thread of its own, without
//! privileges, writes them down, compresses and sends them, one request at a time. A collector that is slow, gone or hostile has
//! to do with that thread alone.

mod attempt;

use std::{io, sync::Arc, thread};

use attempt::{Outcome, Teller, judge};
use hyper::Uri;
use prost::Message as _;
use rustls::RootCertStore;
use tokio::{
    sync::{oneshot, watch},
    time::sleep,
};

use super::{
    CertificateError,
    collector::{self, address, compressed},
    config::{Token, TokenError},
    metrics::Figures,
    post::{Poster, Timing},
};
use crate::privilege;

/// Where metrics go, within a collector.
const PATH: &str = "/v1/metrics";

/// Why figures cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// There is nothing to verify the collector by.
    #[error(transparent)]
    Certificates(#[from] CertificateError),
    /// There is no thread to be had.
    #[error("figures cannot be sent ({0}); stop other programs")]
    Thread(#[from] io::Error),
}

/// What is to be sent.
#[derive(Debug)]
pub struct Export {
    /// The figures.
    pub figures: Figures,
    /// When they were taken: milliseconds since 1970, UTC.
    pub at_ms: i64,
    /// What goes with them as a bearer token, or why there is none.
    pub token: Result<Option<Token>, TokenError>,
}

/// The end that never waits.
#[derive(Debug)]
pub struct Exporter {
    latest: watch::Sender<Option<Arc<Export>>>,
    /// Whoever sends stops when this is dropped.
    _stop: oneshot::Sender<()>,
}

impl Exporter {
    /// Begins to send what it is given to a collector at this address.
    ///
    /// # Errors
    /// If there is nothing to verify it by, or no thread to be had.
    pub fn start(endpoint: &Uri) -> Result<Self, OtlpError> {
        Self::launch(endpoint, None, Timing::default())
    }

    fn launch(endpoint: &Uri, roots: Option<RootCertStore>, timing: Timing) -> Result<Self, OtlpError> {
        let poster = Poster::new(&address(endpoint, PATH), roots, timing.attempt)?;
        let (latest, waiting) = watch::channel(None);
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = crate::runtime::start()?;
        let sender = Sender { poster, timing, waiting, teller: Teller::default() };
        thread::Builder::new().name("otlp".to_owned()).spawn(move || {
            privilege::keep_nothing();
            runtime.block_on(async {
                tokio::select! {
                    () = sender.run() => {}
                    _ = stopped => {}
                }
            });
            // A name that is being looked up is not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self { latest, _stop: stop })
    }

    /// Has this sent next, instead of what was not sent yet.
    pub fn send(&self, export: Export) {
        self.latest.send_replace(Some(Arc::new(export)));
    }
}

/// The end that sends.
struct Sender {
    poster: Poster,
    timing: Timing,
    waiting: watch::Receiver<Option<Arc<Export>>>,
    teller: Teller,
}

impl Sender {
    /// Sends what there is and what will come, until nobody gives it anything any more.
    async fn run(mut self) {
        let mut failures = 0_u32;
        while failures > 0 || self.waiting.changed().await.is_ok() {
            let outcome = self.attempt().await;
            self.teller.tell(&outcome, self.poster.origin());
            failures = match outcome {
                Outcome::Failed { wait, .. } => {
                    let failures = failures.saturating_add(1);
                    // What is the latest by then is sent then.
                    sleep(wait.unwrap_or_else(|| self.timing.wait(failures, fastrand::f64()))).await;
                    failures
                }
                _ => 0,
            };
        }
    }

    /// Sends the latest, once.
    async fn attempt(&mut self) -> Outcome {
        // Nothing is held meanwhile that the other end could have to wait for.
        let latest = self.waiting.borrow_and_update().clone();
        let Some(export) = latest else { return Outcome::Taken };
        let body = compressed(&export.figures.otlp(export.at_ms).encode_to_vec());
        let (body, token) = match (body, &export.token) {
            (Ok(body), Ok(token)) => (body, token.as_ref()),
            (Err(error), _) => return Outcome::Unsent(error.to_string()),
            (_, Err(error)) => return Outcome::Unsent(error.to_string()),
        };
        match self.poster.post(&collector::headers(), token, body).await {
            Ok(answer) => judge(answer).await,
            Err(error) => Outcome::Failed { reason: error.to_string(), wait: None },
        }
    }
}

#[cfg(test)]
mod tests;
