//! Each minute of each socket goes into the history.

use std::{path::PathBuf, time::Duration};

use sockleak_core::attribution::by::By;
use tokio::time::Instant;

use super::Service;
use crate::{
    console::say,
    service::{
        config::StoreSettings,
        link::{
            answer::{Series, SeriesError},
            question::SeriesRange,
        },
        minutes,
        snapshot::Snapshot,
        store::{
            StoreError,
            history::{History, Rollup, SocketFacts},
        },
    },
};

/// How often what is too old is removed: once a day.
const PRUNE_EVERY: Duration = Duration::from_hours(24);
/// How often it is tried again to keep a history.
const AGAIN: Duration = Duration::from_mins(1);

/// Gathers minutes and keeps them.
pub(super) struct Minutes {
    rollup: Rollup,
    /// Programs are not named: they are named by their command lines, which may hold secrets.
    is_nameless: bool,
    directory: PathBuf,
    keep: Duration,
    room: u64,
    /// None: it cannot be written.
    history: Option<History>,
    /// Why it could not, until it was.
    told: Option<StoreError>,
    again: Instant,
    prune: Instant,
}

impl Minutes {
    /// Without a history, the service goes on all the same.
    pub(super) fn open(settings: &StoreSettings, by: By) -> Self {
        let now = Instant::now();
        let mut minutes = Self {
            rollup: Rollup::default(),
            is_nameless: by == By::Cmdline,
            directory: settings.directory.clone(),
            keep: settings.history_keep,
            room: settings.max_bytes,
            history: None,
            told: None,
            again: now,
            prune: now,
        };
        minutes.reopen(now);
        minutes
    }

    /// For how long they are kept from now on, and in how much room. What is too much is removed soon.
    pub(super) fn keep(&mut self, settings: &StoreSettings) {
        (self.keep, self.room) = (settings.history_keep, settings.max_bytes);
        self.prune = Instant::now();
        if let Some(history) = &mut self.history {
            history.keep(self.keep, self.room);
        }
    }

    /// Is something kept?
    pub(super) const fn is_kept(&self) -> bool {
        self.history.is_some()
    }

    /// How full a socket was.
    ///
    /// # Errors
    /// If there is no history or it cannot be read.
    pub(super) fn series(&self, range: &SeriesRange) -> Result<Series, SeriesError> {
        let history = self.history.as_ref();
        let history = history.ok_or(SeriesError::NoHistory("no history is kept: the log says why"))?;
        minutes::series(history, range)
    }

    /// Takes in a snapshot. A history that cannot be written is opened again every minute.
    fn look(&mut self, now: Instant, snapshot: &Snapshot) {
        if self.history.is_none() && now >= self.again {
            self.reopen(now);
        }
        if let Err(error) = self.gather(now, snapshot) {
            self.give_up(now, error);
        }
    }

    fn reopen(&mut self, now: Instant) {
        match History::open(&self.directory, self.keep, self.room) {
            Ok(history) => self.history = Some(history),
            Err(error) => self.give_up(now, error),
        }
    }

    /// The same error is told once, until something was written.
    fn give_up(&mut self, now: Instant, error: StoreError) {
        (self.history, self.again) = (None, now + AGAIN);
        if self.told.as_ref() != Some(&error) {
            say(format_args!("{error}; no history is kept until then"));
            self.told = Some(error);
        }
    }

    fn gather(&mut self, now: Instant, snapshot: &Snapshot) -> Result<(), StoreError> {
        let facts = snapshot.sockets.iter().map(|socket| SocketFacts {
            is_left_out: snapshot.is_only_tried(socket),
            ..minutes::facts(socket, self.is_nameless)
        });
        let minute = self.rollup.observe(snapshot.at_ms, &facts.collect::<Vec<_>>());
        let Some(history) = &mut self.history else { return Ok(()) };
        let mut is_full = false;
        if let Some(minute) = minute {
            history.add(&minute)?;
            is_full = history.is_full()?;
            self.told = None;
        }
        if is_full || now >= self.prune {
            self.prune = now + PRUNE_EVERY;
            history.prune(snapshot.at_ms)?;
        }
        Ok(())
    }
}

impl Service {
    /// Takes in a snapshot.
    pub(super) fn look_at_minute(&mut self, now: Instant, snapshot: &Snapshot) {
        self.minutes.look(now, snapshot);
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::service::metrics::tests::busy;

    fn settings(directory: PathBuf) -> StoreSettings {
        StoreSettings { directory, ..StoreSettings::default() }
    }

    /// A snapshot some minutes after the first.
    fn minute(number: i64) -> Snapshot {
        let snapshot = busy();
        Snapshot { at_ms: snapshot.at_ms + number * 60_000, ..snapshot }
    }

    fn told(minutes: &Minutes) -> Vec<(String, u64)> {
        let range = SeriesRange { socket: "/s".to_owned(), from_ms: 0, to_ms: i64::MAX, points: 1000 };
        let series = minutes.series(&range).expect("it is readable");
        series.programs.into_iter().map(|it| (it.program, it.open_last)).collect()
    }

    /// The history outlives the setting by which its names need the token.
    #[test]
    fn command_lines_stay_out() {
        for (by, expected) in [(By::Program, true), (By::Cmdline, false)] {
            let directory = tempfile::tempdir().expect("a directory can be created");
            let mut minutes = Minutes::open(&settings(directory.path().to_owned()), by);
            let now = Instant::now();
            minutes.look(now, &minute(0));
            minutes.look(now, &minute(1));
            let programs = told(&minutes);
            assert_eq!(programs.iter().any(|(program, _)| program == "/bin/a"), expected, "{programs:?}");
            assert_eq!(programs.iter().map(|(_, open)| open).sum::<u64>(), 8, "{programs:?}");
            if !expected {
                assert_eq!(programs.len(), 1);
            }
            drop(minutes);
            let file = fs::read(directory.path().join("history.db")).expect("it is there");
            assert_eq!(file.windows(6).any(|bytes| bytes == b"/bin/a"), expected);
        }
    }

    /// What ends a history may pass: another start of the service is not waited for.
    #[test]
    fn a_history_is_kept_again_when_it_can_be() {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let path = directory.path().join("none");
        let mut minutes = Minutes::open(&settings(path.clone()), By::Program);
        let now = Instant::now();
        assert!(!minutes.is_kept() && minutes.told.is_some());
        fs::create_dir(&path).expect("it can be created");
        minutes.look(now, &minute(0));
        minutes.look(now, &minute(1));
        assert!(!minutes.is_kept(), "it is not tried at each look");
        minutes.look(now + AGAIN, &minute(2));
        assert!(minutes.is_kept() && minutes.told.is_none());
        minutes.look(now + AGAIN, &minute(3));
        assert!(!told(&minutes).is_empty());
        // It cannot be written any more.
        let history = rusqlite::Connection::open(path.join("history.db")).expect("it is there");
        history.execute_batch("DROP TABLE minute").expect("it can be written");
        minutes.look(now + AGAIN, &minute(4));
        assert!(!minutes.is_kept() && minutes.told.is_some());
    }
}
