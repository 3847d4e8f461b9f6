//! What only the live system knows: added to records before the stages that are free of I/O see them.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use nix::unistd::{Uid, User};
use sockleak_abi as abi;
use sockleak_core::{
    event::{Actor, Namespaces, Process, ProcessId, Record, What},
    recent::Recent,
};

use crate::{
    cgroups::ControlGroups, containers::Containers, namespaces::OwnNamespaces, proc, stacks::Resolver,
};

/// Names of users and control groups that are remembered, at least: on a host of months there is no end to control groups.
const REMEMBERED: usize = 4096;

/// Adds what records lack.
#[derive(Debug)]
pub struct Source {
    users: Recent<u32, Option<Arc<str>>>,
    cgroups: Recent<u64, Arc<str>>,
    containers: Containers,
    stacks: Resolver,
    nameless: u64,
    namespaces: OwnNamespaces,
    groups: ControlGroups,
}

impl Source {
    /// Knows nothing yet. Copies of other programs' files, by which stacks are named, take so many bytes at most.
    #[must_use]
    pub fn new(room: u64) -> Self {
        let (users, cgroups) = (Recent::new(REMEMBERED), Recent::new(REMEMBERED));
        let namespaces = OwnNamespaces::inspect();
        let (containers, stacks) = (Containers::of_host(), Resolver::new(room));
        let groups = ControlGroups::inspect(namespaces);
        Self { users, cgroups, containers, stacks, nameless: 0, namespaces, groups }
    }

    /// Completes a record.
    pub fn complete(&mut self, record: &mut Record) {
        match record {
            Record::Event(event) => {
                if let What::Attempt { listener: None, address, directory, .. } = &mut event.what {
                    *directory = match address.first() {
                        Some(0) | None => None,
                        Some(b'/') => link(&event.actor, "root").filter(|root| root != Path::new("/")),
                        Some(_) => link(&event.actor, "cwd"),
                    };
                }
            }
            Record::Process(process) => {
                if let Some(process) = Arc::get_mut(process) {
                    self.name(process);
                }
            }
            Record::RawStack(raw) => {
                if let Some(stack) = self.stacks.resolve(raw) {
                    *record = Record::Stack(stack);
                } else {
                    self.nameless += 1;
                }
            }
            _ => {}
        }
    }

    /// Gets ready to read other programs' files, in a process of its own. To be called while all privileges are there. Without
    /// that process, stacks are told as addresses.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn prepare_stacks(&mut self) -> io::Result<()> {
        self.stacks.prepare("/proc/self/exe".into())
    }

    /// Prepares to name stacks. What another pid namespace's /proc numbers would be other processes to the kernel side.
    pub fn look_for_interpreters(&mut self) {
        if proc::shows_host() {
            self.stacks.look_around();
        }
    }

    /// Interpreters for the kernel side to know, each with its key, that were found since this was asked last.
    pub fn take_interpreters(&mut self) -> Vec<(u64, abi::Python)> {
        self.stacks.take_interpreters()
    }

    /// Stacks that could not be read, as their processes were gone already.
    pub const fn nameless(&self) -> u64 {
        self.nameless
    }

    /// Describes from /proc a process that the kernel side could not describe, or not in time.
    pub fn describe(&mut self, actor: &Actor) -> Option<Process> {
        let mut process = read_process(actor, &self.groups)?;
        self.name(&mut process);
        Some(process)
    }

    /// Adds the names of user, control group and container. Each is asked for once: most processes share them.
    fn name(&mut self, process: &mut Process) {
        let uid = process.uid;
        let is_unmapped = self.namespaces.user && uid == UNMAPPED;
        process.user = self.users.get(&uid).unwrap_or_else(|| {
            let user = User::from_uid(Uid::from_raw(uid)).ok().flatten().filter(|_| !is_unmapped);
            let user = user.map(|user| user.name.into());
            self.users.put(uid, user.clone());
            user
        });
        if process.cgroup != 0 && self.groups.is_known() {
            process.cgroup_path = self.cgroups.get(&process.cgroup).or_else(|| {
                // The process may be gone already; the next one of its group is asked then.
                let found = self.groups.of_process(process.id.pid);
                let path = found.filter(|(_, id)| *id == process.cgroup).map(|(path, _)| Arc::from(path))?;
                self.cgroups.put(process.cgroup, Arc::clone(&path));
                Some(path)
            });
            process.container = process.cgroup_path.as_deref().and_then(|path| self.containers.names(path));
        }
    }
}

