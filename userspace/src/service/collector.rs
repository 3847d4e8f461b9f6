//! What is the same for everything that a collector is sent by OTLP: whose it is, where it goes, and how it is packed.

use std::{
    env,
    io::{self, Write as _},
    sync::LazyLock,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use hyper::{
    Uri,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName},
    http::uri::PathAndQuery,
};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    resource::v1::Resource,
};

/// The variable by which whoever starts a service says more of where it runs, as OpenTelemetry defines it.
const VARIABLE: &str = "OTEL_RESOURCE_ATTRIBUTES";
/// Attributes of that variable that are taken.
const MOST_ATTRIBUTES: usize = 32;
/// Bytes of each.
const LONGEST: usize = 256;

/// What the environment says of where the service runs: key and value each.
static GIVEN: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let Some(text) = env::var_os(VARIABLE) else { return Vec::new() };
    let given = text.to_str().and_then(parse);
    given.unwrap_or_else(|| {
        tracing::warn!(
            "{VARIABLE} is left out: write at most {MOST_ATTRIBUTES} KEY=VALUE with commas in between, each of at most {LONGEST} \
             bytes"
        );
        Vec::new()
    })
});

/// Whose data they are, by OpenTelemetry's semantic conventions: the service and its host, and what the environment says besides or
/// instead. There is one service on a host.
pub(super) fn resource(host: &str, version: &str, kernel: &str) -> Resource {
    Resource { attributes: described(host, version, kernel, &GIVEN), ..Resource::default() }
}

fn described(host: &str, version: &str, kernel: &str, given: &[(String, String)]) -> Vec<KeyValue> {
    let own = [
        ("service.name", "sockleak"),
        ("service.version", version),
        ("service.instance.id", host),
        ("host.name", host),
        ("os.type", "linux"),
        ("os.version", kernel),
    ];
    // In a container, the host's name is that of the container: whoever started it knows better.
    let own = own.into_iter().filter(|(key, _)| given.iter().all(|(other, _)| other != key));
    let given = given.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    own.chain(given).map(attribute).collect()
}

/// Reads `key=value,key=value`, whose values are percent-encoded. None if anything in it is wrong: then all of it is left out.
fn parse(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let (key, value) = (key.trim(), decoded(value.trim())?);
        let is_short = key.len() <= LONGEST && value.len() <= LONGEST;
        (is_short && !key.is_empty()).then(|| (key.to_owned(), value))
    });
    let mut given: Vec<(String, String)> = Vec::new();
    for pair in pairs {
        let (key, value) = pair?;
        // The last one counts. A variable of the downward API that is not set leaves its value empty.
        given.retain(|(other, _)| *other != key);
        if !value.is_empty() {
            given.push((key, value));
        }
    }
    (given.len() <= MOST_ATTRIBUTES).then_some(given)
}

fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16).map(|digit| digit as u8);
        bytes.push(match byte {
            b'%' => digit(rest.next())? << 4 | digit(rest.next())?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// What produced them.
pub(super) fn scope(version: &str) -> InstrumentationScope {
    InstrumentationScope {
        name: "sockleak".to_owned(),
        version: version.to_owned(),
        ..InstrumentationScope::default()
    }
}

/// An attribute with a text.
pub(super) fn attribute((key, value): (&str, &str)) -> KeyValue {
    attribute_of(key, any_value::Value::StringValue(value.to_owned()))
}

/// An attribute with any value.
pub(super) fn attribute_of(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// Headers of each request.
pub(super) const fn headers() -> [(HeaderName, &'static str); 2] {
    [(CONTENT_TYPE, "application/x-protobuf"), (CONTENT_ENCODING, "gzip")]
}

/// Compressed with gzip, which every collector takes.
pub(super) fn compressed(bytes: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish().map(Bytes::from)
}

/// Where a collector at `endpoint` takes a signal, whose path is for example `/v1/logs`, unless `endpoint` is that already.
pub(super) fn address(endpoint: &Uri, signal: &str) -> Uri {
    let path = endpoint.path().trim_end_matches('/');
    if path.ends_with(signal) {
        return endpoint.clone();
    }
    let query = endpoint.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = endpoint.clone().into_parts();
    // What was a path still is one with more at its end.
    parts.path_and_query = PathAndQuery::try_from(format!("{path}{signal}{query}")).ok();
    Uri::from_parts(parts).unwrap_or_else(|_| endpoint.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn the_environment_says_where_it_runs() {
        for (text, expected) in [
            ("", Some(vec![])),
            (
                "k8s.node.name=n1,k8s.pod.name = sockleak-x7,",
                Some(vec![("k8s.node.name", "n1"), ("k8s.pod.name", "sockleak-x7")]),
            ),
            ("a=%2Cb%3d%C3%A4", Some(vec![("a", ",b=ä")])),
            ("a=1,a=2", Some(vec![("a", "2")])),
            ("k8s.pod.name=", Some(vec![])),
            ("a", None),
            ("=1", None),
            ("a=%2", None),
            ("a=%ff", None),
        ] {
            assert_eq!(parse(text), expected.map(|pairs| owned(&pairs)), "{text:?}");
        }
        assert_eq!(parse(&format!("a={}", "x".repeat(LONGEST + 1))), None);
        let many: Vec<String> = (0..=MOST_ATTRIBUTES).map(|nth| format!("k{nth}=v")).collect();
        assert_eq!(parse(&many.join(",")), None);
    }

    #[test]
    fn what_is_given_comes_before_what_is_found() {
        let given = owned(&[("host.name", "node7"), ("k8s.namespace.name", "ops")]);
        let attributes = described("pod-1", "0.1.0", "6.12.0", &given);
        let text = |key: &str| {
            let mut found = attributes.iter().filter(|it| it.key == key);
            let value = found.next()?.value.clone()?.value?;
            assert!(found.next().is_none(), "{key} is there once");
            match value {
                any_value::Value::StringValue(text) => Some(text),
                _ => None,
            }
        };
        for (key, expected) in [
            ("host.name", "node7"),
            ("service.instance.id", "pod-1"),
            ("service.name", "sockleak"),
            ("service.version", "0.1.0"),
            ("os.version", "6.12.0"),
            ("k8s.namespace.name", "ops"),
        ] {
            assert_eq!(text(key).as_deref(), Some(expected), "{key}");
        }
    }

    #[test]
    fn the_path_of_a_signal_is_added() {
        for (endpoint, expected) in [
            ("http://c:4318", "http://c:4318/v1/metrics"),
            ("http://c:4318/", "http://c:4318/v1/metrics"),
            ("https://c/otlp", "https://c/otlp/v1/metrics"),
            ("https://c/otlp/", "https://c/otlp/v1/metrics"),
            ("http://c/api/v1/otlp?tenant=1", "http://c/api/v1/otlp/v1/metrics?tenant=1"),
            ("http://c/v1/metrics", "http://c/v1/metrics"),
            ("http://c/x/v1/metrics/", "http://c/x/v1/metrics/"),
            ("http://[::1]:4318", "http://[::1]:4318/v1/metrics"),
        ] {
            let endpoint = endpoint.parse().expect("it is one");
            assert_eq!(address(&endpoint, "/v1/metrics").to_string(), expected);
        }
    }
}
