//! What the kernel said of each process, kept as long as it may be named again.

use std::{collections::HashMap, sync::Arc};

use rustc_hash::FxHashSet;

use super::{
    by::{By, Member},
    names::Names,
    script,
    who::{ProgramId, Who},
};
use crate::{
    event::{Actor, Comm, Process, ProcessId},
    recent::Recent,
};

/// Processes kept, at least, besides those that open connections refer to. The kernel side remembers more as described, and does
/// not describe them again: one that was forgotten here is described from /proc while it lives, and by its connections afterwards.
const CAPACITY: usize = 2048;

/// Name of the program of a process of which nothing is known.
const UNKNOWN: &str = "[unknown]";

/// With so many groups, further ones count together: anybody can start any number of processes, and each group has
/// its record.
const MOST_GROUPS: usize = 8192;
/// From so many groups on, it is time to forget some.
const MANY_GROUPS: usize = MOST_GROUPS / 4 * 3;
/// And from so many names on.
const MANY_NAMES: usize = 16_384;

/// Processes by id, the ones not named for longest make room; and the names of programs and groups.
#[derive(Debug)]
pub struct Processes {
    by: By,
    known: Recent<ProcessId, Known>,
    names: Names,
    groups: FxHashSet<ProgramId>,
    /// From so many names and groups on, it is time to forget some.
    many: (usize, usize),
    /// Users whose names were told, by number.
    users: HashMap<u32, Arc<str>>,
}

#[derive(Clone, Debug)]
struct Known {
    process: Arc<Process>,
    program: ProgramId,
    /// Once it was asked for: what nobody asks for is no group.
    group: Option<ProgramId>,
    /// How often it was met as somebody who is not remembered below.
    asked: u8,
    met: Option<Box<Met>>,
}

/// Threads of a process as they were met last. Connections share what they refer to: there may be millions.
type Met = [Option<Arc<Who>>; 4];

/// Most processes connect once and release once, and are not met again: to remember them would only take memory.
const SELDOM: u8 = 2;

impl Known {
    fn met(&self, actor: &Actor) -> Option<&Arc<Who>> {
        self.met.as_ref()?.iter().flatten().find(|who| who.actor == *actor)
    }

