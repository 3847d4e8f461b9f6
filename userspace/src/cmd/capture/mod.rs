//! `sockleak capture`: from attaching to the report.

use std::{env, future, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use serde_json::json;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

mod recording;
mod rounds;
mod upkeep;

use recording::{Kind, is_worth_keeping};

use super::{
    output::{Output, terminal_width},
    report::{fail_on, view},
    source::Source,
};
use crate::{
    attribution::{selection::Selection, targets::Target},
    cli::{Capture, StackPolicy},
    clock::{self, Clock, nanoseconds},
    console::say,
    decode::decode,
    event::Record,
    failure::Failure,
    privilege,
    probe::{
        attach::{Probe, Sizes},
        facts::Machine,
        plan::Hook,
        ring::Ring,
        status::Outcome,
    },
    report::{
        Frame, Loss, Report, json,
        live::{HEADINGS, Lines},
        text,
    },
    session::{Notice, Session, Settings},
    trace_file::Writer,
};

/// How often the ring is read when the kernel side does not ask for it sooner.
const DRAIN_EVERY: Duration = Duration::from_millis(50);
/// How often targets and losses are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs it.
///
/// # Errors
/// See [`Failure`].
pub fn run(arguments: &Capture) -> Result<(), Failure> {
    let directory = env::current_dir().context("the working directory cannot be read")?;
    let targets = parse_targets(&arguments.targets, &directory)?;
    let machine = Machine::inspect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("the runtime cannot be started")?;
    runtime.block_on(async {
        // Before anything is said: whoever reads that tracing has begun may ask for its end at once.
        let mut signals = Signals::listen()?;
        let mut run = Run::start(arguments, targets, &machine)?;
        run.seed().await?;
        run.follow(&mut signals).await?;
        run.finish().await
    })
}

pub(super) fn parse_targets(given: &[String], directory: &Path) -> Result<Vec<Target>, Failure> {
    given.iter().map(|target| Target::parse(target, directory).map_err(Failure::Target)).collect()
}

/// The signals that end a capture with its report.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("SIGINT cannot be handled")?,
            terminate: signal(SignalKind::terminate()).context("SIGTERM cannot be handled")?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// A capture under way.
struct Run<'a> {
    arguments: &'a Capture,
    probe: Probe,
    ring: Ring,
    source: Source,
    session: Session,
    clock: Clock,
    lines: Lines,
    out: Output,
    events: u64,
    last_event: u64,
    undecoded: u64,
    losses: Vec<Loss>,
    /// Runs of the release hook that the kernel skipped.
    missed: u64,
    /// Connections that a round found, still to be told.
    found: Vec<u64>,
    /// How many of them were told.
    told: u64,
    recording: Option<Writer>,
}

impl<'a> Run<'a> {
    /// Attaches everything, then switches it on.
    fn start(arguments: &'a Capture, targets: Vec<Target>, machine: &Machine) -> Result<Self, Failure> {
        let sizes = Sizes {
            ring: arguments.probe.ring_size,
            connections: arguments.probe.max_connections,
            is_look: false,
        };
        let mut probe = Probe::attach(machine, arguments.probe.hooks, sizes, |_| true)?;
        probe.require(machine, Hook::is_required)?;
        let selection = Selection::new(targets, machine.mount_namespace);
        let ring = Ring::new(probe.ring()?).context("the ring buffer cannot be waited for")?;
        let clock = Clock::read();
        let settings = Settings {
            started: clock::now(),
            leak_age: nanoseconds(arguments.leak_age),
            limits: arguments.limits.clone(),
            by: arguments.view.by,
        };
        let recording = recording::begin(arguments, machine, &probe, &selection, &settings, &clock)?;
        privilege::drop_after_attach();
        probe.control.look_for(selection.wanted())?;
        // As the first round wants it: there are no map operations then that could wait.
        probe.control.listeners_only(true)?;
        let mut source = Source::default();
        if arguments.stacks != StackPolicy::Off {
            source.look_for_interpreters();
        }
        for (key, interpreter) in source.take_interpreters() {
            probe.control.tell_interpreter(key, interpreter);
        }
        probe.control.take_stacks(arguments.stacks == StackPolicy::On)?;
        probe.control.enable(true)?;
        let mut run = Self {
            arguments,
            probe,
            ring,
            source,
            session: Session::new(selection, settings),
            lines: Lines::new(clock.clone()),
            clock,
            out: Output::default(),
            events: 0,
            last_event: 0,
            undecoded: 0,
            losses: Vec::new(),
            missed: 0,
            found: Vec::new(),
            told: 0,
            recording,
        };
        run.announce(machine)?;
        Ok(run)
    }

