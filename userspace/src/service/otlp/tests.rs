//! With real servers on this host. Time is only ever waited for, never asserted.

use std::{io::Read as _, sync::Arc, time::Duration};

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::service::{
    config::TokenFile,
    metrics::{
        Metrics,
        tests::{OWN, Samples, busy, otlp, samples},
    },
    snapshot::Snapshot,
};

const FAST: Timing = Timing {
    first: Duration::from_millis(1),
    longest: Duration::from_millis(4),
    attempt: Duration::from_secs(10),
};
const AT_MS: i64 = 1_767_323_050_000;

/// Runs a test; none may take a minute.
fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = crate::runtime::start().expect("there are resources");
    let limited = async { tokio::time::timeout(Duration::from_mins(1), test).await };
    runtime.block_on(limited).expect("it comes to an end")
}

/// A collector that answers as it is told.
struct Collector(TcpListener);

/// A request as it came.
#[derive(Debug)]
struct Received {
    head: String,
    request: ExportMetricsServiceRequest,
}

impl Collector {
    async fn open() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
        let address = listener.local_addr().expect("it is bound");
        (Self(listener), format!("http://{address}"))
    }

    /// Takes a request.
    async fn serve(&self, reply: &str) -> Received {
        let (mut stream, _) = self.0.accept().await.expect("somebody connects");
        let received = read(&mut stream).await;
        answer(&mut stream, reply).await;
        received
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Received {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        assert!(stream.read_buf(&mut bytes).await.expect("it asks") > 0, "it hangs up");
        assert!(bytes.len() < 1 << 20, "too much");
        let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.expect("it has a length").parse().expect("it is a number");
        if bytes.len() == end + 4 + length {
            break (head, bytes.split_off(end + 4));
        }
    };
    let mut message = Vec::new();
    GzDecoder::new(body.as_slice()).read_to_end(&mut message).expect("it is compressed");
    let request = ExportMetricsServiceRequest::decode(message.as_slice()).expect("it is a request");
    Received { head, request }
}

