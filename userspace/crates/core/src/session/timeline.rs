//! How many slots were in use over time, in bounded memory.

/// Buckets that are kept at most.
const BUCKETS: u64 = 512;
/// Nanoseconds of a bucket while tracing is young.
const FINEST: u64 = 10_000_000;

/// A number over time, in buckets from the start of tracing. When they are too many, two become one: a timeline of any
/// length takes at most 8 KiB. What a bucket keeps is exact all the same, so that the timelines of programs add up to
/// their socket's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    started: u64,
    width: u64,
    buckets: Vec<Bucket>,
    value: u64,
    /// Up to when the buckets are filled: nanoseconds since the start.
    filled: u64,
    /// The bucket that this is in, where it ends, and what is in it: most changes fall into the one of the last, and there are
    /// too many timelines for the buckets of all to be in the processor's cache.
    current: u64,
    border: u64,
    open: Bucket,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bucket {
    /// The number times the nanoseconds for which it was that.
    area: u64,
    highest: u64,
}

/// What the number was from one moment to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// Nanoseconds since tracing started.
    pub from: u64,
    /// And up to there.
    pub to: u64,
    /// Its average over that time.
    pub average: f64,
    /// The highest that it was, if only for a moment.
    pub highest: u64,
}

impl Timeline {
    /// Of 0, if tracing started then: nanoseconds since boot.
    #[must_use]
    pub const fn new(started: u64) -> Self {
        Self {
            started,
            width: FINEST,
            buckets: Vec::new(),
            value: 0,
            filled: 0,
            current: 0,
            border: FINEST,
            open: Bucket { area: 0, highest: 0 },
        }
    }

    /// The number is this from then on: nanoseconds since boot. Times do not go back; one that does counts as the last.
    pub fn set(&mut self, at: u64, value: u64) {
        self.fill(at);
        self.value = value;
        self.open.highest = self.open.highest.max(value);
    }

    /// What it was, up to a moment: nanoseconds since boot. Timelines of the same start have the same stretches.
    #[must_use]
    pub fn stretches(&self, now: u64) -> Vec<Stretch> {
        let mut whole = self.clone();
        whole.fill(now);
        whole.put_back();
        let end = now.saturating_sub(whole.started);
        let buckets = whole.buckets.iter().copied().chain(std::iter::repeat(Bucket::default()));
        (0..end.div_ceil(whole.width))
            .zip(buckets)
            .map(|(index, bucket)| {
                let from = index * whole.width;
                let to = from.saturating_add(whole.width).min(end);
                let average = bucket.area as f64 / (to - from) as f64;
                Stretch { from, to, average, highest: bucket.highest }
            })
            .collect()
    }

    /// Adds another timeline of the same start, whose number is 0, up to a moment: nanoseconds since boot. Where both had
    /// something in a bucket, the highest of the sum is not known, but that it was at least the higher one.
    pub fn absorb(&mut self, other: &Self, now: u64) {
        let mut other = other.clone();
        other.fill(now);
        self.fill(now);
        while self.width < other.width {
            self.widen();
        }
        while other.width < self.width {
            other.widen();
        }
        other.put_back();
        self.put_back();
        // What was in the open one is in its bucket now.
        self.open = Bucket::default();
        for (index, more) in (0..).zip(&other.buckets) {
            let own = self.bucket(index);
            own.area = own.area.saturating_add(more.area);
            own.highest = own.highest.max(more.highest);
        }
        self.enter(self.filled / self.width);
    }

    /// The number stayed as it is until then.
    fn fill(&mut self, at: u64) {
        let until = at.saturating_sub(self.started);
        if until >= self.border {
            while until / self.width >= BUCKETS {
                self.widen();
            }
            while self.value > 0 && self.border <= until && self.filled < until {
                self.stay(self.border);
                self.enter(self.current + 1);
            }
            self.stay(until);
            self.enter(self.filled / self.width);
        } else {
            self.stay(until);
        }
    }

    /// Within a bucket.
    fn stay(&mut self, until: u64) {
        let Some(lasted) = until.checked_sub(self.filled).filter(|&lasted| lasted > 0) else { return };
        self.filled = until;
        self.open.area = self.open.area.saturating_add(self.value.saturating_mul(lasted));
        self.open.highest = self.open.highest.max(self.value);
    }

    fn enter(&mut self, index: u64) {
        self.put_back();
        self.current = index;
        self.border = (index + 1).saturating_mul(self.width);
        self.open = self.buckets.get(index as usize).copied().unwrap_or_default();
    }

    /// The buckets are complete then. Those that nothing was in are left out at the end.
    fn put_back(&mut self) {
        if self.open != Bucket::default() {
            *self.bucket(self.current) = self.open;
        }
    }

    /// Makes one bucket of two.
    fn widen(&mut self) {
        self.put_back();
        let pairs = self.buckets.chunks(2).map(|pair| Bucket {
            area: pair.iter().fold(0, |sum: u64, bucket| sum.saturating_add(bucket.area)),
            highest: pair.iter().map(|bucket| bucket.highest).max().unwrap_or_default(),
        });
        self.buckets = pairs.collect();
        self.width = self.width.saturating_mul(2);
        // What was in the open one is in its pair now.
        self.open = Bucket::default();
        self.enter(self.filled / self.width);
    }

