//! How many connections a server serves at a time, as its accepts and releases show.

/// A number of slots is believed when it was seen so often.
const OFTEN: u32 = 3;
/// For each connection that a server closes at once with slots free it has to serve so many, and to turn away as many.
const STRAY: u64 = 4;
/// A server that turns clients away serves so many others: one or two streams are open beside the short visits of many a server.
const FEWEST: u64 = 3;
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
    /// And so often while it served one more: as many clients at a time can do that, but not more often.
    over: u32,
    /// It closed at once though it served fewer: such a server does so with everybody.
    strays: u32,
    /// It accepted so many, and did not close them at once.
    served: u64,
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
        self.served = self.served.saturating_sub(1);
        let (level, times) = &mut self.turned;
        if others == *level {
            *times = times.saturating_add(1);
        } else if others < *level {
            self.strays = self.strays.saturating_add(1);
        } else if others == level.saturating_add(1) && self.over < *times {
            self.over += 1;
        } else {
            self.strays = self.strays.saturating_add(*times);
            let as_often = if others == level.saturating_add(1) { self.over } else { 0 };
            (*level, *times, self.over) = (others, as_often.saturating_add(1), 0);
        }
    }

    /// The server accepted a connection that was made at `opened`, and serves `used` with it.
    pub(super) fn accepted(&mut self, opened: u64, at: u64, used: u64) {
        self.served = self.served.saturating_add(1);
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
        if self.turns_away() {
            return Some(self.turned.0);
        }
        let (level, times) = self.waited;
        (times >= OFTEN && !self.is_refuted).then_some(level)
    }

    /// The server serves `used` connections and may be full with them, as it was when it was first seen: it closed at once whoever
    /// came while it served as many, and was not seen to accept those. One that closes after each answer, beside connections that
    /// last, looks the same.
    pub(super) fn seems_full(&self, used: u64) -> bool {
        let (level, times) = self.turned;
        // Who comes before the first descriptor scan has found the others is counted beside fewer of them.
        let are_few = u64::from(self.strays).saturating_mul(STRAY) <= u64::from(times);
        level >= FEWEST && times >= OFTEN && used >= level && self.served < level && are_few
    }

    /// It closes at once only while it serves so many, and was seen to serve them. A server that closes after each answer does so
    /// with slots free as well; where it was full from the first moment on, the two look the same.
    fn turns_away(&self) -> bool {
        let (level, times) = self.turned;
        let strays = u64::from(self.strays).saturating_mul(STRAY);
        level >= FEWEST
            && times >= OFTEN
            && self.served >= level
            && strays <= self.served.min(u64::from(times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The server accepts a client, serves so many others, and closes at once.
    fn turn_away(learning: &mut Learning, others: u64) -> Option<u64> {
        learning.accepted(0, 0, others + 1);
        learning.turned_away(others);
        learning.slots()
    }

    /// The server accepts so many and serves them.
    fn serving(count: u64) -> Learning {
        let mut learning = Learning::default();
        (1..=count).for_each(|used| learning.accepted(0, 0, used));
        learning
    }

    #[test]
    fn a_server_that_turns_clients_away_shows_its_slots() {
        let mut learning = serving(20);
        for seen in [None, None, Some(20), Some(20)] {
            assert_eq!(turn_away(&mut learning, 20), seen);
        }
        // Two at a time: the first of them is counted beside the second.
        for _ in 0..4 {
            assert_eq!(turn_away(&mut learning, 21), Some(20));
        }
        // More of those than of the others: there are 21, and what seemed to be turned away before was an answer.
        assert_eq!(turn_away(&mut learning, 21), None);
    }

    #[test]
    fn a_server_that_was_full_at_first_sight_shows_nothing() {
        let mut learning = Learning::default();
        (0..100).for_each(|_| assert_eq!(turn_away(&mut learning, 20), None));
        assert_eq!([19, 20, 21].map(|used| learning.seems_full(used)), [false, true, true]);
    }

    #[test]
    fn a_server_may_be_full_at_first_sight() {
        let mut learning = Learning::default();
        // Two come before the others are found; three are not enough yet, for one in four may have come so.
        (0..2).for_each(|_| assert_eq!(turn_away(&mut learning, 0), None));
        let seen: Vec<_> = (0..9)
            .map(|_| {
                turn_away(&mut learning, 20);
                learning.seems_full(20)
            })
            .collect();
        assert_eq!(seen, [[false; 7].as_slice(), &[true; 2]].concat());
        // It serves as many as it is seen to accept: it was not full.
        (1..=20).for_each(|used| learning.accepted(0, 0, used));
        assert!(!learning.seems_full(20));
        // Beside one or two that stay, a server that closes after each answer is the rule.
        let mut beside = Learning::default();
        (0..9).for_each(|_| assert_eq!(turn_away(&mut beside, FEWEST - 1), None));
        assert!(!beside.seems_full(FEWEST - 1));
    }

    #[test]
    fn a_server_that_closes_after_each_answer_shows_nothing() {
        let mut learning = serving(3);
        for others in [0, 1, 0, 2, 2, 2, 1, 0, 2, 0, 0, 2] {
            assert_eq!(turn_away(&mut learning, others), None);
        }
        let mut alone = serving(3);
        (0..9).for_each(|_| assert_eq!(turn_away(&mut alone, 0), None));
    }

    /// A leak beside short visits, which the server ends: hundreds of them at each number of connections, and ever more at the last.
    #[test]
    fn a_leak_beside_answers_shows_nothing() {
        let mut learning = Learning::default();
        for leaked in 0..12 {
            learning.accepted(0, 0, leaked + 1);
            let visits = if leaked == 11 { 100_000 } else { 300 };
            for _ in 0..visits {
                assert_eq!(turn_away(&mut learning, leaked + 1), None);
            }
        }
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
