//! How long the connections of a program last that it closes itself.

use super::facts::Ending;

/// Moments that are kept: those of the longest lives.
const MOMENTS: usize = 32;
/// Nanoseconds within which releases belong together.
const TOGETHER: u64 = 1_000_000_000;
/// So many ends that one process releases together are its stop, not its habit.
const STOP: u32 = 3;
/// The natural age is so many times the longest life.
const MARGIN: u64 = 2;

/// The longest lives of a program's closed connections, in bounded memory: at most 1 KiB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lasting {
    /// The longest life first.
    moments: Vec<Moment>,
}

/// Ends that a process released within one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment {
    longest: u64,
    second: u64,
    process: u64,
    is_exit: bool,
    count: u32,
}

impl Lasting {
    /// Takes in a release at `at` (nanoseconds since boot) after `life` nanoseconds.
    pub(super) fn add(&mut self, at: u64, life: u64, process: u64, ending: Ending) {
        let is_exit = match ending {
            Ending::Closed => false,
            Ending::Ended => true,
            Ending::ByAnother | Ending::Unseen => return,
        };
        let second = at / TOGETHER;
        let is_same = |it: &Moment| (it.second, it.process, it.is_exit) == (second, process, is_exit);
        match self.moments.iter_mut().find(|it| is_same(it)) {
            Some(moment) => {
                moment.count = moment.count.saturating_add(1);
                moment.longest = moment.longest.max(life);
            }
            None => self.moments.push(Moment { longest: life, second, process, is_exit, count: 1 }),
        }
        let key = |it: &Moment| (it.longest, it.second, it.process, it.is_exit);
        self.moments.sort_unstable_by_key(|it| std::cmp::Reverse(key(it)));
        self.moments.truncate(MOMENTS);
    }

    /// The age, in nanoseconds, from which a connection has outlasted all that the program was seen to end.
    ///
    /// `is_present` says of a process whether it holds connections now: a process that released several together and holds
    /// none now has stopped. Exits count only for a program that closes nothing itself.
    pub(super) fn natural_age(
        &self,
        leak_age: u64,
        closes_itself: bool,
        is_present: impl Fn(u64) -> bool,
    ) -> u64 {
        let is_stop =
            |it: &Moment| it.count >= STOP && (it.is_exit || (it.process != 0 && !is_present(it.process)));
        let is_left_out = |it: &Moment| is_stop(it) || (it.is_exit && closes_itself);
        let longest = self.moments.iter().find(|it| !is_left_out(it)).map_or(0, |it| it.longest);
        leak_age.max(longest.saturating_mul(MARGIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const AGE: u64 = 60 * SECOND;

    fn age(releases: &[(u64, u64, u64, Ending)], closes_itself: bool, present: u64) -> u64 {
        let mut lasting = Lasting::default();
        for &(at, life, process, ending) in releases {
            lasting.add(at * SECOND, life * SECOND, process, ending);
        }
        lasting.natural_age(AGE, closes_itself, |process| process == present) / SECOND
    }

    #[test]
    fn twice_the_longest_life_that_the_program_ended() {
        let closed = Ending::Closed;
        assert_eq!(age(&[], true, 7), 60);
        assert_eq!(age(&[(100, 30, 7, closed)], true, 7), 60);
        assert_eq!(age(&[(100, 31, 7, closed)], true, 7), 62);
        assert_eq!(age(&[(100, 90, 7, closed), (200, 40, 7, closed)], true, 7), 180);
        // Another process let go, or it was not seen who did.
        assert_eq!(age(&[(100, 90, 7, Ending::ByAnother), (100, 90, 7, Ending::Unseen)], true, 7), 60);
    }

    #[test]
    fn an_exit_counts_for_who_closes_nothing() {
        let exit = (100, 90, 7, Ending::Ended);
        assert_eq!((age(&[exit], true, 7), age(&[exit], false, 7)), (60, 180));
        // Three at once: the end of the process, whatever it held.
        assert_eq!((age(&[exit; 2], false, 7), age(&[exit; 3], false, 7)), (180, 60));
    }

    #[test]
    fn a_stop_in_order_is_no_habit() {
        let close = (100, 90, 7, Ending::Closed);
        // The process is still there: it closes its connections when their work is done.
        assert_eq!((age(&[close; 3], true, 7), age(&[close; 3], true, 8)), (180, 60));
        assert_eq!(age(&[close; 2], true, 8), 180);
        assert_eq!(age(&[close, close, (101, 90, 7, Ending::Closed)], true, 8), 180);
    }

    #[test]
    fn memory_is_bounded_and_the_longest_stay() {
        let many: Vec<_> = (0..500).map(|nth| (nth * 10, 100 + nth, 7, Ending::Closed)).collect();
        assert_eq!(age(&many, true, 7), 2 * 599);
        let mut lasting = Lasting::default();
        for (at, life, process, ending) in many {
            lasting.add(at * SECOND, life, process, ending);
        }
        assert_eq!(lasting.moments.len(), MOMENTS);
    }
}
