//! Tracing for `top` itself: as a capture does it, and answering as the service does.

use std::{borrow::Cow, time::Duration};

use sockleak_core::{
    assess::{Coverage, Loss},
    attribution::{by::By, limits::GivenLimit, selection::Selection, targets::Target},
    event::{Listener, Record},
    session::{ClosedConnection, FoundConnection, Seen, Session, Settings},
    time::Clock,
};
use tokio::{
    net::UnixStream,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    clock,
    console::say,
    failure::Failure,
    privilege,
    probe::{
        facts::Machine,
        options::{Options, StackPolicy, UsePolicy},
        sizes::Sizes,
    },
    service::{
        link::{
            Answers, Link, Sight,
            answer::{Health, HealthStatus, HookReport, Series, SeriesError},
            closed::Closed,
            gathered::Gathered,
            question::SeriesRange,
            respond,
        },
        metrics::{Exposition, MetricDetail, Metrics, Own},
    },
    tracer::{self, Audience, Tracer, host_name},
    view::View,
};

/// How often the ring is read when the kernel side does not ask for it sooner.
const DRAIN_EVERY: Duration = Duration::from_millis(100);
/// How often targets and losses are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked who holds what.
const ROUND_EVERY: Duration = Duration::from_secs(60);

/// What is traced, and how.
#[derive(Debug)]
pub struct Tracing {
    /// Which sockets.
    pub targets: Vec<Target>,
    /// Age from which a connection counts as old, in nanoseconds.
    pub leak_age: u64,
    /// Slots of sockets.
    pub limits: Vec<GivenLimit>,
    /// What figures and findings are grouped by.
    pub by: By,
    /// When stacks are taken.
    pub stacks: StackPolicy,
    /// When it is noted that an end sends something.
    pub usage: UsePolicy,
    /// How to hook into the kernel.
    pub probe: Options,
}

/// Tracing under way.
pub(super) struct Watch {
    tracer: Tracer<Listening>,
    machine: Machine,
    host: String,
    clock: Clock,
    metrics: Metrics,
    round: Instant,
}

impl Watch {
    /// Attaches everything, and switches it on. To be called within a runtime, by the thread that follows.
    pub(super) fn begin(tracing: Tracing) -> Result<Self, Failure> {
        let machine = Machine::inspect();
        let Options { hooks, ring_size, max_connections } = tracing.probe;
        let sizes = Sizes::new(ring_size, max_connections);
        let probe = tracer::attach(&machine, hooks, sizes, tracing.usage).map_err(Failure::or_list)?;
        let files = View::own(machine.mount_namespace);
        let selection = Selection::new(tracing.targets, &files);
        let Tracing { leak_age, limits, by, stacks, usage, .. } = tracing;
        let session = Session::new(selection, Settings { started: clock::now(), leak_age, limits, by });
        let clock = clock::read();
        let mut tracer = Tracer::new(probe, session, files, (stacks, usage), Listening::new(clock.clone()))?;
        privilege::drop_after_attach();
        tracer.switch_on()?.into_iter().for_each(say);
        let round = Instant::now() + ROUND_EVERY;
        Ok(Self { tracer, machine, host: host_name(), clock, metrics: Metrics::default(), round })
    }

    /// Takes in events and answers questions, until the other side closes the link.
    pub(super) async fn follow(mut self, mut link: Link<UnixStream>) -> Result<(), Failure> {
        self.tracer.remarks().into_iter().for_each(say);
        self.tracer.seed().await?;
        let mut drain = interval(DRAIN_EVERY);
        drain.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                asked = link.next() => match asked.map_err(anyhow::Error::from)? {
                    None => return Ok(()),
                    Some(asked) => {
                        let answer = respond(&mut self, &asked.question);
                        link.answer(asked.id, &answer).map_err(anyhow::Error::from)?;
                    }
                },
                _ = look.tick() => self.look().await?,
                ready = self.tracer.filling() => {
                    ready?;
                    self.tracer.drain()?;
                }
                _ = drain.tick() => {
                    self.tracer.drain()?;
                }
            }
            let audience = &mut self.tracer.audience;
            for event in audience.events.take(link.wants_events()) {
                link.event(&event).map_err(anyhow::Error::from)?;
            }
        }
    }

    async fn look(&mut self) -> Result<(), Failure> {
        self.tracer.look()?.into_iter().for_each(say);
        let now = Instant::now();
        if now >= self.round {
            self.round = now + ROUND_EVERY;
            self.tracer.last_look().await?;
        }
        Ok(())
    }
}

impl Answers for Watch {
    fn sight(&self) -> Sight<'_> {
        Sight::live(
            &self.tracer,
            &self.tracer.audience.closed,
            &self.clock,
            &self.host,
            &self.machine.release,
        )
    }

    fn coverage(&self) -> Coverage {
        self.tracer.frame()
    }

    fn origin(&self) -> Cow<'static, str> {
        "traced now".into()
    }

    fn metrics(&mut self, detail: MetricDetail, form: Exposition) -> String {
        let snapshot = self.snapshot();
        self.metrics.encode_in(detail, &snapshot, &Own::read(), form)
    }

    fn health(&mut self) -> Health {
        let because = self.tracer.frame().missing(&self.tracer.session);
        let age = clock::now().saturating_sub(self.tracer.session.settings().started);
        Health {
            status: if because.is_empty() { HealthStatus::Ok } else { HealthStatus::Degraded },
            incomplete_because: because.clone(),
            because,
            hooks: self.tracer.probe.hooks.iter().map(HookReport::from).collect(),
            uptime_seconds: age / 1_000_000_000,
            version: Cow::Borrowed(env!("CARGO_PKG_VERSION")),
        }
    }

    fn series(&mut self, _: &SeriesRange) -> Result<Series, SeriesError> {
        Err(SeriesError::NoHistory("no history is kept here"))
    }
}

/// Keeps what is asked for: events for those who listen, and what was closed last.
struct Listening {
    events: Gathered,
    closed: Closed,
}

impl Listening {
    fn new(clock: Clock) -> Self {
        Self { events: Gathered::new(clock), closed: Closed::default() }
    }
}

impl Audience for Listening {
    fn keeps(&self) -> bool {
        false
    }

    fn keep(&mut self, _: Record, _: Option<&[u8]>) {}

    fn listener(&mut self, _: &Listener) {}

    fn seen(&mut self, seen: &Seen<'_>) {
        self.events.see(seen);
    }

    fn closed(&mut self, closed: &ClosedConnection<'_>) {
        self.closed.note(closed);
    }

    fn found(&mut self, _: &FoundConnection<'_>) {}

    fn lost(&mut self, losses: &[Loss]) {
        for Loss { hook, what, count } in losses {
            say(format_args!("{what} lost at hook {hook}, {count} so far"));
        }
    }

    fn relieve(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}
