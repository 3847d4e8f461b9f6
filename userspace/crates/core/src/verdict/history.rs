//! How many connections were old at each moment, in bounded memory.

use std::collections::VecDeque;

/// Nanoseconds of the finest buckets.
const FINEST: u64 = 250_000_000;
/// How many of a level's buckets make one of the next.
const COARSER: u64 = 4;
/// Buckets that a level keeps.
const BUCKETS: u64 = 128;
/// [`History::points`] gives at most so many.
const POINTS: u64 = 128;

/// When connections became old and when they ceased to be, counted in buckets from the start of tracing.
///
/// Several levels, each with buckets four times as wide as the one before: the last level covers the whole trace, the
/// others its latest part, so that what began an hour ago is still seen in detail after a month. Some nine levels, 9
/// KiB, after a month. What was added decides, not its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct History {
    started: u64,
    levels: Vec<Level>,
}

/// Events of a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    joined: u32,
    left: u32,
}

/// Bucket `i` is what happened after `(i - 1) * width` and not after `i * width`, so that sums of buckets are counts at
/// borders.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Level {
    width: u64,
    /// Index of the first bucket that is kept.
    first: u64,
    /// Joined and left before that.
    before: (u64, u64),
    buckets: VecDeque<Counts>,
}

/// Sums at a moment, of everything up to it and including it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    /// The moment, in nanoseconds since boot.
    pub(super) at: u64,
    /// How many had become old.
    pub(super) joined: u64,
    /// How many of those had ceased to be.
    pub(super) left: u64,
}

impl History {
    /// An empty one, if tracing started then.
    pub(super) fn new(started: u64) -> Self {
        Self { started, levels: vec![Level::new(FINEST)] }
    }

    /// When tracing started.
    pub(super) const fn started(&self) -> u64 {
        self.started
    }

    /// Adds a connection that became old at `joined` and was released at `left`, in nanoseconds since boot.
    pub(super) fn add(&mut self, joined: u64, left: u64) {
        self.count(joined, |counts| counts.joined = counts.joined.saturating_add(1));
        self.count(left.max(joined), |counts| counts.left = counts.left.saturating_add(1));
    }

    fn count(&mut self, at: u64, bump: impl Fn(&mut Counts)) {
        let elapsed = at.saturating_sub(self.started);
        while let Some(level) = self.levels.last().filter(|level| level.index(elapsed) >= BUCKETS) {
            let coarser = level.coarser();
            self.levels.push(coarser);
        }
        for level in &mut self.levels {
            level.count(elapsed, &bump);
        }
    }

    /// The sums at moments from the first border at or after `from` to the one at or after `to`, in the finest level
    /// that reaches back so far.
    pub(super) fn points(&self, from: u64, to: u64) -> Vec<Point> {
        let (from, to) = (from.saturating_sub(self.started), to.saturating_sub(self.started));
        let level = self.levels.iter().find(|level| level.reaches(from)).or_else(|| self.levels.last());
        let sums = level.map(|level| level.sums(from, to)).unwrap_or_default();
        let absolute = |(elapsed, joined, left): (u64, _, _)| Point {
            at: self.started.saturating_add(elapsed),
            joined,
            left,
        };
        sums.into_iter().map(absolute).collect()
    }
}

impl Level {
    fn new(width: u64) -> Self {
        Self { width, first: 0, before: (0, 0), buckets: VecDeque::new() }
    }

    fn index(&self, elapsed: u64) -> u64 {
        elapsed.div_ceil(self.width)
    }

    fn reaches(&self, elapsed: u64) -> bool {
        self.index(elapsed) + 1 >= self.first
    }

    /// The next level. Only of one from which nothing has fallen out.
    fn coarser(&self) -> Self {
        let mut coarser = Self::new(self.width.saturating_mul(COARSER));
        for (index, counts) in (0..).zip(&self.buckets) {
            coarser.at(u64::div_ceil(index, COARSER), |sum| {
                sum.joined = sum.joined.saturating_add(counts.joined);
                sum.left = sum.left.saturating_add(counts.left);
            });
        }
        coarser
    }

    fn count(&mut self, elapsed: u64, bump: impl Fn(&mut Counts)) {
        let index = self.index(elapsed);
        let first = (index + 1).saturating_sub(BUCKETS);
        while self.first < first {
            match self.buckets.pop_front() {
                Some(counts) => {
                    self.before = sum(self.before, counts);
                    self.first += 1;
                }
                None => self.first = first,
            }
        }
        if index >= self.first {
            return self.at(index, bump);
        }
        let mut counts = Counts::default();
        bump(&mut counts);
        self.before = sum(self.before, counts);
    }

