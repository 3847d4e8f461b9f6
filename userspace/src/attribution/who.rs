//! Who did something.

use std::sync::Arc;

use crate::event::{Actor, Process};

/// A program, by the order in which programs were first met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProgramId(pub u32);

/// Who did something: the thread as it was then, its program, and its process where that could be described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The thread.
    pub actor: Actor,
    /// What findings are grouped by.
    pub program: ProgramId,
    /// The process; None if the kernel could not describe it.
    pub process: Option<Arc<Process>>,
}
