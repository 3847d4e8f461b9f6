//! Which processes belong to the command.
//!
//! Those in its control group do, where one could be made, and those that descend from it by the parents that /proc tells. A process
//! whose parent has ended becomes a child of sockleak, so that its line does not break while it lives.

use std::{fs, os::unix::fs::MetadataExt as _};

use rustc_hash::FxHashMap;
use sockleak_core::{attribution::who::Who, event::Process};

use crate::{namespaces::OwnNamespaces, proc};

/// A process: its number and its start.
pub(super) type Key = (u32, u64);

/// The key of who did something.
pub(super) const fn key(who: &Who) -> Key {
    (who.actor.id.pid, who.actor.id.start)
}

/// Nobody has so many ancestors.
const DEEPEST: usize = 1024;

/// The command and what it starts.
#[derive(Debug)]
pub(super) struct Tree {
    /// The number of the command's control group.
    group: Option<u64>,
    /// sockleak's own process number, as /proc here has it.
    own: u32,
    /// The inode of the pid namespace that /proc shows, unless that is the host's.
    namespace: Option<u32>,
    known: FxHashMap<Key, bool>,
    /// Processes of which it could not be found out.
    pub(super) unknown: u64,
}

impl Tree {
    pub(super) fn new(group: Option<u64>) -> Self {
        let is_host = OwnNamespaces::inspect().sees_every_process();
        let namespace = fs::metadata("/proc/self/ns/pid").map_or(0, |file| file.ino() as u32);
        Self {
            group,
            own: std::process::id(),
            namespace: (!is_host).then_some(namespace),
            known: FxHashMap::default(),
            unknown: 0,
        }
    }

    /// Does somebody who connects or accepts belong to the command? It is found out once for each process, while it lives.
    pub(super) fn meet(&mut self, who: &Who) -> bool {
        if let Some(&known) = self.known.get(&key(who)) {
            return known;
        }
        let found = self.look_up(who);
        self.unknown += u64::from(found.is_none());
        let found = found.unwrap_or(false);
        self.known.insert(key(who), found);
        found
    }

    /// Was somebody met?
    pub(super) fn knows(&self, who: &Who) -> bool {
        self.known.contains_key(&key(who))
    }

    /// Does somebody who was met belong to it?
    pub(super) fn has(&self, who: &Who) -> bool {
        self.known.get(&key(who)).copied().unwrap_or(false)
    }

    fn look_up(&self, who: &Who) -> Option<bool> {
        let process = who.process.as_deref();
        if self.group.is_some() && process.is_some_and(|process| Some(process.cgroup) == self.group) {
            return Some(true);
        }
        // It may have moved to another control group, or there is none for the command.
        let descends = self.descends(who, process);
        if self.group.is_some() { Some(descends.unwrap_or(false)) } else { descends }
    }

    /// The number of a process in /proc here.
    pub(super) fn number(&self, who: &Who) -> Option<u32> {
        match self.namespace {
            None => Some(who.actor.id.pid),
            Some(own) => {
                let process = who.process.as_deref().filter(|it| it.namespaces.pid == own)?;
                Some(process.pid_in_namespace)
            }
        }
    }

    /// Is sockleak an ancestor? None if the line breaks before that is known.
    fn descends(&self, who: &Who, process: Option<&Process>) -> Option<bool> {
        let pid = self.number(who)?;
        let parent = |pid| proc::stat_field(pid, 4).and_then(|parent| u32::try_from(parent).ok());
        let is_it = self.namespace.is_some() || proc::is_same(pid, who.actor.id.start);
        let of_record = || process.filter(|_| self.namespace.is_none()).map(|process| process.parent);
        let mut next = parent(pid).filter(|_| is_it).or_else(of_record)?;
        for _ in 0..DEEPEST {
            match next {
                pid if pid == self.own => return Some(true),
                0 | 1 => return Some(false),
                pid => next = parent(pid)?,
            }
        }
        None
    }
}
