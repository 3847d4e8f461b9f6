//! What was stored before is read again when the service begins.

use std::{ops::ControlFlow, path::PathBuf};

use sockleak_core::event::Record;
use sockleak_recording::{Segment, TraceError};

use super::{Recording, Recordings, Store, StoreError, directory, found};

/// What became of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Replayed {
    /// Everything was fed.
    Whole,
    /// A file was damaged. It is set aside, which was said: what was fed is to be thrown away, and [`Store::recording`] asked
    /// again.
    SetAside,
}

impl Store {
    /// Where the last segment stood when the store was opened: its source, and up to where in the ring buffer its records come.
    /// If the source is the present one and the ring buffer still holds what follows, nothing is missing.
    #[must_use]
    pub fn last(&self) -> Option<&Segment> {
        self.found.as_ref().map(|found| &found.segment)
    }

    /// The recording that the last segment belongs to, to be replayed before [`Store::start`], and dropped then.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn recording(&self) -> Result<Option<Recording>, StoreError> {
        let Recordings { mut recordings, damaged } = Recording::all(&self.options.directory)?;
        for error in damaged {
            tracing::warn!("{error}");
        }
        let last = self.found.as_ref().map(|found| &found.path);
        Ok(recordings.pop().filter(|recording| recording.paths().last() == last.map(PathBuf::as_path)))
    }

    /// Feeds a recording's records in their order.
    ///
    /// # Errors
    /// If a file cannot be read, which is no fault of the file.
    pub fn replay(
        &mut self,
        recording: &Recording,
        mut feed: impl FnMut(Record),
    ) -> Result<Replayed, StoreError> {
        let replayed = recording.replay(|record| {
            self.known.learn(&record);
            feed(record);
            ControlFlow::Continue(())
        });
        replayed.map_or_else(|error| self.set_aside(error), |()| Ok(Replayed::Whole))
    }

    /// Sets the file aside that an error is about, if it is damaged; else gives the error back: to read again would be in vain.
    pub(super) fn set_aside(&mut self, error: TraceError) -> Result<Replayed, StoreError> {
        let (TraceError::Damaged { path, .. }
        | TraceError::Foreign { path, .. }
        | TraceError::NotATrace(path)) = &error
        else {
            return Err(StoreError::reading(error));
        };
        let entries = directory::entries(&self.options.directory)?;
        let Some(entry) = entries.iter().find(|entry| entry.path == *path) else {
            return Err(StoreError::reading(error));
        };
        found::set_aside(entry, &error)?;
        self.found = self.found.take().filter(|found| found.path != *path);
        Ok(Replayed::SetAside)
    }
}
