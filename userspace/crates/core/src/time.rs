//! Moments and durations in nanoseconds, and how they read.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// Turns nanoseconds since boot into time of day. Fixed at its creation, so that a step of the system's clock does not
/// reorder what is shown.
#[derive(Clone, Debug)]
pub struct Clock {
    boot: Timestamp,
    zone: TimeZone,
}

impl Clock {
    /// The clock of a host that was booted then, in nanoseconds since 1970. Local times are those of `zone`.
    #[must_use]
    pub fn new(boot: i64, zone: TimeZone) -> Self {
        Self { boot: Timestamp::from_nanosecond(boot.into()).unwrap_or(Timestamp::UNIX_EPOCH), zone }
    }

    /// The same, with times of day in UTC.
    #[must_use]
    pub fn utc(boot: i64) -> Self {
        Self::new(boot, TimeZone::UTC)
    }

    /// When the host was booted: nanoseconds since 1970.
    #[must_use]
    pub fn boot_time(&self) -> i64 {
        i64::try_from(self.boot.as_nanosecond()).unwrap_or(i64::MAX)
    }

    /// A moment as a time of day.
    #[must_use]
    pub fn timestamp(&self, since_boot: u64) -> Timestamp {
        let duration = SignedDuration::from_nanos(i64::try_from(since_boot).unwrap_or(i64::MAX));
        self.boot.checked_add(duration).unwrap_or(Timestamp::MAX)
    }

    /// A moment in RFC 3339, in UTC, to the nanosecond.
    #[must_use]
    pub fn rfc3339(&self, since_boot: u64) -> String {
        format!("{:.9}", self.timestamp(since_boot))
    }

    /// A moment in local time, as `15:04:05`.
    #[must_use]
    pub fn time_of_day(&self, since_boot: u64) -> String {
        self.timestamp(since_boot).to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    /// A moment in local time, as `2026-11-29 15:04:05`.
    #[must_use]
    pub fn local(&self, since_boot: u64) -> String {
        self.timestamp(since_boot).to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// The same with the time zone, as `2026-11-29 15:04:05 CET`.
    #[must_use]
    pub fn local_with_zone(&self, since_boot: u64) -> String {
        self.timestamp(since_boot).to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }

    /// Nanoseconds from a moment back to the last full second of the day.
    #[must_use]
    pub fn subsecond(&self, since_boot: u64) -> u32 {
        u32::try_from(self.timestamp(since_boot).subsec_nanosecond()).unwrap_or(0)
    }
}

/// A duration in nanoseconds: at most 584 years.
#[must_use]
pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A duration in the units that make sense, as `20 ms`, `3.21 s`, `4 min 10 s`, `2 h 3 min` or `5 d 1 h`.
#[must_use]
pub fn human(nanoseconds: u64) -> String {
    let seconds = nanoseconds / 1_000_000_000;
    match seconds {
        0 if nanoseconds < 1_000_000 => format!("{} µs", nanoseconds / 1000),
        0 => format!("{} ms", nanoseconds / 1_000_000),
        1..60 => format!("{:.2} s", nanoseconds as f64 / 1e9),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A duration in its greatest unit alone, rounded down.
#[must_use]
pub fn rounded(nanoseconds: u64) -> String {
    let seconds = nanoseconds / 1_000_000_000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        for (seconds, expected) in [
            (0.000_001, "1 µs"),
            (0.25, "250 ms"),
            (59.5, "59.50 s"),
            (60.0, "1 min 0 s"),
            (3_725.0, "1 h 2 min"),
            (90_000.0, "1 d 1 h"),
        ] {
            assert_eq!(human((seconds * 1e9) as u64), expected);
        }
    }

    #[test]
    fn rounded_durations_have_one_unit() {
        for (seconds, expected) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (7200, "2 h"), (86_400, "1 d")]
        {
            assert_eq!(rounded(seconds * 1_000_000_000), expected);
        }
    }
}
