//! Each minute of each socket goes into the history.

use std::time::Duration;

use tokio::time::Instant;

use super::Service;
use crate::{
    console::say,
    service::{
        config::StoreSettings,
        link::{answer::Series, question::SeriesRange},
        minutes,
        snapshot::Snapshot,
        store::{
            StoreError,
            history::{History, Rollup},
        },
    },
};

/// How often what is too old is removed: once a day.
const PRUNE_EVERY: Duration = Duration::from_hours(24);

/// Gathers minutes and keeps them.
pub(super) struct Minutes {
    rollup: Rollup,
    history: Option<History>,
    prune: Instant,
}

impl Minutes {
    /// Without a history, the service goes on all the same.
    pub(super) fn open(settings: &StoreSettings) -> Self {
        let history = History::open(&settings.directory, settings.history_keep);
        let history = history.inspect_err(|error| say(format_args!("{error}; no history is kept"))).ok();
        Self { rollup: Rollup::default(), history, prune: Instant::now() }
    }

    /// For how long they are kept from now on. What is older is removed soon.
    pub(super) fn keep(&mut self, keep: Duration) {
        self.prune = Instant::now();
        if let Some(history) = &mut self.history {
            history.keep(keep);
        }
    }

    /// How full a socket was.
    ///
    /// # Errors
    /// A sentence, if there is no history or it cannot be read.
    pub(super) fn series(&self, range: &SeriesRange) -> Result<Series, String> {
        minutes::series(self.history.as_ref().ok_or("no history is kept: the log says why")?, range)
    }

    /// # Errors
    /// If the history cannot be written.
    fn look(&mut self, now: Instant, snapshot: &Snapshot) -> Result<(), StoreError> {
        let facts: Vec<_> = snapshot.sockets.iter().map(minutes::facts).collect();
        let minute = self.rollup.observe(snapshot.at_ms, &facts);
        let Some(history) = &mut self.history else { return Ok(()) };
        if let Some(minute) = minute {
            history.add(&minute)?;
        }
        if now >= self.prune {
            self.prune = now + PRUNE_EVERY;
            history.prune(snapshot.at_ms)?;
        }
        Ok(())
    }
}

impl Service {
    /// Takes in a snapshot. What is wrong with the file is told once, and the history ends.
    pub(super) fn look_at_minute(&mut self, now: Instant, snapshot: &Snapshot) {
        if let Err(error) = self.minutes.look(now, snapshot) {
            say(format_args!("{error}; no history is kept from now on"));
            self.minutes.history = None;
        }
    }

    /// Keeps the minute that is not over.
    pub(super) fn end_minute(&mut self) {
        if let (Some(minute), Some(history)) = (self.minutes.rollup.take(), &mut self.minutes.history)
            && let Err(error) = history.add(&minute)
        {
            say(error);
        }
    }
}
