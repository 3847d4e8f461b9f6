//! What time it is for the tracer.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// What time it is for the tracer: of a recording that is played, not what the system's clock says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Present {
    /// What the system's clock says.
    #[default]
    System,
    /// What a recording's does.
    Played(Played),
}

/// A recording that is played. Times are milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Played {
    /// By the system's clock, when it began, or was last told to go on otherwise.
    pub began_ms: i64,
    /// By the recording's clock, where the recording begins.
    pub begin_ms: i64,
    /// Where it was then.
    pub from_ms: i64,
    /// And where it ends.
    pub to_ms: i64,
    /// Milliseconds of the recording that are played in a thousand seconds.
    pub speed: u64,
}

impl Present {
    /// It is now.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.at(SystemTime::now())
    }

    fn at(&self, system: SystemTime) -> SystemTime {
        let Self::Played(played) = self else { return system };
        let since = system.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let milliseconds = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        let elapsed = i128::from(milliseconds.saturating_sub(played.began_ms).max(0));
        let there = i128::from(played.from_ms) + elapsed * i128::from(played.speed) / 1_000_000;
        let there = there.min(played.to_ms.into());
        SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(there).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recordings_time_goes_on_at_its_speed() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let played = |speed| {
            Present::Played(Played {
                began_ms: 5_000_000,
                begin_ms: 0,
                from_ms: 100_000,
                to_ms: 200_000,
                speed,
            })
        };
        assert_eq!(Present::System.at(at(7)), at(7));
        for (speed, system, there) in [
            (1_000_000, 5000, 100),
            (1_000_000, 5030, 130),
            (10_000_000, 5003, 130),
            (500_000, 5060, 130),
            (1_000_000, 9000, 200),
            // The system's clock was set back.
            (1_000_000, 4000, 100),
            // It is paused.
            (0, 5060, 100),
            (u64::MAX, u64::MAX / 2_000_000_000, 200),
        ] {
            assert_eq!(played(speed).at(at(system)), at(there), "{speed} {system}");
        }
    }
}
