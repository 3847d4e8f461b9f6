//! `sockleak list`: who holds which end right now. One descriptor scan, without waiting.

mod similar;
pub(super) mod survey;
mod watch;

use std::{env, fs, io, sync::Arc, thread};

use anyhow::{Context as _, anyhow};
use serde_json::Value;
use sockleak_core::{
    assess::Loss,
    attribution::{limits::GivenLimit, selection::Selection},
    decode::decode,
    event::{Record, name::shown},
    session::{Notice, Session, Settings},
    text::{
        count::{counted, times},
        escape::terminal,
    },
};
use sockleak_report::{
    list::{Listing, render},
    style::Style,
};
use tokio::runtime::Handle;

use super::{
    capture::parse_targets,
    output::{Output, style, terminal_width},
    stray,
};
use crate::{
    cgroups::ControlGroups,
    cli::{self, List},
    clock,
    console::say,
    diag::{self, Found},
    failure::Failure,
    namespaces::OwnNamespaces,
    privilege,
    probe::{
        attach::Probe,
        facts::Machine,
        options::HookChoice,
        plan::{Hook, Scope},
        ring::Ring,
        sizes::Sizes,
    },
    proc,
    tracer::source::Source,
    view::View,
};
use watch::{Shown, watch};

/// Runs it.
///
/// # Errors
/// See [`Failure`].
pub fn run(arguments: &List) -> Result<(), Failure> {
    if arguments.targets.is_empty() {
        return survey::run(arguments);
    }
    if arguments.watch == Some(List::EVERY) {
        stray::refuse(&arguments.targets, "--watch", |text| {
            text.parse::<f64>().is_ok() || cli::duration(text).is_ok()
        })?;
    }
    let directory = env::current_dir().context("the working directory cannot be read")?;
    let targets = parse_targets(&arguments.targets, &directory)?;
    let machine = Machine::inspect();
    // The ring waits by way of the runtime.
    let runtime = crate::runtime::start();
    let runtime = runtime.context("the runtime cannot be started")?;
    let mut looker = Looker { arguments, machine: &machine, has_program: !arguments.sock_diag };
    let select = || Selection::new(targets.clone(), &View::own(machine.mount_namespace));
    let selection = select();
    for awaited in selection.awaited() {
        say(format_args!("{awaited} does not exist"));
    }
    if let Some(every) = arguments.watch {
        let mut before = None;
        return runtime.block_on(watch(arguments, every, || {
            let mut listing = looker.look_apart(select())?;
            before = Some(listing.compare(before.as_ref()));
            Ok(listing)
        }));
    }
    let listing = runtime.block_on(async { looker.look(selection) })?;
    unused_limits(&arguments.limits, listing.sockets.iter().map(|socket| socket.path.as_str()));
    let mut out = Output::default();
    if arguments.json {
        out.json(&serde_json::to_value(&listing).context("the listing cannot be written as JSON")?);
    } else {
        // Elsewhere than on a terminal each connection stays a line, for whoever searches in them.
        let width = terminal_width().unwrap_or(usize::MAX);
        out.buffer.extend_from_slice(render(&listing, width, style(arguments.color, false)).as_bytes());
    }
    out.flush()?;
    // Where not every process is seen, there may be one all the same.
    if listing.sockets.is_empty() && machine.namespaces.sees_every_process() {
        let targets = arguments.targets.iter().map(|target| shown(target.as_encoded_bytes()));
        let targets = targets.collect::<Vec<_>>().join(" ");
        let alike = similar::similar(&arguments.targets);
        return Err(Failure::NoSocket(if alike.is_empty() {
            format!("{targets}; sockleak list --all shows every socket, and @name means an abstract one")
        } else {
            let alike = alike.iter().map(|name| terminal(name)).collect::<Vec<_>>().join(", ");
            format!("{targets}; there are sockets of a similar name: {alike}")
        }));
    }
    Ok(())
}

/// Says which limits no listed socket has. Where several have one name, what tells them apart stands behind it.
fn unused_limits<'a>(limits: &[GivenLimit], names: impl Iterator<Item = &'a str>) {
    let names: Vec<&str> = names.collect();
    let means = |limit: &GivenLimit, name: &str| {
        limit.means(name) || name.rsplit_once(" (").is_some_and(|(bare, _)| limit.means(bare))
    };
    for limit in limits.iter().filter(|limit| !names.iter().any(|name| means(limit, name))) {
        say(format_args!("--limit {} means no socket that is listed", limit.text()));
    }
}

impl Shown for Listing {
    fn text(&self, width: usize, style: Style) -> String {
        render(self, width, style)
    }

    fn json(&self) -> serde_json::Result<Value> {
        serde_json::to_value(self)
    }
}

/// Looks by a program in the kernel, where that is allowed.
struct Looker<'a> {
    arguments: &'a List,
    machine: &'a Machine,
    has_program: bool,
}

impl Looker<'_> {
    /// Looks once. Privileges are given up for that.
    fn look(&mut self, selection: Selection) -> Result<Listing, Failure> {
        if self.has_program {
            match Scan::new(self.arguments, selection.clone(), self.machine) {
                Ok(scan) => return scan.run(),
                Err(Failure::Kernel(reason)) => {
                    say(format_args!("{reason}; asking sock_diag instead"));
                    self.has_program = false;
                }
                Err(failure) => return Err(failure),
            }
        }
        without_program(self.arguments, selection)
    }

    /// The same in a thread of its own, which gives up its privileges alone: the next look needs them. Each look attaches
    /// anew, because addresses are reused and a look does not see what is released.
    fn look_apart(&mut self, selection: Selection) -> Result<Listing, Failure> {
        let runtime = Handle::current();
        let looked = thread::scope(|scope| {
            let look = scope.spawn(|| {
                let _within = runtime.enter();
                self.look(selection)
            });
            look.join()
        });
        looked.map_err(|_| anyhow!("the look at the sockets broke off"))?
    }
}

