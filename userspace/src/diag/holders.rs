//! Who has which socket open, from /proc.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, ReadDir},
    io::ErrorKind,
    path::Path,
};

use sockleak_core::event::{Actor, Comm, ProcessId};

use super::namespace::{Namespace, number};
use crate::proc;

/// A descriptor of a socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    /// Whose.
    pub(super) actor: Actor,
    /// The descriptor.
    pub(super) fd: u32,
}

/// All descriptors of sockets, by the sockets' inodes.
#[derive(Debug, Default)]
pub(super) struct Holders {
    by_inode: HashMap<u64, Vec<Holder>>,
    /// Processes whose descriptors may not be read.
    pub(super) refused: u64,
}

impl Holders {
    /// Those of a socket.
    pub(super) fn of(&self, inode: u64) -> &[Holder] {
        self.by_inode.get(&inode).map_or(&[], Vec::as_slice)
    }
}

/// Reads all of /proc: the network namespaces, our own first, and the descriptors of sockets.
pub(super) fn read() -> (Vec<Namespace>, Holders) {
    let own = Path::new("/proc/self/ns/net");
    let mut namespaces = BTreeMap::new();
    let mut holders = Holders::default();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let folder = proc::folder(pid);
        let file = folder.join("ns/net");
        if let Some(number) = number(&file) {
            namespaces.entry(number).or_insert(file);
        }
        match fs::read_dir(folder.join("fd")) {
            // One that ends meanwhile holds nothing.
            Ok(entries) => descriptors(pid, entries, &mut holders),
            Err(error) => holders.refused += u64::from(error.kind() == ErrorKind::PermissionDenied),
        }
    }
    let first = number(own);
    namespaces.remove(&first.unwrap_or_default());
    (first.map(|number| (number, own.to_owned())).into_iter().chain(namespaces).collect(), holders)
}

fn descriptors(pid: u32, entries: ReadDir, holders: &mut Holders) {
    let mut actor = None;
    for entry in entries.flatten() {
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        let Some(inode) = target.to_str().and_then(inode) else { continue };
        let Some(fd) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // It is not there any more.
        let Some(known) = actor.or_else(|| describe(pid)) else { return };
        let actor = *actor.insert(known);
        holders.by_inode.entry(inode).or_default().push(Holder { actor, fd });
    }
}

/// `socket:[123]`
fn inode(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

fn describe(pid: u32) -> Option<Actor> {
    let mut comm = [0; 16];
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    let name = name.strip_suffix(b"\n").unwrap_or(&name);
    let len = name.len().min(15);
    comm[..len].copy_from_slice(&name[..len]);
    let id = ProcessId { pid, start: proc::start(pid)?, exec_id: 0 };
    Some(Actor { id, tid: pid, uid: None, gid: None, comm: Comm(comm) })
}
