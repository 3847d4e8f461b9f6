//! Times of day, in the local time zone.

use jiff::{Timestamp, tz::TimeZone};

fn shown(milliseconds: i64, format: &str) -> String {
    match Timestamp::from_millisecond(milliseconds) {
        Ok(at) => at.to_zoned(TimeZone::system()).strftime(format).to_string(),
        // No clock shows that.
        Err(_) => "?".to_owned(),
    }
}

/// `2026-01-02 15:04:05`, of milliseconds since 1970.
pub(super) fn day_and_time(milliseconds: i64) -> String {
    shown(milliseconds, "%Y-%m-%d %H:%M:%S")
}

/// `15:04:05.123`.
pub(super) fn time_of_day(milliseconds: i64) -> String {
    shown(milliseconds, "%H:%M:%S%.3f")
}

/// The same, of a time in RFC 3339.
pub(super) fn time_of_day_of(rfc3339: &str) -> String {
    rfc3339.parse::<Timestamp>().map_or_else(|_| "?".to_owned(), |at| time_of_day(at.as_millisecond()))
}
