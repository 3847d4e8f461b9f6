//! The clocks of this host.

use std::{fs, sync::LazyLock};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use sockleak_core::time::Clock;

use crate::namespaces::OwnNamespaces;

/// Reads both clocks, and the time zone of this process.
#[must_use]
pub fn read() -> Clock {
    let since_boot = SignedDuration::from_nanos(i64::try_from(now()).unwrap_or(i64::MAX));
    let boot = Timestamp::now().checked_sub(since_boot).unwrap_or(Timestamp::UNIX_EPOCH);
    booted_at(i64::try_from(boot.as_nanosecond()).unwrap_or(i64::MAX))
}

/// The clock of a host that was booted then (nanoseconds since 1970), in the time zone of this process.
#[must_use]
pub fn booted_at(boot: i64) -> Clock {
    Clock::new(boot, TimeZone::system())
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
}