    /// Says what is traced, and what will be missing.
    fn announce(&mut self, machine: &Machine) -> Result<(), Failure> {
        let selection = &self.session.selection;
        for awaited in selection.awaited() {
            say(format_args!("{awaited} does not exist yet; waiting for it"));
        }
        for hook in &self.probe.hooks {
            if let Some(reason) = hook.reason.as_deref() {
                say(format_args!("hook {}: {reason}", hook.hook.name()));
            }
        }
        if self.arguments.json {
            let line = json!({
                "type": "session",
                "version": env!("CARGO_PKG_VERSION"),
                "kernel": machine.release,
                "boot_id": machine.boot_id,
                "time": self.clock.rfc3339(self.session.settings().started),
                "boot_ns": self.session.settings().started,
                "targets": selection.given().collect::<Vec<_>>(),
                "leak_age_ns": self.session.settings().leak_age,
                "hooks": self.probe.hooks,
            });
            self.out.json(&line);
        } else if !self.arguments.quiet {
            say("tracing; Ctrl-C ends it with the report");
            self.out.buffer.extend_from_slice(HEADINGS.as_bytes());
            self.out.buffer.push(b'\n');
        }
        self.out.flush()
    }

    /// Takes in events until a signal, the time, the count or a reader who left ends it.
    async fn follow(&mut self, signals: &mut Signals) -> Result<(), Failure> {
        let mut drain = interval(DRAIN_EVERY);
        drain.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = self.arguments.duration.and_then(|duration| Instant::now().checked_add(duration));
        loop {
            tokio::select! {
                biased;
                () = signals.any() => return Ok(()),
                () = until(end) => return Ok(()),
                _ = look.tick() => {
                    self.look()?;
                    if self.out.is_closed() {
                        return Ok(());
                    }
                }
                ready = self.ring.filling() => {
                    ready.context("the ring buffer cannot be waited for")?;
                    self.drain()?;
                }
                _ = drain.tick() => {
                    self.drain()?;
                }
            }
            if self.is_enough() || self.out.is_closed() {
                return Ok(());
            }
        }
    }

    fn is_enough(&self) -> bool {
        self.arguments.count.is_some_and(|count| self.events >= count)
    }

    /// Takes in what is in the ring; tells whether there was anything.
    fn drain(&mut self) -> Result<bool, Failure> {
        if self.is_enough() {
            return Ok(false);
        }
        let mut any = false;
        for bytes in self.ring.drain() {
            any = true;
            match decode(&bytes) {
                Ok(mut record) => {
                    self.source.complete(&mut record);
                    self.describe(&record)?;
                    self.feed(record)?;
                }
                Err(error) => {
                    self.undecoded += 1;
                    tracing::warn!("a record was dropped: {error}");
                }
            }
            if self.is_enough() {
                break;
            }
        }
        for (key, interpreter) in self.source.take_interpreters() {
            self.probe.control.tell_interpreter(key, interpreter);
        }
        self.out.flush()?;
        Ok(any)
    }

    /// Describes the process that a record names, unless the kernel side did.
    fn describe(&mut self, record: &Record) -> Result<(), Failure> {
        let actor = match record {
            Record::Event(event) => &event.actor,
            Record::Held(held) => &held.holder,
            _ => return Ok(()),
        };
        if self.session.knows(&actor.id) {
            return Ok(());
        }
        match self.source.describe(actor) {
            Some(process) => self.feed(Record::Process(Arc::new(process))),
            None => Ok(()),
        }
    }

