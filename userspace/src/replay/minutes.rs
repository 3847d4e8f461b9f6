//! The history of what was played: minute by minute of the recording's clock, as the service keeps one.

use sockleak_core::{session::Session, time::Clock};

use crate::service::{
    link::{
        answer::{Series, SeriesError},
        question::SeriesRange,
    },
    minutes,
    snapshot::sockets,
    store::{
        StoreError,
        history::{History, Rollup},
    },
};

const SECOND: u64 = 1_000_000_000;
/// A recording is looked at so often, as long as that does not get closer than five seconds or further apart than a minute.
const LOOKS: u64 = 5000;
/// Of half a year and more, not more often than this: each look takes time, and so does each minute.
const MOST_LOOKS: u64 = 250_000;
/// Room is made after so many minutes.
const PRUNE_EVERY: u32 = 24 * 60;

/// Gathers minutes, and tells of them.
pub(super) struct Minutes {
    rollup: Rollup,
    history: History,
    /// When sockets are looked at next: nanoseconds since boot.
    next: u64,
    step: u64,
    kept: u32,
}

impl Minutes {
    /// From one moment to another.
    ///
    /// # Errors
    /// If there is no memory.
    pub(super) fn new(from: u64, to: u64) -> Result<Self, StoreError> {
        let length = to.saturating_sub(from);
        let step = (length / LOOKS).clamp(5 * SECOND, 60 * SECOND).max(length / MOST_LOOKS);
        let history = History::in_memory()?;
        Ok(Self { rollup: Rollup::default(), history, next: from, step, kept: 0 })
    }

    /// When it is time to [look](Self::look).
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// Looks what the sockets are like at that moment.
    ///
    /// # Errors
    /// If there is no memory.
    pub(super) fn look(&mut self, session: &Session, clock: &Clock) -> Result<(), StoreError> {
        let at = self.next;
        self.next = at.saturating_add(self.step);
        let facts: Vec<_> =
            sockets(session, at, &[]).iter().map(|socket| minutes::facts(socket, false)).collect();
        let finished = self.rollup.observe(clock.timestamp(at).as_millisecond(), &facts);
        let Some(minute) = finished else { return Ok(()) };
        self.history.add(&minute)?;
        self.kept += 1;
        if self.kept.is_multiple_of(PRUNE_EVERY) { self.history.prune(minute.at) } else { Ok(()) }
    }

    /// Looks for the last time, and keeps the minute that is not over.
    ///
    /// # Errors
    /// If there is no memory.
    pub(super) fn end(&mut self, at: u64, session: &Session, clock: &Clock) -> Result<(), StoreError> {
        self.next = at;
        self.look(session, clock)?;
        self.next = u64::MAX;
        self.rollup.take().map_or(Ok(()), |minute| self.history.add(&minute))
    }

    /// How full a socket was.
    ///
    /// # Errors
    /// If that cannot be read.
    pub(super) fn series(&self, range: &SeriesRange) -> Result<Series, SeriesError> {
        minutes::series(&self.history, range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A century takes no more looks than half a year.
    #[test]
    fn looks_are_bounded() {
        const DAY: u64 = 24 * 3600 * SECOND;
        for (length, step) in [
            (DAY / 24, 5 * SECOND),
            (DAY, DAY / LOOKS),
            (100 * DAY, 60 * SECOND),
            (36_500 * DAY, 36_500 * DAY / MOST_LOOKS),
        ] {
            assert_eq!(Minutes::new(7, 7 + length).map(|minutes| minutes.step).ok(), Some(step), "{length}");
        }
    }
}
