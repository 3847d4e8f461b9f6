//! Figures in the text format of OpenMetrics 1.0.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge, info::Info},
    registry,
};

use super::{
    LIFETIME_BOUNDS,
    families::{Family, Kind, Lifetimes, Unit, Value},
    figures::Figures,
};

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (name, help, labels) = self.build();
        let build = Info::new(labels.to_vec());
        build.encode(encoder.encode_descriptor(name, help, None, build.metric_type())?)?;
        self.families().try_for_each(|family| write(&mut encoder, family))
    }
}

/// Writes a family, unless it is empty.
fn write(encoder: &mut DescriptorEncoder<'_>, family: Family<'_>) -> fmt::Result {
    let Family { name, help, unit, kind, rows } = family;
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    let unit = unit.map(|unit| match unit {
        Unit::Seconds => registry::Unit::Seconds,
        Unit::Bytes => registry::Unit::Bytes,
    });
    let kind_of_metric = match kind {
        Kind::Counter { .. } => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
    };
    let mut encoder = encoder.encode_descriptor(name, help, unit.as_ref(), kind_of_metric)?;
    for (labels, value) in rows {
        let labels = labels.as_slice();
        // Of a family without labels there is no set, not even an empty one.
        if labels.is_empty() {
            return encode(kind, &value, encoder);
        }
        encode(kind, &value, encoder.encode_family(&labels)?)?;
    }
    Ok(())
}

fn encode(kind: Kind, value: &Value, encoder: MetricEncoder<'_>) -> fmt::Result {
    match (kind, value) {
        (_, Value::Lifetimes(lifetimes)) => lifetimes.encode(encoder),
        (Kind::Counter { .. }, Value::Whole(value)) => ConstCounter::new(*value).encode(encoder),
        (Kind::Counter { .. }, Value::Real(value)) => ConstCounter::new(*value).encode(encoder),
        (_, Value::Whole(value)) => ConstGauge::new(*value).encode(encoder),
        (_, Value::Real(value)) => ConstGauge::new(*value).encode(encoder),
    }
}

impl Lifetimes {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let bounds = LIFETIME_BOUNDS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(self.buckets.iter().copied()).collect();
        encoder.encode_histogram::<NoLabelSet>(self.sum, self.count, &buckets, None)
    }
}