    fn remember(&mut self, who: &Arc<Who>) {
        if self.asked < SELDOM {
            self.asked += 1;
            return;
        }
        let met = self.met.get_or_insert_default();
        met.rotate_right(1);
        met[0] = Some(Arc::clone(who));
    }
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
            names: Names::default(),
            groups: FxHashSet::default(),
            many: (MANY_NAMES, MANY_GROUPS),
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
            Some(path) => self.names.intern(path),
            None => self.names.intern(&format!("[{}]", process.comm)),
        };
        if let Some(user) = &process.user {
            self.users.insert(process.uid, Arc::clone(user));
        }
        self.known.put(process.id, Known { process, program, group: None, asked: 0, met: None });
    }

    /// The thread together with its program and what is known of its process.
    pub fn identify(&mut self, actor: Actor) -> Arc<Who> {
        if actor.id.pid == 0 {
            return self.unknown(None);
        }
        if let Some(who) = self.known.young(&actor.id).and_then(|known| known.met(&actor)) {
            return Arc::clone(who);
        }
        let Some(known) = self.known.get_mut(&actor.id) else {
            let program = self.names.intern(&format!("[{}]", actor.comm));
            let group = self.group(&actor, None, program);
            return Arc::new(Who { actor, program, group, process: None });
        };
        // It may act as another user than when it was described.
        let is_itself = actor.uid.is_none_or(|uid| uid == known.process.uid);
        let (process, program, group) = (Arc::clone(&known.process), known.program, known.group);
        let group = match group {
            Some(group) if is_itself => group,
            _ => self.group(&actor, Some(&process), program),
        };
        let who = Arc::new(Who { actor, program, group, process: Some(process) });
        if is_itself && let Some(known) = self.known.get_mut(&who.actor.id) {
            known.group = Some(group);
            known.remember(&who);
        }
        who
    }

    /// Somebody of whom nothing is known but perhaps a process number.
    pub fn unknown(&mut self, pid: Option<u32>) -> Arc<Who> {
        let id = ProcessId { pid: pid.unwrap_or(0), start: 0, exec_id: 0 };
        let actor = Actor { id, tid: id.pid, uid: None, gid: None, comm: Comm([0; 16]) };
        let program = self.names.intern(UNKNOWN);
        let group = self.group(&actor, None, program);
        Arc::new(Who { actor, program, group, process: None })
    }

    /// The group of a place in a program, where groups are such.
    pub fn place(&mut self, program: ProgramId, place: &str) -> Option<ProgramId> {
        let name = format!("{}: {place}", self.name(program));
        (self.by == By::Stack).then(|| self.enter(&name))
    }

    fn group(&mut self, actor: &Actor, process: Option<&Process>, program: ProgramId) -> ProgramId {
        // What it runs tells the groups of an interpreter apart.
        let is_group = || self.groups.contains(&program) && !script::is_interpreter(self.name(program));
        if self.by == By::Program && is_group() {
            return program;
        }
        let uid = actor.uid.or_else(|| process.map(|process| process.uid));
        let user = uid.and_then(|uid| self.users.get(&uid)).map(|user| &**user);
        let member = Member { actor, process, program: self.name(program), user };
        let name = self.by.group(&member);
        self.enter(&name)
    }

    fn enter(&mut self, name: &str) -> ProgramId {
        if let Some(known) = self.names.find(name).filter(|id| self.groups.contains(id)) {
            return known;
        }
        if self.groups.len() >= MOST_GROUPS {
            return self.others();
        }
        let id = self.names.intern(name);
        self.groups.insert(id);
        id
    }

    /// The group of those that have none of their own.
    pub fn others(&mut self) -> ProgramId {
        let id = self.names.intern(self.by.others());
        self.groups.insert(id);
        id
    }

    /// The name of a group; of a program the executable's path, or the process's own name in brackets where the path is
    /// not known.
    #[must_use]
    pub fn name(&self, program: ProgramId) -> &str {
        self.names.get(program).unwrap_or("?")
    }

    /// The processes that are remembered and belong to a group, each with its program and its group.
    pub fn grouped(&self) -> impl Iterator<Item = (&Process, ProgramId, ProgramId)> {
        self.known.values().filter_map(|known| Some((&*known.process, known.program, known.group?)))
    }

    /// The name of a user, if it was told.
    #[must_use]
    pub fn user(&self, uid: u32) -> Option<&str> {
        self.users.get(&uid).map(|user| &**user)
    }

    /// Are there no more names than one after the other may have brought?
    #[cfg(test)]
    pub fn is_bounded(&self) -> bool {
        self.names.len() <= MANY_NAMES + CAPACITY
    }

    /// Is it time to forget names and groups that nobody uses?
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.names.len() >= self.many.0 || self.groups.len() >= self.many.1
    }

    /// Forgets all groups but these, and all names but theirs, those of the processes that are known, and `programs`.
    pub fn keep_only(&mut self, groups: &FxHashSet<ProgramId>, programs: FxHashSet<ProgramId>) {
        let mut names = programs;
        names.extend(groups);
        for known in self.known.values_mut() {
            names.insert(known.program);
            if known.group.is_some_and(|group| !groups.contains(&group)) {
                (known.group, known.met) = (None, None);
            }
        }
        self.groups.retain(|group| groups.contains(group));
        self.names.keep_only(&names);
        // Where hardly any could be forgotten, it is not tried again at once.
        let next = |many: usize, left: usize| many.max(left + left / 4);
        self.many = (next(MANY_NAMES, self.names.len()), next(MANY_GROUPS, self.groups.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::Record, testing::process};

    fn actor(pid: u32, uid: Option<u32>) -> Actor {
        let Record::Process(described) = process(pid, Some("/bin/client")) else { unreachable!() };
        Actor { id: described.id, tid: pid, uid, gid: uid, comm: described.comm }
    }

    #[test]
    fn the_first_thread_has_the_name_of_its_process() {
        let mut processes = Processes::default();
        let Record::Process(described) = process(7, Some("/bin/client")) else { unreachable!() };
        let comm = described.comm;
        processes.insert(described);
        let renamed = Comm(*b"renamed\0\0\0\0\0\0\0\0\0");
        // It may end right after it took another name, and cannot be described again.
        let first = Actor { comm: renamed, ..actor(7, None) };
        assert_eq!(processes.identify(first).comm(), renamed);
        assert_eq!(processes.identify(Actor { tid: 8, ..first }).comm(), comm);
        assert_eq!(processes.identify(Actor { comm: renamed, ..actor(9, None) }).comm(), renamed);
    }

    #[test]
    fn who_is_met_again_is_shared() {
        let mut processes = Processes::default();
        let Record::Process(described) = process(7, Some("/bin/client")) else { unreachable!() };
        let uid = described.uid;
        processes.insert(described);
        let (connects, releases) = (actor(7, Some(uid)), actor(7, None));
        let first: Vec<_> = (0..4).map(|_| [connects, releases].map(|it| processes.identify(it))).collect();
        for pair in &first {
            assert_eq!(pair, &first[0], "whether shared or not, it is the same");
        }
        assert!((0..2).all(|which| Arc::ptr_eq(&first[2][which], &first[3][which])));
        // As another user he is somebody else.
        let other = processes.identify(actor(7, Some(uid + 1)));
        assert_eq!(other.actor.uid, Some(uid + 1));
        // A new description is a new process's.
        let Record::Process(renamed) = process(7, Some("/bin/other")) else { unreachable!() };
        processes.insert(renamed);
        let who = processes.identify(connects);
        assert_eq!(processes.name(who.program), "/bin/other");
    }
}
