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
}
