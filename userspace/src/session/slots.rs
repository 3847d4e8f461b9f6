//! How many connections a server serves at a time, as its accepts and releases show.

/// A number of slots is believed when it was seen so often.
const OFTEN: u32 = 3;
/// Of as many connections that a server closes at once, one in so many may have been closed with slots free.
const STRAY: u32 = 4;
/// A server that closes a connection so soon after its accept, in nanoseconds, turns its client away.
pub(super) const AT_ONCE: u64 = 1_000_000_000;
/// A server that accepts so soon after a release, in nanoseconds, has waited for it.
const AT_LAST: u64 = 100_000_000;
/// A client that had waited for so long before that, in nanoseconds, counts twice: such a wait is hardly chance.
const LONG: u64 = 1_000_000_000;

/// What was seen of a server's slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Learning {
    /// It turned clients away while it served so many others, so often.
    turned: (u64, u32),
    /// It closed at once though it served fewer: such a server does so with everybody.
    strays: u32,
    /// It accepted a client that had waited, when another was released, so often, and served so many then.
    waited: (u64, u32),
    /// When it released an end last.
    freed: Option<u64>,
}

impl Learning {
    /// The server released an end, at a time in nanoseconds since boot.
    pub(super) fn released(&mut self, at: u64) {
        self.freed = Some(at);
    }

    /// The server closed a connection at once, while it served `others`.
    pub(super) fn turned_away(&mut self, others: u64) {
        let (level, times) = &mut self.turned;
        if others == *level {
            *times = times.saturating_add(1);
        } else if others < *level {
            self.strays = self.strays.saturating_add(1);
        } else if others > level.saturating_add(1) || *times < OFTEN {
            self.strays = self.strays.saturating_add(*times);
            (*level, *times) = (others, 1);
        }
    }

    /// The server accepted a connection that was made at `opened`, and serves `used` with it.
    pub(super) fn accepted(&mut self, opened: u64, at: u64, used: u64) {
        let (level, times) = &mut self.waited;
        let was_due = self.freed.is_some_and(|freed| opened < freed && at.saturating_sub(freed) <= AT_LAST);
        let weight = u32::from(was_due) * if at.saturating_sub(opened) >= LONG { 2 } else { 1 };
        if used > *level {
            (*level, *times) = (used, weight);
        } else if used == *level {
            *times = times.saturating_add(weight);
        }
    }

    /// The number of slots, if it shows.
    pub(super) fn slots(&self) -> Option<u64> {
        let (level, times) = self.turned;
        if level > 0 && times >= OFTEN && self.strays.saturating_mul(STRAY) <= times {
            return Some(level);
        }
        let (level, times) = self.waited;
        (times >= OFTEN).then_some(level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_turns_clients_away_shows_its_slots() {
        let mut learning = Learning::default();
        for seen in [None, None, Some(20), Some(20)] {
            learning.turned_away(20);
            assert_eq!(learning.slots(), seen);
        }
        // Two at a time: the first of them is counted beside the second.
        learning.turned_away(21);
        assert_eq!(learning.slots(), Some(20));
    }

    #[test]
    fn a_server_that_closes_after_each_answer_shows_nothing() {
        let mut learning = Learning::default();
        for others in [0, 1, 0, 2, 2, 2, 1, 0, 2, 0, 0, 2] {
            learning.turned_away(others);
            assert_eq!(learning.slots(), None);
        }
        let mut alone = Learning::default();
        (0..9).for_each(|_| alone.turned_away(0));
        assert_eq!(alone.slots(), None);
    }

    #[test]
    fn a_server_that_accepts_when_one_leaves_shows_its_slots() {
        let mut learning = Learning::default();
        for (round, seen) in [(1, None), (2, None), (3, Some(3)), (4, Some(3))] {
            let freed = round * 10 * AT_LAST;
            learning.released(freed);
            learning.accepted(freed - 1, freed + AT_LAST, 3);
            assert_eq!(learning.slots(), seen);
        }
        // Who has waited for long counts twice.
        let mut long = Learning::default();
        for (round, seen) in [(1, None), (2, Some(3))] {
            let freed = LONG + round * 10 * AT_LAST;
            long.released(freed);
            long.accepted(freed + AT_LAST - LONG, freed + AT_LAST, 3);
            assert_eq!(long.slots(), seen);
        }
        // It takes a fourth.
        learning.accepted(0, 1000 * AT_LAST, 4);
        assert_eq!(learning.slots(), None);
        // Nobody had waited.
        let mut idle = Learning::default();
        for at in 1..9 {
            idle.released(at * 10);
            idle.accepted(at * 10 + 1, at * 10 + 2, 3);
        }
        assert_eq!(idle.slots(), None);
    }
}
