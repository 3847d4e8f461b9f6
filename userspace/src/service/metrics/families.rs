//! The metric families: names, meanings, and which figure goes where. In what form they are written is not said here.

use std::iter;

use smallvec::{SmallVec, smallvec};

use super::{
    counts::{Counts, HOW},
    figures::{Figures, SocketFigures},
};
use crate::service::archive::Progress;

/// A label and its value.
pub(super) type Label<'a> = (&'static str, &'a str);
/// The labels of a series.
pub(super) type Labels<'a> = SmallVec<[Label<'a>; 3]>;

/// Series of one name.
pub(super) struct Family<'a> {
    /// Without prefix, unit and type.
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) unit: Option<Unit>,
    pub(super) kind: Kind,
    /// Labels are never the same twice.
    pub(super) rows: Box<dyn Iterator<Item = (Labels<'a>, Value)> + 'a>,
}

/// What a figure is measured in, unless it is a number of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Bytes,
}

/// How a figure changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows.
    Counter {
        /// Since when it counts.
        since: Since,
    },
    /// It rises and falls.
    Gauge,
    /// Times by length, since the service began to observe.
    Histogram,
}

/// A moment from which on something is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// When the service began to observe: its store may remember it from a process before this one.
    Observed,
    /// When this process began.
    Process,
}

/// A figure.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Whole(u64),
    Real(f64),
    Lifetimes(Lifetimes),
}

