//! What one program has of a socket.

use serde::Serialize;
use sockleak_core::text::count::{agreeing, grouped};

use crate::{elide::file_name, grid::Cell};

/// A program and how many it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Share {
    /// The program.
    pub program: String,
    /// Its processes.
    pub pids: Vec<u32>,
    /// How many connections it holds the client end of.
    pub count: u64,
    /// How many of them wait to be accepted: they use no slot.
    pub waiting: u64,
}

impl Share {
    /// Connections that were accepted.
    pub(super) const fn served(&self) -> u64 {
        self.count.saturating_sub(self.waiting)
    }

    /// How many it holds: `20`, `20, 3 wait`, or of one that is not served at all `3 wait`.
    fn counts(&self) -> String {
        let waiting = || format!("{} {}", grouped(self.waiting), agreeing(self.waiting, "waits", "wait"));
        match (self.served(), self.waiting) {
            (served, 0) => grouped(served),
            (0, _) => waiting(),
            (served, _) => format!("{}, {}", grouped(served), waiting()),
        }
    }

    /// `/usr/bin/x 12, 13 and 4 more: 20`
    pub(super) fn cell(&self, with_count: bool) -> Cell {
        let pids = self.pids.iter().take(2).map(u32::to_string).collect::<Vec<_>>().join(", ");
        let more = self.pids.len().saturating_sub(2);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let count = if with_count { format!(": {}", self.counts()) } else { String::new() };
        let text = |program: &str| format!("{program} {pids}{more}{count}");
        Cell { long: text(&self.program), short: Some(text(file_name(&self.program))), meaning: None }
    }
}
