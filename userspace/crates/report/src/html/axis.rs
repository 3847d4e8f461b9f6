//! Axes: ticks where a reader expects them.

/// Seconds between ticks of an axis of time.
const STEPS: [f64; 27] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0,
    300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0,
];

/// Where the ticks are in a time of so many nanoseconds, in nanoseconds, and what they say. At most `most` besides 0.
pub(super) fn times(length: u64, most: u32) -> Vec<(u64, String)> {
    let seconds = length as f64 / 1e9;
    let fits = |step: &f64| seconds / step <= f64::from(most);
    // Days, when hours are too many.
    let days = || (1..).map(|exponent| 86_400.0 * f64::powi(2.0, exponent)).find(|step| fits(step));
    let Some(step) = STEPS.into_iter().find(|step| fits(step)).or_else(days) else { return Vec::new() };
    (0..=most)
        .map(|nth| f64::from(nth) * step)
        .filter(|&at| at <= seconds)
        .map(|at| ((at * 1e9).round() as u64, label(at)))
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
