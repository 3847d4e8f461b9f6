//! Axes: ticks where a reader expects them.

use sockleak_core::time::Clock;

/// Seconds between ticks of an axis of time.
const STEPS: [f64; 27] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0,
    300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0,
];

/// Where the ticks are in a time of so many nanoseconds, in nanoseconds, and what they say. At most `most` besides 0.
pub(super) fn times(length: u64, most: u32) -> Vec<(u64, String)> {
    let seconds = length as f64 / 1e9;
    let Some(step) = step(seconds, most) else { return Vec::new() };
    (0..=most)
        .map(|nth| f64::from(nth) * step)
        .filter(|&at| at <= seconds)
        .map(|at| ((at * 1e9).round() as u64, label(at)))
        .collect()
}

/// Seconds between ticks, so that there are at most `most` besides the first.
fn step(seconds: f64, most: u32) -> Option<f64> {
    let fits = |step: &f64| seconds / step <= f64::from(most);
    // Days, when hours are too many.
    let days = || (1..).map(|exponent| 86_400.0 * f64::powi(2.0, exponent)).find(|step| fits(step));
    STEPS.into_iter().find(|step| fits(step)).or_else(days)
}

/// A tick at a moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Milliseconds since 1970.
    pub(super) at: i64,
    /// How exactly it is told: `clock`, `minute` or `day`.
    pub(super) form: &'static str,
    /// The same in UTC: `12:30:05`, `12:30`, `01-31`.
    pub(super) label: String,
}

/// Round moments in UTC within so many milliseconds from `begin` (milliseconds since 1970), at most `most` and one.
pub(super) fn moments(begin: i64, length: i64, most: u32) -> Vec<Moment> {
    let Some(step) = step(length as f64 / 1e3, most) else { return Vec::new() };
    let step = ((step * 1e3) as i64).max(1);
    let (form, part) = match step {
        ..60_000 => ("clock", 11..19),
        60_000..86_400_000 => ("minute", 11..16),
        _ => ("day", 5..10),
    };
    let first = begin.saturating_add(step - 1).div_euclid(step).saturating_mul(step);
    let clock = Clock::utc(0);
    (0..=i64::from(most))
        .map_while(|nth| first.checked_add(nth.checked_mul(step)?))
        .take_while(|&at| at <= begin.saturating_add(length))
        .map(|at| {
            let written = clock.rfc3339(u64::try_from(at).unwrap_or(0).saturating_mul(1_000_000));
            Moment { at, form, label: written.get(part.clone()).unwrap_or_default().to_owned() }
        })
        .collect()
}

/// A round time in the units that make sense: `0`, `20 ms`, `30 s`, `1 h 30 min`, `2 d`.
pub(super) fn label(seconds: f64) -> String {
    if seconds == 0.0 {
        return "0".to_owned();
    }
    if seconds < 0.001 {
        return format!("{:.0} µs", seconds * 1e6);
    }
    if seconds < 1.0 {
        return format!("{:.0} ms", seconds * 1e3);
    }
    let tenths = (seconds * 10.0).round() as u64;
    if !tenths.is_multiple_of(10) && tenths < 600 {
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    let whole = seconds.round() as u64;
    let units = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];
    let mut rest = whole;
    let mut parts = Vec::new();
    for (unit, length) in units {
        if rest >= length {
            parts.push(format!("{} {unit}", rest / length));
            rest %= length;
        }
    }
    parts.join(" ")
}

/// Where the ticks are of an axis of counts up to `highest`: round numbers, at most six.
pub(super) fn counts(highest: u64) -> Vec<u64> {
    let step = (0..19)
        .flat_map(|exponent| [1, 2, 5].map(|digit| 10_u64.pow(exponent).saturating_mul(digit)))
        .find(|step| highest / step <= 5)
        .unwrap_or(u64::MAX);
    (0..=highest / step).map(|nth| nth * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_round_ticks() {
        let second = 1_000_000_000.0;
        for (seconds, expected) in [
            (0.0, &["0"][..]),
            (0.25, &["0", "50 ms", "100 ms", "150 ms", "200 ms", "250 ms"]),
            (3.8, &["0", "500 ms", "1 s", "1.5 s", "2 s", "2.5 s", "3 s", "3.5 s"]),
            (14.1, &["0", "2 s", "4 s", "6 s", "8 s", "10 s", "12 s", "14 s"]),
            (90.0, &["0", "15 s", "30 s", "45 s", "1 min", "1 min 15 s", "1 min 30 s"]),
            (3600.0, &["0", "10 min", "20 min", "30 min", "40 min", "50 min", "1 h"]),
            (3.0 * 3600.0, &["0", "30 min", "1 h", "1 h 30 min", "2 h", "2 h 30 min", "3 h"]),
            (30.0 * 86_400.0, &["0", "4 d", "8 d", "12 d", "16 d", "20 d", "24 d", "28 d"]),
        ] {
            let ticks = times((seconds * second) as u64, 8);
            let labels: Vec<_> = ticks.iter().map(|(_, label)| label.as_str()).collect();
            assert_eq!(labels, expected, "{seconds} s");
            assert!(ticks.iter().all(|(at, _)| *at as f64 <= seconds * second));
        }
        assert!(times(u64::MAX, 8).len() <= 9);
    }

    #[test]
    fn moments_are_round_in_utc() {
        const BEGIN: i64 = 1_767_323_445_000; // 2026-01-02 03:10:45
        let labels = |seconds: i64| {
            let moments = moments(BEGIN, seconds * 1000, 8);
            assert!(moments.iter().all(|it| (BEGIN..=BEGIN + seconds * 1000).contains(&it.at)));
            let form = moments.first().map(|it| it.form).unwrap_or_default();
            (form, moments.into_iter().map(|it| it.label).collect::<Vec<_>>().join(" "))
        };
        for (seconds, form, expected) in [
            (30, "clock", "03:10:45 03:10:50 03:10:55 03:11:00 03:11:05 03:11:10 03:11:15"),
            (3600, "minute", "03:20 03:30 03:40 03:50 04:00 04:10"),
            (86_400, "minute", "06:00 09:00 12:00 15:00 18:00 21:00 00:00 03:00"),
            (30 * 86_400, "day", "01-03 01-07 01-11 01-15 01-19 01-23 01-27 01-31"),
        ] {
            assert_eq!(labels(seconds), (form, expected.to_owned()), "{seconds} s");
        }
        assert!(moments(i64::MAX - 5, i64::MAX, 8).len() <= 9);
        assert!(moments(0, 0, 8).len() <= 1);
    }

    #[test]
    fn counts_have_round_ticks() {
        for (highest, expected) in [
            (0, &[0][..]),
            (1, &[0, 1]),
            (5, &[0, 1, 2, 3, 4, 5]),
            (11, &[0, 2, 4, 6, 8, 10]),
            (10, &[0, 2, 4, 6, 8, 10]),
            (1234, &[0, 500, 1000]),
        ] {
            assert_eq!(counts(highest), expected, "{highest}");
        }
        assert!(counts(u64::MAX).len() <= 6);
    }

    #[test]
    fn moments_are_labelled_in_units() {
        for (seconds, expected) in [(0.0003, "300 µs"), (0.03, "30 ms"), (10_800.0, "3 h"), (86_400.0, "1 d")]
        {
            assert_eq!(label(seconds), expected);
        }
    }
}
