//! How long connections lived: a histogram of bounded size.

/// Durations, kept to within 1/32 of their value: 16 buckets for each power of two, at most 976 in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of the buckets from `first` on, how many each has. Lifetimes of a program lie close together, and one is added for
    /// every connection: a search tree took a fifth of a replay.
    buckets: Vec<u64>,
    first: u16,
    count: u64,
}

/// Bits of a duration that a bucket tells apart.
const BITS: u32 = 4;

impl Lifetimes {
    /// Adds a duration.
    pub fn add(&mut self, duration: u64) {
        let bucket = bucket(duration);
        self.reach(bucket);
        if let Some(count) = self.buckets.get_mut(usize::from(bucket - self.first)) {
            *count += 1;
        }
        self.count += 1;
    }

    /// Makes room for a bucket, and for those between it and the others.
    fn reach(&mut self, bucket: u16) {
        if self.buckets.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            let missing = std::iter::repeat_n(0, usize::from(self.first - bucket));
            self.buckets.splice(0..0, missing);
            self.first = bucket;
        }
        let length = usize::from(bucket - self.first) + 1;
        if self.buckets.len() < length {
            self.buckets.resize(length, 0);
        }
    }

    /// Adds all of another's.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, &count) in (other.first..).zip(&other.buckets).filter(|(_, count)| **count > 0) {
            self.reach(bucket);
            if let Some(own) = self.buckets.get_mut(usize::from(bucket - self.first)) {
                *own += count;
            }
        }
        self.count += other.count;
    }

    /// Durations in nanoseconds, to within 1/32, the shortest first, and how many there are of each.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        let counted = (self.first..).zip(&self.buckets).filter(|(_, count)| **count > 0);
        counted.map(|(bucket, &count)| (middle(bucket), count))
    }

    /// How many were added.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The duration that `percent` of all do not exceed. None if there are none.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let rank = (u128::from(self.count) * u128::from(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        let found = (self.first..).zip(&self.buckets).find(|(_, count)| {
            seen += u128::from(**count);
            seen >= rank
        });
        found.map(|(bucket, _)| middle(bucket))
    }
}

/// Bucket of a duration: its highest bit's place, and the bits after that.
fn bucket(duration: u64) -> u16 {
    let shift = (u64::BITS - duration.leading_zeros()).saturating_sub(BITS + 1);
    // The shift is at most 59 and what is left below 32: this fits.
    (shift << BITS) as u16 + (duration >> shift) as u16
}

/// The middle of a bucket's durations.
fn middle(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    let shift = (bucket >> BITS).saturating_sub(1);
    let low = (bucket - (shift << BITS)) << shift;
    low + ((1 << shift) - 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_kept_to_a_32nd() {
        for duration in (0..64).chain((5..64).flat_map(|bit| {
            let power = 1_u64 << bit;
            [power - 1, power, power + power / 3, power + (power - 1)]
        })) {
            let kept = middle(bucket(duration));
            assert!(kept.abs_diff(duration) <= duration / 32, "{duration} was kept as {kept}");
        }
        assert!(bucket(u64::MAX) < 976);
    }

    #[test]
    fn percentiles_are_ranks() {
        let mut lifetimes = Lifetimes::default();
        assert_eq!(lifetimes.percentile(50), None);
        for duration in (1..=10).rev() {
            lifetimes.add(duration);
        }
        let percentiles = [0, 1, 10, 11, 50, 51, 99, 100].map(|percent| lifetimes.percentile(percent));
        assert_eq!(percentiles, [1, 1, 1, 2, 5, 6, 10, 10].map(Some));
    }
}
