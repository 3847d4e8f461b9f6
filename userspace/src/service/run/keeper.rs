//! What the service does with what it is told: it stores it, and keeps what was closed last in memory.

use serde_json::Value;

use crate::{
    clock::Clock,
    event::{Listener, Record},
    failure::Failure,
    probe::ring::Position,
    report::{Loss, json},
    service::{link::closed::Closed, store::Store},
    session::{FoundConnection, Seen, Session},
    tracer::Audience,
};

/// Has everything stored.
pub(super) struct Keeper {
    pub(super) store: Store,
    clock: Clock,
    /// Somebody listens to events.
    pub(super) is_heard: bool,
    /// Those since they were told last.
    pub(super) events: Vec<Value>,
    /// What was closed a short time ago.
    pub(super) closed: Closed,
}

impl Keeper {
    pub(super) fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, is_heard: false, events: Vec::new(), closed: Closed::default() }
    }
}

impl Audience for Keeper {
    const FILES: u64 = 192 << 20;

    fn keeps(&self) -> bool {
        true
    }

    fn keep(&mut self, record: Record, place: Option<&[u8]>) {
        self.store.record(record, place);
    }

    fn listener(&mut self, listener: &Listener) {
        tracing::debug!("listener {} has number {}", String::from_utf8_lossy(&listener.path), listener.id);
    }

    fn seen(&mut self, seen: &Seen<'_>) {
        if self.is_heard {
            self.events.push(json::event(seen, &self.clock));
        }
    }

    fn closed(&mut self, session: &Session) {
        self.closed.note(session);
    }

    fn found(&mut self, _: &FoundConnection<'_>) {}

    fn lost(&mut self, losses: &[Loss]) {
        for Loss { hook, what, count } in losses {
            tracing::warn!("{what} lost at hook {hook}, {count} so far; a larger ring_size in [probe] helps");
        }
    }

    fn settled(&self, read: Position) -> Position {
        read.min(Position(self.store.committed()))
    }

    fn relieve(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}