    fn bucket(&mut self, index: u64) -> &mut Bucket {
        // Less than BUCKETS: who asks has made room.
        let index = index.min(BUCKETS - 1) as usize;
        if index >= self.buckets.len() {
            self.buckets.resize(index + 1, Bucket::default());
        }
        &mut self.buckets[index]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: u64 = 77;

    /// The area under the number up to a moment, the plain way.
    fn area(steps: &[(u64, u64)], until: u64) -> u128 {
        let ends = steps.iter().skip(1).map(|step| step.0).chain([u64::MAX]);
        let lasted = steps
            .iter()
            .zip(ends)
            .map(|(&(from, value), to)| u128::from(value) * u128::from(to.min(until).saturating_sub(from)));
        lasted.sum()
    }

    fn filled(steps: &[(u64, u64)]) -> Timeline {
        let mut timeline = Timeline::new(START);
        steps.iter().for_each(|&(at, value)| timeline.set(START + at, value));
        timeline
    }

    fn steps() -> impl Strategy<Value = Vec<(u64, u64)>> {
        let time = (0..10_000_u64, 0..6_u32).prop_map(|(n, scale)| n * (FINEST / 4) * 8_u64.pow(scale));
        prop::collection::vec((time, 0..20_u64), 0..60).prop_map(|mut steps| {
            steps.sort_unstable();
            steps
        })
    }

    proptest! {
        #[test]
        fn nothing_is_lost_by_widening(steps in steps(), more in 0..1_000_000 * FINEST) {
            let end = steps.last().map_or(0, |last| last.0) + more;
            let stretches = filled(&steps).stretches(START + end);
            prop_assert!(stretches.len() as u64 <= BUCKETS);
            let mut sum = 0.0;
            let mut before = 0;
            for stretch in &stretches {
                prop_assert_eq!(stretch.from, before);
                prop_assert!(stretch.average <= stretch.highest as f64 + 1e-9);
                before = stretch.to;
                sum += stretch.average * (stretch.to - stretch.from) as f64;
            }
            prop_assert_eq!(before, end);
            let exact = area(&steps, end) as f64;
            prop_assert!((sum - exact).abs() <= exact * 1e-9, "{} is not {}", sum, exact);
        }

        #[test]
        fn all_have_the_same_stretches(one in steps(), other in steps(), more in 0..1_000_000 * FINEST) {
            let last = |steps: &[(u64, u64)]| steps.last().map_or(0, |last| last.0);
            let end = START + last(&one).max(last(&other)) + more;
            let borders = |steps: &[(u64, u64)]| -> Vec<_> {
                filled(steps).stretches(end).iter().map(|it| (it.from, it.to)).collect()
            };
            prop_assert_eq!(borders(&one), borders(&other));
        }
    }

    proptest! {
        #[test]
        fn two_become_one(one in steps(), other in steps(), more in 0..1_000_000 * FINEST) {
            let last = |steps: &[(u64, u64)]| steps.last().map_or(0, |last| last.0);
            let end = last(&one).max(last(&other)) + more;
            let mut both = filled(&one);
            let mut ended = other.clone();
            ended.push((last(&other), 0));
            both.absorb(&filled(&ended), START + end);
            // It goes on as the first would.
            let then = end + 1000 * FINEST;
            let sum: f64 = both.stretches(START + then).iter().map(|it| it.average * (it.to - it.from) as f64).sum();
            let exact = area(&one, then) as f64 + area(&ended, then) as f64;
            prop_assert!((sum - exact).abs() <= exact * 1e-9, "{} is not {}", sum, exact);
        }
    }

    #[test]
    fn a_moment_is_seen_however_short() {
        let mut timeline = filled(&[(0, 1), (1_000 * FINEST, 9), (1_000 * FINEST + 1, 1)]);
        let highest = |timeline: &Timeline| {
            timeline.stretches(START + 9_000 * FINEST).iter().map(|it| it.highest).max()
        };
        assert_eq!(highest(&timeline), Some(9));
        // Of no length at all.
        timeline.set(START + 2_000 * FINEST, 12);
        timeline.set(START + 2_000 * FINEST, 1);
        assert_eq!(highest(&timeline), Some(12));
    }

    #[test]
    fn memory_is_bounded_and_the_end_of_time_is_no_trouble() {
        let mut timeline = Timeline::new(0);
        for step in 0..64 {
            timeline.set(1 << step, step);
        }
        timeline.set(u64::MAX, 3);
        assert!(timeline.buckets.len() as u64 <= BUCKETS);
        assert!(timeline.stretches(u64::MAX).len() as u64 <= BUCKETS);
        assert!(Timeline::new(5).stretches(5).is_empty());
        // A clock that goes back.
        timeline.set(7, 4);
        assert_eq!(timeline.value, 4);
    }
}
