//! What was found at one moment: sockets, and the processes that hold them.

use std::collections::HashMap;

use sockleak_core::{
    attribution::{
        container::Membership,
        filter::{Filter, Subject},
        limits::Limit,
    },
    event::Queue,
};

/// What a socket is bound to. A listener and the server ends of its connections have this in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Bound {
    /// A file, by inode and device.
    File(u64, u32),
    /// An abstract name, in a network namespace; sockets of another type may have the same name.
    Abstract(Vec<u8>, u32, bool),
}

/// A listening socket.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Inode number of the socket.
    pub inode: u64,
    /// Its path or `@name`, as text.
    pub path: String,
    /// What it is bound to.
    pub bound: Bound,
    /// Its mount namespace, or the network namespace of an abstract one; 0 if that is not known.
    pub namespace: u32,
    /// The accept queue.
    pub queue: Queue,
    /// Inode numbers of the clients that wait in it; 0 for a client that has left.
    pub waiting: Vec<u64>,
    /// How many connections its server serves at a time, where that is known.
    pub limit: Option<Limit>,
}

/// One end of a connection.
#[derive(Clone, Debug)]
pub struct End {
    /// Inode number of the socket.
    pub inode: u64,
    /// That of the other end; None if it is released.
    pub peer: Option<u64>,
    /// What it is bound to, and that as text.
    pub bound: Option<(Bound, String)>,
}

/// A process.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// Executable, and of an interpreter the script that it runs.
    pub program: String,
    /// Path of the executable alone; empty if it is the program.
    pub executable: String,
    /// Name of its first thread.
    pub comm: Option<String>,
    /// User id.
    pub uid: Option<u32>,
    /// Name of the user.
    pub user: Option<String>,
    /// Unit and container.
    pub membership: Option<Membership>,
}

/// All that was found at one moment.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Listening sockets.
    pub listeners: Vec<Listener>,
    /// Ends of connections.
    pub ends: Vec<End>,
    /// Processes that hold a socket, by their ids.
    pub processes: HashMap<u32, Process>,
    /// The processes that hold a socket, by its inode number.
    pub holders: HashMap<u64, Vec<u32>>,
}

impl Facts {
    pub(super) fn holders(&self, inode: u64) -> &[u32] {
        self.holders.get(&inode).map_or(&[], Vec::as_slice)
    }

    pub(super) fn name(&self, pid: u32) -> &str {
        self.processes.get(&pid).map_or("[unknown]", |process| &process.program)
    }

    pub(super) fn matches(&self, filter: &Filter, inode: u64) -> bool {
        self.holders(inode).iter().any(|&pid| {
            let process = self.processes.get(&pid);
            // Of an interpreter, what it runs goes as well.
            let names = process.map_or([""; 2], |it| [it.program.as_str(), it.executable.as_str()]);
            names.iter().any(|&program| {
                filter.matches(&Subject {
                    pid,
                    program,
                    comm: process.and_then(|it| it.comm.as_deref()),
                    uid: process.and_then(|it| it.uid),
                    user: process.and_then(|it| it.user.as_deref()),
                    membership: process.and_then(|it| it.membership.as_ref()),
                })
            })
        })
    }
}
