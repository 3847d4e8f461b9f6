//! `--since` and `--until`: a part of a recording.

use std::{str::FromStr, time::Duration};

use clap::Args;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::values::duration;

/// Which part of a recording is wanted.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Part {
    /// Only what happened from then on: 10m is ten minutes before the recording's end; or a time, 2026-11-30T14:05:00Z.
    ///
    /// A time without a zone is local time. A connection counts if it was open at some moment of the part. Verdicts rest on
    /// everything that was recorded up to the end of the part.
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,
    /// Only what happened up to then, written like --since.
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
}

/// A moment of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So long before its end.
    BeforeEnd(Duration),
    /// A time of day.
    At(Timestamp),
}

/// A moment that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a duration back from the recording's end, 10m or 2h, or a time, 2026-11-30T14:05:00Z")]
pub struct MomentError;

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        if let Ok(duration) = duration(text) {
            return Ok(Self::BeforeEnd(duration));
        }
        if let Ok(time) = text.parse() {
            return Ok(Self::At(time));
        }
        let local = text.parse::<DateTime>().ok().and_then(|time| time.to_zoned(TimeZone::system()).ok());
        local.map(|time| Self::At(time.timestamp())).ok_or(MomentError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_durations_or_times() {
        let at = |text: &str| Ok(Moment::At(text.parse().expect("a time")));
        for (text, expected) in [
            ("10m", Ok(Moment::BeforeEnd(Duration::from_secs(600)))),
            ("90", Ok(Moment::BeforeEnd(Duration::from_secs(90)))),
            ("2026-11-30T14:05:00Z", at("2026-11-30T14:05:00Z")),
            ("2026-11-30T14:05:00+02:00", at("2026-11-30T12:05:00Z")),
            ("2026-11-30 14:05:00.5Z", at("2026-11-30T14:05:00.5Z")),
        ] {
            assert_eq!(text.parse::<Moment>(), expected, "{text}");
        }
        assert!(matches!("2026-11-30 14:05".parse(), Ok(Moment::At(_))));
        for bad in ["", "0", "-10m", "yesterday", "2026-13-01T00:00:00Z"] {
            assert!(bad.parse::<Moment>().is_err(), "{bad}");
        }
    }
}
