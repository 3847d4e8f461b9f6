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
    failure::Failure,
    probe::{
        options::{StackPolicy, UsePolicy},
        plan::Hook,
    },
};

const UNKNOWN_USE: &str = "it is not known when connections are used: a hook for that could not be attached";

impl<A: Audience> Tracer<A> {
    /// What changes slowly: which files exist, what was lost, what the kernel side logged. To be called every second. Returns
    /// messages for the user about what changed; the caller prints them.
    ///
    /// # Errors
    /// If the kernel side cannot be told, or the audience fails.
    pub fn look(&mut self) -> Result<Vec<String>, Failure> {
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
        let mut messages = Vec::new();
        messages.extend(self.arm_stacks()?);
        messages.extend(self.note_use()?.map(str::to_owned));
        Ok(messages)
    }

    /// Has use noted from when it is wanted, until some of it was missed: then what is known of it means nothing. Returns a message
    /// for the user if use cannot be noted.
    pub(super) fn note_use(&mut self) -> Result<Option<&'static str>, Failure> {
        if self.session.use_noted().is_some() {
            if self.probe.missed_use() > self.missed_use {
                self.give_up_use()?;
            }
            return Ok(None);
        }
        let is_wanted = match self.usage {
            UsePolicy::Off => false,
            UsePolicy::Auto => self.session.has_old(clock::now()),
            UsePolicy::On => true,
        };
        if !is_wanted || !self.probe.sees_use() {
            return Ok(None);
        }
        if !self.is_use_noted {
            if !self.probe.attach_waiting() {
                self.usage = UsePolicy::Off;
                return Ok(Some(UNKNOWN_USE));
            }
            self.probe.control.note_use(true)?;
            self.is_use_noted = true;
            if self.usage == UsePolicy::Auto {
                // What was sent by a call that began before is not noted when it returns. Use is known from the next look on.
                return Ok(None);
            }
        }
        self.missed_use = self.probe.missed_use();
        // Afterwards: what is sent in between is noted, and not asked for.
        self.feed(Record::UseNoted { at: clock::now(), is_reliable: true })?;
        Ok(None)
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

    /// With `--stacks=auto`: has stacks taken from when half the slots of a socket are used. Returns a message for the user then.
    fn arm_stacks(&mut self) -> Result<Option<String>, Failure> {
        if self.stacks != StackPolicy::Auto || self.probe.control.takes_stacks() {
            return Ok(None);
        }
        let is_half_used = |socket: &&Socket| {
            socket.limit.is_some_and(|limit| socket.slots.saturating_mul(2) >= limit.slots)
        };
        let Some(socket) = self.session.sockets().iter().find(is_half_used) else { return Ok(None) };
        let (path, slots) = (terminal(&socket.name), counted(socket.slots, "slot"));
        let are = agreeing(socket.slots, "is", "are");
        let message = format!("{slots} of {path} {are} in use: stacks are taken from now on");
        self.probe.control.take_stacks(true)?;
        Ok(Some(message))
    }
}