    /// Changes a bucket that is kept.
    fn at(&mut self, index: u64, change: impl FnOnce(&mut Counts)) {
        // Less than BUCKETS.
        let place = index.saturating_sub(self.first) as usize;
        if place >= self.buckets.len() {
            self.buckets.resize(place + 1, Counts::default());
        }
        if let Some(counts) = self.buckets.get_mut(place) {
            change(counts);
        }
    }

    /// (elapsed, joined, left) at borders, the last one always among them.
    fn sums(&self, from: u64, to: u64) -> Vec<(u64, u64, u64)> {
        let (from, to) = (self.index(from), self.index(to));
        let Some(span) = to.checked_sub(from) else { return Vec::new() };
        let step = span.div_ceil(POINTS - 1).max(1);
        let mut buckets = (self.first..).zip(self.buckets.iter().copied()).peekable();
        let mut total = self.before;
        let border = |index: u64| {
            while let Some((_, counts)) = buckets.next_if(|&(bucket, _)| bucket <= index) {
                total = sum(total, counts);
            }
            (index.saturating_mul(self.width), total.0, total.1)
        };
        (0..=span / step).map(|nth| from + span % step + nth * step).map(border).collect()
    }
}

fn sum((joined, left): (u64, u64), counts: Counts) -> (u64, u64) {
    (joined + u64::from(counts.joined), left + u64::from(counts.left))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const START: u64 = 77;

    /// Joined and left up to a moment, the plain way.
    fn exact(lives: &[(u64, u64)], at: u64) -> (u64, u64) {
        let until = |count: usize| count as u64;
        let joined = lives.iter().filter(|life| START + life.0 <= at).count();
        (until(joined), until(lives.iter().filter(|life| START + life.1 <= at).count()))
    }

    fn filled(lives: &[(u64, u64)]) -> History {
        let mut history = History::new(START);
        for (joined, left) in lives {
            history.add(START + joined, START + left);
        }
        history
    }

    /// Times from milliseconds to months, borders of buckets among them.
    fn lives() -> impl Strategy<Value = Vec<(u64, u64)>> {
        let time = (0..40_000_u64, 0..4_u32).prop_map(|(n, scale)| n * (FINEST / 2) * 8_u64.pow(scale));
        prop::collection::vec((time.clone(), time).prop_map(|(a, b)| (a.min(b), a.max(b))), 0..200)
    }

    proptest! {
        #[test]
        fn sums_at_borders_are_exact(lives in lives(), from in 0..20_000 * SECOND, span in 1..10_000 * SECOND) {
            let history = filled(&lives);
            for (from, to) in [(from, from + span), (0, 40_000_000 * SECOND)] {
                let points = history.points(START + from, START + to);
                prop_assert!(!points.is_empty() && points.len() <= 128);
                prop_assert!(points.last().is_some_and(|last| last.at >= START + to));
                for point in points {
                    prop_assert_eq!((point.joined, point.left), exact(&lives, point.at));
                }
            }
        }

        #[test]
        fn order_does_not_matter((lives, shuffled) in lives().prop_flat_map(|lives| {
            (Just(lives.clone()), Just(lives).prop_shuffle())
        })) {
            prop_assert_eq!(filled(&lives), filled(&shuffled));
        }

        #[test]
        fn memory_is_bounded(lives in lives()) {
            let history = filled(&lives);
            prop_assert!(history.levels.len() <= 10);
            prop_assert!(history.levels.iter().all(|level| level.buckets.len() as u64 <= BUCKETS));
        }
    }

    #[test]
    fn the_latest_part_is_kept_in_detail() {
        let month = 30 * 24 * 3600 * SECOND;
        let mut history = filled(&[(0, SECOND)]);
        history.add(START + month - 8 * SECOND, START + month);
        let points = history.points(START + month - 10 * SECOND, START + month);
        assert_eq!(points.len(), 41);
        assert_eq!(points.iter().filter(|point| point.joined == 1).count(), 8);
        assert_eq!(points.last(), Some(&Point { at: START + month, joined: 2, left: 2 }));
    }

    #[test]
    fn the_end_of_time_is_no_trouble() {
        let mut history = History::new(0);
        history.add(u64::MAX - 1, u64::MAX);
        history.add(0, 1);
        let total = history.points(0, u64::MAX).last().map(|point| (point.joined, point.left));
        assert_eq!(total, Some((2, 2)));
    }
}
