//! The web process's half of the link.

use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::{Sink as _, SinkExt, StreamExt as _};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite, WriteHalf},
    sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc, oneshot, watch},
};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

use super::{
    Answer, LinkError, Question, Settings,
    frame::{Ask, Head, MOST_TO_TRACER, MOST_TO_WEB, codec},
};

/// Questions that wait for an answer at most.
const MOST_PENDING: usize = 512;
/// KiB of answers that are being sent to clients at most.
const MOST_KIB: usize = 128 << 10;
/// Events that a client may be behind.
const MOST_EVENTS: usize = 1024;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AskError {
    /// The question does not fit into a message.
    #[error("the question is too long; ask for less")]
    TooLong,
    /// Too much is asked for at a time.
    #[error("too much is asked for at a time; try again")]
    Busy,
    /// The tracer has gone.
    #[error("the tracer does not answer; see the service's log")]
    Gone,
}

/// An answer, and the memory that it takes.
#[derive(Debug)]
pub struct Answered {
    /// The answer.
    pub answer: Answer,
    _room: OwnedSemaphorePermit,
}

/// An event as JSON.
#[derive(Clone, Debug)]
pub struct EventText {
    /// The event.
    pub text: Bytes,
    /// Events that the tracer had dropped by then.
    pub dropped: u64,
}

type Reply = oneshot::Sender<Result<Arc<Answered>, AskError>>;

enum Command {
    Ask(Question, Reply),
    Subscribe(bool, Reply),
    Unsubscribe(bool),
}

/// Asks the tracer. Those who ask the same at the same time share the answer, so that a crowd costs the tracer no more than one.
#[derive(Clone, Debug)]
pub struct Asker {
    commands: mpsc::UnboundedSender<Command>,
    settings: watch::Receiver<Option<Arc<Settings>>>,
    events: [broadcast::Sender<EventText>; 2],
    room: Arc<Semaphore>,
}

/// Events from now on, until it is dropped.
#[derive(Debug)]
pub struct Subscription {
    /// The events.
    pub events: broadcast::Receiver<EventText>,
    with_argv: bool,
    commands: mpsc::UnboundedSender<Command>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // If the link has gone, so have the events.
        let _ = self.commands.send(Command::Unsubscribe(self.with_argv));
    }
}

impl Asker {
    /// The half, and what has to run beside it for as long as the link lasts. That ends without an error when the tracer closes
    /// the link.
    pub fn new<IO>(io: IO) -> (Self, impl Future<Output = Result<(), LinkError>>)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let (commands, received) = mpsc::unbounded_channel();
        let (tell, settings) = watch::channel(None);
        let events = [0, 1].map(|_| broadcast::Sender::new(MOST_EVENTS));
        let room = Arc::new(Semaphore::new(MOST_KIB));
        let asker = Self { commands, settings, events: events.clone(), room: Arc::clone(&room) };
        let (reader, writer) = tokio::io::split(io);
        let reader = FramedRead::new(reader, codec(MOST_TO_WEB));
        let half = Half {
            writer: FramedWrite::new(writer, codec(MOST_TO_TRACER)),
            room,
            next: 1,
            pending: HashMap::new(),
            same: HashMap::new(),
            subscribers: [0; 2],
            settings: tell,
            events,
        };
        (asker, half.run(reader, received))
    }

    /// How to serve. Waits for the tracer to say so; None if it has gone.
    pub async fn settings(&self) -> Option<Arc<Settings>> {
        let mut settings = self.settings.clone();
        let known = settings.wait_for(Option::is_some).await.ok()?;
        known.clone()
    }

    /// Asks.
    ///
    /// # Errors
    /// If there will be no answer.
    pub async fn ask(&self, question: Question) -> Result<Arc<Answered>, AskError> {
        self.command(|reply| Command::Ask(question, reply)).await
    }

    /// Memory for so many bytes that are made of answers, from the same bounded room, until what this returns is dropped.
    ///
    /// # Errors
    /// If there is not so much left.
    pub fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit, AskError> {
        reserve(&self.room, bytes)
    }

    /// Subscribes to events. None of those that happen after it returns is missing, unless the tracer says so.
    ///
    /// # Errors
    /// If there will be none.
    pub async fn subscribe(&self, with_argv: bool) -> Result<Subscription, AskError> {
        let events = self.events[usize::from(with_argv)].subscribe();
        let subscription = Subscription { events, with_argv, commands: self.commands.clone() };
        self.command(|reply| Command::Subscribe(with_argv, reply)).await?;
        Ok(subscription)
    }

    async fn command(&self, make: impl FnOnce(Reply) -> Command) -> Result<Arc<Answered>, AskError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(make(reply)).map_err(|_| AskError::Gone)?;
        answer.await.map_err(|_| AskError::Gone)?
    }
}

