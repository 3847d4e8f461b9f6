//! What of a store an archive has: segments that it has not are kept longer, if there is room.

use std::sync::atomic::{AtomicU64, Ordering};

/// Which segments are archived, and how many never will be. Whoever archives and whoever deletes share it.
#[derive(Debug, Default)]
pub struct Shelf {
    through: AtomicU64,
    dropped: AtomicU64,
}

impl Shelf {
    /// All segments up to this number are archived.
    #[must_use]
    pub fn through(&self) -> u64 {
        self.through.load(Ordering::Acquire)
    }

    /// All segments up to this number are archived from now on.
    pub fn archived(&self, number: u64) {
        self.through.store(number, Ordering::Release);
    }

    /// Segments that were deleted or damaged before they were archived, since this process began.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// One more will never be archived.
    pub fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}
