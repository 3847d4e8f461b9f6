//! The slope of a count over time, and when it will reach a limit.

/// Nanoseconds of an hour.
const HOUR: f64 = 3_600e9;

/// Theil and Sen's slope: the median of the slopes between all pairs of points, the lower one of an even number. Up to
/// 29 % of the points may lie anywhere without moving it far. None for fewer than two moments.
pub(super) fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let mut slopes = Vec::with_capacity(points.len() * points.len().saturating_sub(1) / 2);
    for (i, (x, y)) in points.iter().enumerate() {
        let later = points[i + 1..].iter().filter(|(later, _)| later > x);
        slopes.extend(later.map(|(later, high)| (high - y) / (later - x)));
    }
    let middle = slopes.len().checked_sub(1)? / 2;
    let (_, median, _) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
    Some(*median)
}

/// From a growth per nanosecond.
pub(super) fn per_hour(growth: f64) -> f64 {
    growth * HOUR
}

/// Seconds until `used` reaches `limit` with this growth per nanosecond. None if it never does.
pub(super) fn seconds_until_full(used: u64, limit: u64, growth: Option<f64>) -> Option<u64> {
    let Some(free) = limit.checked_sub(used).filter(|&free| free > 0) else { return Some(0) };
    let growth = growth.filter(|&growth| growth > 0.0)?;
    Some((free as f64 / growth / 1e9) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_do_not_bend_the_slope() {
        let line = |outliers: usize| {
            let height = |i: usize| if i < outliers { 1e6 } else { 3.0 * i as f64 };
            (0..40).map(|i| (i as f64, height(i))).collect::<Vec<_>>()
        };
        assert_eq!(slope(&line(0)), Some(3.0));
        assert_eq!(slope(&line(8)), Some(3.0));
        assert_eq!(slope(&[]), None);
        assert_eq!(slope(&[(1.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(slope(&[(0.0, 4.0), (2.0, 3.0)]), Some(-0.5));
        // 0, 0, 1, 1: three of the six pairs rise, and the lower of the two in the middle counts.
        assert_eq!(slope(&[(0.0, 0.0), (1.0, 0.0), (2.0, 1.0), (3.0, 0.0)]), Some(0.0));
    }

    #[test]
    fn time_until_full() {
        let one_a_minute = Some(1.0 / 60e9);
        assert_eq!(seconds_until_full(4, 10, one_a_minute), Some(360));
        assert_eq!(seconds_until_full(10, 10, None), Some(0));
        assert_eq!(seconds_until_full(11, 10, one_a_minute), Some(0));
        assert_eq!(seconds_until_full(4, 10, Some(0.0)), None);
        assert_eq!(seconds_until_full(4, 10, Some(-1.0)), None);
        assert_eq!(seconds_until_full(4, 10, None), None);
        assert_eq!(seconds_until_full(0, u64::MAX, Some(f64::MIN_POSITIVE)), Some(u64::MAX));
        assert_eq!(per_hour(1.0 / 60e9).round(), 60.0);
    }
}
