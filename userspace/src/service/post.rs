//! The way out: posts to a server that the configuration names. Alerts take it, and figures.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper::{
    Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{AUTHORIZATION, HeaderName, HeaderValue, InvalidHeaderValue, RETRY_AFTER, USER_AGENT},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use jiff::{Timestamp, fmt::rfc2822};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout_at};

use super::config::Token;

/// A server is not left alone for longer, whatever it asks for.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// Bytes of an answer that are read.
const MOST_ANSWER: usize = 64 << 10;

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// Before an attempt is made a second time.
    pub(super) first: Duration,
    /// Before it is made the umpteenth time.
    pub(super) longest: Duration,
    /// For an attempt to come to something.
    pub(super) attempt: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_mins(5),
            attempt: Duration::from_secs(10),
        }
    }
}

impl Timing {
    /// How long to wait after so many failures in a row: twice as long each time, and less by up to half of it, at
    /// `random` from 0 to 1, so that the services of many hosts do not come back at once.
    pub(super) fn wait(&self, failures: u32, random: f64) -> Duration {
        let doubled =
            2_u32.checked_pow(failures.saturating_sub(1)).and_then(|times| self.first.checked_mul(times));
        let most = doubled.unwrap_or(self.longest).min(self.longest);
        most.mul_f64(1.0 - random.clamp(0.0, 1.0) / 2.0).max(self.first.min(self.longest))
    }
}

/// There is nothing to verify a server's certificate by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no certificate that this system trusts was found to verify {origin} by{cause}; \
     install ca-certificates, or name a file of certificates with SSL_CERT_FILE"
)]
pub struct CertificateError {
    /// Scheme and host of the server.
    origin: String,
    /// Why, if that is known.
    cause: String,
}

/// Nothing was posted, or there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    /// The token cannot be a header.
    #[error("{0}")]
    Token(#[source] InvalidHeaderValue),
    /// The address or a header cannot be sent.
    #[error("{0}")]
    Request(#[source] hyper::http::Error),
    /// The server cannot be reached, or does not speak HTTP.
    #[error("{}", reasons(.0))]
    Server(#[source] hyper_util::client::legacy::Error),
    /// There was no answer in time.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Silent(Duration),
}

/// What a server answered.
#[derive(Debug)]
pub(super) struct Answer {
    response: Response<Incoming>,
    /// What it has not said by then is not waited for.
    until: Instant,
}

impl Answer {
    /// HTTP's status.
    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// After how long it wants to be asked again, if it says so.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        wait(self.response.headers().get(RETRY_AFTER)?.to_str().ok()?, Timestamp::now())
    }

    /// What it says: nothing if that is more than anybody should have to say, or does not come in time.
    pub(super) async fn body(self) -> Bytes {
        let body = Limited::new(self.response.into_body(), MOST_ANSWER).collect();
        let body = timeout_at(self.until, body).await;
        body.ok().and_then(Result::ok).map(Collected::to_bytes).unwrap_or_default()
    }
}

/// Posts to one address. Redirects are not followed.
pub(super) struct Poster {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Uri,
    origin: String,
    patience: Duration,
}

impl Poster {
    /// For this address. `roots` are what the server's certificate is verified by: those of the system if none are given. An
    /// attempt takes no longer than `patience`.
    ///
    /// # Errors
    /// If there are none.
    pub(super) fn new(
        url: &Uri,
        roots: Option<RootCertStore>,
        patience: Duration,
    ) -> Result<Self, CertificateError> {
        let scheme = url.scheme_str().unwrap_or("http");
        let origin = format!("{scheme}://{}", url.authority().map_or("", |authority| authority.as_str()));
        let roots = match roots {
            Some(roots) => roots,
            // Nobody has to have certificates who does not use them.
            None if scheme == "http" => RootCertStore::empty(),
            None => system_roots(&origin)?,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = versions.map_err(|error| CertificateError::because(&origin, &error))?;
        let tls = tls.with_root_certificates(roots).with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        // A connection that is kept for the next time would be closed by then.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { client, url: url.clone(), origin, patience })
    }

    /// Scheme and host. The rest of the address may be a secret, and is never told.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Posts once.
    ///
    /// # Errors
    /// If there is no answer.
    pub(super) async fn post(
        &self,
        headers: &[(HeaderName, &'static str)],
        token: Option<&Token>,
        body: Bytes,
    ) -> Result<Answer, PostError> {
        let request = self.request(headers, token, body)?;
        let until = Instant::now() + self.patience;
        match timeout_at(until, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(Answer { response, until }),
            Ok(Err(error)) => Err(PostError::Server(error)),
            Err(_) => Err(PostError::Silent(self.patience)),
        }
    }

    fn request(
        &self,
        headers: &[(HeaderName, &'static str)],
        token: Option<&Token>,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, PostError> {
        let mut request = Request::post(self.url.clone())
            .header(USER_AGENT, concat!("sockleak/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        if let Some(token) = token {
            let value = HeaderValue::try_from(format!("Bearer {}", token.secret()));
            let mut value = value.map_err(PostError::Token)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request.body(Full::from(body)).map_err(PostError::Request)
    }
}

impl fmt::Debug for Poster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poster").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Reads `Retry-After`: seconds, or a date.
fn wait(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
            // One that has passed means now.
            now.duration_until(date).try_into().unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

/// An error with what is behind it: hyper's own says little.
pub(super) fn reasons(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

fn system_roots(origin: &str) -> Result<RootCertStore, CertificateError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable > 0 {
        return Ok(roots);
    }
    Err(found.errors.first().map_or_else(
        || CertificateError { origin: origin.to_owned(), cause: String::new() },
        |error| CertificateError::because(origin, error),
    ))
}

impl CertificateError {
    fn because(origin: &str, cause: &dyn Error) -> Self {
        Self { origin: origin.to_owned(), cause: format!(" ({})", reasons(cause)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_when_to_come_again() {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().expect("it is a time");
        for (text, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999", Some(3600)),
            ("Fri, 02 Jan 2026 03:05:05 GMT", Some(60)),
            ("Fri, 02 Jan 2026 03:00:00 GMT", Some(0)),
            ("Fri, 02 Jan 2099 03:00:00 GMT", Some(3600)),
            ("-5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(wait(text, now).map(|it| it.as_secs()), expected, "{text:?}");
        }
    }

    #[test]
    fn waits_grow_to_a_limit() {
        let timing = Timing::default();
        let seconds = |failures, random| timing.wait(failures, random).as_secs_f64();
        for (failures, least, most) in [
            (1, 1.0, 1.0),
            (2, 1.0, 2.0),
            (3, 2.0, 4.0),
            (9, 128.0, 256.0),
            (10, 150.0, 300.0),
            (u32::MAX, 150.0, 300.0),
        ] {
            assert_eq!((seconds(failures, 1.0), seconds(failures, 0.0)), (least, most), "{failures}");
        }
    }
}
