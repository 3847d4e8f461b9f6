//! A service, asked over HTTP.

use std::{
    collections::VecDeque, error::Error, fmt, io, path::PathBuf, str::FromStr, sync::Arc, time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyDataStream, BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::{
    Request, Response, Uri,
    body::Incoming,
    client::conn::http1,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, InvalidHeaderValue},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::UnixStream;

use super::{Asked, Events, Listened, PATIENCE, Source, Told, Trouble, path, stream::Parser};
use crate::service::{
    config::{TokenError, TokenFile},
    link::{Answer, Question, question::ReportFilter},
    web::VERDICTS,
};

/// Bytes of an answer at most: many times those of a page of connections, or of what is known of hundreds of sockets.
const LARGEST: usize = 16 << 20;
/// Bytes of a report at most: what the service's own link carries.
const LARGEST_REPORT: usize = 64 << 20;

/// Where a service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// Over TCP: scheme, host and port.
    Web(Uri),
    /// A unix socket.
    Unix(PathBuf),
}

impl FromStr for Server {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const REMEDY: &str = "write for example http://127.0.0.1:9436 or unix:/run/sockleak/http.sock";
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(REMEDY) } else { Ok(Self::Unix(path.into())) };
        }
        let uri: Uri = text.parse().map_err(|_| REMEDY)?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
        let is_plain = uri.query().is_none() && matches!(uri.path(), "" | "/");
        let is_named = uri.authority().is_some_and(|it| !it.host().is_empty() && !it.as_str().contains('@'));
        if is_web && is_plain && is_named { Ok(Self::Web(uri)) } else { Err(REMEDY) }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(uri) => f.write_str(uri.to_string().trim_end_matches('/')),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A service cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The token cannot be read.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token cannot be a header.
    #[error("the token is not of letters that a header may have")]
    Letters(#[source] InvalidHeaderValue),
    /// The system trusts nobody.
    #[error("there are no certificates to verify {0} by; install ca-certificates")]
    Certificates(Server),
    /// TLS cannot be used.
    #[error("{0}")]
    Tls(#[source] rustls::Error),
}

/// There is no report. The sentence names the service.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct ReportError {
    server: Server,
    trouble: Trouble,
}

impl ReportError {
    fn sentence(&self) -> String {
        match &self.trouble {
            // It names it already.
            Trouble::Unreachable(sentence) => {
                format!("{sentence}; see whether sockleak serve runs there, and listens at this address")
            }
            trouble => format!("{}: {trouble}", self.server),
        }
    }
}

/// A service. Each question has a connection of its own: one that was left to itself would be closed by the next.
pub struct Service {
    server: Server,
    authorization: Option<HeaderValue>,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl Service {
    /// The service of a server. `token_file` shows command lines, and is read once.
    ///
    /// # Errors
    /// If the token cannot be used, or nothing is there to verify certificates by.
    pub fn new(server: Server, token_file: Option<PathBuf>) -> Result<Self, ClientError> {
        let token = token_file.map(|path| TokenFile::at(path).read()).transpose()?;
        let authorization = token.map(|token| {
            let value = HeaderValue::try_from(format!("Bearer {}", token.secret()));
            let mut value = value.map_err(ClientError::Letters)?;
            value.set_sensitive(true);
            Ok::<_, ClientError>(value)
        });
        let client = client(&server)?;
        Ok(Self { server, authorization: authorization.transpose()?, client })
    }

    /// The report of now, as a document.
    ///
    /// # Errors
    /// If there is none.
    pub async fn report(&self, filter: ReportFilter) -> Result<Answer, ReportError> {
        let answer = self.try_report(filter).await;
        answer.map_err(|trouble| ReportError { server: self.server.clone(), trouble })
    }

    async fn try_report(&self, filter: ReportFilter) -> Result<Answer, Trouble> {
        let expected = filter.format.content_type();
        let answer = self.ask(Question::Report(filter)).await?;
        if answer.status != 200 {
            return Err(super::refused(&answer));
        }
        if answer.content_type != expected {
            return Err(Trouble::Unreadable(format!("a report of the type {:?}", answer.content_type)));
        }
        Ok(answer)
    }

    async fn get(&self, path: &str, accept: &'static str) -> Result<Response<Incoming>, Trouble> {
        self.try_get(path, accept)
            .await
            .map_err(|error| Trouble::Unreachable(format!("{}: {}", self.server, reason(&error))))
    }

    async fn try_get(&self, path: &str, accept: &'static str) -> anyhow::Result<Response<Incoming>> {
        let mut request = Request::get(self.address(path)?).header(ACCEPT, accept);
        if let Some(value) = &self.authorization {
            request = request.header(AUTHORIZATION, value);
        }
        match &self.server {
            Server::Web(_) => Ok(self.client.request(request.body(Empty::new())?).await?),
            Server::Unix(socket) => {
                let request = request.header(HOST, "localhost").body(Empty::<Bytes>::new())?;
                let stream = TokioIo::new(UnixStream::connect(socket).await?);
                let (mut send, connection) = http1::handshake(stream).await?;
                // It ends when what was asked is answered, or is not waited for any more.
                tokio::spawn(connection);
                Ok(send.send_request(request).await?)
            }
        }
    }

    /// Over a unix socket it is the path alone.
    fn address(&self, path: &str) -> anyhow::Result<Uri> {
        let address = match &self.server {
            Server::Web(_) => format!("{}{path}", self.server),
            Server::Unix(_) => path.to_owned(),
        };
        Ok(address.parse()?)
    }
}

async fn whole(response: Response<Incoming>, largest: usize) -> Result<Answer, Trouble> {
    let status = response.status().as_u16();
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let verdicts = response.headers().get(VERDICTS).and_then(|it| it.to_str().ok()).map(str::to_owned);
    let body = Limited::new(response.into_body(), largest).collect().await;
    let trouble = |error: Box<dyn Error + Send + Sync>| match error.is::<LengthLimitError>() {
        true => Trouble::Unreadable(format!("its answer is larger than {} MiB", largest >> 20)),
        false => Trouble::Unreadable(error.to_string()),
    };
    let body = body.map_err(trouble)?.to_bytes();
    Ok(Answer { status, content_type, body, verdicts })
}

impl Source for Service {
    fn ask(&self, question: Question) -> Asked<'_> {
        let largest = if let Question::Report(_) = question { LARGEST_REPORT } else { LARGEST };
        Box::pin(async move { whole(self.get(&path::of(&question), "*/*").await?, largest).await })
    }

