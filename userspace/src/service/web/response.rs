//! What is sent back.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::{
    Response, StatusCode,
    body::{Body, Frame, SizeHint},
    header::{self, HeaderName, HeaderValue},
};

use super::events::Events;
use crate::service::link::answer::{Answer, JSON};

/// A body: whole, or events as they happen.
pub(super) type Payload = Either<Whole, Events>;

/// A body that is there already. Keeps what it lives in until it is sent.
#[derive(Debug)]
pub(super) struct Whole {
    body: Full<Bytes>,
    _keep: Option<Arc<dyn std::any::Any + Send + Sync>>,
}

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What a page may do: load its style, its script and its icon, and ask here. Nothing within it runs.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                           base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// What other answers may do.
const DATA_POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// With a report: the names of the verdicts that are in it.
pub const VERDICTS: HeaderName = HeaderName::from_static("sockleak-verdicts");
/// A report as a page is a file to be kept.
const REPORT: &str = "attachment; filename=\"sockleak-report.html\"";

/// In every answer. Nothing may be kept or shown within another site.
const SECURITY: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// A refusal: a status and a sentence.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) StatusCode, pub(super) String);

impl Refusal {
    pub(super) fn response(&self) -> Response<Payload> {
        let Self(status, sentence) = self;
        self.with_headers(whole(Answer::error(status.as_u16(), sentence), None))
    }

    /// The same for a browser. `document` shows the sentence.
    pub(super) fn page(&self, document: String) -> Response<Payload> {
        let Self(status, _) = self;
        self.with_headers(page(*status, document))
    }

    fn with_headers(&self, mut response: Response<Payload>) -> Response<Payload> {
        let Self(status, _) = self;
        let headers = response.headers_mut();
        match *status {
            StatusCode::UNAUTHORIZED => {
                // Browsers know but the second: they ask for a name and a password.
                headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                let basic = HeaderValue::from_static("Basic realm=\"sockleak\", charset=\"UTF-8\"");
                headers.append(header::WWW_AUTHENTICATE, basic);
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            StatusCode::PAYLOAD_TOO_LARGE => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

/// An answer of the tracer's, or one that is known here.
pub(super) fn whole(answer: Answer, keep: Option<Arc<dyn std::any::Any + Send + Sync>>) -> Response<Payload> {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let content_type = HeaderValue::from_str(&answer.content_type);
    let body = Whole { body: Full::new(answer.body), _keep: keep };
    let content_type = content_type.unwrap_or(HeaderValue::from_static(JSON));
    let is_html = content_type.as_bytes().starts_with(b"text/html");
    let mut response = response(status, content_type, Either::Left(body));
    let headers = response.headers_mut();
    if is_html {
        // It has its style within it, which pages from here may not.
        headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(REPORT));
    }
    if let Some(verdicts) = answer.verdicts.and_then(|verdicts| HeaderValue::from_str(&verdicts).ok()) {
        headers.insert(VERDICTS, verdicts);
    }
    response
}

/// A page.
pub(super) fn page(status: StatusCode, document: String) -> Response<Payload> {
    let body = Whole { body: Full::new(document.into()), _keep: None };
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    let mut response = response(status, html, Either::Left(body));
    let policy = HeaderValue::from_static(PAGE_POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// To the page.
pub(super) fn home() -> Response<Payload> {
    let mut response = page(StatusCode::SEE_OTHER, String::new());
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/"));
    response
}

/// A stream of events.
pub(super) fn stream(events: Events) -> Response<Payload> {
    response(StatusCode::OK, HeaderValue::from_static("text/event-stream"), Either::Right(events))
}

fn response(status: StatusCode, content_type: HeaderValue, payload: Payload) -> Response<Payload> {
    let mut response = Response::new(payload);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(DATA_POLICY));
    for (name, value) in SECURITY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
