//! How an object store is reached: by the same HTTP and TLS as everything else here, and no faster than is allowed.

use std::{
    error::Error,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector as Tcp},
    rt::TokioExecutor,
};
use object_store::{
    ClientConfigKey, ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
        HttpResponseBody, HttpService,
    },
};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::service::archive::message::Certificates;

/// Bytes that are sent at a time.
const CHUNK: usize = 64 << 10;
/// How long a server may take to answer, beside the time that sending takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes clients.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    roots: Arc<RootCertStore>,
    /// Bytes a second.
    bandwidth: u64,
}

impl Connector {
    pub(super) fn new(certificates: &Certificates, bandwidth: u64) -> Self {
        let Certificates { file, directory } = certificates;
        let found = if file.is_some() || directory.is_some() {
            rustls_native_certs::load_certs_from_paths(file.as_deref(), directory.as_deref())
        } else {
            rustls_native_certs::load_native_certs()
        };
        let mut roots = RootCertStore::empty();
        // Whoever has none can reach no server by https, and is told then.
        roots.add_parsable_certificates(found.certs);
        Self { roots: Arc::new(roots), bandwidth }
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = tls.map_err(|error| object_store::Error::Generic { store: "TLS", source: error.into() })?;
        let tls = tls.with_root_certificates(Arc::clone(&self.roots)).with_no_client_auth();
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls);
        let may_be_plain = options.get_config_value(&ClientConfigKey::AllowHttp).as_deref() == Some("true");
        let builder = if may_be_plain { builder.https_or_http() } else { builder.https_only() };
        let client = Client::builder(TokioExecutor::new()).build(builder.enable_http1().build());
        Ok(HttpClient::new(Service { client, bandwidth: self.bandwidth }))
    }
}

#[derive(Debug)]
struct Service {
    client: Client<HttpsConnector<Tcp>, Paced>,
    bandwidth: u64,
}

#[async_trait::async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let length = request.body().content_length();
        let sending = Duration::from_secs(length as u64 / self.bandwidth.max(1));
        let request = request.map(|body| Paced::new(body, self.bandwidth));
        // A slow line may take several times as long as is allowed to be fast.
        let response = timeout(PATIENCE + sending * 4, self.client.request(request)).await;
        match response {
            Ok(Ok(response)) => {
                Ok(response.map(|body| HttpResponseBody::new(body.map_err(|error| error_of(&error)))))
            }
            Ok(Err(error)) if error.is_connect() => Err(told(HttpErrorKind::Connect, &error)),
            Ok(Err(error)) => Err(told(HttpErrorKind::Request, &error)),
            Err(error) => Err(HttpError::new(HttpErrorKind::Timeout, error)),
        }
    }
}

fn error_of(error: &hyper::Error) -> HttpError {
    told(HttpErrorKind::Interrupted, error)
}

/// With what is behind it: hyper's own words say little.
fn told(kind: HttpErrorKind, error: &dyn Error) -> HttpError {
    HttpError::new_boxed(kind, crate::service::post::reasons(error).into())
}

/// A body that is sent in pieces, with rests between them.
struct Paced {
    body: HttpRequestBody,
    /// What was taken from it and is not sent yet.
    rest: Bytes,
    bandwidth: u64,
    pause: Pin<Box<Sleep>>,
}

impl Paced {
    fn new(body: HttpRequestBody, bandwidth: u64) -> Self {
        Self { body, rest: Bytes::new(), bandwidth, pause: Box::pin(sleep_until(Instant::now())) }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if self.pause.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        if self.rest.is_empty() {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => self.rest = frame.into_data().unwrap_or_default(),
                other => return other,
            }
        }
        let size = CHUNK.min(self.rest.len());
        let piece = self.rest.split_to(size);
        let pause = Duration::from_secs_f64(size as f64 / self.bandwidth.max(1) as f64);
        let until = Instant::now() + pause;
        self.pause.as_mut().reset(until);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64 + self.body.content_length() as u64)
    }
}

use std::future::Future as _;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_sent_is_paced() {
        let began = Instant::now();
        let body = Paced::new(vec![7; 1 << 20].into(), 256 << 10);
        assert_eq!(body.size_hint().exact(), Some(1 << 20));
        let sent = body.collect().await.expect("it is in memory").to_bytes();
        assert_eq!((sent.len(), sent.iter().all(|&byte| byte == 7)), (1 << 20, true));
        assert_eq!(began.elapsed().as_secs(), 4);
    }
}
