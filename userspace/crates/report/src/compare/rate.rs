//! How sure a rate of growth is.

use serde::Serialize;

/// Of a normal distribution, 95 % lie within so many standard deviations.
const DEVIATIONS: f64 = 1.96;
/// The variance of a slope that least squares fit to a count of random arrivals, over that of their number itself.
const FITTED: f64 = 1.2;

/// How many more an hour, and between which limits that lies with a probability of 95 %, if connections are kept independently of
/// each other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// More an hour.
    pub per_hour: f64,
    /// The lower limit.
    pub low: f64,
    /// The upper one.
    pub high: f64,
}

/// Which of two rates is greater, if their limits tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trend {
    /// The second is greater.
    Faster,
    /// The second is smaller.
    Slower,
    /// They differ by no more than chance explains.
    NoDifference,
}

impl Rate {
    /// A rate that was seen on `count` connections. None if it is not positive, or nothing was counted.
    #[must_use]
    pub fn new(per_hour: f64, count: u64) -> Option<Self> {
        let effective = count as f64 / FITTED;
        let is_rate = per_hour.is_finite() && per_hour > 0.0 && count > 0;
        is_rate.then(|| Self {
            per_hour,
            low: per_hour * quantile(2.0 * effective, -DEVIATIONS) / (2.0 * effective),
            high: per_hour * quantile(2.0 * (effective + 1.0), DEVIATIONS) / (2.0 * effective),
        })
    }

    /// What became of a rate. `counts` are the connections that the two were seen on.
    #[must_use]
    pub fn trend(before: Self, after: Self, counts: (u64, u64)) -> Trend {
        let variance = FITTED / (counts.0.max(1) as f64) + FITTED / (counts.1.max(1) as f64);
        let distance = (after.per_hour / before.per_hour).ln() / variance.sqrt();
        match distance {
            distance if distance > DEVIATIONS => Trend::Faster,
            distance if distance < -DEVIATIONS => Trend::Slower,
            _ => Trend::NoDifference,
        }
    }
}

/// The quantile of a chi-squared distribution, after Wilson and Hilferty: within 2 % from two degrees of freedom on.
fn quantile(degrees: f64, deviations: f64) -> f64 {
    let part = 2.0 / (9.0 * degrees);
    degrees * (1.0 - part + deviations * part.sqrt()).max(0.0).powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_a_count() {
        // Tables have 0.051 to 7.378 for two degrees of freedom, and 10.85 to 31.41 at 5 % to 95 % for 20.
        assert!((quantile(20.0, 1.645) - 31.41).abs() < 0.1 && (quantile(20.0, -1.645) - 10.85).abs() < 0.1);
        assert!((quantile(2.0, 1.96) - 7.378).abs() < 0.15);
        let few = Rate::new(100.0, 4).unwrap();
        let many = Rate::new(100.0, 400).unwrap();
        assert!(few.low > 10.0 && few.low < 40.0 && few.high > 220.0 && few.high < 330.0, "{few:?}");
        assert!(many.low > 88.0 && many.low < 92.0 && many.high > 109.0 && many.high < 114.0, "{many:?}");
        for none in [Rate::new(0.0, 4), Rate::new(-1.0, 4), Rate::new(5.0, 0), Rate::new(f64::NAN, 4)] {
            assert_eq!(none, None);
        }
    }

    #[test]
    fn a_difference_has_to_stand_out() {
        let rate = |per_hour| Rate::new(per_hour, 10).unwrap();
        let trend = |before, after, count| Rate::trend(rate(before), rate(after), (count, count));
        assert_eq!(trend(10.0, 20.0, 10), Trend::NoDifference);
        assert_eq!(trend(10.0, 20.0, 100), Trend::Faster);
        assert_eq!(trend(20.0, 10.0, 100), Trend::Slower);
    }
}
