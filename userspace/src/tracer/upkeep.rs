//! What is looked after now and then.

use sockleak_core::{
    event::Record,
    session::Socket,
    text::{
        count::{agreeing, counted},
        escape::terminal,
    },
};

use super::{Audience, Tracer};
use crate::{
    clock,
    console::say,
    failure::Failure,
    probe::{
        options::{StackPolicy, UsePolicy},
        plan::Hook,
    },
};

impl<A: Audience> Tracer<A> {
    /// What changes slowly: which files exist, what was lost, what the kernel side logged. To be called every second.
    ///
    /// # Errors
    /// If the kernel side cannot be told, or the audience fails.
    pub fn look(&mut self) -> Result<(), Failure> {
        self.session.look(&self.files);
        self.probe.control.look_for(self.session.selection().wanted())?;
        self.probe.flush_log();
        let losses = self.probe.losses();
        let missed = self.probe.missed(Hook::Release);
        let has_gap = losses != self.losses || missed != self.missed;
        self.missed = missed;
        if losses != self.losses {
            self.audience.lost(&losses);
            self.losses = losses;
        }
        if has_gap {
            self.repair()?;
        }
        self.arm_stacks()?;
        self.note_use()
    }

    /// Has use noted from when it is wanted, and says so if some of it was missed: then what is known of it means nothing.
    pub(super) fn note_use(&mut self) -> Result<(), Failure> {
        if self.session.use_noted().is_some() {
            return if self.probe.missed_use() > self.missed_use { self.give_up_use() } else { Ok(()) };
        }
        let is_wanted = match self.usage {
            UsePolicy::Off => false,
            UsePolicy::Auto => self.session.has_old(clock::now()),
            UsePolicy::On => true,
        };
        if !is_wanted || !self.probe.sees_use() {
            return Ok(());
        }
        if !self.is_use_noted {
            if !self.probe.attach_waiting() {
                self.usage = UsePolicy::Off;
                say("it is not known when connections are used: a hook for that could not be attached");
                return Ok(());
            }
            self.probe.control.note_use(true)?;
            self.is_use_noted = true;
            if self.usage == UsePolicy::Auto {
                // What was sent by a call that began before is not noted when it returns. Use is known from the next look on.
                return Ok(());
            }
        }
        self.missed_use = self.probe.missed_use();
        // Afterwards: what is sent in between is noted, and not asked for.
        self.feed(Record::UseNoted { at: clock::now(), is_reliable: true })
    }

    /// Some use was missed: what is known of it means nothing from now on.
    fn give_up_use(&mut self) -> Result<(), Failure> {
        self.usage = UsePolicy::Off;
        self.probe.control.note_use(false)?;
        self.probe.detach_use("the kernel skipped it once, so it is not known when connections are used");
        self.feed(Record::UseNoted { at: clock::now(), is_reliable: false })
    }

    /// Has stacks taken by another policy from now on.
    ///
    /// # Errors
    /// If the kernel side cannot be told.
    pub fn change_stacks(&mut self, policy: StackPolicy) -> Result<(), Failure> {
        self.stacks = policy;
        if policy != StackPolicy::Off {
            self.source.look_for_interpreters();
        }
        for (key, interpreter) in self.source.take_interpreters() {
            self.probe.control.tell_interpreter(key, interpreter);
        }
        self.probe.control.take_stacks(policy == StackPolicy::On)?;
        Ok(())
    }

    /// With `--stacks=auto`: has stacks taken from when half the slots of a socket are used.
    fn arm_stacks(&mut self) -> Result<(), Failure> {
        if self.stacks != StackPolicy::Auto || self.probe.control.takes_stacks() {
            return Ok(());
        }
        let is_half_used = |socket: &&Socket| {
            socket.limit.is_some_and(|limit| socket.slots.saturating_mul(2) >= limit.slots)
        };
        if let Some(socket) = self.session.sockets().iter().find(is_half_used) {
            let (path, slots) = (terminal(&socket.name), counted(socket.slots, "slot"));
            let are = agreeing(socket.slots, "is", "are");
            say(format_args!("{slots} of {path} {are} in use: stacks are taken from now on"));
            self.probe.control.take_stacks(true)?;
        }
        Ok(())
    }
}
