//! A collector of OpenTelemetry, as far as the service has to do with one.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, ensure};
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use prost::Message as _;

/// Takes whatever comes, for as long as this program runs.
pub(super) struct Collector {
    address: SocketAddr,
    latest: Arc<Mutex<Result<ExportMetricsServiceRequest, String>>>,
}

impl Collector {
    /// Listens where nobody does yet.
    pub(super) fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let latest = Arc::new(Mutex::new(Err("nothing came".to_owned())));
        let store = Arc::clone(&latest);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let came = take(stream).map_err(|error| format!("{error:#}"));
                *store.lock().unwrap_or_else(PoisonError::into_inner) = came;
            }
        });
        Ok(Self { address, latest })
    }

    /// What a configuration needs to have figures sent here each second.
    pub(super) fn settings(&self) -> String {
        format!("[otlp]\nendpoint = \"http://{}\"\ninterval = \"1s\"\n", self.address)
    }

    /// How many connections a program opened on a socket, by what came last.
    pub(super) fn opened(&self, socket: &str, program: &str) -> anyhow::Result<i64> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let request = latest.as_ref().map_err(|error| anyhow::Error::msg(error.clone()))?;
        let metrics =
            request.resource_metrics.iter().flat_map(|it| &it.scope_metrics).flat_map(|it| &it.metrics);
        let opened = metrics.filter(|it| it.name == "sockleak.opened").find_map(|it| match &it.data {
            Some(Data::Sum(sum)) => Some(sum),
            _ => None,
        });
        let points = &opened.context("no figure of what was opened")?.data_points;
        let is = |it: &KeyValue, key: &str, text: &str| {
            let value = any_value::Value::StringValue(text.to_owned());
            it.key == key && it.value == Some(AnyValue { value: Some(value) })
        };
        let point = points.iter().find(|point| {
            let has = |key, text| point.attributes.iter().any(|it| is(it, key, text));
            has("socket", socket) && has("program", program)
        });
        match point.and_then(|point| point.value) {
            Some(Value::AsInt(count)) => Ok(count),
            other => anyhow::bail!("opened: {other:?}"),
        }
    }
}

/// Takes one request.
fn take(mut stream: TcpStream) -> anyhow::Result<ExportMetricsServiceRequest> {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece)?;
        ensure!(length > 0, "it hangs up");
        bytes.extend_from_slice(&piece[..length]);
        let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if bytes.len() - end - 4 == length.context("no length")?.parse::<usize>()? {
            break (head, bytes.split_off(end + 4));
        }
    };
    ensure!(head.starts_with("post /v1/metrics http/1.1"), "another request: {head}");
    let mut message = Vec::new();
    GzDecoder::new(body.as_slice()).read_to_end(&mut message)?;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    Ok(ExportMetricsServiceRequest::decode(message.as_slice())?)
}