/// What a user namespace shows in place of a user that it does not know (`/proc/sys/kernel/overflowuid`, unless somebody changed it).
const UNMAPPED: u32 = 65_534;

/// Where a thread works, or has its root; if it is gone, where its process does. Its number may be another's by now, or always have
/// been in this pid namespace.
fn link(actor: &Actor, name: &str) -> Option<PathBuf> {
    let ProcessId { pid, start, .. } = actor.id;
    let of_thread = fs::read_link(format!("/proc/{pid}/task/{}/{name}", actor.tid));
    let directory = of_thread.or_else(|_| fs::read_link(proc::folder(pid).join(name))).ok()?;
    proc::is_same(pid, start).then_some(directory)
}

/// Describes from /proc a process that the kernel side could not describe, or not in time. It may be gone, or its
/// number may be another's by now: then nothing is known, and nothing is said.
fn read_process(actor: &Actor, groups: &ControlGroups) -> Option<Process> {
    let ProcessId { pid, start, .. } = actor.id;
    if !proc::is_same(pid, start) {
        return None;
    }
    let folder = proc::folder(pid);
    let owner = fs::metadata(&folder).ok()?;
    // Gone for a process that is exiting, and in the way of a later exec with another name.
    let program = fs::read_link(folder.join("exe")).ok()?;
    let comm = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    if actor.tid == pid && comm.trim_end_matches('\n') != actor.comm.to_string() {
        return None;
    }
    let (argv, argv_truncated) = command_line(&folder);
    // Read again: the number may have changed hands in between.
    proc::is_same(pid, start).then(|| Process {
        id: actor.id,
        program: Some(sockleak_core::event::name::shown(program.as_os_str().as_encoded_bytes())),
        argv,
        argv_truncated,
        comm: actor.comm,
        uid: actor.uid.unwrap_or(owner.uid()),
        gid: actor.gid.unwrap_or(owner.gid()),
        parent: proc::stat_field(pid, 4).unwrap_or(0) as u32,
        cgroup: groups.of_process(pid).map_or(0, |(_, id)| id),
        cgroup_path: None,
        container: None,
        user: None,
        pid_in_namespace: innermost_pid(pid).unwrap_or(0),
        namespaces: Namespaces {
            mount: namespace(&folder, "mnt"),
            network: namespace(&folder, "net"),
            pid: namespace(&folder, "pid"),
        },
    })
}

/// A process's command line, and whether it goes on: as much as the kernel side takes. A process says itself where its command line
/// is and how long, and may say that it is all of its memory.
fn command_line(folder: &Path) -> (Vec<String>, bool) {
    let file = File::open(folder.join("cmdline"));
    file.map_or_else(|_| (Vec::new(), false), first_arguments)
}

fn first_arguments(file: impl Read) -> (Vec<String>, bool) {
    let mut bytes = Vec::new();
    // What cannot be read to its end is told as far as it was.
    let _ = file.take(abi::ARGV_LEN as u64 + 1).read_to_end(&mut bytes);
    let is_cut = bytes.len() > abi::ARGV_LEN;
    bytes.truncate(abi::ARGV_LEN);
    let argv = bytes.strip_suffix(&[0]).unwrap_or(&bytes);
    if argv.is_empty() {
        return (Vec::new(), is_cut);
    }
    (argv.split(|&byte| byte == 0).map(text).collect(), is_cut)
}

/// Inode number of a namespace, from a link such as `mnt:[4026531840]`; 0 if it cannot be read.
fn namespace(folder: &Path, name: &str) -> u32 {
    let link = fs::read_link(folder.join("ns").join(name)).unwrap_or_default();
    let link = link.to_string_lossy();
    link.trim_end_matches(']').rsplit('[').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Process id in the process's own pid namespace, which is the last that /proc lists.
fn innermost_pid(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_whitespace().next_back()?.parse().ok()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_are_read_as_far_as_the_kernel_side_takes_them() {
        assert_eq!(first_arguments(&b"a\0b c\0"[..]), (vec!["a".to_owned(), "b c".to_owned()], false));
        assert_eq!(first_arguments(&b""[..]), (Vec::new(), false));
        // One without an end.
        let (argv, is_cut) = first_arguments(io::repeat(b'x'));
        assert_eq!((argv, is_cut), (vec!["x".repeat(abi::ARGV_LEN)], true));
    }
}