/// A question on its way.
struct Pending {
    question: Question,
    replies: Vec<Reply>,
}

struct Half<IO> {
    writer: FramedWrite<WriteHalf<IO>, LengthDelimitedCodec>,
    room: Arc<Semaphore>,
    next: u64,
    pending: HashMap<u64, Pending>,
    /// Those of them that others may share.
    same: HashMap<Question, u64>,
    /// How many want events, without command lines and with them.
    subscribers: [usize; 2],
    settings: watch::Sender<Option<Arc<Settings>>>,
    events: [broadcast::Sender<EventText>; 2],
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send> Half<IO> {
    async fn run(
        mut self,
        mut reader: FramedRead<tokio::io::ReadHalf<IO>, LengthDelimitedCodec>,
        mut commands: mpsc::UnboundedReceiver<Command>,
    ) -> Result<(), LinkError> {
        loop {
            // Questions go out beside what comes in: two who wait for each other to read would wait for ever.
            let has_unsent = !self.writer.write_buffer().is_empty();
            tokio::select! {
                sent = SinkExt::<Bytes>::flush(&mut self.writer), if has_unsent => sent?,
                frame = reader.next() => match frame {
                    Some(frame) => self.heard(frame?.freeze())?,
                    None => return Ok(()),
                },
                command = commands.recv() => match command {
                    Some(command) => self.obey(command)?,
                    None => return Ok(()),
                },
            }
        }
    }

    fn heard(&mut self, frame: Bytes) -> Result<(), LinkError> {
        let (head, body) = Head::read(frame)?;
        match head {
            Head::Settings(settings) => {
                self.settings.send_replace(Some(Arc::new(settings)));
            }
            Head::Event { with_argv, dropped } => {
                // Nobody may be listening any more.
                let _ = self.events[usize::from(with_argv)].send(EventText { text: body, dropped });
            }
            Head::Answer { id, status, content_type, verdicts } => {
                let Some(Pending { question, replies }) = self.pending.remove(&id) else {
                    return Err(LinkError::Message(format!("it answers question {id}, which was not asked")));
                };
                if self.same.get(&question) == Some(&id) {
                    self.same.remove(&question);
                }
                let answer = self.keep(Answer { status, content_type, body, verdicts });
                for reply in replies {
                    // Who asked may have gone.
                    let _ = reply.send(answer.clone());
                }
            }
        }
        Ok(())
    }

    fn keep(&self, answer: Answer) -> Result<Arc<Answered>, AskError> {
        let room = reserve(&self.room, answer.body.len())?;
        Ok(Arc::new(Answered { answer, _room: room }))
    }

    fn obey(&mut self, command: Command) -> Result<(), LinkError> {
        match command {
            Command::Ask(question, reply) => {
                let pending = self.same.get(&question).and_then(|id| self.pending.get_mut(id));
                if let Some(pending) = pending {
                    pending.replies.push(reply);
                    return Ok(());
                }
                self.send(question, Some(reply), true)
            }
            Command::Subscribe(with_argv, reply) => {
                self.subscribers[usize::from(with_argv)] += 1;
                self.send(Question::Subscribe { with_argv }, Some(reply), false)
            }
            Command::Unsubscribe(with_argv) => {
                let subscribers = &mut self.subscribers[usize::from(with_argv)];
                *subscribers = subscribers.saturating_sub(1);
                if *subscribers > 0 {
                    return Ok(());
                }
                self.send(Question::Unsubscribe { with_argv }, None, false)
            }
        }
    }

    fn send(&mut self, question: Question, reply: Option<Reply>, shared: bool) -> Result<(), LinkError> {
        let id = self.next;
        self.next += 1;
        let ask = Ask { id, question };
        let refusal = match ask.bytes() {
            None => AskError::TooLong,
            // Who wants no more events is heard in any case.
            Some(_) if reply.is_some() && self.pending.len() >= MOST_PENDING => AskError::Busy,
            Some(bytes) => {
                let question = ask.question;
                if shared {
                    self.same.insert(question.clone(), id);
                }
                self.pending.insert(id, Pending { question, replies: reply.into_iter().collect() });
                // It is bounded by how many may be pending.
                return Ok(Pin::new(&mut self.writer).start_send(bytes)?);
            }
        };
        if let Some(reply) = reply {
            let _ = reply.send(Err(refusal));
        }
        Ok(())
    }
}

/// Takes so many bytes of the room.
fn reserve(room: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, AskError> {
    let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX);
    Arc::clone(room).try_acquire_many_owned(kib).map_err(|_| AskError::Busy)
}
