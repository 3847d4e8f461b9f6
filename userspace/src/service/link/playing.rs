//! A recording that is played: where it stands, and what a viewer wants of it.

use serde::{Deserialize, Serialize};

/// The speeds that can be asked for, in millionths of the recording's own: up to a million times as fast.
pub const SPEEDS: std::ops::RangeInclusive<u64> = 1..=1_000_000_000_000;

/// What is to change. Nothing does unless it is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// It stops, or goes on.
    pub is_paused: Option<bool>,
    /// How fast it goes on: in millionths, one of [`SPEEDS`].
    pub speed: Option<u64>,
    /// The moment that it goes on from: milliseconds since 1970 by the recording's clock.
    pub at_ms: Option<i64>,
}

impl Control {
    /// Is anything to change?
    #[must_use]
    pub fn is_change(&self) -> bool {
        *self != Self::default()
    }
}

/// Where a replay stands. Times are milliseconds since 1970 by the recording's clock.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Playing {
    /// What it does.
    pub state: PlayState,
    /// The moment that is played.
    pub at_ms: i64,
    /// The recording's beginning.
    pub begin_ms: i64,
    /// Where the replay ends.
    pub end_ms: i64,
    /// How many times as fast as it happened; None: all at once.
    pub speed: Option<f64>,
}

/// What a replay does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlayState {
    /// What is before the moment that was asked for happens at once.
    Seeking,
    /// Time goes on.
    Playing,
    /// It stays at its moment.
    Paused,
    /// It is at its end.
    Ended,
}
