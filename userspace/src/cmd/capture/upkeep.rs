//! What is looked after now and then.

use super::Run;
use crate::{
    cli::StackPolicy,
    console::say,
    failure::Failure,
    probe::plan::Hook,
    report::{Loss, escape::terminal, json},
    session::Socket,
};

impl Run<'_> {
    /// What changes slowly: which files exist, what was lost, what the kernel side logged.
    pub(super) fn look(&mut self) -> Result<(), Failure> {
        self.session.selection.refresh();
        self.probe.control.look_for(self.session.selection.wanted())?;
        self.probe.flush_log();
        let losses = self.probe.losses();
        let missed = self.probe.missed(Hook::Release);
        let has_gap = losses != self.losses || missed != self.missed;
        self.missed = missed;
        if losses != self.losses {
            if self.arguments.json {
                self.out.json(&json::losses(&losses));
                self.out.flush()?;
            } else {
                for Loss { hook, what, count } in &losses {
                    say(format_args!("{what} lost at hook {hook}, {count} so far"));
                }
            }
            self.losses = losses;
        }
        if has_gap {
            self.repair()?;
        }
        self.arm_stacks()?;
        self.flush_recording();
        Ok(())
    }

    /// With `--stacks=auto`: has stacks taken from when half the slots of a socket are used.
    fn arm_stacks(&mut self) -> Result<(), Failure> {
        if self.arguments.stacks != StackPolicy::Auto || self.probe.control.takes_stacks() {
            return Ok(());
        }
        let is_half_used = |socket: &&Socket| {
            socket.limit.is_some_and(|limit| socket.slots.saturating_mul(2) >= limit.slots)
        };
        if let Some(socket) = self.session.sockets().iter().find(is_half_used) {
            let (path, slots) = (terminal(&socket.path), socket.slots);
            say(format_args!("{slots} slots of {path} are in use: stacks are taken from now on"));
            self.probe.control.take_stacks(true)?;
        }
        Ok(())
    }
}
