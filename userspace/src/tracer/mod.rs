//! Tracing under way: from the kernel's records to the session, and whatever keeps both in order.
//!
//! What becomes of it is up to an [`Audience`]: a capture prints and records, the service stores and serves.

mod keep;
mod rounds;
pub mod source;
mod upkeep;

use std::{io, sync::Arc};

use sockleak_core::{
    assess::{Coverage, Loss, missing::Missing},
    decode::decode,
    event::{Listener, Record},
    session::{ClosedConnection, FoundConnection, Notice, Seen, Session},
    text::count::counted,
};

pub use keep::{header, host_name};

use crate::{
    cgroups::ControlGroups,
    clock,
    failure::Failure,
    probe::{
        attach::Probe,
        facts::Machine,
        options::{HookChoice, StackPolicy, UsePolicy},
        plan::Hook,
        ring::{Position, Ring},
        sizes::Sizes,
        status::Outcome,
    },
    view::View,
};
use keep::Kind;
use source::Source;

/// Who is told what happens, and keeps it.
pub trait Audience {
    /// Bytes of memory that copies of other programs' files may take, by which stacks are named.
    const FILES: u64 = 1 << 30;
    /// Stacks may be asked for later on, by [`Tracer::change_stacks`].
    const MAY_TAKE_STACKS: bool = false;

    /// Has it heard enough? Then no further record is taken in.
    fn is_enough(&self) -> bool {
        false
    }

    /// Is [`Audience::keep`] of use?
    fn keeps(&self) -> bool;

    /// Keeps a record that the session depends on. `place` is the path that a failed connect without a listener meant.
    fn keep(&mut self, record: Record, place: Option<&[u8]>);

    /// A listener was described that a target means.
    fn listener(&mut self, listener: &Listener);