/// Answers with a status, and headers if there are some in it.
async fn answer(stream: &mut (impl AsyncWrite + Unpin), reply: &str) {
    let answer = format!("HTTP/1.1 {reply}\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.expect("it listens");
}

fn start(endpoint: &str, roots: Option<RootCertStore>) -> Exporter {
    Exporter::launch(&endpoint.parse().expect("it is an address"), roots, FAST).expect("it can be set up")
}

/// What is known when so many connections were opened.
fn after(opened: u64) -> Snapshot {
    let mut snapshot = busy();
    snapshot.sockets[0].programs[0].opened = opened;
    snapshot
}

fn send(exporter: &Exporter, metrics: &mut Metrics, snapshot: &Snapshot) {
    let figures = metrics.figures(snapshot, &OWN);
    exporter.send(Export { figures, at_ms: AT_MS, token: Ok(None) });
}

/// What Prometheus would read, but for what the resource says.
fn expected(metrics: &mut Metrics, snapshot: &Snapshot) -> Samples {
    let mut samples = samples(metrics, snapshot);
    samples.retain(|(name, _), _| name != "sockleak_build_info");
    samples
}

#[test]
fn what_arrives_is_what_prometheus_reads() {
    run(async {
        let (collector, endpoint) = Collector::open().await;
        let (exporter, mut metrics) = (start(&endpoint, None), Metrics::default());
        for opened in [20, 25] {
            send(&exporter, &mut metrics, &after(opened));
            let received = collector.serve("200 OK").await;
            assert_eq!(otlp::read(&received.request), expected(&mut metrics, &after(opened)));
            assert_eq!(otlp::resource(&received.request)["host.name"], "db1");
            let head = received.head;
            assert!(head.starts_with("post /v1/metrics http/1.1\r\n"), "{head}");
            for header in
                ["content-type: application/x-protobuf", "content-encoding: gzip", "user-agent: sockleak/"]
            {
                assert!(head.contains(header), "{head}");
            }
            assert!(!head.contains("authorization"), "{head}");
        }
    });
}

/// A collector that is busy gets the latest once it is not, and no more than that.
#[test]
fn the_latest_is_tried_again() {
    run(async {
        let (collector, endpoint) = Collector::open().await;
        let (exporter, mut metrics) = (start(&endpoint, None), Metrics::default());
        let opened = |received: &Received| {
            let labels = [("program", "/bin/a"), ("socket", "/s")];
            let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
            otlp::read(&received.request)[&("sockleak_opened_total".to_owned(), labels)]
        };
        send(&exporter, &mut metrics, &after(20));
        for answer in ["503 X", "429 X\r\nretry-after: 0", "502 X", "504 X"] {
            assert_eq!(opened(&collector.serve(answer).await), 20.0);
        }
        // Others come while one is under way: none of them waits but the last.
        let (mut stream, _) = collector.0.accept().await.expect("it connects");
        assert_eq!(opened(&read(&mut stream).await), 20.0);
        for opened in 21..200 {
            send(&exporter, &mut metrics, &after(opened));
        }
        answer(&mut stream, "429 X\r\nretry-after: 1").await;
        assert_eq!(opened(&collector.serve("200 OK").await), 199.0);
        // It was taken, whole or not; or it will never be: the same is not sent a second time.
        for (next, answer) in
            [(200, "400 X"), (201, "500 X"), (202, "401 X"), (203, "200 OK"), (204, "200 OK")]
        {
            send(&exporter, &mut metrics, &after(next));
            assert_eq!(opened(&collector.serve(answer).await), next as f64);
        }
    });
}

#[test]
fn a_collector_that_comes_later_gets_the_latest() {
    run(async {
        // An address of its own: nobody else takes the port meanwhile.
        let listener = TcpListener::bind("127.83.1.3:0").await.expect("there is a port");
        let address = listener.local_addr().expect("it is bound");
        drop(listener);
        let (exporter, mut metrics) = (start(&format!("http://{address}"), None), Metrics::default());
        for opened in 1..50 {
            send(&exporter, &mut metrics, &after(opened));
            sleep(Duration::from_millis(1)).await;
        }
        let collector = Collector(TcpListener::bind(address).await.expect("it is free"));
        // The one before may have been under way.
        while otlp::read(&collector.serve("200 OK").await.request) != expected(&mut metrics, &after(49)) {}
    });
}

#[test]
fn nothing_is_sent_any_more_when_it_is_dropped() {
    run(async {
        let (collector, endpoint) = Collector::open().await;
        let patient = Timing { attempt: Duration::from_hours(1), ..FAST };
        let endpoint = endpoint.parse().expect("it is an address");
        let exporter = Exporter::launch(&endpoint, None, patient).expect("it can be set up");
        send(&exporter, &mut Metrics::default(), &after(20));
        // It waits for an answer.
        let (mut stream, _) = collector.0.accept().await.expect("it connects");
        drop(exporter);
        let mut rest = Vec::new();
        // Whether orderly or not, it hangs up.
        let _ = stream.read_to_end(&mut rest).await;
    });
}

#[test]
fn the_token_goes_with_it() {
    run(async {
        let (collector, endpoint) = Collector::open().await;
        let (exporter, mut metrics) = (start(&endpoint, None), Metrics::default());
        let directory = tempfile::tempdir().expect("a directory can be created");
        let token = TokenFile::at(directory.path().join("token"));
        let mut send = || {
            let figures = metrics.figures(&busy(), &OWN);
            exporter.send(Export { figures, at_ms: AT_MS, token: token.read().map(Some) });
        };
        // Without it nothing is sent.
        send();
        std::fs::write(&token.path, "hush").expect("it is written");
        std::fs::set_permissions(&token.path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .expect("it is mine");
        send();
        let received = collector.serve("200 OK").await;
        assert!(received.head.contains("authorization: bearer hush"), "{}", received.head);
    });
}

#[test]
fn collectors_are_verified() {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("it can be made");
    let certificate: CertificateDer<'static> = own.cert.der().clone();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("it is a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("there are versions").with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.clone()], key).expect("they fit");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let mut trusted = RootCertStore::empty();
    trusted.add(certificate).expect("it is one");
    run(async {
        let (collector, endpoint) = Collector::open().await;
        let endpoint = endpoint.replace("http:", "https:");
        let mut metrics = Metrics::default();
        let stranger = start(&endpoint, Some(RootCertStore::empty()));
        send(&stranger, &mut metrics, &busy());
        let (stream, _) = collector.0.accept().await.expect("it connects");
        acceptor.accept(stream).await.expect_err("it does not trust the collector");
        drop(stranger);

        let friend = start(&endpoint, Some(trusted));
        send(&friend, &mut metrics, &busy());
        let received = loop {
            let (stream, _) = collector.0.accept().await.expect("it connects");
            // The other one may have tried again.
            if let Ok(mut stream) = acceptor.accept(stream).await {
                break read(&mut stream).await;
            }
        };
        assert_eq!(otlp::read(&received.request), expected(&mut metrics, &busy()));
    });
}