    fn feed(&mut self, record: Record) -> Result<(), Failure> {
        if matches!(record, Record::Event(_)) && !self.found.is_empty() {
            self.tell_found();
        }
        if matches!(record, Record::Listener(_)) {
            // Its directory may have come with it.
            self.session.selection.refresh();
        }
        let (quiet, as_json) = (self.arguments.quiet, self.arguments.json);
        let copy = self.recording.as_ref().map(|_| (record.clone(), Kind::of(&record, &self.session)));
        let notice = self.session.feed(record);
        if let (Some((copy, kind)), Some(writer)) = (copy, &mut self.recording)
            && let (true, place) = is_worth_keeping(kind, notice.as_ref())
        {
            writer.record(copy, place.as_deref());
        }
        match notice {
            None | Some(Notice::Misfit) => {}
            Some(Notice::Found(connection)) => self.found.push(connection),
            Some(Notice::Ignored(listener)) => self.probe.control.ignore(listener),
            Some(Notice::Listener(listener)) if as_json && !quiet => self.out.json(&json::listener(listener)),
            Some(Notice::Listener(_)) => {}
            Some(Notice::Seen(seen)) => {
                self.events += 1;
                self.last_event = seen.at;
                match (quiet, as_json) {
                    (true, _) => {}
                    (false, true) => self.out.json(&json::event(&seen, &self.clock)),
                    (false, false) => self.lines.write(&seen, &mut self.out.buffer),
                }
            }
        }
        self.out.relieve()
    }

    /// Stops the kernel side, takes in what is left, and reports.
    async fn finish(mut self) -> Result<(), Failure> {
        // Who holds what is open. With a count, the report is of the moment of its last event, not of now.
        if !self.is_enough() && !self.out.is_closed() {
            self.round(true).await?;
            self.round(false).await?;
            // There is no further round that could tell more of what this one found.
            self.feed(Record::RoundEnds)?;
        }
        // New connections first: one whose release hook is gone already would stay open for ever.
        self.probe.control.enable(false)?;
        // With a count, what came after it is not taken in: the report is of that moment.
        let now = if self.is_enough() { self.last_event } else { clock::now() };
        let (losses, skipped_runs) = (self.probe.losses(), self.probe.skipped_runs());
        let live = if self.is_enough() { None } else { self.live_ends() };
        self.probe.detach();
        while !self.is_enough() && self.drain()? {}
        if let Some(live) = live {
            self.make_up(&live, now)?;
        }
        self.probe.flush_log();
        if self.source.nameless() > 0 {
            let count = self.source.nameless();
            tracing::info!("{count} stacks could not be read: their processes were gone");
        }
        let frame = Frame { now, losses, skipped_runs, gaps: self.gaps() };
        let recorded = self.end_recording(&frame);
        let report = view(Report::new(&self.session, frame), &self.arguments.view);
        if self.arguments.json {
            let line = json::report(&report, &self.clock).context("the report cannot be written as JSON")?;
            self.out.json(&line);
        } else {
            if !self.arguments.quiet {
                self.out.buffer.push(b'\n');
            }
            let width = terminal_width().unwrap_or(text::WIDTH);
            self.out.buffer.extend_from_slice(text::render(&report, width).as_bytes());
        }
        self.out.flush()?;
        recorded?;
        fail_on(&report, &self.arguments.fail_on)
    }

    /// What is missing, besides what the kernel side counts.
    fn gaps(&self) -> Vec<String> {
        let hooks = self.probe.hooks.iter().filter(|hook| hook.status != Outcome::Attached);
        let mut gaps: Vec<_> = hooks
            .map(|hook| format!("the {} hook is not attached: {}", hook.hook.name(), hook.hook.without()))
            .collect();
        if self.undecoded > 0 {
            gaps.push(format!("{} records could not be decoded", self.undecoded));
        }
        gaps
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => future::pending().await,
    }
}
