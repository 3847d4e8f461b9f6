//! Records as they are read from a recording, by a thread of its own that is a little ahead.

use std::{io, ops::ControlFlow, thread, vec};

use sockleak_core::event::Record;
use sockleak_recording::TraceError;
use tokio::sync::mpsc;

use super::recorded::Source;

/// Records that are handed over at a time.
const BATCH: usize = 512;
/// So many batches are read ahead.
const AHEAD: usize = 8;

/// A record and its moment: nanoseconds since boot. What has none of its own has that of the one before.
#[derive(Debug)]
pub(super) struct Timed {
    pub(super) at: u64,
    pub(super) record: Record,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peek {
    /// A record of this moment.
    Record(u64),
    /// That is being read.
    Unread,
    /// Nothing.
    Over,
}

/// The records of a recording, one after another.
#[derive(Debug)]
pub(super) struct ReadAhead {
    coming: mpsc::Receiver<Result<Vec<Timed>, TraceError>>,
    batch: vec::IntoIter<Timed>,
    is_over: bool,
    failed: Option<TraceError>,
}

impl ReadAhead {
    /// Has it read; up to `until`, if that is given.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(super) fn start(source: Source, until: Option<u64>) -> io::Result<Self> {
        let (hand_over, coming) = mpsc::channel(AHEAD);
        thread::Builder::new().name("read-ahead".to_owned()).spawn(move || {
            let mut reader = Reader { hand_over, batch: Vec::new(), at: 0, until };
            let read = source.read(&mut |record| reader.take(record));
            reader.finish(read);
        })?;
        Ok(Self { coming, batch: Vec::new().into_iter(), is_over: false, failed: None })
    }

    /// What comes next.
    ///
    /// # Errors
    /// If the recording is damaged.
    pub(super) fn peek(&mut self) -> Result<Peek, TraceError> {
        if self.batch.as_slice().is_empty() && !self.is_over {
            match self.coming.try_recv() {
                Ok(next) => self.accept(Some(next)),
                Err(mpsc::error::TryRecvError::Disconnected) => self.accept(None),
                Err(mpsc::error::TryRecvError::Empty) => return Ok(Peek::Unread),
            }
        }
        if let Some(error) = self.failed.clone() {
            return Err(error);
        }
        Ok(self.batch.as_slice().first().map_or(Peek::Over, |next| Peek::Record(next.at)))
    }

    /// The next record, once [`Self::peek`] has told of one.
    pub(super) fn take(&mut self) -> Option<Timed> {
        self.batch.next()
    }

    /// Waits until it is known what comes next.
    pub(super) async fn read_on(&mut self) {
        if self.batch.as_slice().is_empty() && !self.is_over {
            let next = self.coming.recv().await;
            self.accept(next);
        }
    }

    fn accept(&mut self, next: Option<Result<Vec<Timed>, TraceError>>) {
        match next {
            Some(Ok(batch)) => self.batch = batch.into_iter(),
            Some(Err(error)) => self.failed = Some(error),
            None => self.is_over = true,
        }
    }
}

/// The thread's side.
struct Reader {
    hand_over: mpsc::Sender<Result<Vec<Timed>, TraceError>>,
    batch: Vec<Timed>,
    at: u64,
    until: Option<u64>,
}

impl Reader {
    fn take(&mut self, record: Record) -> ControlFlow<()> {
        self.at = record.moment().map_or(self.at, |moment| moment.max(self.at));
        if self.until.is_some_and(|until| self.at > until) {
            return ControlFlow::Break(());
        }
        self.batch.push(Timed { at: self.at, record });
        if self.batch.len() < BATCH { ControlFlow::Continue(()) } else { self.pass_on() }
    }

    /// Nobody may want it any more.
    fn pass_on(&mut self) -> ControlFlow<()> {
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        match self.hand_over.blocking_send(Ok(batch)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn finish(mut self, read: Result<(), TraceError>) {
        let flow = if self.batch.is_empty() { ControlFlow::Continue(()) } else { self.pass_on() };
        if let (ControlFlow::Continue(()), Err(error)) = (flow, read) {
            // As above.
            let _ = self.hand_over.blocking_send(Err(error));
        }
    }
}
