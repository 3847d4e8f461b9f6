//! What is sent back.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::Either;
use hyper::{
    Response, StatusCode,
    body::{Body, Frame, SizeHint},
    header::{self, HeaderName, HeaderValue},
};

use super::events::Events;
use crate::service::link::answer::{Answer, JSON};

/// A body: whole, or events as they happen.
pub(super) type Payload = Either<Whole, Events>;

/// A body that is there already. It is handed over piece by piece, as the client takes it up: what hyper has been given it may
/// copy, and nobody counts that. The rest counts as memory in use until it is sent.
#[derive(Debug)]
pub(super) struct Whole {
    body: Bytes,
    keep: Option<Keep>,
}

/// The memory that a body takes, until it is dropped.
pub(super) type Keep = Arc<dyn std::any::Any + Send + Sync>;

/// Bytes of a body that are handed over at a time. hyper takes them until it has some 400 KiB that the client does not take up.
const PIECE: usize = 32 << 10;

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.body.len().min(PIECE);
        if length == 0 {
            return Poll::Ready(None);
        }
        // A copy: a part of the body would keep all of it.
        let piece = Bytes::copy_from_slice(&self.body.split_to(length));
        if self.body.is_empty() {
            (self.body, self.keep) = (Bytes::new(), None);
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.len() as u64)
    }
}

/// What a page may do: load its style, its script and its icon, and ask here. Nothing within it runs.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                           base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
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
        self.with_headers(page(*status, document, None))
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
pub(super) fn whole(answer: Answer, keep: Option<Keep>) -> Response<Payload> {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let content_type = HeaderValue::from_str(&answer.content_type);
    let body = Whole { body: answer.body, keep };
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
pub(super) fn page(status: StatusCode, document: String, keep: Option<Keep>) -> Response<Payload> {
    let body = Whole { body: document.into(), keep };
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    let mut response = response(status, html, Either::Left(body));
    let policy = HeaderValue::from_static(PAGE_POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// To the page.
pub(super) fn home() -> Response<Payload> {
    let mut response = page(StatusCode::SEE_OTHER, String::new(), None);
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

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    /// A client that takes nothing up keeps the whole answer, and that counts as memory in use.
    #[tokio::test]
    async fn a_body_is_handed_over_in_pieces_and_counts_until_the_last() {
        let content: Vec<u8> = (0..PIECE * 3 + 7).map(|nth| nth as u8).collect();
        let memory: Keep = Arc::new(());
        let mut body = Whole { body: content.clone().into(), keep: Some(Arc::clone(&memory)) };
        assert_eq!(body.size_hint().exact(), Some(content.len() as u64));
        let mut sent = Vec::new();
        while let Some(Ok(frame)) = body.frame().await {
            let piece = frame.into_data().unwrap();
            assert!(piece.len() <= PIECE);
            sent.extend(piece);
            let is_sent = sent.len() == content.len();
            assert_eq!(
                (Arc::strong_count(&memory), body.is_end_stream()),
                (if is_sent { 1 } else { 2 }, is_sent)
            );
        }
        assert_eq!(sent, content);
    }
}