/// Lifetimes by length.
#[derive(Clone, Debug)]
pub(super) struct Lifetimes {
    /// Of all, in seconds.
    pub(super) sum: f64,
    pub(super) count: u64,
    /// How many lie between each of [`super::LIFETIME_BOUNDS`] and the one before; the last, how many beyond.
    pub(super) buckets: Vec<u64>,
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl Lifetimes {
    fn of(figures: &SocketFigures) -> Self {
        let before = iter::once(0).chain(figures.lifetimes.iter().copied());
        Self {
            sum: figures.lifetimes_seconds,
            count: figures.lifetimes.last().copied().unwrap_or(0),
            buckets: figures
                .lifetimes
                .iter()
                .zip(before)
                .map(|(all, less)| all.saturating_sub(less))
                .collect(),
        }
    }
}

impl<'a> Family<'a> {
    fn new<V: Into<Value>>(
        (name, help): (&'static str, &'static str),
        kind: Kind,
        rows: impl Iterator<Item = (Labels<'a>, V)> + 'a,
    ) -> Self {
        let rows = Box::new(rows.map(|(labels, value)| (labels, value.into())));
        Self { name, help, unit: None, kind, rows }
    }

    pub(super) fn counter<V: Into<Value>>(
        name: &'static str,
        help: &'static str,
        rows: impl Iterator<Item = (Labels<'a>, V)> + 'a,
    ) -> Self {
        Self::new((name, help), Kind::Counter { since: Since::Observed }, rows)
    }

    pub(super) fn gauge<V: Into<Value>>(
        name: &'static str,
        help: &'static str,
        rows: impl Iterator<Item = (Labels<'a>, V)> + 'a,
    ) -> Self {
        Self::new((name, help), Kind::Gauge, rows)
    }

    fn of(self, unit: Unit) -> Self {
        Self { unit: Some(unit), ..self }
    }

    fn since_process(self) -> Self {
        Self { kind: Kind::Counter { since: Since::Process }, ..self }
    }
}

/// The only row of a family without labels.
pub(super) fn single<'a, V>(value: V) -> iter::Once<(Labels<'a>, V)> {
    iter::once((Labels::new(), value))
}

impl Figures {
    /// What never changes, beside the families: name, meaning, and labels.
    pub(super) fn build(&self) -> (&'static str, &'static str, [Label<'_>; 2]) {
        let labels = [("version", self.version.as_str()), ("kernel", self.kernel.as_str())];
        ("build", "Version of sockleak, and the kernel that it traces.", labels)
    }

    /// All of them; one may have no rows.
    pub(super) fn families(&self) -> impl Iterator<Item = Family<'_>> {
        let families: Box<dyn Iterator<Item = Family<'_>>> = match &self.fleet {
            Some(fleet) => Box::new(self.fleet_families(fleet)),
            None => Box::new(
                self.programs().into_iter().chain(self.sockets()).chain(self.evidence()).chain(self.own()),
            ),
        };
        families.chain(self.archive())
    }

    /// What programs do.
    fn programs(&self) -> [Family<'_>; 7] {
        let released = self.rows().flat_map(|(labels, counts)| {
            let ways = HOW.into_iter().zip(counts.released);
            ways.map(move |(how, count)| (with(labels, ("how", how)), count))
        });
        let failed = self.rows().flat_map(|(labels, counts)| {
            counts.failed.iter().map(move |(errno, &count)| (with(labels, ("errno", errno)), count))
        });
        let held = |read: fn(&(u64, u64)) -> u64| {
            self.sockets.iter().flat_map(move |(socket, figures)| {
                let held = figures.held.iter();
                held.map(move |(program, held)| (Labels::from_slice(&labels(socket, program)), read(held)))
            })
        };
        let findings = self.findings.iter().map(|((socket, program, verdict), &count)| {
            (with(labels(socket, program), ("verdict", verdict)), count)
        });
        [
            Family::counter("opened", "Connections opened.", self.counted(|counts| counts.opened)),
            Family::counter(
                "closed",
                "Connections released at both ends.",
                self.counted(|counts| counts.closed),
            ),
            Family::counter(
                "client_ends_released",
                "Client ends released: closed by the opener, by its exit, by another process, or unseen.",
                released,
            ),
            Family::counter("failed", "Failed connects.", failed),
            Family::gauge("client_ends", "Client ends that are open.", held(|held| held.0)),
            Family::gauge(
                "client_ends_old",
                "Client ends that are open and older than the leak age.",
                held(|held| held.1),
            ),
            Family::gauge(
                "findings",
                "Connections that carry a verdict; of a starved program, failed connects and connections.",
                findings,
            ),
        ]
    }

    fn rows(&self) -> impl Iterator<Item = ([Label<'_>; 2], &Counts)> {
        self.sockets.iter().flat_map(|(socket, figures)| {
            figures.programs.iter().map(move |(program, counts)| (labels(socket, program), counts))
        })
    }

    fn counted(&self, read: fn(&Counts) -> u64) -> impl Iterator<Item = (Labels<'_>, u64)> {
        self.rows().map(move |(labels, counts)| (Labels::from_slice(&labels), read(counts)))
    }

    /// How sockets stand.
    fn sockets(&self) -> [Family<'_>; 10] {
        let states = self.sockets.iter().flat_map(|(socket, figures)| {
            let states = figures.states.iter();
            states.map(move |(state, &count)| {
                (smallvec![("socket", socket.as_str()), ("state", *state)], count)
            })
        });
        let help = "From connect to the release of the client end, where both were seen.";
        let lifetimes = self.each(|it| Some(Value::Lifetimes(Lifetimes::of(it))));
        let lifetimes = Family::new(("lifetime", help), Kind::Histogram, lifetimes);
        let oldest = self.each(|it| Some(seconds(it.oldest_ns)));
        let queue_max = self.each(|it| it.queue.map(|queue| queue.max.into()).or(it.backlog));
        let since_accept = self.each(|it| it.since_accept_ns.map(seconds));
        [
            Family::gauge("connections", "Connections that are not closed, by state.", states),
            Family::counter("found", "Connections whose start was not seen.", self.each(|it| Some(it.found))),
            lifetimes.of(Unit::Seconds),
            Family::gauge("oldest", "Age of the oldest connection that is not closed.", oldest)
                .of(Unit::Seconds),
            Family::gauge("slots_used", "Connections that are being served.", self.each(|it| Some(it.slots))),
            Family::gauge(
                "slots_limit",
                "Connections that are served at a time, where that is known.",
                self.each(|it| it.limit),
            ),
            Family::gauge(
                "seconds_until_full",
                "Time until all slots are used, where a leak makes that foreseeable.",
                self.each(|it| it.seconds_until_full),
            ),
            Family::gauge(
                "accept_queue_length",
                "Connections waiting to be accepted.",
                self.each(|it| it.queue.map(|queue| u64::from(queue.length))),
            ),
            Family::gauge(
                "accept_queue_max",
                "Backlog of the accept queue: one more than that may wait.",
                queue_max,
            ),
            Family::gauge("last_accept_age", "Time since a connection was accepted last.", since_accept)
                .of(Unit::Seconds),
        ]
    }

    /// A row a socket.
    fn each<V>(&self, read: impl Fn(&SocketFigures) -> Option<V>) -> impl Iterator<Item = (Labels<'_>, V)> {
        self.sockets.iter().filter_map(move |(socket, figures)| {
            Some((smallvec![("socket", socket.as_str())], read(figures)?))
        })
    }

    /// How far all that can be trusted.
    pub(super) fn evidence(&self) -> [Family<'_>; 6] {
        let losses = self.losses.iter().map(|((hook, what), &count)| {
            (smallvec![("hook", hook.as_str()), ("what", what.as_str())], count)
        });
        let hooks = self.hooks.iter().map(|((hook, kind), &is_attached)| {
            (smallvec![("hook", *hook), ("kind", kind.as_str())], u64::from(is_attached))
        });
        let complete = single(u64::from(self.complete));
        let started = single(self.started_ms as f64 / 1e3);
        [
            Family::gauge("complete", "Whether nothing is known to be missing.", complete),
            Family::counter("events_lost", "Events lost, at least.", losses),
            Family::gauge("hook_attached", "Whether a hook is attached, and by what kind of program.", hooks),
            Family::counter(
                "skipped_runs",
                "Failed connects that may be missing at most.",
                single(self.skipped_runs),
            ),
            Family::counter(
                "unseen_releases",
                "Ends of which it is not known when they were released and by whom.",
                single(self.unseen_releases),
            ),
            Family::gauge("observed_since_timestamp", "When counting began.", started).of(Unit::Seconds),
        ]
    }

    /// What the service costs.
    pub(super) fn own(&self) -> [Family<'_>; 7] {
        let own = &self.own;
        let store = own.store_bytes.map(|bytes| (Labels::new(), bytes)).into_iter();
        let restarts = "Starts of the process that answers HTTP, after the first.";
        let alerts = &own.alerts;
        let outcomes = [
            ("delivered", alerts.delivered),
            ("refused", alerts.refused),
            ("dropped", alerts.dropped),
            ("retried", alerts.retried),
        ];
        let outcomes = outcomes.into_iter().map(|(outcome, count)| (smallvec![("outcome", outcome)], count));
        [
            Family::counter("process_cpu", "Processor time of the tracer.", single(own.cpu_seconds))
                .of(Unit::Seconds)
                .since_process(),
            Family::gauge("process_resident_memory", "Memory of the tracer.", single(own.resident_bytes))
                .of(Unit::Bytes),
            Family::gauge("store", "Size of the store.", store).of(Unit::Bytes),
            Family::counter(
                "http_events_dropped",
                "Events that readers of the event stream missed.",
                single(own.events_dropped),
            )
            .since_process(),
            Family::counter("http_restarts", restarts, single(own.web_restarts)).since_process(),
            Family::counter("alert_notifications", "What became of notifications of alerts.", outcomes)
                .since_process(),
            Family::gauge(
                "alert_notifications_waiting",
                "Notifications of alerts that wait for a server.",
                single(alerts.waiting),
            ),
        ]
    }
}

impl Figures {
    /// How archiving goes: no rows where nothing is archived.
    fn archive(&self) -> [Family<'_>; 6] {
        let each = |read: fn(&Progress) -> u64| {
            self.own.archive.iter().map(move |progress| (Labels::new(), read(progress)))
        };
        let count = |name, help, read| Family::counter(name, help, each(read)).since_process();
        [
            count("archive_segments", "Segments of the store that were archived.", |it| it.segments),
            count("archive_files", "Files that were sent to the archive.", |it| it.files),
            count("archive_sent", "Size of these files.", |it| it.bytes).of(Unit::Bytes),
            count("archive_failures", "Attempts to archive a segment that failed.", |it| it.failures),
            count(
                "archive_dropped_segments",
                "Segments that were deleted, or found damaged, before they were archived.",
                |it| it.dropped,
            ),
            Family::gauge(
                "archive_lag",
                "How long the oldest closed segment has waited to be archived.",
                each(|it| it.lag_seconds),
            )
            .of(Unit::Seconds),
        ]
    }
}

fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

const fn labels<'a>(socket: &'a str, program: &'a str) -> [Label<'a>; 2] {
    [("socket", socket), ("program", program)]
}

fn with<'a>([socket, program]: [Label<'a>; 2], label: Label<'a>) -> Labels<'a> {
    [socket, program, label].into()
}
