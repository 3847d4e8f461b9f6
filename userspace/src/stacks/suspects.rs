//! What ends the process that reads is held against whatever it read.

use std::{
    fs::File,
    sync::Arc,
    time::{Duration, Instant},
};

use sockleak_core::event::ProcessId;

use super::{
    Failed, Resolver, State,
    file::Identity,
    message::{Ask, Told},
    process::Trouble,
};

/// Once something has ended the process so often it is not read again: the first time it may have been something else.
const STRIKES: u8 = 2;
/// A process that ended after so long may have ended of what it read before.
const OLD: Duration = Duration::from_secs(10);

/// What ended the process that read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Suspect {
    /// A file.
    File(Identity),
    /// A process.
    Process(ProcessId),
}

impl Resolver {
    /// Asks the other process. What ends it is held against it.
    pub(super) fn ask(
        &mut self,
        suspect: Suspect,
        ask: Ask,
        descriptor: Option<&File>,
        deadline: Instant,
    ) -> Result<Told, Failed> {
        let Some(process) = &mut self.process else { return Err(Failed::Off(Arc::clone(&self.missing))) };
        match process.ask(ask, descriptor, deadline) {
            Ok((told, false)) => Ok(told),
            Ok((_, true)) => Err(self.strike(suspect, 1, "to read it takes too much memory")),
            Err(Trouble::Died) => {
                Err(self.strike(suspect, 1, "the process that reads programs ended over it"))
            }
            Err(Trouble::Late) => Err(self.strike(suspect, STRIKES, "to read it takes too long")),
            Err(Trouble::Off(why)) => Err(Failed::Off(why.into())),
        }
    }

    fn strike(&mut self, suspect: Suspect, count: u8, why: &str) -> Failed {
        // What an old process ended of may have come together from many; a new one is asked the same again.
        let is_old = self.state.begun.elapsed() > OLD && count < STRIKES;
        let count = if is_old { 0 } else { count };
        let before = self.suspects.peek(&suspect).map_or(0, |(count, _)| *count);
        let after = before.saturating_add(count);
        self.suspects.put(suspect, (after, why.into()));
        if before < STRIKES && after >= STRIKES {
            let what = match suspect {
                Suspect::Process(process) => format!("of process {}", process.pid),
                Suspect::File((device, inode, _)) => {
                    format!("of a file (inode {inode} of device {device:#x})")
                }
            };
            tracing::warn!("stacks {what} are told as addresses: {why}");
        }
        self.forget();
        Failed::Again
    }

    /// Why something is not read, if it is not.
    pub(super) fn barred(&mut self, suspect: Suspect) -> Option<Arc<str>> {
        self.suspects.get(&suspect).filter(|(count, _)| *count >= STRIKES).map(|(_, why)| Arc::clone(why))
    }

    /// Forgets what is known of files, and has the other process forget it.
    pub(super) fn forget(&mut self) {
        self.state = State::default();
        if let Some(process) = &mut self.process {
            process.end();
        }
    }
}
