//! Clients, each served by a task of its own until it has had enough time.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
    http::uri::PathAndQuery,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{sync::Semaphore, time};
use tokio_io_timeout::TimeoutStream;

use super::{
    events::{Events, Streaming},
    guard,
    listen::{Listener, Local, Stream},
    page::{self, Argv, Frame, Sources, View},
    parameters::bad,
    response::{self, Payload, Refusal, home, stream, whole},
    room::{Place, Room},
    routes::{Asks, Wants, route},
};
use crate::service::link::{Answered, AskError, Asker, Present, Question};

/// For the lines and headers of a request, and between two requests.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// Without a single byte taken up by the client.
const IDLE_TIME: Duration = Duration::from_mins(1);
/// Of a connection in all; then it ends after the request that is being answered.
const LIFE_TIME: Duration = Duration::from_mins(5);
/// For that answer.
const LAST_TIME: Duration = Duration::from_mins(1);
/// For the tracer to answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// Bytes of the lines and headers of a request.
const MOST_HEADER: usize = 16 << 10;
/// Headers of a request.
const MOST_HEADERS: usize = 64;

/// Serves whoever connects, for ever; so many of them with events as `streams` has permits.
pub(super) async fn accept(listener: Listener, asker: Asker, room: Room, streams: Arc<Semaphore>) {
    // Nobody is served before it is known how.
    if asker.settings().await.is_none() {
        return;
    }
    loop {
        match listener.accept().await {
            Ok((stream, local)) => {
                let (asker, place, streams) = (asker.clone(), room.enter().await, Arc::clone(&streams));
                let client = Client { asker, place, local, streams, is_streaming: Arc::default() };
                tokio::spawn(client.serve(stream));
            }
            Err(error) => {
                // Descriptors may be short for a while; a client that has gone already is no matter.
                tracing::debug!("a client could not be accepted: {error}");
                time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

struct Client {
    asker: Asker,
    place: Place,
    local: Local,
    streams: Arc<Semaphore>,
    /// It is sent events: that takes as long as it wants.
    is_streaming: Arc<AtomicBool>,
}

impl Client {
    async fn serve(self, stream: Stream) {
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(IDLE_TIME));
        let client = &self;
        let serve = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIME)
            .max_header_size(MOST_HEADER)
            .max_headers(MOST_HEADERS)
            .serve_connection(
                TokioIo::new(Box::pin(stream)),
                service_fn(|request| async move { Ok::<_, Infallible>(client.answer(&request).await) }),
            );
        let mut serve = pin!(serve);
        let ended = tokio::select! {
            ended = serve.as_mut() => ended,
            () = self.place.is_needed() => Ok(()),
            () = time::sleep(LIFE_TIME) => {
                serve.as_mut().graceful_shutdown();
                if self.is_streaming.load(Ordering::Relaxed) {
                    serve.await
                } else {
                    time::timeout(LAST_TIME, serve).await.unwrap_or(Ok(()))
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!("a client was not served to the end: {error}");
        }
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Payload> {
        let _answering = self.place.answering();
        let path = request.uri().path();
        let wants = Wants::of(path, accepts(request).as_deref());
        let answer = self.try_answer(request, wants).await;
        let mut response = answer.unwrap_or_else(|refusal| match wants {
            Wants::Data(_) => refusal.response(),
            Wants::Page => {
                let address = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
                let frame = Frame { address, argv: Argv::Nowhere, replay: None };
                refusal.page(page::refusal(&refusal.1, &frame))
            }
        });
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(guard::methods(path)));
        }
        if Wants::depends_on_accept(path) {
            response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
        }
        response
    }

    async fn try_answer(
        &self,
        request: &Request<Incoming>,
        wants: Wants,
    ) -> Result<Response<Payload>, Refusal> {
        let settings = self.asker.settings().await.ok_or_else(|| unavailable(AskError::Gone))?;
        let access = guard::check(request, self.local, &settings)?;
        let query = request.uri().query().unwrap_or_default();
        match route(request.uri().path(), query, wants, access, &settings)? {
            Asks::Known(answer) => Ok(whole(answer, None)),
            // Any page can make a browser send a GET.
            Asks::Tracer(Question::Replay(control))
                if control.is_change() && *request.method() != Method::POST =>
            {
                Err(bad("a replay is changed with POST"))
            }
            Asks::Tracer(question) => {
                let answered = self.ask(question).await?;
                Ok(whole(answered.answer.clone(), Some(answered)))
            }
            Asks::Page(view) => {
                let address = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
                let argv = match (access, &settings.token) {
                    (guard::Access::Full, _) => Argv::Shown,
                    (guard::Access::Plain, Some(_)) => Argv::Hidden,
                    (guard::Access::Plain, None) => Argv::Never,
                };
                let replay = match settings.present {
                    Present::System => None,
                    Present::Played(played) => Some(played),
                };
                let frame = Frame { address, argv, replay };
                self.show(&view, &frame).await
            }
            Asks::Home => Ok(home()),
            Asks::Events => {
                let full =
                    || Refusal(StatusCode::SERVICE_UNAVAILABLE, "too many read events; try again".to_owned());
                let permit = Arc::clone(&self.streams).try_acquire_owned().map_err(|_| full())?;
                let subscription = self.asker.subscribe(access == guard::Access::Full);
                let subscription = time::timeout(ANSWER_TIME, subscription).await.map_err(|_| late())?;
                let streaming = Streaming::new(Arc::clone(&self.is_streaming), self.place.answering());
                Ok(stream(Events::new(subscription.map_err(unavailable)?, (permit, streaming))))
            }
        }
    }

    async fn ask(&self, question: Question) -> Result<Arc<Answered>, Refusal> {
        let answered = time::timeout(ANSWER_TIME, self.asker.ask(question)).await.map_err(|_| late())?;
        answered.map_err(unavailable)
    }

    /// A page, from answers that the API would give at the same moment.
    async fn show(&self, view: &View, frame: &Frame<'_>) -> Result<Response<Payload>, Refusal> {
        let questions =
            view.questions(frame.argv == Argv::Shown).into_iter().map(|question| self.ask(question));
        // Kept until the page is drawn: they count as memory that is in use.
        let answered = futures_util::future::try_join_all(questions).await?;
        let sources = Sources(answered.iter().map(|answered| answered.answer.clone()).collect());
        let document = page::render(view, &sources, frame);
        let status = StatusCode::from_u16(sources.status()).unwrap_or(StatusCode::BAD_GATEWAY);
        match document {
            Ok(document) => {
                let room = self.asker.reserve(document.len()).map_err(unavailable)?;
                Ok(response::page(status, document, Some(Arc::new(room))))
            }
            // What is looked for is not there.
            Err(error) if status.is_success() => Err(Refusal(StatusCode::NOT_FOUND, error.to_string())),
            Err(error) => Err(Refusal(status, error.to_string())),
        }
    }
}

/// What a client accepts, by one header or several.
fn accepts(request: &Request<Incoming>) -> Option<String> {
    let headers = request.headers().get_all(header::ACCEPT).iter();
    let ranges: Vec<_> = headers.filter_map(|accept| accept.to_str().ok()).collect();
    (!ranges.is_empty()).then(|| ranges.join(", "))
}

fn late() -> Refusal {
    Refusal(StatusCode::GATEWAY_TIMEOUT, "the tracer did not answer in time; try again".to_owned())
}

fn unavailable(error: AskError) -> Refusal {
    let status = match error {
        AskError::TooLong => StatusCode::URI_TOO_LONG,
        AskError::Busy | AskError::Gone => StatusCode::SERVICE_UNAVAILABLE,
    };
    Refusal(status, error.to_string())
}
