//! One attempt.

use std::{error::Error, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, StatusCode, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore};

use super::{Notification, SinkError};
use crate::service::config::TokenFile;

/// What came of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The server has it.
    Taken,
    /// It will never have it: why, and what to do.
    Refused(String),
    /// It may have it another time: why not now.
    Failed(String),
}

/// Posts to one address. Redirects are not followed.
pub(super) struct Poster {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Uri,
    token: Option<TokenFile>,
    patience: Duration,
}

impl Poster {
    /// For this address; `origin` is its scheme and host.
    ///
    /// # Errors
    /// If there is nothing to verify the server's certificate by.
    pub(super) fn new(
        url: &Uri,
        token: Option<TokenFile>,
        roots: Option<RootCertStore>,
        patience: Duration,
        origin: &str,
    ) -> Result<Self, SinkError> {
        let roots = match roots {
            Some(roots) => roots,
            // Nobody has to have certificates who does not use them.
            None if url.scheme_str() == Some("http") => RootCertStore::empty(),
            None => system_roots(origin)?,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = versions.map_err(|error| certificates(origin, &error))?;
        let tls = tls.with_root_certificates(roots).with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        // Alerts are rare: a connection that is kept for the next one would be closed by then.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { client, url: url.clone(), token, patience })
    }

    /// Posts a notification, once.
    pub(super) async fn post(&self, notification: &Notification) -> Outcome {
        let request = match self.request(notification) {
            Ok(request) => request,
            Err(reason) => return Outcome::Failed(reason),
        };
        match tokio::time::timeout(self.patience, self.client.request(request)).await {
            Ok(Ok(response)) => judge(response.status()),
            Ok(Err(error)) => Outcome::Failed(reasons(&error)),
            Err(_) => Outcome::Failed(format!("no answer within {} s", self.patience.as_secs_f64())),
        }
    }

    fn request(&self, notification: &Notification) -> Result<Request<Full<Bytes>>, String> {
        let body = serde_json::to_vec(notification).map_err(|error| error.to_string())?;
        let mut request = Request::post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("sockleak/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.token {
            // Each time anew: it may have been replaced.
            let token = token.read()?;
            let value = HeaderValue::try_from(format!("Bearer {}", token.secret()));
            let mut value = value.map_err(|error| error.to_string())?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request.body(Full::from(body)).map_err(|error| error.to_string())
    }
}

/// What an answer means. That a token is wrong can be put right while the alert waits; a payload or address that
/// the server does not like will never be another.
fn judge(status: StatusCode) -> Outcome {
    match status.as_u16() {
        200..=299 => Outcome::Taken,
        300..=399 => Outcome::Refused(format!(
            "it answers {status}, and redirects are not followed; write the address that it leads to into url"
        )),
        401 | 403 => Outcome::Failed(format!("it answers {status}; check token_file")),
        408 | 425 | 429 | 500.. => Outcome::Failed(format!("it answers {status}")),
        _ => Outcome::Refused(format!("it answers {status}; check url, and what that server expects")),
    }
}

/// An error with what is behind it: hyper's own says little.
fn reasons(error: &dyn Error) -> String {
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

fn system_roots(origin: &str) -> Result<RootCertStore, SinkError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable > 0 {
        return Ok(roots);
    }
    Err(found.errors.first().map_or_else(
        || SinkError::Certificates { origin: origin.to_owned(), cause: String::new() },
        |error| certificates(origin, error),
    ))
}

fn certificates(origin: &str, cause: &dyn Error) -> SinkError {
    SinkError::Certificates { origin: origin.to_owned(), cause: format!(" ({})", reasons(cause)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood() {
        let outcome = |status| judge(StatusCode::from_u16(status).expect("it is one"));
        for status in [200, 201, 202, 204] {
            assert_eq!(outcome(status), Outcome::Taken);
        }
        for (status, hint) in [
            (301, "redirects"),
            (307, "redirects"),
            (400, "check url"),
            (404, "check url"),
            (413, "check url"),
        ] {
            assert!(matches!(outcome(status), Outcome::Refused(said) if said.contains(hint)), "{status}");
        }
        for (status, hint) in [
            (401, "token_file"),
            (403, "token_file"),
            (408, ""),
            (429, ""),
            (500, ""),
            (503, "503"),
            (599, ""),
        ] {
            assert!(matches!(outcome(status), Outcome::Failed(said) if said.contains(hint)), "{status}");
        }
    }
}
