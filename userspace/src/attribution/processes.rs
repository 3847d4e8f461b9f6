//! What the kernel said of each process, kept as long as it may be named again.

use std::{collections::HashMap, sync::Arc};

use super::who::{ProgramId, Who};
use crate::{
    event::{Actor, Comm, Process, ProcessId},
    recent::Recent,
};

/// Processes kept, at least, besides those that open connections refer to. The kernel side remembers a quarter as many as
/// described, so what it thinks is known here is.
const CAPACITY: usize = 65_536;

/// Name of the program of a process of which nothing is known.
const UNKNOWN: &str = "[unknown]";

/// Processes by id, the ones not named for longest make room; and the names of programs.
#[derive(Debug)]
pub struct Processes {
    known: Recent<ProcessId, (Arc<Process>, ProgramId)>,
    programs: Vec<String>,
    by_name: HashMap<String, ProgramId>,
}

impl Default for Processes {
    fn default() -> Self {
        let known = Recent::new(CAPACITY);
        Self { known, programs: Vec::new(), by_name: HashMap::new() }
    }
}

impl Processes {
    /// Is it described?
    #[must_use]
    pub fn knows(&self, process: &ProcessId) -> bool {
        self.known.contains(process)
    }

    /// Mount namespace of a process, where known.
    #[must_use]
    pub fn mount_namespace(&self, process: &ProcessId) -> Option<u32> {
        self.known.peek(process).map(|(process, _)| process.namespaces.mount)
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
        if actor.id.pid == 0 {
            return self.unknown(None);
        }
        if let Some((process, program)) = self.known.get(&actor.id) {
            return Who { actor, program, process: Some(process) };
        }
        let program = self.intern(&format!("[{}]", actor.comm));
        Who { actor, program, process: None }
    }

    /// Somebody of whom nothing is known but perhaps a process number.
    pub fn unknown(&mut self, pid: Option<u32>) -> Who {
        let id = ProcessId { pid: pid.unwrap_or(0), start: 0, exec_id: 0 };
        let actor = Actor { id, tid: id.pid, uid: None, gid: None, comm: Comm([0; 16]) };
        Who { actor, program: self.intern(UNKNOWN), process: None }
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
