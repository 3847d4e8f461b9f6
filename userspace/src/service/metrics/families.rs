//! The metric families: names, meanings, and which figure goes where.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge, info::Info},
    registry::Unit,
};

use super::{
    counts::{Counts, HOW},
    figures::{Figures, SocketFigures},
};
use crate::service::snapshot::LIFETIME_BOUNDS;

/// A label and its value.
type Label<'a> = (&'static str, &'a str);

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let out = &mut Out(&mut encoder);
        self.programs(out)?;
        self.sockets(out)?;
        self.evidence(out)?;
        self.own(out)
    }
}

/// Where families are written.
struct Out<'a, 'b>(&'a mut DescriptorEncoder<'b>);

/// Name and meaning of a family.
struct About(&'static str, &'static str, Option<Unit>);

impl Out<'_, '_> {
    /// Writes a family, unless it is empty.
    fn family<L: EncodeLabelSet, M: EncodeMetric>(
        &mut self,
        About(name, help, unit): About,
        rows: impl IntoIterator<Item = (L, M)>,
    ) -> fmt::Result {
        let mut rows = rows.into_iter().peekable();
        let Some((_, first)) = rows.peek() else { return Ok(()) };
        let mut family = self.0.encode_descriptor(name, help, unit.as_ref(), first.metric_type())?;
        for (labels, metric) in rows {
            metric.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// Writes a family without labels.
    fn single(&mut self, About(name, help, unit): About, metric: &impl EncodeMetric) -> fmt::Result {
        metric.encode(self.0.encode_descriptor(name, help, unit.as_ref(), metric.metric_type())?)
    }
}

impl Figures {
    /// What programs do.
    fn programs(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let about = About("opened", "Connections opened.", None);
        out.family(about, self.counted(|counts| counts.opened))?;
        let about = About("closed", "Connections released at both ends.", None);
        out.family(about, self.counted(|counts| counts.closed))?;
        let released = self.rows().flat_map(|(labels, counts)| {
            let ways = HOW.into_iter().zip(counts.released);
            ways.map(move |(how, count)| ((labels, [("how", how)]), ConstCounter::new(count)))
        });
        let help = "Client ends released: closed by the opener, by its exit, by another process, or unseen.";
        out.family(About("client_ends_released", help, None), released)?;
        let failed = self.rows().flat_map(|(labels, counts)| {
            let errors = counts.failed.iter();
            errors
                .map(move |(errno, &count)| ((labels, [("errno", errno.as_str())]), ConstCounter::new(count)))
        });
        out.family(About("failed", "Attempts to connect that failed.", None), failed)?;
        let held = |read: fn(&(u64, u64)) -> u64| {
            self.sockets.iter().flat_map(move |(socket, figures)| {
                let programs = figures.held.iter();
                programs.map(move |(program, held)| (labels(socket, program), ConstGauge::new(read(held))))
            })
        };
        let about = About("client_ends", "Client ends that are open.", None);
        out.family(about, held(|held| held.0))?;
        let about = About("client_ends_old", "Client ends that are open and older than the leak age.", None);
        out.family(about, held(|held| held.1))?;
        let findings = self.findings.iter().map(|((socket, program, verdict), &count)| {
            ((labels(socket, program), [("verdict", *verdict)]), ConstGauge::new(count))
        });
        let help = "Connections that carry a verdict; of a starved program, attempts and connections.";
        out.family(About("findings", help, None), findings)
    }

    fn rows(&self) -> impl Iterator<Item = ([Label<'_>; 2], &Counts)> {
        self.sockets.iter().flat_map(|(socket, figures)| {
            figures.programs.iter().map(move |(program, counts)| (labels(socket, program), counts))
        })
    }

    fn counted(&self, read: fn(&Counts) -> u64) -> impl Iterator<Item = ([Label<'_>; 2], ConstCounter<u64>)> {
        self.rows().map(move |(labels, counts)| (labels, ConstCounter::new(read(counts))))
    }

    /// How sockets stand.
    fn sockets(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let states = self.sockets.iter().flat_map(|(socket, figures)| {
            let states = figures.states.iter();
            states.map(move |(state, &count)| {
                ([("socket", socket.as_str()), ("state", *state)], ConstGauge::new(count))
            })
        });
        out.family(About("connections", "Connections that are not closed, by state.", None), states)?;
        let found = self
            .sockets
            .iter()
            .map(|(socket, it)| ([("socket", socket.as_str())], ConstCounter::new(it.found)));
        out.family(About("found", "Connections whose start was not seen.", None), found)?;
        let lifetimes = self
            .sockets
            .iter()
            .map(|(socket, figures)| ([("socket", socket.as_str())], Lifetimes::of(figures)));
        let help = "From connect to the release of the client end, where both were seen.";
        out.family(About("lifetime", help, Some(Unit::Seconds)), lifetimes)?;
        let seconds = |nanoseconds: u64| nanoseconds as f64 / 1e9;
        let about = About("oldest", "Age of the oldest connection that is not closed.", Some(Unit::Seconds));
        out.family(about, self.gauges(|it| Some(seconds(it.oldest_ns))))?;
        let about = About("slots_used", "Connections that are being served.", None);
        out.family(about, self.gauges(|it| Some(it.slots as f64)))?;
        let about = About("slots_limit", "Connections that are served at a time, where that is known.", None);
        out.family(about, self.gauges(|it| it.limit.map(|limit| limit as f64)))?;
        let help = "Time until all slots are used, where a leak makes that foreseeable.";
        let about = About("seconds_until_full", help, None);
        out.family(about, self.gauges(|it| it.seconds_until_full.map(|seconds| seconds as f64)))?;
        let about = About("accept_queue_length", "Connections waiting to be accepted.", None);
        out.family(about, self.gauges(|it| it.queue.map(|queue| queue.length.into())))?;
        let about =
            About("accept_queue_max", "Backlog of the accept queue: one more than that may wait.", None);
        out.family(
            about,
            self.gauges(|it| it.queue.map(|queue| queue.max.into()).or(it.backlog.map(|it| it as f64))),
        )?;
        let about =
            About("last_accept_age", "Time since a connection was accepted last.", Some(Unit::Seconds));
        out.family(about, self.gauges(|it| it.since_accept_ns.map(seconds)))
    }

    fn gauges(
        &self,
        read: impl Fn(&SocketFigures) -> Option<f64>,
    ) -> impl Iterator<Item = ([Label<'_>; 1], ConstGauge<f64>)> {
        self.sockets.iter().filter_map(move |(socket, figures)| {
            Some(([("socket", socket.as_str())], ConstGauge::new(read(figures)?)))
        })
    }

    /// How far all that can be trusted.
    fn evidence(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let about = About("complete", "Whether nothing is known to be missing.", None);
        out.single(about, &ConstGauge::new(u64::from(self.complete)))?;
        let losses = self.losses.iter().map(|((hook, what), &count)| {
            ([("hook", hook.as_str()), ("what", what.as_str())], ConstCounter::new(count))
        });
        out.family(About("events_lost", "Events lost, at least.", None), losses)?;
        let hooks = self.hooks.iter().map(|((hook, kind), &is_attached)| {
            ([("hook", *hook), ("kind", kind.as_str())], ConstGauge::new(u64::from(is_attached)))
        });
        out.family(
            About("hook_attached", "Whether a hook is attached, and by what kind of program.", None),
            hooks,
        )?;
        let about = About("skipped_runs", "Failed attempts that may be missing at most.", None);
        out.single(about, &ConstCounter::new(self.skipped_runs))?;
        let help = "Ends of which it is not known when they were released and by whom.";
        out.single(About("unseen_releases", help, None), &ConstCounter::new(self.unseen_releases))?;
        let about = About("observed_since_timestamp", "When counting began.", Some(Unit::Seconds));
        out.single(about, &ConstGauge::new(self.started_ms as f64 / 1e3))
    }

    /// What the service costs.
    fn own(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let labels = [("version", self.version.clone()), ("kernel", self.kernel.clone())];
        out.single(
            About("build", "Version of sockleak, and the kernel that it traces.", None),
            &Info::new(labels.to_vec()),
        )?;
        let about = About("process_cpu", "Processor time of the tracer.", Some(Unit::Seconds));
        out.single(about, &ConstCounter::new(self.own.cpu_seconds))?;
        let about = About("process_resident_memory", "Memory of the tracer.", Some(Unit::Bytes));
        out.single(about, &ConstGauge::new(self.own.resident_bytes))?;
        if let Some(bytes) = self.own.store_bytes {
            out.single(About("store", "Size of the store.", Some(Unit::Bytes)), &ConstGauge::new(bytes))?;
        }
        let about = About("http_events_dropped", "Events that readers of the event stream missed.", None);
        out.single(about, &ConstCounter::new(self.own.events_dropped))?;
        let about = About("http_restarts", "Starts of the process that answers HTTP, after the first.", None);
        out.single(about, &ConstCounter::new(self.own.web_restarts))
    }
}

const fn labels<'a>(socket: &'a str, program: &'a str) -> [Label<'a>; 2] {
    [("socket", socket), ("program", program)]
}

/// Lifetimes that were counted already.
struct Lifetimes {
    sum: f64,
    count: u64,
    /// Upper bounds, and how many lie between each and the one before.
    buckets: Vec<(f64, u64)>,
}

impl Lifetimes {
    fn of(figures: &SocketFigures) -> Self {
        let bounds = LIFETIME_BOUNDS.into_iter().chain([f64::INFINITY]);
        let before = [0].into_iter().chain(figures.lifetimes.iter().copied());
        let counts = figures.lifetimes.iter().zip(before);
        Self {
            sum: figures.lifetimes_seconds,
            count: figures.lifetimes.last().copied().unwrap_or(0),
            buckets: bounds.zip(counts.map(|(up_to, before)| up_to.saturating_sub(before))).collect(),
        }
    }
}

impl EncodeMetric for Lifetimes {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_histogram::<NoLabelSet>(self.sum, self.count, &self.buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
