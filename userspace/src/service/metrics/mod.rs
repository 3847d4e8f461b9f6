//! Metrics for Prometheus, in the text format of OpenMetrics 1.0.
//!
//! In steps: `names` decides which sockets and programs have series of their own, `figures` adds up what they did, `families`
//! says which figure is called what, `openmetrics` writes it down. The number of series is bounded whatever happens on the host, and no counter falls while
//! the service runs.

mod counts;
mod families;
mod figures;
mod names;
mod openmetrics;
mod own;
#[cfg(test)]
mod tests;

use prometheus_client::{encoding::text, registry::Registry};

pub use own::Own;

use super::snapshot::{LIFETIME_BOUNDS, Snapshot};
use figures::Figures;
use names::Names;

/// The form in which [`Metrics::encode`] writes, as a content type. Prometheus has read it since 2.5.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Name of what has no series of its own.
pub const OTHER: &str = "other";

/// What has been shown so far. Kept as long as the service runs: counters rest on it.
#[derive(Debug, Default)]
pub struct Metrics {
    names: Names,
}

impl Metrics {
    /// What is known at a moment, as text.
    #[must_use]
    pub fn encode(&mut self, snapshot: &Snapshot, own: &Own) -> String {
        let figures = Figures::new(snapshot, *own, &mut self.names);
        let mut registry = Registry::with_prefix("sockleak");
        registry.register_collector(Box::new(figures));
        let mut text = String::new();
        if text::encode(&mut text, &registry).is_err() {
            // A String takes in everything, and every value has a form.
            tracing::error!("metrics could not be written");
        }
        text
    }
}
