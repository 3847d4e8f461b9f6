//! Metrics: for Prometheus in its own text format and in that of OpenMetrics 1.0, for collectors in that of OTLP.
//!
//! In steps: `names` decides which sockets and programs have series of their own, `figures` adds up what they did, `families`
//! says which figure is called what, `prometheus`, `openmetrics` and `otlp` write it down. The number of series is bounded whatever happens
//! on the host, and no counter falls while the service runs.

mod counts;
mod exposition;
mod families;
mod figures;
mod fleet;
mod fleet_families;
mod names;
mod openmetrics;
mod otlp;
mod own;
mod pattern;
mod prometheus;
#[cfg(test)]
pub(super) mod tests;

use prometheus_client::{encoding::text, registry::Registry};
use serde::{Deserialize, Serialize};
use sockleak_core::choices;

pub use exposition::Exposition;
pub use figures::Figures;
pub use own::{AlertCounts, Own};

use super::snapshot::{LIFETIME_BOUNDS, Snapshot};
use names::Names;

/// Name of what has no series of its own.
pub const OTHER: &str = "other";

choices! {
    /// How much is told of a host.
    #[derive(Debug, Default, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum MetricDetail {
        /// Every socket and program, within bounds of some thousand series.
        #[default]
        Full = "full",
        /// What many hosts are compared by: under a hundred series, with names that are the same on all hosts.
        Fleet = "fleet",
    }
}

/// What has been shown so far. Kept as long as the service runs: counters rest on it.
#[derive(Debug, Default)]
pub struct Metrics {
    names: Names,
}

impl Metrics {
    /// What is known at a moment, added up for the series that are shown.
    #[must_use]
    pub fn figures(&mut self, snapshot: &Snapshot, own: &Own) -> Figures {
        Figures::new(snapshot, own.clone(), &mut self.names)
    }

    /// The same, in as much detail as is asked for.
    #[must_use]
    pub fn figures_in(&mut self, detail: MetricDetail, snapshot: &Snapshot, own: &Own) -> Figures {
        let figures = self.figures(snapshot, own);
        match detail {
            MetricDetail::Full => figures,
            MetricDetail::Fleet => figures.for_fleet(snapshot),
        }
    }

    /// What is known at a moment, as text in a form.
    #[must_use]
    pub fn encode(&mut self, snapshot: &Snapshot, own: &Own, form: Exposition) -> String {
        self.encode_in(MetricDetail::Full, snapshot, own, form)
    }

    /// The same, in as much detail as is asked for.
    #[must_use]
    pub fn encode_in(
        &mut self,
        detail: MetricDetail,
        snapshot: &Snapshot,
        own: &Own,
        form: Exposition,
    ) -> String {
        let figures = self.figures_in(detail, snapshot, own);
        let mut text = String::new();
        let written = match form {
            Exposition::Prometheus => figures.write_prometheus(&mut text),
            Exposition::OpenMetrics | Exposition::OpenMetricsDraft => {
                let mut registry = Registry::with_prefix("sockleak");
                registry.register_collector(Box::new(figures));
                text::encode(&mut text, &registry)
            }
        };
        if written.is_err() {
            // A String takes in everything, and every value has a form.
            tracing::error!("metrics could not be written");
        }
        text
    }
}
