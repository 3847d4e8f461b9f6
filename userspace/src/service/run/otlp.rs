//! Figures are sent to a collector, as often as `[otlp]` says.

use jiff::Timestamp;
use tokio::time::Instant;

use super::Service;
use crate::service::{
    config::{OtlpSettings, TokenFile},
    link::Answers as _,
    metrics::MetricDetail,
    otlp::{Export, Exporter, OtlpError},
};

/// Whom they are sent to, and when.
pub(super) struct Sending {
    exporter: Exporter,
    settings: OtlpSettings,
    due: Instant,
}

impl Sending {
    /// Gets ready. None if nobody is to be sent anything.
    ///
    /// # Errors
    /// See [`Exporter::start`].
    pub(super) fn begin(settings: Option<&OtlpSettings>) -> Result<Option<Self>, OtlpError> {
        let Some(settings) = settings.cloned() else { return Ok(None) };
        Ok(Some(Self { exporter: Exporter::start(&settings.endpoint)?, settings, due: Instant::now() }))
    }

    /// Is it time?
    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = now >= self.due;
        if is_due {
            self.due = now + self.settings.interval;
        }
        is_due
    }
}

impl Service {
    /// Has the latest figures sent, when it is time. Never waits for the collector.
    pub(super) fn export(&mut self, now: Instant) {
        if !self.sending.as_mut().is_some_and(|sending| sending.is_due(now)) {
            return;
        }
        let (snapshot, own) = (self.snapshot(), self.own());
        let detail =
            self.sending.as_ref().map_or_else(MetricDetail::default, |sending| sending.settings.detail);
        let figures = self.metrics.figures_in(detail, &snapshot, &own);
        if let Some(Sending { exporter, settings, .. }) = &self.sending {
            // The token is read each time: it may have been replaced. Whoever sends has no right to read it.
            let token = settings.token.as_ref().map(TokenFile::read).transpose();
            exporter.send(Export { figures, at_ms: Timestamp::now().as_millisecond(), token });
        }
    }
}
