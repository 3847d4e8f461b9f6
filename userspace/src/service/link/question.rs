//! What can be asked.

use serde::{Deserialize, Serialize};
use sockleak_core::assess::Wanted;
use sockleak_report::document::{CsvTable, Format};

use super::playing::Control;
use crate::service::metrics::{Exposition, MetricDetail};

/// Connections of one page at most.
pub const MOST_CONNECTIONS: u32 = 1000;
/// Points of a series at most.
pub const MOST_POINTS: u32 = 1000;

/// A question to the tracer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Metrics for Prometheus.
    Metrics {
        /// How much is told.
        detail: MetricDetail,
        /// In which form.
        form: Exposition,
    },
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
    /// The report of now.
    Report(ReportFilter),
    /// Where a replay stands, after what is to change.
    Replay(Control),
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
    /// With this in the name of the program, the group, the process or the socket, or in the process's number; letters of
    /// ASCII may be capitals or not. Command lines are not looked at: who may not see them must not find out what is in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// In this order; None: the oldest first, of closed ones the one first that was closed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<Sort>,
    /// As old as this, in nanoseconds.
    pub older_than_ns: u64,
    /// So many at most, and never more than [`MOST_CONNECTIONS`].
    pub limit: u32,
    /// After so many.
    pub offset: u32,
    /// With command lines.
    pub with_argv: bool,
}

/// Which report, as a document.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportFilter {
    /// Its form.
    pub format: Format,
    /// The table of CSV.
    pub table: CsvTable,
    /// Columns of text.
    pub width: u16,
    /// Everything is listed, in text and Markdown; on a page, as much as it may have.
    pub all: bool,
    /// Open connections as old as this are listed, in nanoseconds.
    pub older_than_ns: u64,
    /// With command lines.
    pub with_argv: bool,
    /// What it tells of.
    #[serde(default, skip_serializing_if = "Wanted::is_empty")]
    pub wanted: Wanted,
}

/// An order of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sort {
    /// By what.
    pub by: SortBy,
    /// The greatest first.
    pub descending: bool,
}

/// What connections are put in order by. Those that are alike are in the order of their ages, the oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortBy {
    /// Their age.
    Age,
    /// The opener's process number.
    Pid,
    /// Its program.
    Program,
    /// Where they stand.
    State,
    /// For how long they have been idle. Those of which that is not known come last, in both directions.
    Idle,
}

impl Sort {
    /// The names of all orders, as [`Self::name`] gives them.
    pub const NAMES: [&str; 10] =
        ["age", "-age", "pid", "-pid", "program", "-program", "state", "-state", "idle", "-idle"];

    /// Its name in addresses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        let place = 2 * self.by as usize + self.descending as usize;
        Self::NAMES[place]
    }

    /// That of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (by, descending) = name.strip_prefix('-').map_or((name, false), |by| (by, true));
        let by = match by {
            "age" => SortBy::Age,
            "pid" => SortBy::Pid,
            "program" => SortBy::Program,
            "state" => SortBy::State,
            "idle" => SortBy::Idle,
            _ => return None,
        };
        Some(Self { by, descending })
    }
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

/// Is this what was asked for? Everything is, unless something was.
pub(super) fn is_asked_for(asked: Option<&str>, it: &str) -> bool {
    asked.is_none_or(|asked| asked == it)
}
