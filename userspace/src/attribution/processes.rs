//! What the kernel said of each process, kept as long as it may be named again.

use std::{collections::HashMap, sync::Arc};

use rustc_hash::FxHashSet;

use super::{
    by::{By, Member},
    who::{ProgramId, Who},
};
use crate::{
    event::{Actor, Comm, Process, ProcessId},
    recent::Recent,
};

/// Processes kept, at least, besides those that open connections refer to. The kernel side remembers a quarter as many as
/// described, so what it thinks is known here is.
const CAPACITY: usize = 65_536;

/// Name of the program of a process of which nothing is known.
const UNKNOWN: &str = "[unknown]";

/// With so many groups, further ones count together: anybody can start any number of processes, and each group has
/// its record.
const MOST_GROUPS: usize = 4096;

/// Processes by id, the ones not named for longest make room; and the names of programs and groups.
#[derive(Debug)]
pub struct Processes {
    by: By,
    known: Recent<ProcessId, Known>,
    names: Vec<String>,
    by_name: HashMap<String, ProgramId>,
    groups: FxHashSet<ProgramId>,
    /// Users whose names were told, by number.
    users: HashMap<u32, Arc<str>>,
}

#[derive(Clone, Debug)]
struct Known {
    process: Arc<Process>,
    program: ProgramId,
    /// Once it was asked for: what nobody asks for is no group.
    group: Option<ProgramId>,
}

impl Default for Processes {
    fn default() -> Self {
        Self::new(By::default())
    }
}

impl Processes {
    /// None yet.
    #[must_use]
    pub fn new(by: By) -> Self {
        Self {
            by,
            known: Recent::new(CAPACITY),
            names: Vec::new(),
            by_name: HashMap::new(),
            groups: FxHashSet::default(),
            users: HashMap::new(),
        }
    }

    /// Is it described?
    #[must_use]
    pub fn knows(&self, process: &ProcessId) -> bool {
        self.known.contains(process)
    }

    /// Mount namespace of a process, where known.
    #[must_use]
    pub fn mount_namespace(&self, process: &ProcessId) -> Option<u32> {
        self.known.peek(process).map(|known| known.process.namespaces.mount)
    }

    /// Keeps a description.
    pub fn insert(&mut self, process: Arc<Process>) {
        let program = match &process.program {
            Some(path) => self.intern(path),
            None => self.intern(&format!("[{}]", process.comm)),
        };
        if let Some(user) = &process.user {
            self.users.insert(process.uid, Arc::clone(user));
        }
        self.known.put(process.id, Known { process, program, group: None });
    }

    /// The thread together with its program and what is known of its process.
    pub fn identify(&mut self, actor: Actor) -> Who {
        if actor.id.pid == 0 {
            return self.unknown(None);
        }
        let Some(known) = self.known.get(&actor.id) else {
            let program = self.intern(&format!("[{}]", actor.comm));
            let group = self.group(&actor, None, program);
            return Who { actor, program, group, process: None };
        };
        // It may act as another user than when it was described.
        let is_itself = actor.uid.is_none_or(|uid| uid == known.process.uid);
        let group = match known.group {
            Some(group) if is_itself => group,
            _ => self.group(&actor, Some(&known.process), known.program),
        };
        let Known { process, program, .. } = known.clone();
        if is_itself && known.group.is_none() {
            self.known.put(actor.id, Known { group: Some(group), ..known });
        }
        Who { actor, program, group, process: Some(process) }
    }

    /// Somebody of whom nothing is known but perhaps a process number.
    pub fn unknown(&mut self, pid: Option<u32>) -> Who {
        let id = ProcessId { pid: pid.unwrap_or(0), start: 0, exec_id: 0 };
        let actor = Actor { id, tid: id.pid, uid: None, gid: None, comm: Comm([0; 16]) };
        let program = self.intern(UNKNOWN);
        let group = self.group(&actor, None, program);
        Who { actor, program, group, process: None }
    }

    /// The group of a place in a program, where groups are such.
    pub fn place(&mut self, program: ProgramId, place: &str) -> Option<ProgramId> {
        let name = format!("{}: {place}", self.name(program));
        (self.by == By::Stack).then(|| self.enter(&name))
    }

    fn group(&mut self, actor: &Actor, process: Option<&Process>, program: ProgramId) -> ProgramId {
        if self.by == By::Program {
            return program;
        }
        let uid = actor.uid.or_else(|| process.map(|process| process.uid));
        let user = uid.and_then(|uid| self.users.get(&uid)).map(|user| &**user);
        let member = Member { actor, process, program: self.name(program), user };
        let name = self.by.group(&member);
        self.enter(&name)
    }

    fn enter(&mut self, name: &str) -> ProgramId {
        let known = self.by_name.get(name).filter(|id| self.groups.contains(id));
        if let Some(&known) = known {
            return known;
        }
        let is_full = self.groups.len() >= MOST_GROUPS;
        let id = self.intern(if is_full { self.by.others() } else { name });
        self.groups.insert(id);
        id
    }

    /// The name of a group; of a program the executable's path, or the process's own name in brackets where the path is
    /// not known.
    #[must_use]
    pub fn name(&self, program: ProgramId) -> &str {
        self.names.get(program.0 as usize).map_or("?", String::as_str)
    }

    fn intern(&mut self, name: &str) -> ProgramId {
        if let Some(&id) = self.by_name.get(name) {
            return id;
        }
        let id = ProgramId(self.names.len() as u32);
        self.names.push(name.to_owned());
        self.by_name.insert(name.to_owned(), id);
        id
    }
}
