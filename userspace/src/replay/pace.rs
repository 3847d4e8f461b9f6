//! Which moment of a recording it is after so much time, and when a moment is due.

use std::{fmt, str::FromStr, time::Duration};

/// How many times as fast as it happened; at most a million.
const FASTEST: f64 = 1e6;

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// All of it at once.
    AtOnce,
    /// So many times as fast as it happened.
    Times(f64),
}

impl FromStr for Speed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const REMEDY: &str = "write how many times as fast, for example 10 or 0.5, or max for all at once";
        if text == "max" {
            return Ok(Self::AtOnce);
        }
        match text.parse() {
            Ok(times) if (1.0 / FASTEST..=FASTEST).contains(&times) => Ok(Self::Times(times)),
            _ => Err(REMEDY),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtOnce => f.write_str("at once"),
            Self::Times(1.0) => f.write_str("at its own pace"),
            Self::Times(times) => write!(f, "at {times} times its pace"),
        }
    }
}

/// From one moment of a recording to another, at a speed. Moments are nanoseconds since boot, of the host that was recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    speed: Speed,
    from: u64,
    to: u64,
    /// When `from` was reached: the time since the replay began.
    since: Duration,
    is_paused: bool,
}

impl Pace {
    /// Up to `from` everything is due at once.
    #[must_use]
    pub fn new(speed: Speed, from: u64, to: u64) -> Self {
        let from = if speed == Speed::AtOnce { to } else { from.min(to) };
        Self { speed, from, to, since: Duration::ZERO, is_paused: false }
    }

    /// From another moment, or at another speed, from now on.
    #[must_use]
    pub fn changed(&self, speed: Speed, from: u64, is_paused: bool, now: Duration) -> Self {
        Self { since: now, is_paused, ..Self::new(speed, from, self.to) }
    }

    /// How fast it is played when it is not paused.
    #[must_use]
    pub const fn speed(&self) -> Speed {
        self.speed
    }

    /// It stays where it is.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// How fast it goes on now: in millionths, and at most as fast as a number can say.
    #[must_use]
    pub const fn millionths(&self) -> u64 {
        match self.speed {
            Speed::Times(_) if self.is_paused => 0,
            Speed::AtOnce => u64::MAX,
            Speed::Times(times) => (times * 1e6) as u64,
        }
    }

    /// Where it begins.
    #[must_use]
    pub const fn from(&self) -> u64 {
        self.from
    }

    /// Where it ends.
    #[must_use]
    pub const fn to(&self) -> u64 {
        self.to
    }

    /// The moment after so much time.
    #[must_use]
    pub fn moment(&self, elapsed: Duration) -> u64 {
        match self.speed {
            Speed::AtOnce => self.to,
            Speed::Times(_) if self.is_paused => self.from,
            Speed::Times(times) => {
                let elapsed = elapsed.saturating_sub(self.since);
                let played = elapsed.as_secs_f64() * times * 1e9;
                self.from.saturating_add(played as u64).min(self.to)
            }
        }
    }

