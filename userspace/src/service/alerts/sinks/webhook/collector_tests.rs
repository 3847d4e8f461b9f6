//! Alerts for a collector, with a real server on this host that answers as it is told.

use std::{io::Read as _, time::Duration};

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::{
    collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse},
    common::v1::any_value::Value,
};
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;
use crate::service::alerts::tests::notification;

const FAST: Timing = Timing {
    first: Duration::from_millis(1),
    longest: Duration::from_millis(4),
    attempt: Duration::from_secs(10),
};

/// A collector at a port of its own.
struct Collector(TcpListener);

impl Collector {
    /// Takes a request, and answers. Returns its head and the sentences of its records.
    async fn serve(&self, status: &str, body: &[u8]) -> (String, Vec<String>) {
        let (mut stream, _) = self.0.accept().await.expect("somebody connects");
        let mut bytes = Vec::new();
        let (head, sent) = loop {
            assert!(stream.read_buf(&mut bytes).await.expect("it asks") > 0, "it hangs up");
            let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.expect("it has a length").parse().expect("it is a number");
            if bytes.len() == end + 4 + length {
                break (head, bytes.split_off(end + 4));
            }
        };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(&[answer.as_bytes(), body].concat()).await.expect("it listens");
        let mut message = Vec::new();
        GzDecoder::new(sent.as_slice()).read_to_end(&mut message).expect("it is compressed");
        let request = ExportLogsServiceRequest::decode(message.as_slice()).expect("it is a request");
        let records = &request.resource_logs[0].scope_logs[0].log_records;
        let sentence = |body: &Option<Value>| match body {
            Some(Value::StringValue(text)) => text.clone(),
            other => panic!("{other:?}"),
        };
        let bodies = records.iter().map(|it| sentence(&it.body.as_ref().expect("a body").value));
        (head, bodies.collect())
    }
}

/// Has alerts waiting, and then delivered to a collector.
async fn begin(alerts: usize) -> (Collector, Webhook) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
    let url = format!("http://{}/v1/logs", listener.local_addr().expect("it is bound"));
    let url = url.parse().expect("it is an address");
    let (webhook, delivery) = open(&url, Form::Otlp, None, None, FAST).expect("it can be set up");
    (0..alerts).for_each(|nth| webhook.push(notification(&nth.to_string())));
    tokio::spawn(delivery.run());
    (Collector(listener), webhook)
}

async fn until_nothing_waits(webhook: &Webhook) -> SinkCounts {
    while webhook.counts().waiting > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    webhook.counts()
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = crate::runtime::start().expect("there are resources");
    let limited = async { tokio::time::timeout(Duration::from_mins(1), test).await };
    runtime.block_on(limited).expect("it comes to an end")
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|nth| nth.to_string()).collect()
}

#[test]
fn alerts_go_in_batches_and_in_order() {
    run(async {
        let (collector, webhook) = begin(230).await;
        for expected in [0..100, 100..200, 200..230] {
            let (head, sent) = collector.serve("200 OK", b"").await;
            assert_eq!(sent, numbers(expected));
            assert!(head.starts_with("post /v1/logs http/1.1\r\n"), "{head}");
            for header in ["content-type: application/x-protobuf", "content-encoding: gzip"] {
                assert!(head.contains(header), "{head}");
            }
        }
        let counts = until_nothing_waits(&webhook).await;
        assert_eq!((counts.kind, counts.delivered, counts.refused, counts.retried), ("otlp", 230, 0, 0));
    });
}

/// Only the answers that OTLP names mean that the same may be sent again.
#[test]
fn a_busy_collector_gets_the_same_again() {
    run(async {
        let (collector, webhook) = begin(2).await;
        for answer in ["429 X", "502 X", "503 X\r\nretry-after: 0", "504 X", "200 OK"] {
            assert_eq!(collector.serve(answer, b"").await.1, numbers(0..2), "{answer}");
        }
        assert_eq!(until_nothing_waits(&webhook).await.retried, 4);
        for (nth, answer) in ["400 X", "401 X", "404 X", "500 X", "301 X"].into_iter().enumerate() {
            webhook.push(notification(answer));
            assert_eq!(collector.serve(answer, b"").await.1, [answer]);
            let counts = until_nothing_waits(&webhook).await;
            assert_eq!((counts.refused, counts.retried), (nth as u64 + 1, 4), "{answer}");
        }
    });
}

#[test]
fn what_is_taken_in_part_is_counted() {
    run(async {
        let (collector, webhook) = begin(5).await;
        let said = ExportLogsPartialSuccess { rejected_log_records: 2, error_message: "too old".to_owned() };
        let body = ExportLogsServiceResponse { partial_success: Some(said) }.encode_to_vec();
        collector.serve("200 OK", &body).await;
        let counts = until_nothing_waits(&webhook).await;
        assert_eq!((counts.delivered, counts.refused), (3, 2));
    });
}
