//! Figures as OTLP has them. Whoever turns them into Prometheus's form gets the names of `/metrics`.

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::KeyValue,
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
        ResourceMetrics, ScopeMetrics, Sum, metric::Data, number_data_point,
    },
};

use super::{
    LIFETIME_BOUNDS,
    families::{Family, Kind, Labels, Lifetimes, Since, Unit, Value},
    figures::Figures,
};
use crate::service::collector::{attribute, resource, scope};

impl Figures {
    /// What a collector is sent at a moment: milliseconds since 1970, UTC. Counters are totals since a moment that stays the
    /// same, so that the next request makes up for one that is lost.
    #[must_use]
    pub fn otlp(&self, at_ms: i64) -> ExportMetricsServiceRequest {
        let moments = Moments {
            observed: nanoseconds(self.started_ms),
            process: nanoseconds(self.own.started_ms),
            now: nanoseconds(at_ms),
        };
        let scope = scope(&self.version);
        let metrics = self.families().filter_map(|family| metric(family, moments)).collect();
        let resource = resource(&self.host, &self.version, &self.kernel);
        let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics, ..ScopeMetrics::default() }];
        let all = ResourceMetrics { resource: Some(resource), scope_metrics, ..ResourceMetrics::default() };
        ExportMetricsServiceRequest { resource_metrics: vec![all] }
    }
}

/// Moments in nanoseconds since 1970.
#[derive(Clone, Copy)]
struct Moments {
    observed: u64,
    process: u64,
    now: u64,
}

impl Moments {
    fn of(self, since: Since) -> u64 {
        match since {
            Since::Observed => self.observed,
            Since::Process => self.process,
        }
    }
}

/// A family, unless it is empty.
fn metric(family: Family<'_>, moments: Moments) -> Option<Metric> {
    let Family { name, help, unit, kind, rows } = family;
    let mut rows = rows.peekable();
    rows.peek()?;
    let temporality = AggregationTemporality::Cumulative.into();
    let now = moments.now;
    let data = match kind {
        Kind::Counter { since } => {
            let data_points = rows.map(|row| number(row, moments.of(since), now)).collect();
            Data::Sum(Sum { data_points, aggregation_temporality: temporality, is_monotonic: true })
        }
        Kind::Gauge => Data::Gauge(Gauge { data_points: rows.map(|row| number(row, 0, now)).collect() }),
        Kind::Histogram => {
            let data_points = rows.filter_map(|row| histogram(row, moments.observed, now)).collect();
            Data::Histogram(Histogram { data_points, aggregation_temporality: temporality })
        }
    };
    Some(Metric {
        name: format!("sockleak.{name}"),
        description: help.to_owned(),
        unit: unit.map_or("", symbol).to_owned(),
        data: Some(data),
        ..Metric::default()
    })
}

/// A unit as UCUM has it.
const fn symbol(unit: Unit) -> &'static str {
    match unit {
        Unit::Seconds => "s",
        Unit::Bytes => "By",
    }
}

fn number((labels, value): (Labels<'_>, Value), since: u64, now: u64) -> NumberDataPoint {
    let value = match value {
        // No figure comes near that.
        Value::Whole(value) => {
            Some(number_data_point::Value::AsInt(i64::try_from(value).unwrap_or(i64::MAX)))
        }
        Value::Real(value) => Some(number_data_point::Value::AsDouble(value)),
        Value::Lifetimes(_) => None,
    };
    NumberDataPoint {
        attributes: attributes(&labels),
        start_time_unix_nano: since,
        time_unix_nano: now,
        value,
        ..NumberDataPoint::default()
    }
}

fn histogram((labels, value): (Labels<'_>, Value), since: u64, now: u64) -> Option<HistogramDataPoint> {
    let Value::Lifetimes(Lifetimes { sum, count, buckets }) = value else { return None };
    Some(HistogramDataPoint {
        attributes: attributes(&labels),
        start_time_unix_nano: since,
        time_unix_nano: now,
        count,
        sum: Some(sum),
        bucket_counts: buckets,
        explicit_bounds: LIFETIME_BOUNDS.to_vec(),
        ..HistogramDataPoint::default()
    })
}

fn attributes(labels: &Labels<'_>) -> Vec<KeyValue> {
    labels.iter().copied().map(attribute).collect()
}

fn nanoseconds(milliseconds: i64) -> u64 {
    u64::try_from(milliseconds).unwrap_or(0).saturating_mul(1_000_000)
}
