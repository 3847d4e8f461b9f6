//! What the service does with what it is told: it stores it, and keeps what was closed last in memory.

use sockleak_core::{
    assess::Loss,
    event::{Listener, Record},
    session::{ClosedConnection, FoundConnection, Seen},
    time::Clock,
};
use sockleak_recording::Progress;

use crate::{
    clock,
    failure::Failure,
    probe::ring::Position,
    service::{
        link::{closed::Closed, gathered::Gathered},
        store::Store,
    },
    tracer::Audience,
};

/// Has everything stored.
pub(super) struct Keeper {
    pub(super) store: Store,
    /// As it was in the last second: putting it together asks the kernel about each program.
    pub(super) progress: Progress,
    /// Up to where everything was handed over to be committed.
    flushed: Position,
    /// When so many bytes more were read, they are: the ring has no room for many times as much.
    most: u64,
    /// Events for those who listen.
    pub(super) events: Gathered,
    /// What was closed a short time ago.
    pub(super) closed: Closed,
    /// Something was lost since this was asked last.
    pub(super) has_lost: bool,
}

impl Keeper {
    /// For a ring of so many bytes.
    pub(super) fn new(store: Store, clock: Clock, ring_size: u32) -> Self {
        Self {
            store,
            progress: Progress::default(),
            flushed: Position::default(),
            most: u64::from(ring_size / 8),
            events: Gathered::new(clock),
            closed: Closed::default(),
            has_lost: false,
        }
    }

    /// Has everything that was read committed, with the place in the ring that it comes up to.
    pub(super) fn flush(&mut self, read: Position) {
        self.flushed = read;
        self.store.flush(Progress { now: clock::now(), ..self.progress.clone() }, read.0);
    }
}

impl Audience for Keeper {
    const FILES: u64 = 192 << 20;
    const MAY_TAKE_STACKS: bool = true;

    fn keeps(&self) -> bool {
        true
    }

    fn keep(&mut self, record: Record, place: Option<&[u8]>) {
        self.store.record(record, place);
    }

    fn listener(&mut self, listener: &Listener) {
        tracing::debug!(
            "listener {} has number {}",
            sockleak_core::event::name::shown(&listener.path),
            listener.id
        );
    }

    fn seen(&mut self, seen: &Seen<'_>) {
        self.events.see(seen);
    }

    fn closed(&mut self, closed: &ClosedConnection<'_>) {
        self.closed.note(closed);
    }

    fn found(&mut self, _: &FoundConnection<'_>) {}

    fn lost(&mut self, losses: &[Loss]) {
        self.has_lost = true;
        for Loss { hook, what, count } in losses {
            tracing::warn!("{what} lost at hook {hook}, {count} so far; a larger ring_size in [probe] helps");
        }
    }

    fn settled(&mut self, read: Position) -> Position {
        // A round over descriptors lasts, and nobody else has it committed meanwhile.
        if read.0.saturating_sub(self.flushed.0) >= self.most {
            self.flush(read);
        }
        read.min(Position(self.store.committed()))
    }

    fn relieve(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, thread::sleep, time::Duration};

    use sockleak_core::{
        session::Notice,
        testing::{connect, event, listener, process, session},
    };
    use sockleak_recording::Header;

    use super::*;
    use crate::service::store::{Options, Recording};

    fn keeper(directory: &Path, ring_size: u32) -> Keeper {
        let options = Options::new(directory.to_owned(), 16 << 20, Duration::from_hours(1), || {});
        let mut store = Store::open(options).expect("it can be made");
        store.start(Header::default(), "boot/pins", 0, Vec::new).expect("it can be written");
        Keeper::new(store, clock::booted_at(0), ring_size)
    }

    /// A long round is read piece by piece, and nobody but this has it committed: the ring gets its room back all the same.
    #[test]
    fn what_piles_up_is_committed() {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let mut keeper = keeper(directory.path(), 8000);
        for record in [process(7, Some("/bin/x")), listener(1, "/run/a.sock"), Record::RoundBegins] {
            keeper.keep(record, None);
        }
        assert_eq!(keeper.settled(Position(999)), Position(0));
        assert_eq!(keeper.flushed, Position(0), "each batch alone is not worth a commit");
        for piece in 1..20 {
            keeper.keep(event(piece, 7, connect(piece, 1)), None);
            let read = Position(piece * 1000);
            while keeper.settled(read) < read {
                sleep(Duration::from_millis(1));
            }
        }
        // Without an end in order: what was released is there.
        drop(keeper);
        let recordings = Recording::all(directory.path()).expect("it is readable").recordings;
        assert_eq!(recordings[0].segment().position, 19_000);
        let mut connections = 0;
        let read = recordings[0].replay(|record| {
            connections += u64::from(matches!(record, Record::Event(_)));
            std::ops::ControlFlow::Continue(())
        });
        read.expect("it is readable");
        assert_eq!(connections, 19);
    }

    /// Whoever listened may be gone, and HTTP with him: nothing piles up then.
    #[test]
    fn events_are_gathered_while_somebody_listens() {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let mut keeper = keeper(directory.path(), 8000);
        let mut session = session(&["a.sock"]);
        for record in [process(7, Some("/bin/x")), listener(1, "/run/a.sock")] {
            session.feed(record);
        }
        let mut see = |keeper: &mut Keeper, id| match session.feed(event(id, 7, connect(id, 1))).notice {
            Some(Notice::Seen(seen)) => keeper.seen(&seen),
            other => panic!("{other:?}"),
        };
        see(&mut keeper, 1);
        assert!(keeper.events.take(true).is_empty());
        see(&mut keeper, 2);
        see(&mut keeper, 3);
        assert_eq!(keeper.events.take(false).len(), 2);
        see(&mut keeper, 4);
        assert!(keeper.events.is_empty() && keeper.events.take(true).is_empty());
    }

    /// However little room there is.
    #[test]
    fn the_least_ring_is_enough() {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let mut keeper = keeper(directory.path(), 4);
        while keeper.settled(Position(8)) < Position(8) {
            sleep(Duration::from_millis(1));
        }
    }
}