    /// An event was seen.
    fn seen(&mut self, seen: &Seen<'_>);

    /// A connection was closed.
    fn closed(&mut self, _: &ClosedConnection<'_>) {}

    /// A round found a connection.
    fn found(&mut self, found: &FoundConnection<'_>);

    /// More was lost; this is all that was.
    fn lost(&mut self, losses: &[Loss]);

    /// Up to where the room in the ring may be given back. What is not kept yet must be read again after a sudden end; where
    /// that is much, now is the time to have it kept: everything up to `read` was told.
    fn settled(&mut self, read: Position) -> Position {
        read
    }

    /// A moment between two records. If output piles up, now is the time to get rid of it.
    ///
    /// # Errors
    /// If that fails for good.
    fn relieve(&mut self) -> Result<(), Failure>;
}

/// Tracing under way.
pub struct Tracer<A> {
    /// The kernel side.
    pub probe: Probe,
    /// What is known.
    pub session: Session,
    /// Who is told.
    pub audience: A,
    /// Where paths are looked up.
    files: View,
    ring: Ring,
    source: Source,
    stacks: StackPolicy,
    usage: UsePolicy,
    /// What was missed of use before that was noted.
    missed_use: u64,
    /// The kernel side notes use; the session relies on it from a moment later on.
    is_use_noted: bool,
    undecoded: u64,
    losses: Vec<Loss>,
    /// Runs of the release hook that the kernel skipped.
    missed: u64,
    /// Connections that a round found, still to be told.
    found: Vec<u64>,
    /// Why stacks have no names, until [`Tracer::switch_on`] tells it.
    without_names: Option<io::Error>,
}

/// Attaches every hook that can be, without which of them nothing works.
///
/// # Errors
/// If one of those that are required is missing.
pub fn attach(
    machine: &Machine,
    choice: HookChoice,
    sizes: Sizes,
    usage: UsePolicy,
) -> Result<Probe, Failure> {
    let probe = Probe::attach(machine, choice, sizes, usage.hooks())?;
    probe.require(machine, Hook::is_required)?;
    Ok(probe)
}

impl<A: Audience> Tracer<A> {
    /// Builds a tracer from an attached probe. It takes all that needs privileges: the ring is mapped, and the process that reads
    /// other programs' files is started. Nothing is traced yet: drop the privileges, then call [`Self::switch_on`]. `session` is
    /// empty, or what an earlier process knew; its targets are looked up in `files`.
    ///
    /// # Errors
    /// If the ring cannot be mapped.
    pub fn new(
        mut probe: Probe,
        session: Session,
        files: View,
        (stacks, usage): (StackPolicy, UsePolicy),
        audience: A,
    ) -> Result<Self, Failure> {
        let ring = probe.ring()?;
        let mut source = Source::new(A::FILES);
        let is_asked = stacks != StackPolicy::Off || A::MAY_TAKE_STACKS;
        let without_names = if is_asked { source.prepare_stacks().err() } else { None };
        Ok(Self {
            probe,
            session,
            audience,
            files,
            ring,
            source,
            stacks,
            usage,
            missed_use: 0,
            is_use_noted: false,
            undecoded: 0,
            losses: Vec::new(),
            missed: 0,
            found: Vec::new(),
            without_names,
        })
    }

    /// Tells the kernel side what to look for, and switches it on. To be called once, after the privileges that attaching needed
    /// were dropped. Returns messages for the user about what does not work; the caller prints them.
    ///
    /// # Errors
    /// If the kernel side cannot be told, or the audience fails.
    pub fn switch_on(&mut self) -> Result<Vec<String>, Failure> {
        let mut messages = Vec::new();
        if let Some(error) = self.without_names.take() {
            messages.push(format!("stacks are told as addresses: {error}"));
        }
        if self.session.highest_number() > 0 && !self.probe.is_taken_over() {
            self.probe.control.number_from(self.session.highest_number())?;
        }
        self.probe.control.look_for(self.session.selection().wanted())?;
        // As the first round wants it: there are no map operations then that could wait.
        self.probe.control.listeners_only(true)?;
        self.change_stacks(self.stacks)?;
        // Whatever an earlier process had noted: since when is not known here.
        self.probe.control.note_use(false)?;
        self.probe.control.enable(true)?;
        if self.session.use_noted().is_some() {
            self.feed(Record::UseNoted { at: clock::now(), is_reliable: false })?;
        }
        messages.extend(self.note_use()?.map(str::to_owned));
        Ok(messages)
    }

    /// Messages for the user about what will be missing, and what is waited for. The caller prints them.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let awaited = self.session.selection().awaited();
        let mut remarks: Vec<String> =
            awaited.map(|it| format!("{it} does not exist yet; waiting for it")).collect();
        let hooks = self.probe.hooks.iter();
        remarks.extend(
            hooks.filter_map(|hook| Some(format!("hook {}: {}", hook.hook.name(), hook.reason.as_deref()?))),
        );
        let namespaces = self.probe.namespaces;
        let of_namespaces =
            namespaces.unseen_processes().into_iter().chain(ControlGroups::remarks(namespaces));
        remarks.extend(of_namespaces.map(str::to_owned));
        remarks
    }

    /// Waits until a good part of the ring is full; see [`Ring::filling`].
    ///
    /// # Errors
    /// If waiting fails.
    pub async fn filling(&mut self) -> anyhow::Result<()> {
        use anyhow::Context as _;

        self.ring.filling().await.context("the ring buffer cannot be waited for")
    }

    /// Takes in what is in the ring; tells whether there was anything.
    ///
    /// # Errors
    /// If the audience fails.
    pub fn drain(&mut self) -> Result<bool, Failure> {
        if self.audience.is_enough() {
            return Ok(false);
        }
        let mut any = false;
        let mut batch = self.ring.drain();
        while let Some(bytes) = batch.next_record() {
            any = true;
            match decode(bytes) {
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
            if self.audience.is_enough() {
                break;
            }
        }
        self.ring.recycle(batch);
        self.settle();
        for (key, interpreter) in self.source.take_interpreters() {
            self.probe.control.tell_interpreter(key, interpreter);
        }
        Ok(any)
    }

    /// Up to where the ring was read.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.ring.position()
    }

    /// Passes over what an earlier process read and kept; see [`Ring::skip_to`].
    pub fn skip_to(&mut self, position: Position) -> bool {
        self.ring.skip_to(position)
    }

    /// Gives the room back of what is kept.
    pub fn settle(&mut self) {
        let settled = self.audience.settled(self.ring.position());
        self.ring.release(settled);
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

    /// Takes in a record.
    ///
    /// # Errors
    /// If the audience fails.
    pub fn feed(&mut self, record: Record) -> Result<(), Failure> {
        if matches!(record, Record::Event(_)) && !self.found.is_empty() {
            self.tell_found();
        }
        if matches!(record, Record::Listener(_)) {
            // Its directory may have come with it.
            self.session.look(&self.files);
        }
        let copy = self.audience.keeps().then(|| (record.clone(), Kind::of(&record, &self.session)));
        let effect = self.session.feed(record);
        if let Some((copy, kind)) = copy
            && let (true, place) = keep::is_worth_keeping(kind, effect.notice.as_ref())
        {
            self.audience.keep(copy, place.as_deref());
        }
        match effect.notice {
            None | Some(Notice::Misfit | Notice::Stranger) => {}
            Some(Notice::Found(found)) => self.found.push(found.connection.id),
            Some(Notice::Ignored(listener)) => self.probe.control.ignore(listener),
            Some(Notice::Listener(listener)) => self.audience.listener(listener),
            Some(Notice::Seen(seen)) => self.audience.seen(&seen),
        }
        if let Some(closed) = &effect.closed {
            self.audience.closed(closed);
        }
        self.audience.relieve()
    }

    /// Stops the kernel side and takes in what is left. Returns what surrounds the session then. `moment` is the one that the
    /// report is to be of, if that is not now: then nothing more is taken in.
    ///
    /// # Errors
    /// If the audience fails.
    pub fn stop(&mut self, moment: Option<u64>) -> Result<Coverage, Failure> {
        // New connections first: one whose release hook is gone already would stay open for ever.
        self.probe.control.enable(false)?;
        let now = moment.unwrap_or_else(clock::now);
        let (losses, skipped_runs) = (self.probe.losses(), self.probe.skipped_runs());
        let live = if moment.is_some() { None } else { self.live_ends() };
        self.probe.detach();
        if moment.is_none() {
            self.catch_up(u64::MAX)?;
        }
        if let Some(live) = live {
            self.make_up(&live, now)?;
        }
        self.probe.flush_log();
        if self.source.nameless() > 0 {
            let count = self.source.nameless();
            let stacks = counted(count, "stack");
            tracing::info!("{stacks} could not be read: the processes were gone");
        }
        Ok(Coverage { now, losses, skipped_runs, gaps: self.gaps() })
    }

    /// What is missing, besides what the kernel side counts.
    #[must_use]
    pub fn gaps(&self) -> Vec<String> {
        let mut gaps = self.unseen();
        if self.undecoded > 0 {
            gaps.push(Missing::Undecoded(self.undecoded).to_string());
        }
        gaps
    }

    /// What is not seen for want of a hook, or of the host's namespaces.
    #[must_use]
    pub fn unseen(&self) -> Vec<String> {
        let hooks = self.probe.hooks.iter().filter(|hook| hook.status != Outcome::Attached);
        let hooks = hooks.filter(|hook| !hook.hook.is_about_use());
        let hooks = hooks
            .map(|hook| format!("the {} hook is not attached: {}", hook.hook.name(), hook.hook.without()));
        let namespaces = self.probe.namespaces;
        let processes = namespaces.unseen_processes().filter(|_| self.probe.makes_rounds());
        hooks.chain(processes.map(str::to_owned)).collect()
    }

    /// Records that could not be decoded.
    #[must_use]
    pub const fn undecoded(&self) -> u64 {
        self.undecoded
    }

    /// What surrounds the session now.
    #[must_use]
    pub fn frame(&self) -> Coverage {
        Coverage {
            now: clock::now(),
            losses: self.losses.clone(),
            skipped_runs: self.probe.skipped_runs(),
            gaps: self.gaps(),
        }
    }
}