/// One look without a program in the kernel.
fn without_program(arguments: &List, selection: Selection) -> Result<Listing, Failure> {
    let mut session = Session::new(selection, settings(arguments));
    let mut source = Source::new(0);
    let Found { records, mut gaps, is_partial } = diag::look().map_err(|error| no_diag(&error))?;
    session.feed(Record::RoundBegins);
    for record in records {
        if let Record::Held(held) = &record
            && !session.knows(&held.holder.id)
            && let Some(process) = source.describe(&held.holder)
        {
            session.feed(Record::Process(Arc::new(process)));
        }
        session.feed(record);
    }
    // There is no further round that could tell more.
    session.feed(Record::RoundEnds);
    session.feed(Record::RoundEnds);
    // What counts here is whose processes /proc shows: it may be the host's in a pid namespace, too.
    let shows_host = proc::shows_host();
    gaps.extend((!shows_host).then(|| OwnNamespaces::UNSEEN.to_owned()));
    gaps.extend(ControlGroups::remarks(OwnNamespaces::inspect()).into_iter().map(str::to_owned));
    Ok(Listing::new(&session, gaps, shows_host && !is_partial))
}

fn no_diag(error: &io::Error) -> Failure {
    Failure::Kernel(format!(
        "the kernel does not list unix sockets ({error}); load its module unix_diag (modprobe unix_diag)"
    ))
}

fn settings(arguments: &List) -> Settings {
    Settings { started: clock::now(), limits: arguments.limits.clone(), ..Settings::default() }
}

/// How many connections there may be at most: each has an end that is an open file. Room for more would take time to make.
fn open_files() -> u32 {
    const UNKNOWN: u32 = 32_768;
    const MOST: u32 = 1 << 22;
    let text = fs::read_to_string("/proc/sys/fs/file-nr").unwrap_or_default();
    let open = text.split_whitespace().next().and_then(|open| open.parse::<u32>().ok());
    // More may be opened meanwhile.
    open.map_or(UNKNOWN, |open| open.saturating_add(open / 4).saturating_add(1024)).min(MOST)
}

/// One descriptor scan, with what it needs.
struct Scan {
    probe: Probe,
    ring: Ring,
    source: Source,
    session: Session,
    undecoded: u64,
}

impl Scan {
    fn new(arguments: &List, selection: Selection, machine: &Machine) -> Result<Self, Failure> {
        /// Holds a few thousand descriptors; there are as many pauses as it takes.
        const RING: u32 = 1 << 20;
        let sizes = Sizes { ring: RING, connections: open_files(), is_look: true };
        let is_needed = |hook| hook == Hook::Iterate;
        let mut probe = Probe::attach(machine, HookChoice::Auto, sizes, Scope::of(is_needed))?;
        probe.require(machine, is_needed)?;
        let ring = probe.ring()?;
        privilege::drop_after_attach();
        probe.control.look_for(selection.wanted())?;
        probe.control.enable(true)?;
        let session = Session::new(selection, settings(arguments));
        Ok(Self { probe, ring, source: Source::new(0), session, undecoded: 0 })
    }

    fn run(mut self) -> Result<Listing, Failure> {
        // The first learns which listeners there are, the second finds the ends of their connections.
        for round in 0..2 {
            let round = self.probe.round(round == 0).context("the descriptors cannot be looked through")?;
            self.feed(Record::RoundBegins);
            round.walk(|| self.drain()).context("looking through the descriptors")?;
            self.drain();
            self.feed(Record::RoundEnds);
        }
        // There is no further round that could tell more.
        self.feed(Record::RoundEnds);
        self.probe.flush_log();
        let lost = self.probe.losses().into_iter();
        let mut gaps: Vec<String> =
            lost.map(|Loss { what, count, .. }| format!("{what} lost, {} at least", times(count))).collect();
        if self.undecoded > 0 {
            gaps.push(format!("{} could not be decoded", counted(self.undecoded, "record")));
        }
        let namespaces = self.probe.namespaces;
        gaps.extend(
            namespaces
                .unseen_processes()
                .into_iter()
                .chain(ControlGroups::remarks(namespaces))
                .map(str::to_owned),
        );
        Ok(Listing::new(&self.session, gaps, namespaces.sees_every_process()))
    }

    fn drain(&mut self) {
        loop {
            let mut any = false;
            let mut batch = self.ring.drain();
            while let Some(bytes) = batch.next_record() {
                any = true;
                match decode(bytes) {
                    Ok(mut record) => {
                        self.source.complete(&mut record);
                        self.describe(&record);
                        self.feed(record);
                    }
                    Err(error) => {
                        self.undecoded += 1;
                        tracing::warn!("a record was dropped: {error}");
                    }
                }
            }
            self.ring.recycle(batch);
            self.ring.release_all();
            if !any {
                return;
            }
        }
    }

    fn describe(&mut self, record: &Record) {
        if let Record::Held(held) = record
            && !self.session.knows(&held.holder.id)
            && let Some(process) = self.source.describe(&held.holder)
        {
            self.feed(Record::Process(Arc::new(process)));
        }
    }

    fn feed(&mut self, record: Record) {
        if let Some(Notice::Ignored(listener)) = self.session.feed(record).notice {
            self.probe.control.ignore(listener);
        }
    }
}
