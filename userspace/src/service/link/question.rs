//! What can be asked.

use serde::{Deserialize, Serialize};

/// Connections of one page at most.
pub const MOST_CONNECTIONS: u32 = 1000;
/// Points of a series at most.
pub const MOST_POINTS: u32 = 1000;

/// A question to the tracer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Metrics for Prometheus.
    Metrics,
    /// Is it well?
    Health,
    /// The same; an answer that it is still starting is a failure.
    Ready,
    /// What is known now.
    Snapshot,
    /// The sockets of that.
    Sockets,
    /// The verdicts of that.
    Findings(FindingFilter),
    /// Connections that are not closed, oldest first; or those that were closed a short time ago.
    Connections(ConnectionFilter),
    /// One of them.
    Connection {
        /// Its number.
        id: u64,
        /// With command lines.
        with_argv: bool,
    },
    /// How full a socket was over time.
    Series(SeriesRange),
    /// Events as they happen, from now on.
    Subscribe {
        /// With command lines.
        with_argv: bool,
    },
    /// No more events.
    Unsubscribe {
        /// Those with command lines.
        with_argv: bool,
    },
}

/// Which findings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingFilter {
    /// Of this socket.
    pub socket: Option<String>,
    /// Of this verdict, by name.
    pub verdict: Option<String>,
}

/// Which connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionFilter {
    /// Of this socket.
    pub socket: Option<String>,
    /// Opened by this program or group.
    pub program: Option<String>,
    /// In this state, by name. Those that are closed are asked for by it alone.
    pub state: Option<String>,
    /// As old as this, in nanoseconds.
    pub older_than_ns: u64,
    /// So many at most, and never more than [`MOST_CONNECTIONS`].
    pub limit: u32,
    /// After so many.
    pub offset: u32,
    /// With command lines.
    pub with_argv: bool,
}

/// Which stretch of a socket's history.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesRange {
    /// Of this socket.
    pub socket: String,
    /// From then: milliseconds since 1970.
    pub from_ms: i64,
    /// To then.
    pub to_ms: i64,
    /// In so many points at most, and never more than [`MOST_POINTS`].
    pub points: u32,
}
