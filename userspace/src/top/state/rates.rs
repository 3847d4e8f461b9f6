//! How many connections are made and closed a second, from what two snapshots some seconds apart counted.

use std::collections::{HashMap, VecDeque};

use crate::service::model::{Snapshot, SocketSnapshot};

/// From so long ago, in milliseconds of the service's clock.
const WINDOW: i64 = 10_000;
/// Milliseconds between two snapshots that are remembered, but for the last: so many cover the window.
const APART: i64 = WINDOW / (MOST as i64 - 2);
/// Snapshots that are remembered.
const MOST: usize = 32;
/// Sockets of each: more than anybody looks at.
const MOST_SOCKETS: usize = 1024;
/// Bytes of a socket's name: the kernel allows for far fewer, even where each is written as a number.
const LONGEST: usize = 1024;

/// Connections a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::top) struct Rate {
    pub(in crate::top) opened: f64,
    pub(in crate::top) closed: f64,
}

/// What was counted at a moment.
#[derive(Clone, Debug)]
struct Sample {
    at_ms: i64,
    started_ms: i64,
    /// Connections made and closed, by socket.
    counts: HashMap<String, (u64, u64)>,
}

/// What was counted in the last seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Rates(VecDeque<Sample>);

impl Rates {
    /// Takes in what is counted now.
    pub(super) fn observe(&mut self, snapshot: &Snapshot) {
        let &Snapshot { at_ms, started_ms, .. } = snapshot;
        // Another service counts anew, and a clock may be set back.
        if self.0.back().is_some_and(|last| last.started_ms != started_ms || last.at_ms > at_ms) {
            self.0.clear();
        }
        if self.0.back().is_some_and(|last| last.at_ms == at_ms) {
            return;
        }
        // The last makes room if it came shortly after the one before it.
        let before = self.0.len().checked_sub(2).and_then(|place| self.0.get(place));
        let since = before.zip(self.0.back()).map(|(before, last)| last.at_ms.saturating_sub(before.at_ms));
        if since.is_some_and(|since| since < APART) {
            self.0.pop_back();
        }
        let sockets = snapshot.sockets.iter().filter(|socket| socket.path.len() <= LONGEST);
        let counts = sockets.take(MOST_SOCKETS).map(|socket| (socket.path.clone(), counted(socket)));
        self.0.push_back(Sample { at_ms, started_ms, counts: counts.collect() });
        // The first that is kept is as old as the window, or older.
        let begin = at_ms.saturating_sub(WINDOW);
        while self.0.len() > MOST || self.0.get(1).is_some_and(|second| second.at_ms <= begin) {
            self.0.pop_front();
        }
    }

    /// Of a socket; None as long as that is not known.
    pub(super) fn of(&self, path: &str) -> Option<Rate> {
        let (first, last) = (self.0.front()?, self.0.back()?);
        let milliseconds = last.at_ms.saturating_sub(first.at_ms);
        if milliseconds <= 0 {
            return None;
        }
        let &(opened, closed) = last.counts.get(path)?;
        // One that is new had none before.
        let (opened_before, closed_before) = first.counts.get(path).copied().unwrap_or_default();
        let a_second =
            |now: u64, before: u64| now.saturating_sub(before) as f64 * 1000.0 / milliseconds as f64;
        Some(Rate { opened: a_second(opened, opened_before), closed: a_second(closed, closed_before) })
    }
}

fn counted(socket: &SocketSnapshot) -> (u64, u64) {
    socket.programs.iter().fold((0, 0), |(opened, closed), program| {
        (opened.saturating_add(program.opened), closed.saturating_add(program.closed))
    })
}
