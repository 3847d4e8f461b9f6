//! What is sent is what Prometheus reads.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{KeyValue, any_value},
    metrics::v1::{
        AggregationTemporality, HistogramDataPoint, Metric, NumberDataPoint, metric::Data, number_data_point,
    },
};

use super::*;

const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;
const AT_MS: i64 = 1_767_323_050_000;

/// What was sent, under the names that Prometheus gives it.
pub(in crate::service) fn read(request: &ExportMetricsServiceRequest) -> Samples {
    let [resource] = request.resource_metrics.as_slice() else { panic!("one resource: {request:?}") };
    let [scope] = resource.scope_metrics.as_slice() else { panic!("one scope: {request:?}") };
    let mut samples = Samples::new();
    for metric in &scope.metrics {
        add(metric, &mut samples);
    }
    samples
}

fn add(metric: &Metric, samples: &mut Samples) {
    let unit = match metric.unit.as_str() {
        "s" => "_seconds",
        "By" => "_bytes",
        unit => unit,
    };
    assert!(!metric.description.is_empty(), "{metric:?}");
    let name = format!("{}{unit}", metric.name.replace('.', "_"));
    match metric.data.as_ref().expect("data") {
        Data::Sum(sum) => {
            assert!(sum.is_monotonic && sum.aggregation_temporality == CUMULATIVE, "{metric:?}");
            for point in &sum.data_points {
                assert!((1..point.time_unix_nano).contains(&point.start_time_unix_nano), "{point:?}");
                insert(samples, format!("{name}_total"), labels(&point.attributes), value(point));
            }
        }
        Data::Gauge(gauge) => {
            for point in &gauge.data_points {
                insert(samples, name.clone(), labels(&point.attributes), value(point));
            }
        }
        Data::Histogram(histogram) => {
            assert_eq!(histogram.aggregation_temporality, CUMULATIVE);
            histogram.data_points.iter().for_each(|point| add_histogram(&name, point, samples));
        }
        other => panic!("{other:?}"),
    }
}

fn insert(samples: &mut Samples, name: String, labels: Vec<(String, String)>, value: f64) {
    let before = samples.insert((name, labels), value);
    assert!(before.is_none(), "each series once");
}

fn add_histogram(name: &str, point: &HistogramDataPoint, samples: &mut Samples) {
    let own = labels(&point.attributes);
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    let bounds = point.explicit_bounds.iter().map(|bound| format!("{bound:?}")).chain(["+Inf".to_owned()]);
    let mut count = 0;
    for (bound, more) in bounds.zip(&point.bucket_counts) {
        count += more;
        let mut labels = own.clone();
        labels.push(("le".to_owned(), bound));
        labels.sort();
        insert(samples, format!("{name}_bucket"), labels, count as f64);
    }
    assert_eq!(count, point.count);
    insert(samples, format!("{name}_count"), own.clone(), count as f64);
    insert(samples, format!("{name}_sum"), own, point.sum.expect("a sum"));
}

fn value(point: &NumberDataPoint) -> f64 {
    match point.value.expect("a value") {
        number_data_point::Value::AsInt(value) => value as f64,
        number_data_point::Value::AsDouble(value) => value,
    }
}

fn labels(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let mut labels: Vec<_> = attributes.iter().map(|it| (it.key.clone(), text(it).to_owned())).collect();
    labels.sort();
    labels
}

fn text(attribute: &KeyValue) -> &str {
    match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// What the resource says of itself.
pub(in crate::service) fn resource(request: &ExportMetricsServiceRequest) -> BTreeMap<&str, &str> {
    let resource = request.resource_metrics[0].resource.as_ref().expect("there is one");
    resource.attributes.iter().map(|it| (it.key.as_str(), text(it))).collect()
}

/// Figure by figure, with names that could do harm in either form.
#[test]
fn every_figure_is_that_of_prometheus() {
    let (mut metrics, snapshot) = (Metrics::default(), busy());
    let mut expected = samples(&mut metrics, &snapshot);
    let request = metrics.figures(&snapshot, &OWN).otlp(AT_MS);
    // That is about the whole.
    expected.retain(|(name, _), _| name != "sockleak_build_info");
    assert!(expected.len() > 80, "{}", expected.len());
    assert_eq!(read(&request), expected);
    let about = resource(&request);
    for (key, expected) in [
        ("service.name", "sockleak"),
        ("service.version", "0.1.0"),
        ("service.instance.id", "db1"),
        ("host.name", "db1"),
        ("os.type", "linux"),
        ("os.version", "6.12.0"),
    ] {
        assert_eq!(about.get(key), Some(&expected), "{key}");
    }
}

/// What was there before this process is told apart from what counts since it began.
#[test]
fn each_counter_says_since_when_it_counts() {
    let request = Metrics::default().figures(&busy(), &OWN).otlp(AT_MS);
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let since = |name: &str| {
        let metric = metrics.iter().find(|metric| metric.name == name).expect(name);
        match metric.data.as_ref().expect("data") {
            Data::Sum(sum) => sum.data_points[0].start_time_unix_nano / 1_000_000,
            Data::Histogram(histogram) => histogram.data_points[0].start_time_unix_nano / 1_000_000,
            other => panic!("{other:?}"),
        }
    };
    for name in ["sockleak.opened", "sockleak.lifetime", "sockleak.events_lost"] {
        assert_eq!(since(name), busy().started_ms as u64, "{name}");
    }
    for name in ["sockleak.process_cpu", "sockleak.http_restarts"] {
        assert_eq!(since(name), OWN.started_ms as u64, "{name}");
    }
}

/// With as many programs and sockets as there may be, it is as bounded as what Prometheus reads.
#[test]
fn it_is_as_bounded() {
    let programs = |nth: usize| (0..100).map(|it| program(&format!("/bin/{nth}-{it}"), it)).collect();
    let sockets = (0..1000).map(|nth| socket(&format!("/s{nth}"), programs(nth))).collect();
    let (mut metrics, snapshot) = (Metrics::default(), snapshot(sockets, Vec::new()));
    let expected = samples(&mut metrics, &snapshot).len() - 1;
    assert_eq!(read(&metrics.figures(&snapshot, &OWN).otlp(AT_MS)).len(), expected);
}
