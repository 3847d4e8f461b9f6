//! Times of day, in the local time zone.

use jiff::{Timestamp, tz::TimeZone};

fn shown(milliseconds: i64, zone: TimeZone, format: &str) -> String {
    match Timestamp::from_millisecond(milliseconds) {
        Ok(at) => at.to_zoned(zone).strftime(format).to_string(),
        // No clock shows that.
        Err(_) => "?".to_owned(),
    }
}

/// `2026-01-02 15:04:05`, of milliseconds since 1970.
pub(super) fn day_and_time(milliseconds: i64) -> String {
    shown(milliseconds, TimeZone::system(), "%Y-%m-%d %H:%M:%S")
}

/// `2026-01-02 15:04:05 CET`, with the name of the time zone, or how far it is from UTC if it has none.
pub(super) fn day_time_and_zone(milliseconds: i64) -> String {
    with_zone(milliseconds, TimeZone::system())
}

fn with_zone(milliseconds: i64, zone: TimeZone) -> String {
    shown(milliseconds, zone, "%Y-%m-%d %H:%M:%S %Z")
}

/// `2026-01-02 15:04:05.123`.
pub(super) fn day_and_exact_time(milliseconds: i64) -> String {
    shown(milliseconds, TimeZone::system(), "%Y-%m-%d %H:%M:%S%.3f")
}

/// `01-02 15:04:05.123`, of a time in RFC 3339: the year is in the title.
pub(super) fn month_day_and_time_of(rfc3339: &str) -> String {
    let at = rfc3339.parse::<Timestamp>();
    at.map_or_else(
        |_| "?".to_owned(),
        |at| shown(at.as_millisecond(), TimeZone::system(), "%m-%d %H:%M:%S%.3f"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_names_its_zone() {
        // 2026-01-02T03:04:05Z
        let at = 1_767_323_045_000;
        for (zone, expected) in [
            (TimeZone::UTC, "2026-01-02 03:04:05 UTC"),
            (TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap(), "2026-01-02 04:04:05 CET"),
            (TimeZone::posix("<+0545>-5:45").unwrap(), "2026-01-02 08:49:05 +0545"),
        ] {
            assert_eq!(with_zone(at, zone), expected);
        }
        assert_eq!(with_zone(i64::MAX, TimeZone::UTC), "?");
    }

    #[test]
    fn what_is_no_time_is_told_so() {
        assert_eq!(month_day_and_time_of("yesterday"), "?");
        let shown = month_day_and_time_of("2026-01-02T12:04:05.25Z");
        assert!(shown.starts_with("01-0") && shown.ends_with("05.250"), "{shown}");
    }
}