    fn listen(&self) -> Listened<'_> {
        Box::pin(async {
            let path = path::of(&Question::Subscribe { with_argv: true });
            let response = tokio::time::timeout(PATIENCE, self.get(&path, "text/event-stream")).await;
            let response = response.map_err(|_| Trouble::Silent(PATIENCE))??;
            if response.status() != 200 {
                let answer = tokio::time::timeout(PATIENCE, whole(response, LARGEST)).await;
                let answer = answer.map_err(|_| Trouble::Silent(PATIENCE))??;
                return Err(super::read::<serde::de::IgnoredAny>(&answer).err().unwrap_or(Trouble::Gone));
            }
            let reader = Reader {
                pieces: response.into_body().into_data_stream(),
                parser: Parser::default(),
                told: VecDeque::new(),
            };
            let told = stream::unfold(reader, |mut reader| async { Some((reader.next().await, reader)) });
            Ok(Box::pin(told) as Events)
        })
    }
}

/// A service says something every 15 seconds, so that it shows when it has gone.
const SILENCE: Duration = Duration::from_secs(60);

/// Events on their way.
struct Reader {
    pieces: BodyDataStream<Incoming>,
    parser: Parser,
    told: VecDeque<Told>,
}

impl Reader {
    async fn next(&mut self) -> Result<Told, Trouble> {
        loop {
            if let Some(told) = self.told.pop_front() {
                return Ok(told);
            }
            let piece = tokio::time::timeout(SILENCE, self.pieces.next()).await;
            let piece = piece.map_err(|_| Trouble::Silent(SILENCE))?.ok_or(Trouble::Gone)?;
            let piece = piece.map_err(|error| Trouble::Unreachable(reason(&error.into())))?;
            self.told.extend(self.parser.take(&piece)?);
        }
    }
}

/// Certificates are needed by those alone who ask for https.
fn client(server: &Server) -> Result<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>, ClientError> {
    let mut roots = RootCertStore::empty();
    if matches!(server, Server::Web(uri) if uri.scheme_str() == Some("https")) {
        let found = rustls_native_certs::load_native_certs();
        if roots.add_parsable_certificates(found.certs).0 == 0 {
            return Err(ClientError::Certificates(server.clone()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let tls = tls.map_err(ClientError::Tls)?.with_root_certificates(roots).with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
    Ok(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector))
}

/// What the system says, if it says anything: hyper's own words are no help.
fn reason(error: &anyhow::Error) -> String {
    let systems = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    systems.map_or_else(|| format!("{error:#}"), io::Error::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read() {
        for (text, shown) in [
            ("http://127.0.0.1:9436", "http://127.0.0.1:9436"),
            ("http://db1:9436/", "http://db1:9436"),
            ("https://[::1]:80", "https://[::1]:80"),
            ("unix:/run/a.sock", "unix:/run/a.sock"),
        ] {
            assert_eq!(text.parse().map(|server: Server| server.to_string()), Ok(shown.to_owned()));
        }
        for bad in [
            "",
            "127.0.0.1:9436",
            "ftp://x",
            "http://",
            "http://a/b",
            "http://a?b",
            "http://u@a",
            "unix:",
            "/run/a",
        ] {
            assert!(bad.parse::<Server>().is_err(), "{bad}");
        }
    }
}
