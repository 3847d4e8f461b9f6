//! What is counted of a program on a socket: figures that never fall.

use std::collections::BTreeMap;

use crate::service::snapshot::ProgramSnapshot;

/// Figures of a program, or of several together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) opened: u64,
    pub(super) closed: u64,
    /// Client ends released, in the order of [`HOW`].
    pub(super) released: [u64; 4],
    pub(super) failed: BTreeMap<String, u64>,
}

/// How client ends are released.
pub(super) const HOW: [&str; 4] = ["closed", "exit", "by_another", "unseen"];

impl Counts {
    pub(super) fn of(program: &ProgramSnapshot) -> Self {
        let endings = program.endings;
        Self {
            opened: program.opened,
            closed: program.closed,
            released: [endings.closed, endings.ended, endings.by_another, endings.unseen],
            failed: program.failed.clone(),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.opened += other.opened;
        self.closed += other.closed;
        for (own, more) in self.released.iter_mut().zip(other.released) {
            *own += more;
        }
        for (error, more) in &other.failed {
            *self.failed.entry(error.clone()).or_default() += more;
        }
    }

    /// Makes each figure at least that of another.
    pub(super) fn raise(&mut self, other: &Self) {
        self.opened = self.opened.max(other.opened);
        self.closed = self.closed.max(other.closed);
        for (own, least) in self.released.iter_mut().zip(other.released) {
            *own = least.max(*own);
        }
        for (error, &least) in &other.failed {
            let own = self.failed.entry(error.clone()).or_default();
            *own = least.max(*own);
        }
    }

    /// What is more than in `base`.
    pub(super) fn since(&self, base: &Self) -> Self {
        let mut released = self.released;
        for (own, less) in released.iter_mut().zip(base.released) {
            *own = own.saturating_sub(less);
        }
        let failed = self.failed.iter().map(|(error, &count)| {
            let before = base.failed.get(error).copied().unwrap_or(0);
            (error.clone(), count.saturating_sub(before))
        });
        Self {
            opened: self.opened.saturating_sub(base.opened),
            closed: self.closed.saturating_sub(base.closed),
            released,
            failed: failed.collect(),
        }
    }

    /// How busy it is: what the choice of those with series of their own goes by.
    pub(super) fn weight(&self) -> u64 {
        self.opened + self.failed.values().sum::<u64>()
    }
}
