//! The last segment, as it was left.

use std::path::PathBuf;

use sockleak_recording::{Header, Progress, Segment, Trace, TraceError, segment};

use super::{StoreError, directory::Entry};

/// A segment that was there before.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) header: Header,
    pub(super) progress: Progress,
    pub(super) segment: Segment,
    /// It has the tables that this version writes.
    pub(super) has_current_schema: bool,
}

impl Found {
    /// The last segment. One that had not begun is removed. If the last is damaged, it is set aside, and there is none: what
    /// came before it does not lead to the present.
    pub(super) fn last(entries: &[Entry]) -> Result<Option<Self>, StoreError> {
        for entry in entries.iter().rev().filter(|entry| entry.is_segment()) {
            // It is asked first, for SQLite then puts in order what it was about to write.
            if segment::is_blank(&entry.path, true) {
                entry.remove().map_err(|error| unwritable(entry, &error))?;
                continue;
            }
            match look(entry) {
                Ok(found) => return Ok(found),
                Err(error) if error.is_of_the_file() => {
                    set_aside(entry, &error)?;
                    return Ok(None);
                }
                Err(error) => return Err(StoreError::reading(error)),
            }
        }
        Ok(None)
    }
}

/// None if it is no part of a store.
fn look(entry: &Entry) -> Result<Option<Found>, TraceError> {
    let trace = Trace::open(&entry.path)?;
    if !trace.is_ended() {
        // The host may have lost power.
        trace.verify()?;
    }
    let Some(segment) = trace.segment().cloned() else { return Ok(None) };
    Ok(Some(Found {
        path: entry.path.clone(),
        header: trace.header().clone(),
        progress: trace.progress().clone(),
        segment,
        has_current_schema: trace.is_current(),
    }))
}

/// Sets a damaged segment aside, and says so.
pub(super) fn set_aside(entry: &Entry, error: &TraceError) -> Result<(), StoreError> {
    entry.set_aside().map_err(|error| unwritable(entry, &error))?;
    tracing::warn!("{error}; it is set aside as {}.damaged, and recording begins anew", entry.path.display());
    Ok(())
}

fn unwritable(entry: &Entry, error: &std::io::Error) -> StoreError {
    StoreError::Trace(TraceError::Unwritable { path: entry.path.clone(), cause: error.to_string() })
}
