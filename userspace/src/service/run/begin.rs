//! How the service begins: it goes on where the one before it ended, as far as kernel and store allow.

use std::sync::Arc;

use anyhow::Context as _;
use sockleak_core::{
    assess::missing::Missing,
    attribution::selection::Selection,
    event::Record,
    session::{Session, Settings},
    time::nanoseconds,
};
use tokio::task::JoinSet;

use super::{Service, history::Minutes, http, keeper::Keeper, notify::Notifier, otlp::Sending, upkeep::Due};
use crate::{
    clock,
    console::say,
    failure::Failure,
    privilege,
    probe::{
        attach::Probe,
        facts::Machine,
        options::{StackPolicy, UsePolicy},
        pins::{Pins, PinsError, Root},
        plan::Hook,
        ring::Position,
        sizes::Sizes,
    },
    service::{
        alerts::{Alerts, Delivery, Moment, Saved, Sinks},
        archive::{self, Archive, Timing},
        config::Config,
        health::Watch,
        metrics::Metrics,
        store::{Options, Replayed, Shelf, Store},
    },
    tracer::{self, Tracer},
    view::View,
};

/// A finding of a leak rests on some leak ages: for so many, one that was told is not taken for over after a restart.
const SETTLE: u32 = 10;

/// What the process before left.
struct Before {
    session: Session,
    /// Up to when it is complete: nanoseconds since boot. None if there was none.
    until: Option<u64>,
    /// What was missing by then.
    missing: Vec<Missing>,
    position: Position,
}

impl Before {
    /// What was missing then is no news. A kernel side that begins anew counts its losses anew.
    fn watch(&self, is_taken_over: bool) -> Watch {
        let counts_on = |missing: &&Missing| is_taken_over || !matches!(missing, Missing::Lost(_));
        Watch::new(self.missing.iter().filter(counts_on).cloned().collect())
    }
}

impl Service {
    pub(super) async fn begin(config: Config, machine: Machine) -> Result<Self, Failure> {
        let root = lock()?;
        let (mut store, shelf) = open_store(&config)?;
        let (sinks, deliveries) = Sinks::open(&config.alerts.sinks).context("alerts cannot be sent")?;
        let probe = attach(&config, &machine, root.as_ref(), &store)?;
        let host = tracer::host_name();
        let (web, listening) = http::prepare(&config, &host)?;
        let archive = archive(&config, &host, shelf.as_ref())?;
        let source = source(&machine, &probe);
        let clock = clock::read();
        let view = view(&machine);
        let settings = settings(&config, &view);
        let selection = selection(&config, &view);
        let before = restore(&mut store, &machine, &settings, &selection)?;
        let session = &before.session;
        let header = tracer::header(&machine, &probe, session.selection(), session.settings(), &clock);
        let is_taken_over = probe.is_taken_over();
        let watch = before.watch(is_taken_over);
        let position = if is_taken_over { before.position } else { Position::default() };
        if let Err(error) = store.start(header, &source, position.0, || session.carry()) {
            say(format_args!("{error}; the service goes on without it, and tries again every minute"));
        }
        let keeper = Keeper::new(store, clock.clone(), sizes(&config).ring);
        let tracer = resume(probe, before, view.clone(), (config.stacks, config.usage), keeper).await?;
        let minutes = Minutes::open(&config.store, config.by);
        let sending = Sending::begin(config.otlp.as_ref()).context("figures cannot be sent to [otlp]")?;
        let alerts = Alerts::new(&config.alerts, host.clone());
        let mut service = Self {
            upkeep: Due::new(),
            watch,
            trouble: Vec::new(),
            notifier: Notifier::new(),
            web,
            listening,
            archive,
            metrics: Metrics::default(),
            sending,
            began: clock::now(),
            minutes,
            alerts,
            sinks,
            deliveries: JoinSet::new(),
            machine,
            host,
            clock,
            tracer,
            config,
            view,
            _root: root,
        };
        service.take_up(deliveries);
        let how = if is_taken_over { "the kernel was tracing meanwhile" } else { "tracing begins" };
        tracing::info!("watching {}: {how}", service.tracer.session.targets().collect::<Vec<_>>().join(", "));
        service.notifier.ready();
        Ok(service)
    }

    /// What was told before, and what was not delivered.
    fn take_up(&mut self, deliveries: Vec<Delivery>) {
        match Saved::read(&self.alerts_path()) {
            Ok(saved) => {
                self.alerts.restore(&saved, &Moment::now(), self.config.leak_age.saturating_mul(SETTLE));
                self.sinks.restore(&saved);
            }
            Err(error) => say(error),
        }
        for delivery in deliveries {
            self.deliveries.spawn(delivery.run());
        }
        self.look_at_health();
        self.store();
    }
}

/// Switches tracing on where the process before left it, and finds what is open.
async fn resume(
    mut probe: Probe,
    before: Before,
    view: View,
    policies: (StackPolicy, UsePolicy),
    keeper: Keeper,
) -> Result<Tracer<Keeper>, Failure> {
    let is_taken_over = probe.is_taken_over();
    let is_kept = probe.pins.is_some();
    if is_taken_over {
        probe.reconsider()?;
    }
    let mut tracer = Tracer::new(probe, before.session, view, policies, keeper)?;
    privilege::drop_after_attach();
    tracer.switch_on()?.into_iter().for_each(say);
    tracer.audience.progress = tracer.frame();
    // The process before may have read on after it could not store any more.
    let is_seamless = is_taken_over && tracer.skip_to(before.position);
    if let (false, Some(since)) = (is_seamless, before.until) {
        tracer.feed(Record::Unwatched { since, until: clock::now() })?;
    }
    tracer.remarks().into_iter().for_each(say);
    tracer.seed().await?;
    // What processes hold that the rounds do not see would be taken for released.
    let lost = if tracer.probe.namespaces.sees_every_process() { tracer.session.lost() } else { Vec::new() };
    for (connection, end) in lost {
        tracer.feed(Record::Gone { connection, end })?;
    }
    if is_kept {
        tracer.probe.keep().context("what the kernel keeps cannot be marked")?;
    } else {
        say("this kernel keeps nothing over a restart: what happens meanwhile is not seen");
    }
    Ok(tracer)
}

