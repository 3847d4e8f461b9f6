//! Times that can be looked at.

use thiserror::Error;

use crate::service::link::question::{MOST_POINTS, SeriesRange};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A time until now, or one that was chosen, in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// In addresses; empty for one that was chosen.
    pub(super) name: &'static str,
    pub(super) words: &'static str,
    /// Milliseconds of a step, a whole number of minutes.
    pub(super) step: i64,
    pub(super) steps: u32,
    /// Where it begins, if it was chosen: milliseconds since 1970.
    pub(super) begin: Option<i64>,
}

const fn range(name: &'static str, words: &'static str, step: i64, steps: u32) -> Range {
    Range { name, words, step, steps, begin: None }
}

/// The ranges until now, the shortest first.
pub(super) const RANGES: [Range; 6] = [
    range("15m", "15 minutes", MINUTE, 15),
    range("1h", "1 hour", MINUTE, 60),
    range("6h", "6 hours", 5 * MINUTE, 72),
    range("24h", "24 hours", 15 * MINUTE, 96),
    range("7d", "7 days", HOUR, 168),
    range("30d", "30 days", 4 * HOUR, 180),
];

/// Steps of a range that was chosen, the shortest first.
const STEPS: [i64; 7] = [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, DAY, 7 * DAY];
/// There are no more of them than this, unless they would have to be longer than the longest: the 180 of thirty days, and one for what
/// begins and ends within a step.
const USUAL_STEPS: i64 = 181;

/// Why a time cannot be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum RangeError {
    /// No range has this name.
    #[error("there is no range {0:?}; known: {names}", names = RANGES.map(|range| range.name).join(", "))]
    Name(String),
    /// A range by name, and a time that was chosen.
    #[error("range is for a time until now; leave it out, or from and to")]
    Both,
    /// It ends before it begins.
    #[error("from has to be before to, both in milliseconds since 1970")]
    Order,
    /// It has more steps than a chart.
    #[error("from and to are too far apart; choose at most 19 years")]
    Long,
}

impl Range {
    /// The one of that name.
    pub(super) fn named(name: &str) -> Result<Self, RangeError> {
        let found = RANGES.into_iter().find(|range| range.name == name);
        found.ok_or_else(|| RangeError::Name(name.to_owned()))
    }

    /// From then to then, in milliseconds since 1970, widened to whole steps.
    pub(super) fn chosen(from: i64, to: i64) -> Result<Self, RangeError> {
        if from >= to {
            return Err(RangeError::Order);
        }
        let steps_of = |step: i64| {
            let (begin, end) = (from.div_euclid(step), to.saturating_add(step - 1).div_euclid(step));
            (begin.saturating_mul(step), end - begin)
        };
        let fitting = STEPS.into_iter().find(|&step| steps_of(step).1 <= USUAL_STEPS);
        let step = fitting.unwrap_or(STEPS[STEPS.len() - 1]);
        let (begin, steps) = steps_of(step);
        let steps = u32::try_from(steps).ok().filter(|&steps| steps <= MOST_POINTS);
        let steps = steps.ok_or(RangeError::Long)?;
        Ok(Self { begin: Some(begin), ..range("", "the chosen time", step, steps) })
    }

    /// In milliseconds.
    pub(super) const fn length(self) -> i64 {
        self.step * self.steps as i64
    }

    /// The steps whose last one holds `now`, unless they were chosen. They begin at multiples of themselves, so that looking
    /// again does not shift them.
    pub(super) fn series(self, socket: &str, now: i64) -> SeriesRange {
        let to_ms = match self.begin {
            Some(begin) => begin.saturating_add(self.length()),
            None => now.div_euclid(self.step).saturating_add(1).saturating_mul(self.step),
        };
        let from_ms = to_ms.saturating_sub(self.length());
        SeriesRange { socket: socket.to_owned(), from_ms, to_ms, points: self.steps }
    }

    /// As parameters of an address.
    pub(super) fn parameters(self) -> String {
        match self.begin {
            Some(begin) => format!("from={begin}&to={}", begin.saturating_add(self.length())),
            None => format!("range={}", self.name),
        }
    }

    /// The same length, earlier or later by so many halves; and half of it around the middle. Of a range until now as of `now`.
    pub(super) fn beside(self, now: i64) -> [(&'static str, i64, i64); 3] {
        let SeriesRange { from_ms, to_ms, .. } = self.series("", now);
        let length = to_ms - from_ms;
        let (half, quarter) = (length / 2, length / 4);
        [
            ("← earlier", from_ms - half, to_ms - half),
            ("closer", from_ms + quarter, to_ms - quarter),
            ("later →", from_ms + half, to_ms + half),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_326_645_123;

    #[test]
    fn steps_stay_where_they_are() {
        for range in RANGES {
            let series = range.series("/s", NOW);
            assert!(series.from_ms < NOW && NOW < series.to_ms, "{range:?}");
            assert_eq!(series.from_ms.rem_euclid(range.step), 0, "{range:?}");
            assert_eq!(series.to_ms - series.from_ms, range.length());
            assert_eq!(range.step % MINUTE, 0);
            let again = range.series("/s", series.to_ms - 1);
            assert_eq!(again, series);
            assert!(range.steps <= MOST_POINTS);
        }
        assert_eq!(RANGES.map(|range| range.length() / MINUTE), [15, 60, 360, 1440, 10_080, 43_200]);
    }

    #[test]
    fn what_is_chosen_is_widened_to_whole_steps() {
        for (length, step) in
            [(1, MINUTE), (179 * MINUTE, MINUTE), (6 * HOUR, 5 * MINUTE), (30 * DAY, 4 * HOUR)]
        {
            let (from, to) = (NOW - length, NOW);
            let range = Range::chosen(from, to).unwrap();
            let series = range.series("/s", NOW + DAY);
            assert_eq!(range.step, step, "{length}");
            assert!(series.from_ms <= from && from < series.from_ms + step, "{series:?}");
            assert!(series.to_ms - step < to && to <= series.to_ms, "{series:?}");
            assert_eq!(range.parameters(), format!("from={}&to={}", series.from_ms, series.to_ms));
            // What it leads to is itself.
            assert_eq!(Range::chosen(series.from_ms, series.to_ms).unwrap().series("/s", 0), series);
        }
        for (from, to) in [(NOW, NOW), (NOW, NOW - 1), (0, 253_402_300_799_999)] {
            assert!(Range::chosen(from, to).is_err(), "{from} {to}");
        }
    }
}
