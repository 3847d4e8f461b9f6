//! `sockleak capture`: from attaching to the report.

use std::{env, ffi::OsString, future, path::Path, time::Duration};

use anyhow::Context as _;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

mod conclusion;
mod recording;
mod teller;

use sockleak_core::{
    attribution::{
        selection::Selection,
        targets::{Target, TargetError},
    },
    session::{Session, Settings},
    time::{Clock, nanoseconds},
};

use super::stray;
use crate::{
    cli::Capture,
    clock,
    console::say,
    failure::Failure,
    privilege,
    probe::{facts::Machine, sizes::Sizes},
    signals::{self, SignalSet},
    tracer::{self, Tracer},
    view::View,
};
use conclusion::ReportFile;
use teller::Teller;

/// How often the ring is read when the kernel side does not ask for it sooner.
const DRAIN_EVERY: Duration = Duration::from_millis(50);
/// How often targets and losses are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a recording is written: it shall lack at most the last second when capture is killed, the time that writing takes
/// included.
const KEEP_EVERY: Duration = Duration::from_millis(500);

/// Runs it.
///
/// # Errors
/// See [`Failure`].
pub fn run(arguments: &Capture) -> Result<(), Failure> {
    if arguments.targets.is_empty() {
        return Err(super::list::survey::without_target());
    }
    let directory = env::current_dir().context("the working directory cannot be read")?;
    stray::refuse_policy(&arguments.targets, Some(arguments.stacks))?;
    let targets = parse_targets(&arguments.targets, &directory)?;
    let machine = Machine::inspect();
    let runtime = crate::runtime::start();
    let runtime = runtime.context("the runtime cannot be started")?;
    runtime.block_on(async {
        // Before anything is said: whoever reads that tracing has begun may ask for its end at once.
        let mut signals = SignalSet::listen(&signals::STOP)?;
        let mut run = Run::start(arguments, targets, &machine)?;
        run.seed().await?;
        run.follow(&mut signals).await?;
        run.finish().await
    })
}

pub(super) fn parse_targets(given: &[OsString], directory: &Path) -> Result<Vec<Target>, Failure> {
    let parse = |target: &OsString| match Target::parse(target, directory) {
        // What exists is meant literally, also where it would be no glob.
        Err(TargetError::Glob(..) | TargetError::GlobBytes(_))
            if directory.join(target).symlink_metadata().is_ok() =>
        {
            Target::literal(target, directory)
        }
        parsed => parsed,
    };
    given.iter().map(|target| parse(target).map_err(Failure::Target)).collect()
}

/// A capture under way.
struct Run<'a> {
    arguments: &'a Capture,
    clock: Clock,
    tracer: Tracer<Teller>,
    report_file: Option<ReportFile>,
}

impl<'a> Run<'a> {
    /// Attaches everything, then switches it on.
    fn start(arguments: &'a Capture, targets: Vec<Target>, machine: &Machine) -> Result<Self, Failure> {
        let sizes = Sizes::new(arguments.probe.ring_size, arguments.probe.max_connections);
        let probe = tracer::attach(machine, arguments.probe.hooks, sizes, arguments.usage)
            .map_err(Failure::or_list)?;
        let files = View::own(machine.mount_namespace);
        let selection = Selection::new(targets, &files);
        let clock = clock::read();
        let settings = Settings {
            started: clock::now(),
            leak_age: nanoseconds(arguments.leak_age),
            limits: arguments.limits.clone(),
            by: arguments.view.by,
        };
        let recording = recording::begin(arguments, machine, &probe, &selection, &settings, &clock)?;
        let report_file = ReportFile::open(arguments)?;
        let teller = Teller::new(arguments, clock.clone(), recording);
        let policies = (arguments.stacks, arguments.usage);
        let mut tracer = Tracer::new(probe, Session::new(selection, settings), files, policies, teller)?;
        privilege::drop_after_attach();
        tracer.switch_on()?.into_iter().for_each(say);
        let mut run = Self { arguments, clock, tracer, report_file };
        run.announce(machine)?;
        Ok(run)
    }

    /// Says what is traced, and what will be missing.
    fn announce(&mut self, machine: &Machine) -> Result<(), Failure> {
        self.tracer.remarks().into_iter().for_each(say);
        let session = &self.tracer.session;
        let line = json!({
            "type": "session",
            "version": env!("CARGO_PKG_VERSION"),
            "kernel": machine.release,
            "boot_id": machine.boot_id,
            "time": self.clock.rfc3339(session.settings().started),
            "boot_ns": session.settings().started,
            "targets": session.targets().collect::<Vec<_>>(),
            "leak_age_ns": session.settings().leak_age,
            "hooks": self.tracer.probe.hooks,
        });
        self.tracer.audience.begin(&line)
    }

    /// Finds what is there already.
    async fn seed(&mut self) -> Result<(), Failure> {
        self.tracer.seed().await?;
        self.tracer.audience.watching()
    }

    /// Takes in events until a signal, the time, the count or a reader who left ends it.
    async fn follow(&mut self, signals: &mut SignalSet) -> Result<(), Failure> {
        let mut drain = interval(DRAIN_EVERY);
        drain.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut keep = interval(KEEP_EVERY);
        keep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = self.arguments.duration.and_then(|duration| Instant::now().checked_add(duration));
        while !self.tracer.audience.is_done() {
            tokio::select! {
                biased;
                () = signals.any() => return Ok(()),
                () = until(end) => return Ok(()),
                _ = look.tick() => {
                    self.tracer.look()?.into_iter().for_each(say);
                }
                _ = keep.tick() => {
                    self.tracer.drain()?;
                    recording::flush(&mut self.tracer);
                }
                ready = self.tracer.filling() => {
                    ready?;
                    self.tracer.drain()?;
                }
                _ = drain.tick() => {
                    self.tracer.drain()?;
                }
            }
            self.tracer.audience.out.flush()?;
        }
        Ok(())
    }

    /// Stops the kernel side, takes in what is left, and reports.
    async fn finish(mut self) -> Result<(), Failure> {
        // With a count, the report is of the moment of its last event, not of now.
        let moment = self.tracer.audience.moment();
        // Who holds what is open.
        if moment.is_none() && !self.tracer.audience.out.is_closed() {
            self.tracer.last_look().await?;
        }
        let frame = self.tracer.stop(moment)?;
        self.conclude(frame)
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => future::pending().await,
    }
}