/// Takes the store, and reads what the archive has of it, if there is one.
fn open_store(config: &Config) -> Result<(Store, Option<Arc<Shelf>>), Failure> {
    let to = &config.store;
    let shelf = config.archive.as_ref().map(|archive| archive::shelf(&to.directory, &archive.place));
    let options = Options::new(to.directory.clone(), to.max_bytes, to.keep, privilege::keep_writing);
    let options = match &shelf {
        Some(shelf) => options.archived(Arc::clone(shelf)),
        None => options,
    };
    Ok((Store::open(options)?, shelf))
}

/// Gets ready to archive, if that is wanted. To be called while the privileges are there.
fn archive(config: &Config, host: &str, shelf: Option<&Arc<Shelf>>) -> Result<Option<Archive>, Failure> {
    let (Some(settings), Some(shelf)) = (config.archive.clone(), shelf) else { return Ok(None) };
    let (program, directory) = ("/proc/self/exe".into(), &config.store.directory);
    let begun = Archive::begin(program, settings, host, directory, shelf, Timing::default());
    Ok(Some(begun.context("the process that archives cannot be made ready")?))
}

/// Keeps a second service out. Without a BPF file system the store's lock does, and nothing outlives this process.
fn lock() -> Result<Option<Root>, Failure> {
    match Root::lock() {
        Ok(root) => Ok(Some(root)),
        Err(error @ PinsError::NotMounted) => {
            say(error);
            Ok(None)
        }
        Err(error) => Err(Failure::Other(error.into())),
    }
}

fn sizes(config: &Config) -> Sizes {
    Sizes::new(config.probe.ring_size, config.probe.max_connections)
}

/// Takes over what the process before attached, if the store goes up to where that process was; attaches anew otherwise.
fn attach(config: &Config, machine: &Machine, root: Option<&Root>, store: &Store) -> Result<Probe, Failure> {
    let choice = config.probe.hooks;
    let sizes = sizes(config);
    let Some(root) = root else { return tracer::attach(machine, choice, sizes, config.usage) };
    let identity = Probe::identity(machine, choice, sizes, config.usage.hooks())?;
    let last = store.last().and_then(|segment| segment.source.strip_prefix(machine.boot_id.as_str()));
    let name = last.and_then(|rest| rest.strip_prefix('/'));
    let (pins, removed) =
        root.find(name, &identity).context("what an earlier service left cannot be used")?;
    if removed > 0 {
        say(match removed {
            1 => "what an earlier service left in the kernel does not fit this one: tracing begins anew"
                .to_owned(),
            more => format!(
                "{more} sets of what earlier services left in the kernel do not fit: tracing begins anew"
            ),
        });
    }
    let pins: Pins = match pins {
        Some(pins) => pins,
        None => root.create(&identity).context("nothing can be kept over a restart")?,
    };
    let mut probe = Probe::attach_pinned(machine, choice, sizes, config.usage.hooks(), pins)?;
    if let Err(failure) = probe.require(machine, Hook::is_required) {
        probe.give_up();
        return Err(failure);
    }
    Ok(probe)
}

/// What the records come from: numbers, times and places in the ring mean nothing elsewhere.
fn source(machine: &Machine, probe: &Probe) -> String {
    let name =
        probe.pins.as_ref().map_or_else(|| format!("{:x}", clock::now()), |pins| pins.name().to_owned());
    format!("{}/{name}", machine.boot_id)
}

/// What the store knows of this boot.
fn restore(
    store: &mut Store,
    machine: &Machine,
    settings: &Settings,
    selection: &Selection,
) -> Result<Before, Failure> {
    let empty = |settings: &Settings| Session::new(selection.clone(), settings.clone());
    let position = store.last().map_or(0, |segment| segment.position);
    // A damaged segment is set aside, and what is left is read anew.
    while let Some(recording) = store.recording()? {
        let is_of_this_boot = recording.header().boot_id == machine.boot_id;
        if !is_of_this_boot {
            break;
        }
        let started = recording.header().started;
        let mut session = empty(&Settings { started, ..settings.clone() });
        let replayed = store.replay(&recording, |record| {
            session.feed(record);
        });
        if replayed? == Replayed::Whole {
            let progress = recording.progress();
            let (until, missing) = (Some(progress.now), progress.amounts(&session));
            return Ok(Before { session, until, missing, position: Position(position) });
        }
    }
    let session = empty(settings);
    Ok(Before { session, until: None, missing: Vec::new(), position: Position(position) })
}

/// Where paths are looked up: whoever wrote them had the host in mind, not what the service's unit leaves of it.
fn view(machine: &Machine) -> View {
    View::of_host(machine.mount_namespace).unwrap_or_else(|error| {
        say(error);
        View::own(machine.mount_namespace)
    })
}

/// What a session is judged by.
pub(super) fn settings(config: &Config, view: &View) -> Settings {
    Settings {
        started: clock::now(),
        leak_age: nanoseconds(config.leak_age),
        limits: config.limits(view),
        by: config.by,
    }
}

/// What is looked for.
pub(super) fn selection(config: &Config, view: &View) -> Selection {
    Selection::new(config.targets.iter().map(|it| it.target.clone()).collect(), view)
}
