//! Who did something.

use std::sync::Arc;

use crate::event::{Actor, Comm, Process};

/// The name of a program or of a group, by its number in the session, for as long as something there has that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProgramId(pub u32);

/// Who did something: the thread as it was then, its program, and its process where that could be described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The thread.
    pub actor: Actor,
    /// Its program.
    pub program: ProgramId,
    /// The group that figures and findings count it with: the program, unless the user chose otherwise.
    pub group: ProgramId,
    /// The process; None if the kernel could not describe it.
    pub process: Option<Arc<Process>>,
}

impl Who {
    /// The name of the process, which is its first thread's; if that thread did it, as it was then.
    #[must_use]
    pub fn comm(&self) -> Comm {
        let described = self.process.as_ref().filter(|_| self.actor.tid != self.actor.id.pid);
        described.map_or(self.actor.comm, |process| process.comm)
    }

    /// A number of the process, other than that of any other; 0 if the process is not known.
    #[must_use]
    pub const fn process_number(&self) -> u64 {
        let id = self.actor.id;
        // A number is used again by a process that starts later, never twice within the same microseconds.
        if id.pid == 0 { 0 } else { ((id.pid as u64) << 40) ^ (id.start >> 10) }
    }

    /// Is this the process that it was `before`, and does it still run the program that it ran then? A process that executed its own
    /// executable again is the same, as a server does that reloads itself.
    ///
    /// Of one that was known `before` by its number alone, no more than that is compared.
    #[must_use]
    pub fn is_still(&self, before: &Self) -> bool {
        let (now, then) = (self.actor.id, before.actor.id);
        if now.pid != then.pid || then.start == 0 {
            return now.pid == then.pid;
        }
        now.start == then.start && (now.exec_id == then.exec_id || self.runs_program_of(before))
    }

    fn runs_program_of(&self, other: &Self) -> bool {
        let executable = |who: &Self| who.process.as_ref().and_then(|process| process.program.clone());
        match (executable(self), executable(other)) {
            (Some(own), Some(others)) => without_mark(&own) == without_mark(&others),
            _ => self.program == other.program,
        }
    }
}

/// /proc marks the path of an executable that was replaced, as an upgrade does.
fn without_mark(path: &str) -> &str {
    path.strip_suffix(" (deleted)").unwrap_or(path)
}
