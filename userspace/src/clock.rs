//! Time since boot, as the kernel side gives it, and time of day.

use std::{fs, sync::LazyLock, time::Duration};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::namespaces::OwnNamespaces;

/// Turns nanoseconds since boot into time of day. Fixed at its creation, so that a step of the system's clock does not
/// reorder what is shown.
#[derive(Clone, Debug)]
pub struct Clock {
    boot: Timestamp,
    zone: TimeZone,
}

impl Clock {
    /// Reads both clocks.
    #[must_use]
    pub fn read() -> Self {
        let since_boot = SignedDuration::from_nanos(i64::try_from(now()).unwrap_or(i64::MAX));
        let boot = Timestamp::now().checked_sub(since_boot).unwrap_or(Timestamp::UNIX_EPOCH);
        Self { boot, zone: TimeZone::system() }
    }

    /// The clock of a host that was booted then: nanoseconds since 1970.
    #[must_use]
    pub fn booted_at(boot: i64) -> Self {
        let boot = Timestamp::from_nanosecond(boot.into()).unwrap_or(Timestamp::UNIX_EPOCH);
        Self { boot, zone: TimeZone::system() }
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

    /// Nanoseconds from a moment back to the last full second of the day.
    #[must_use]
    pub fn subsecond(&self, since_boot: u64) -> u32 {
        u32::try_from(self.timestamp(since_boot).subsec_nanosecond()).unwrap_or(0)
    }
}

/// Nanoseconds since boot, suspend included: the clock of the kernel side, and so the host's. In a time namespace of its own this
/// process has another one; where the difference is not known ([`ahead`]), it is that one.
#[must_use]
pub fn now() -> u64 {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME);
    // The clock exists since Linux 2.6.39.
    let own = time.map_or(0, |time| time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64);
    to_host(own)
}

/// A moment of this process's time namespace as the host has it; both are nanoseconds since boot.
#[must_use]
pub fn to_host(own: u64) -> u64 {
    own.saturating_add_signed(ahead().unwrap_or(0).saturating_neg())
}

/// By how much time since boot in this process's time namespace is ahead of the host's, in nanoseconds; None if that is not known.
#[must_use]
pub fn ahead() -> Option<i64> {
    static AHEAD: LazyLock<Option<i64>> = LazyLock::new(|| {
        // The file tells of the namespace that children get. It is our own, unless somebody left us between two.
        let [own, next] =
            ["time", "time_for_children"].map(|kind| fs::read_link(format!("/proc/self/ns/{kind}")).ok());
        if !OwnNamespaces::inspect().time {
            return Some(0);
        }
        let offsets = fs::read_to_string("/proc/self/timens_offsets").ok()?;
        let [own, next] = [own?, next?]
            .map(|link| link.to_string_lossy().split_once(':').map(|(_, number)| number.to_owned()));
        (own == next).then(|| boot_offset(&offsets)).flatten()
    });
    *AHEAD
}

/// The offset of `CLOCK_BOOTTIME` in nanoseconds, from /proc/PID/timens_offsets: lines of clock, seconds and nanoseconds.
fn boot_offset(offsets: &str) -> Option<i64> {
    let line = offsets.lines().find_map(|line| line.trim_start().strip_prefix("boottime"))?;
    let mut numbers = line.split_whitespace().map(str::parse::<i64>);
    let (seconds, nanoseconds) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
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
    fn offsets_of_a_time_namespace_are_read() {
        for (text, expected) in [
            ("monotonic           0         0\nboottime            0         0\n", Some(0)),
            ("monotonic 5 0\nboottime 97200 250000000\n", Some(97_200_250_000_000)),
            // Behind the host: the kernel keeps nanoseconds positive.
            ("monotonic 0 0\nboottime -2 500000000\n", Some(-1_500_000_000)),
            ("monotonic 0 0\n", None),
            ("boottime 1\n", None),
            ("boottime x 0\n", None),
            ("boottime 9223372036854775807 0\n", None),
        ] {
            assert_eq!(boot_offset(text), expected, "{text:?}");
        }
    }

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
