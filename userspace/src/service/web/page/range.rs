//! Times that can be looked at.

use crate::service::link::question::SeriesRange;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// A time until now, in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// In addresses.
    pub(super) name: &'static str,
    pub(super) words: &'static str,
    /// Milliseconds of a step, a whole number of minutes.
    pub(super) step: i64,
    pub(super) steps: u32,
}

const fn range(name: &'static str, words: &'static str, step: i64, steps: u32) -> Range {
    Range { name, words, step, steps }
}

/// The ranges, the shortest first.
pub(super) const RANGES: [Range; 6] = [
    range("15m", "15 minutes", MINUTE, 15),
    range("1h", "1 hour", MINUTE, 60),
    range("6h", "6 hours", 5 * MINUTE, 72),
    range("24h", "24 hours", 15 * MINUTE, 96),
    range("7d", "7 days", HOUR, 168),
    range("30d", "30 days", 4 * HOUR, 180),
];

impl Range {
    /// In milliseconds.
    pub(super) const fn length(self) -> i64 {
        self.step * self.steps as i64
    }

    /// The steps whose last one holds `now`. They begin at multiples of themselves, so that looking again does not shift them.
    pub(super) fn series(self, socket: &str, now: i64) -> SeriesRange {
        let to_ms = now.div_euclid(self.step).saturating_add(1).saturating_mul(self.step);
        let from_ms = to_ms.saturating_sub(self.length());
        SeriesRange { socket: socket.to_owned(), from_ms, to_ms, points: self.steps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_stay_where_they_are() {
        for range in RANGES {
            let now = 1_767_326_645_123;
            let series = range.series("/s", now);
            assert!(series.from_ms < now && now < series.to_ms, "{range:?}");
            assert_eq!(series.from_ms.rem_euclid(range.step), 0, "{range:?}");
            assert_eq!(series.to_ms - series.from_ms, range.length());
            assert_eq!(range.step % MINUTE, 0);
            let again = range.series("/s", series.to_ms - 1);
            assert_eq!(again, series);
            assert!(range.steps <= crate::service::link::question::MOST_POINTS);
        }
        assert_eq!(RANGES.map(|range| range.length() / MINUTE), [15, 60, 360, 1440, 10_080, 43_200]);
    }
}
