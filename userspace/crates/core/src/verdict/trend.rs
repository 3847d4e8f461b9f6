//! Does a number of overdue connections grow as a leak does? From their beginnings alone.

/// They began in so many stretches of time.
const STRETCHES: usize = 3;
/// A longer stretch is tried only while so many remain.
const LONGER: usize = 5;
/// How much longer the stretches of each further try are.
const FACTORS: [u64; 4] = [1, 4, 16, 64];
/// The pause is over when this chance of it is left.
const CHANCE: f64 = 0.01;
/// Laplace's test: a pool that fills slows down.
const SLOWS: f64 = -2.5;

/// The beginnings of overdue connections, ascending, up to a moment: nanoseconds since boot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trend<'a> {
    /// When they began.
    pub(super) began: &'a [u64],
    /// What began later is not overdue yet.
    pub(super) end: u64,
    /// The shortest stretch.
    pub(super) stretch: u64,
}

impl Trend<'_> {
    /// They come on and on, and do not slow down.
    pub(super) fn is_leak(&self) -> bool {
        let finest = stretches(self.began, self.stretch);
        if finest.len() < STRETCHES || slows_down(&finest, self.end) {
            return false;
        }
        FACTORS.iter().any(|&factor| {
            let starts = stretches(self.began, self.stretch.saturating_mul(factor));
            let needed = if factor == 1 { STRETCHES } else { LONGER };
            starts.len() >= needed && goes_on(&starts, self.end)
        })
    }
}

/// The first beginning of each stretch.
fn stretches(began: &[u64], length: u64) -> Vec<u64> {
    let mut starts: Vec<u64> = Vec::new();
    for &at in began {
        if starts.last().is_none_or(|&start| at.saturating_sub(start) >= length.max(1)) {
            starts.push(at);
        }
    }
    starts
}

/// The chance that a process of that rate pauses so long is not small: the predictive distribution of the next gap after
/// n events at an unknown rate.
fn goes_on(starts: &[u64], end: u64) -> bool {
    let (Some(&first), Some(&last)) = (starts.first(), starts.last()) else { return false };
    let (span, idle) = (last.saturating_sub(first).max(1), end.saturating_sub(last));
    let chance = (1.0 + idle as f64 / span as f64).powf(-(starts.len() as f64 - 1.0));
    chance >= CHANCE
}

/// Laplace's trend test: the mean of the beginnings lies early in the time from the first one to the end.
fn slows_down(starts: &[u64], end: u64) -> bool {
    let Some((&first, later)) = starts.split_first() else { return false };
    let window = end.saturating_sub(first) as f64;
    if later.is_empty() || window <= 0.0 {
        return false;
    }
    let count = later.len() as f64;
    let mean = later.iter().map(|&at| (at - first) as f64).sum::<f64>() / count;
    (mean - window / 2.0) / (window / (12.0 * count).sqrt()) < SLOWS
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000_000_000;
    const STRETCH: u64 = 60_000_000_000;

    fn is_leak(began: &[u64], end: u64) -> bool {
        Trend { began, end, stretch: STRETCH }.is_leak()
    }

    fn every(gap: u64, count: u64) -> Vec<u64> {
        (0..count).map(|nth| nth * gap).collect()
    }

    #[test]
    fn three_stretches_make_one() {
        assert!(is_leak(&[0, STRETCH, 2 * STRETCH], 2 * STRETCH));
        assert!(!is_leak(&[0, STRETCH], 2 * STRETCH));
        assert!(!is_leak(&[0, STRETCH, 2 * STRETCH - 1], 2 * STRETCH));
        assert!(!is_leak(&[], 2 * STRETCH));
    }

    /// (1 + idle/span)^-(n-1) is 0.01 at nine spans of three; of ten, the trend test ends it at nineteen hours.
    #[test]
    fn a_pause_ends_it_when_it_is_no_chance_any_more() {
        let three = every(HOUR, 3);
        // The trend test alone would let it go on for longer.
        assert!(is_leak(&three, 2 * HOUR + 4 * HOUR));
        let ten = every(HOUR, 10);
        assert!(is_leak(&ten, 9 * HOUR + 6 * HOUR));
        assert!(is_leak(&ten, 19 * HOUR) && !is_leak(&ten, 20 * HOUR));
    }

    #[test]
    fn storms_hours_apart_go_on() {
        let storms: Vec<u64> =
            (0..7).flat_map(|nth| (0..10).map(move |n| nth * 3 * HOUR + n * STRETCH)).collect();
        let last = *storms.last().expect("there are some");
        assert!(is_leak(&storms, last + HOUR) && is_leak(&storms, last + 3 * HOUR));
        assert!(!is_leak(&storms, last + 40 * HOUR));
    }

    #[test]
    fn what_slows_down_is_no_leak() {
        // Each gap half as long again as the one before.
        let mut began = vec![0];
        let mut gap = STRETCH;
        for _ in 0..16 {
            began.push(began.last().expect("there is one") + gap);
            gap += gap / 2;
        }
        let end = *began.last().expect("there is one");
        assert!(!is_leak(&began, end + gap));
        assert!(is_leak(&every(HOUR, 16), 15 * HOUR + HOUR / 2));
    }
}