    /// After how much time a moment is due. What is later than the end is due at the end.
    #[must_use]
    pub fn due(&self, moment: u64) -> Duration {
        match self.speed {
            Speed::AtOnce => Duration::ZERO,
            Speed::Times(_) if self.is_paused && moment > self.from => Duration::MAX,
            Speed::Times(times) => {
                let ahead = moment.min(self.to).saturating_sub(self.from) as f64;
                let ahead = Duration::try_from_secs_f64(ahead / times / 1e9).unwrap_or(Duration::MAX);
                ahead.saturating_add(self.since)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn speeds_are_read() {
        for (text, expected) in [
            ("10", Some(Speed::Times(10.0))),
            ("0.5", Some(Speed::Times(0.5))),
            ("1e3", Some(Speed::Times(1000.0))),
            ("max", Some(Speed::AtOnce)),
            ("0", None),
            ("-1", None),
            ("1e7", None),
            ("1e-9", None),
            ("inf", None),
            ("NaN", None),
            ("fast", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text:?}");
        }
        let shown = [Speed::AtOnce, Speed::Times(1.0), Speed::Times(2.5)].map(|speed| speed.to_string());
        assert_eq!(shown, ["at once", "at its own pace", "at 2.5 times its pace"]);
    }

    /// From 100 s to 200 s.
    #[test]
    fn moments_and_what_is_due() {
        let seconds = Duration::from_secs;
        for (speed, elapsed, moment) in [
            (Speed::Times(1.0), seconds(0), 100),
            (Speed::Times(1.0), seconds(30), 130),
            (Speed::Times(1.0), seconds(100), 200),
            (Speed::Times(1.0), seconds(101), 200),
            (Speed::Times(10.0), seconds(3), 130),
            (Speed::Times(0.5), seconds(60), 130),
            (Speed::Times(1e6), Duration::MAX, 200),
            (Speed::AtOnce, seconds(0), 200),
        ] {
            let pace = Pace::new(speed, 100 * SECOND, 200 * SECOND);
            assert_eq!(pace.moment(elapsed), moment * SECOND, "{speed:?} after {elapsed:?}");
        }
        for (speed, moment, due) in [
            (Speed::Times(1.0), 0, 0.0),
            (Speed::Times(1.0), 100, 0.0),
            (Speed::Times(1.0), 130, 30.0),
            (Speed::Times(10.0), 130, 3.0),
            (Speed::Times(0.5), 130, 60.0),
            // What is later than the end is due at the end.
            (Speed::Times(1.0), 300, 100.0),
            (Speed::AtOnce, 200, 0.0),
        ] {
            let pace = Pace::new(speed, 100 * SECOND, 200 * SECOND);
            assert_eq!(pace.due(moment * SECOND), Duration::from_secs_f64(due), "{moment} at {speed:?}");
        }
        // It cannot begin after its end, and at once is at the end.
        assert_eq!(Pace::new(Speed::AtOnce, 5, 9).from(), 9);
        assert_eq!(Pace::new(Speed::Times(1.0), 9, 5).from(), 5);
    }

    #[test]
    fn a_pace_can_change() {
        let seconds = Duration::from_secs;
        let pace = Pace::new(Speed::Times(1.0), 100 * SECOND, 200 * SECOND);
        let paused = pace.changed(Speed::Times(1.0), 110 * SECOND, true, seconds(10));
        assert_eq!((paused.moment(seconds(99)), paused.millionths()), (110 * SECOND, 0));
        assert_eq!((paused.due(110 * SECOND), paused.due(111 * SECOND)), (seconds(10), Duration::MAX));
        let faster = paused.changed(Speed::Times(10.0), 110 * SECOND, false, seconds(50));
        assert_eq!(faster.moment(seconds(53)), 140 * SECOND);
        assert_eq!(faster.due(140 * SECOND), seconds(53));
        assert_eq!(faster.changed(Speed::Times(1.0), 999 * SECOND, false, seconds(60)).from(), 200 * SECOND);
    }

    proptest! {
        /// Time goes on, and what is due comes when it is due.
        #[test]
        fn time_goes_on(
            times in 1e-3..1e6_f64, from in 0..1_u64 << 55, length in 0..1_u64 << 50, a in 0..1_u64 << 45, b in 0..1_u64 << 45,
        ) {
            let pace = Pace::new(Speed::Times(times), from, from + length);
            let (first, second) = (Duration::from_nanos(a.min(b)), Duration::from_nanos(a.max(b)));
            prop_assert!(pace.moment(first) <= pace.moment(second));
            let moment = from + a % (length + 1);
            let reached = pace.moment(pace.due(moment));
            // To the precision of a float.
            let slack = 1 + (times as u64) * 2 + (length >> 40);
            prop_assert!(reached + slack >= moment, "{reached} {moment}");
            prop_assert!(pace.due(moment) <= pace.due(pace.to()));
        }
    }
}
