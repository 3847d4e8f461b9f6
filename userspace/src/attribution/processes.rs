//! What the kernel said of each process, kept as long as it may be named again.

use std::{collections::HashMap, num::NonZeroUsize, sync::Arc};

use lru::LruCache;

use super::who::{ProgramId, Who};
use crate::event::{Actor, Process, ProcessId};

/// Processes kept besides those that open connections refer to. The kernel side remembers a quarter as many as
/// described, so what it thinks is known here is.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// Processes by id, the ones not named for longest make room; and the names of programs.
#[derive(Debug)]
pub struct Processes {
    known: LruCache<ProcessId, (Arc<Process>, ProgramId)>,
    programs: Vec<String>,
    by_name: HashMap<String, ProgramId>,
}

impl Default for Processes {
    fn default() -> Self {
        Self { known: LruCache::new(CAPACITY), programs: Vec::new(), by_name: HashMap::new() }
    }
}

impl Processes {
    /// Keeps a description.
    pub fn insert(&mut self, process: Arc<Process>) {
        let program = match &process.program {
            Some(path) => self.intern(path),
            None => self.intern(&format!("[{}]", process.comm)),
        };
        self.known.put(process.id, (process, program));
    }

    /// Has the process been described?
    #[must_use]
    pub fn contains(&self, id: ProcessId) -> bool {
        self.known.contains(&id)
    }

    /// The thread together with its program and what is known of its process.
    pub fn identify(&mut self, actor: Actor) -> Who {
        if let Some((process, program)) = self.known.get(&actor.id) {
            return Who { actor, program: *program, process: Some(Arc::clone(process)) };
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
