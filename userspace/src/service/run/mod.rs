//! The service under way: tracing goes on as in a capture, what it tells is stored, and every second is looked after.

mod begin;
mod history;
mod http;
mod keeper;
mod notify;
mod otlp;
mod reload;
mod upkeep;

use std::time::Duration;

use anyhow::Context as _;
use sockleak_core::{
    assess::{Coverage, missing::Missing},
    time::Clock,
};
use tokio::{
    signal::unix::SignalKind,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    alerts::{Alerts, Sinks},
    archive::Archive,
    config::Config,
    health::Watch,
    metrics::Metrics,
    web::process::Web,
};
use crate::{
    console::say,
    failure::Failure,
    probe::{facts::Machine, pins::Root},
    signals::{self, SignalSet},
    tracer::Tracer,
    view::View,
};
use keeper::Keeper;

/// How often the ring is read when the kernel side does not ask for it sooner.
const DRAIN_EVERY: Duration = Duration::from_millis(100);
/// How often everything else is looked after.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs it until it is told to stop.
///
/// # Errors
/// See [`Failure`].
pub fn run(config: Config) -> Result<(), Failure> {
    let machine = Machine::inspect();
    let runtime = crate::runtime::start();
    let runtime = runtime.context("the runtime cannot be started")?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let mut service = Service::begin(config, machine).await?;
        service.follow(&mut signals).await?;
        service.end()
    })
}

/// The signals that it heeds, by what they ask for.
struct Signals {
    stop: SignalSet,
    reload: SignalSet,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Stop,
    Reload,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            stop: SignalSet::listen(&signals::STOP)?,
            reload: SignalSet::listen(&[SignalKind::hangup()])?,
        })
    }

    async fn next(&mut self) -> Request {
        tokio::select! {
            () = self.stop.any() => Request::Stop,
            () = self.reload.any() => Request::Reload,
        }
    }
}

/// The service under way.
struct Service {
    config: Config,
    /// Where paths are looked up.
    view: View,
    machine: Machine,
    host: String,
    clock: Clock,
    tracer: Tracer<Keeper>,
    alerts: Alerts,
    sinks: Sinks,
    /// What delivers to webhooks.
    deliveries: JoinSet<()>,
    upkeep: upkeep::Due,
    watch: Watch,
    /// What is wrong with the tracing now, a sentence each.
    trouble: Vec<String>,
    notifier: notify::Notifier,
    /// The process that answers HTTP.
    web: Option<Web>,
    listening: http::Listening,
    /// What archives closed segments.
    archive: Option<Archive>,
    metrics: Metrics,
    /// Whom figures are sent to.
    sending: Option<otlp::Sending>,
    /// When it began: nanoseconds since boot.
    began: u64,
    minutes: history::Minutes,
    /// Keeps a second service out.
    _root: Option<Root>,
}

impl Service {
    /// Takes in events until a signal ends it.
    async fn follow(&mut self, signals: &mut Signals) -> Result<(), Failure> {
        let mut drain = interval(DRAIN_EVERY);
        drain.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                request = signals.next() => match request {
                    Request::Stop => return Ok(()),
                    Request::Reload => self.reload().await,
                },
                // What is bound to a time comes first: somebody may ask without end, and the ring may fill without end.
                _ = look.tick() => self.look(Instant::now()).await?,
                _ = drain.tick() => self.drain()?,
                asked = http::next(&mut self.web) => self.answer(&asked),
                ready = self.tracer.filling() => {
                    ready?;
                    self.drain()?;
                }
            }
        }
    }

    /// Takes in what is in the ring, and has it stored.
    fn drain(&mut self) -> Result<(), Failure> {
        if self.tracer.drain()? {
            self.store();
        }
        self.tell();
        Ok(())
    }

    /// Has everything that was read committed, with the place in the ring that it comes up to.
    fn store(&mut self) {
        let position = self.tracer.position();
        self.tracer.audience.flush(position);
    }

    /// What surrounds the session now, with what the store misses.
    fn frame(&self) -> Coverage {
        let mut frame = self.tracer.frame();
        let unstored = self.tracer.audience.store.unstored();
        if unstored > 0 {
            frame.gaps.push(Missing::Unstored(unstored).to_string());
        }
        frame
    }

    /// Leaves everything as the next service is to find it.
    fn end(mut self) -> Result<(), Failure> {
        // What was lost within the last second is to be stored with the rest.
        self.tracer.look()?.into_iter().for_each(say);
        self.drain()?;
        self.save_alerts();
        self.end_minute();
        self.notifier.stopping();
        let position = self.tracer.position();
        let progress = self.frame();
        let Tracer { probe, audience, .. } = self.tracer;
        audience.store.finish(progress, position.0)?;
        if probe.pins.is_some() {
            say("the kernel goes on tracing for the next service; `sockleak detach` ends that");
        }
        Ok(())
    }
}
