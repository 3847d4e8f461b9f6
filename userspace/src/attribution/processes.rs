//! What the kernel said of each process, kept as long as it may be named again.

use std::{collections::HashMap, num::NonZeroUsize, sync::Arc};

use lru::LruCache;
use rustc_hash::FxBuildHasher;

use super::who::{ProgramId, Who};
use crate::event::{Actor, Process, ProcessId};

/// Processes kept besides those that open connections refer to. The kernel side remembers a quarter as many as
/// described, so what it thinks is known here is.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// Processes by id, the ones not named for longest make room; and the names of programs.
#[derive(Debug)]
pub struct Processes {
    known: LruCache<ProcessId, (Arc<Process>, ProgramId), FxBuildHasher>,
    describe: Describe,
    programs: Vec<String>,
    by_name: HashMap<String, ProgramId>,
}

/// Another source of descriptions, for processes that the kernel side could not describe, or not in time.
pub type Describe = fn(&Actor) -> Option<Process>;

impl Default for Processes {
    fn default() -> Self {
        Self::new(|_| None)
    }
}

impl Processes {
    /// None yet.
    #[must_use]
    pub fn new(describe: Describe) -> Self {
        let known = LruCache::with_hasher(CAPACITY, FxBuildHasher);
        Self { known, describe, programs: Vec::new(), by_name: HashMap::new() }
    }

    /// Keeps a description.
    pub fn insert(&mut self, process: Arc<Process>) {
        let program = match &process.program {
            Some(path) => self.intern(path),
            None => self.intern(&format!("[{}]", process.comm)),
        };
        self.known.put(process.id, (process, program));
    }

    /// The thread together with its program and what is known of its process.
    pub fn identify(&mut self, actor: Actor) -> Who {
        if let Some((process, program)) = self.known.get(&actor.id) {
            return Who { actor, program: *program, process: Some(Arc::clone(process)) };
        }
        if let Some(process) = (self.describe)(&actor).filter(|process| process.id == actor.id) {
            self.insert(Arc::new(process));
            return self.identify(actor);
        }
        let program = self.intern(&format!("[{}]", actor.comm));
        Who { actor, program, process: None }
    }

    /// What findings are grouped by: the executable's path, or the process's own name in brackets where the path is
    /// not known.
    #[must_use]
    pub fn name(&self, program: ProgramId) -> &str {
        self.programs.get(program.0 as usize).map_or("?", String::as_str)
    }

    fn intern(&mut self, name: &str) -> ProgramId {
        if let Some(&id) = self.by_name.get(name) {
            return id;
        }
        let id = ProgramId(self.programs.len() as u32);
        self.programs.push(name.to_owned());
        self.by_name.insert(name.to_owned(), id);
        id
    }
}
