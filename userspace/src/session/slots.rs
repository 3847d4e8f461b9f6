//! How many connections a server serves at a time, as its accepts and releases show.

/// A number of slots is believed when it was seen so often.
const OFTEN: u32 = 3;
/// Of as many connections that a server closes at once, one in so many may have been closed with slots free.
const STRAY: u32 = 4;
/// A server that closes a connection so soon after its accept, in nanoseconds, turns its client away.
pub(super) const AT_ONCE: u64 = 1_000_000_000;
/// A server that accepts so soon after a release, in nanoseconds, has waited for it.
const AT_LAST: u64 = 100_000_000;
/// And its client has waited for so long before that, in nanoseconds. A server that serves one after the other lets clients wait for
/// a short time however many connections stay open beside.
const LONG: u64 = 1_000_000_000;
/// Such a wait is hardly chance.
const WEIGHT: u32 = 2;

/// What was seen of a server's slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Learning {
    /// It turned clients away while it served so many others, so often.
    turned: (u64, u32),
    /// It closed at once though it served fewer: such a server does so with everybody.
    strays: u32,
    /// It accepted a client that had waited, when another was released, so often, and served so many then.
    waited: (u64, u32),
    /// What was believed by such waits turned out to be too few: they say nothing about this server.
    is_refuted: bool,
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
        let weight = if was_due && at.saturating_sub(opened) >= LONG { WEIGHT } else { 0 };
        if used > *level {
            self.is_refuted |= *times >= OFTEN;
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
        (times >= OFTEN && !self.is_refuted).then_some(level)
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

    /// The server releases an end at a time, and accepts a client that has waited for so long.
    fn accept_next(learning: &mut Learning, round: u64, waited: u64, used: u64) -> Option<u64> {
        let freed = round * 10 * LONG;
        learning.released(freed);
        learning.accepted(freed + AT_LAST - waited, freed + AT_LAST, used);
        learning.slots()
    }

    #[test]
    fn a_server_that_accepts_when_one_leaves_shows_its_slots() {
        let mut learning = Learning::default();
        for (round, seen) in [(1, None), (2, Some(3)), (3, Some(3))] {
            assert_eq!(accept_next(&mut learning, round, LONG, 3), seen);
        }
        // It takes a fourth: so it had no three. What it seems to have next is not believed.
        assert_eq!(accept_next(&mut learning, 4, 0, 4), None);
        for round in 5..9 {
            assert_eq!(accept_next(&mut learning, round, LONG, 4), None);
        }
        // Nobody had waited.
        let mut idle = Learning::default();
        for at in 1..9 {
            idle.released(at * 10);
            idle.accepted(at * 10 + 1, at * 10 + 2, 3);
        }
        assert_eq!(idle.slots(), None);
    }

    /// One connection is forgotten after the other, beside clients that come faster than a single thread serves them.
    #[test]
    fn a_server_that_serves_one_after_the_other_shows_nothing() {
        let mut learning = Learning::default();
        for forgotten in 0..10 {
            for visit in 0..100 {
                assert_eq!(
                    accept_next(&mut learning, forgotten * 100 + visit + 1, LONG / 2, forgotten + 1),
                    None
                );
            }
        }
    }
}
