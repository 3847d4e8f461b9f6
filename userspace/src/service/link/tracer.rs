//! The tracer's half of the link.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{Sink, Stream as _};
use serde_json::Value;
use sockleak_core::text::escape;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

use super::{
    Answer, LinkError, Question, Settings,
    frame::{Ask, Head, MOST_BODY, MOST_TO_TRACER, MOST_TO_WEB, codec},
};

/// While so many bytes are not taken up yet, no further question is read.
const MOST_WAITING: usize = 1 << 20;
/// And while so many are not, events are dropped.
const MOST_EVENTS_WAITING: usize = 512 << 10;

/// A question that wants an answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    /// Goes back with the answer.
    pub id: u64,
    /// The question.
    pub question: Question,
}

/// The tracer's half. Nothing here waits for the web process, and what it keeps for it is bounded: whatever is to be sent goes
/// out while [`Link::next`] waits.
#[derive(Debug)]
pub struct Link<IO> {
    reader: FramedRead<ReadHalf<IO>, LengthDelimitedCodec>,
    writer: FramedWrite<WriteHalf<IO>, LengthDelimitedCodec>,
    /// Somebody wants events without command lines; with them.
    subscribed: [bool; 2],
    dropped: u64,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Link<IO> {
    /// Begins with telling the web process how to serve.
    ///
    /// # Errors
    /// If the settings are too large to send.
    pub fn new(io: IO, settings: &Settings) -> Result<Self, LinkError> {
        let (reader, writer) = tokio::io::split(io);
        let mut link = Self {
            reader: FramedRead::new(reader, codec(MOST_TO_TRACER)),
            writer: FramedWrite::new(writer, codec(MOST_TO_WEB)),
            subscribed: [false; 2],
            dropped: 0,
        };
        link.tell(settings)?;
        Ok(link)
    }

    /// Tells the web process how to serve from now on.
    ///
    /// # Errors
    /// If they are too large to send.
    pub fn tell(&mut self, settings: &Settings) -> Result<(), LinkError> {
        self.send(&Head::Settings(settings.clone()), &[])
    }

    /// The next question. Nothing is lost if it is not waited for to the end. None: the web process has gone.
    ///
    /// # Errors
    /// If it sends what is no question, or too much. The link is of no use then.
    pub async fn next(&mut self) -> Result<Option<Asked>, LinkError> {
        loop {
            let Some(frame) = poll_fn(|context| self.poll(context)).await? else { return Ok(None) };
            let Ask { id, question } = Ask::read(&frame)?;
            match question {
                Question::Subscribe { with_argv } => self.subscribe(id, with_argv, true)?,
                Question::Unsubscribe { with_argv } => self.subscribe(id, with_argv, false)?,
                question => return Ok(Some(Asked { id, question })),
            }
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, LinkError>> {
        let writer = Pin::new(&mut self.writer);
        if let Poll::Ready(Err(error)) = Sink::<Bytes>::poll_flush(writer, context) {
            return Poll::Ready(Err(error.into()));
        }
        if self.writer.write_buffer().len() >= MOST_WAITING {
            // It is woken when some of that is taken up.
            return Poll::Pending;
        }
        let frame = std::task::ready!(Pin::new(&mut self.reader).poll_next(context)).transpose()?;
        Poll::Ready(Ok(frame.map(bytes::BytesMut::freeze)))
    }

    fn subscribe(&mut self, id: u64, with_argv: bool, wanted: bool) -> Result<(), LinkError> {
        self.subscribed[usize::from(with_argv)] = wanted;
        let head = Head::Answer { id, status: 204, content_type: String::new(), verdicts: None };
        self.send(&head, &[])
    }

    /// Answers a question; it goes out with the next [`Link::next`].
    ///
    /// # Errors
    /// If it cannot be written as a message.
    pub fn answer(&mut self, id: u64, answer: &Answer) -> Result<(), LinkError> {
        let Answer { status, content_type, body, verdicts } = answer;
        if body.len() > MOST_BODY {
            return self.answer(id, &Answer::too_large());
        }
        let (content_type, verdicts) = (content_type.clone(), verdicts.clone());
        self.send(&Head::Answer { id, status: *status, content_type, verdicts }, body)
    }

    /// Does anybody want to hear of events?
    #[must_use]
    pub fn wants_events(&self) -> bool {
        self.subscribed.contains(&true)
    }

    /// Tells those who want to hear of it. If they do not keep up, it is dropped and counted.
    ///
    /// # Errors
    /// If it cannot be written as a message.
    pub fn event(&mut self, event: &Value) -> Result<(), LinkError> {
        for with_argv in [false, true] {
            if !self.subscribed[usize::from(with_argv)] {
                continue;
            }
            if self.writer.write_buffer().len() >= MOST_EVENTS_WAITING {
                self.dropped += 1;
                continue;
            }
            let body =
                if with_argv { escape::json_bytes(event) } else { escape::json_bytes(&without_argv(event)) };
            let body = body.map_err(|error| LinkError::Message(error.to_string()))?;
            self.send(&Head::Event { with_argv, dropped: self.dropped }, &body)?;
        }
        Ok(())
    }

    /// Events that were dropped.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn send(&mut self, head: &Head, body: &[u8]) -> Result<(), LinkError> {
        // It takes any number of bytes: what bounds them is that questions and events are not taken while many wait.
        Ok(Pin::new(&mut self.writer).start_send(head.bytes(body)?)?)
    }
}

/// An event whose command line is not told.
fn without_argv(event: &Value) -> Value {
    let mut event = event.clone();
    if let Some(argv) = event.get_mut("argv") {
        *argv = Value::Null;
    }
    event
}
