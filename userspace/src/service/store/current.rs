//! The segment that is written to.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use rusqlite::Connection;
use sockleak_recording::{
    Committed, TraceError, Writer,
    segment::{self, Beginning},
};

use super::directory::{self, Bounds};

/// The segment that is written to.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) writer: Writer,
    pub(super) started: u64,
    pub(super) work: Work,
    /// What the segment before still had to do when this one began.
    pub(super) before: Option<Work>,
}

/// What a writer was given, and what it did.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) committed: Arc<Committed>,
    pub(super) handed: u64,
}

impl Work {
    /// For records from a position in the ring buffer on.
    pub(super) fn new(position: u64) -> Self {
        let committed = Committed::default();
        committed.position.store(position, Ordering::Relaxed);
        Self { committed: Arc::new(committed), handed: 0 }
    }

    pub(super) fn unstored(&self) -> u64 {
        self.handed.saturating_sub(self.committed.records.load(Ordering::Relaxed))
    }
}

/// Makes a segment, and room for it.
pub(super) fn begin(
    path: &Path,
    beginning: &Beginning,
    committed: &Committed,
    bounds: &Bounds,
) -> Result<Connection, TraceError> {
    let connection = segment::create(path, beginning)?;
    #[cfg(test)]
    bounds.fill(path, &connection)?;
    let size = segment::size(path, &connection)?;
    committed.carried.store(size, Ordering::Relaxed);
    committed.bytes.store(size, Ordering::Relaxed);
    committed.position.store(beginning.segment.position, Ordering::Release);
    if let (Some(directory), Some(number)) = (path.parent(), directory::number(path)) {
        directory::prune(directory, number, bounds);
    }
    Ok(connection)
}
