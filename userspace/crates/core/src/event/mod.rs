//! What happened: the typed form of a record, and the end of the road for raw bytes.

use std::{fmt, path::PathBuf, sync::Arc};

mod carried;
mod container;
mod held;
pub mod name;
mod stack;
mod window;

pub use carried::Carried;
pub use container::{ContainerNames, Runtime};
pub use held::{Held, HeldSocket, Peer, Usage};
pub use stack::{Frame, RawStack, Stack};
pub use window::{Cursor, Place, Window};

/// A process and the program that it ran: a reused pid has another start, and `exec` starts another program in the
/// same process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId {
    /// Thread group id in the initial pid namespace.
    pub pid: u32,
    /// Start of the process, nanoseconds since boot.
    pub start: u64,
    /// How often the process has called exec (low half of the kernel's count).
    pub exec_id: u32,
}

/// What is known of a process, as the kernel had it when the process was first met or when it had changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Which process.
    pub id: ProcessId,
    /// Path of the executable; None if it could not be read.
    pub program: Option<String>,
    /// Command line, as far as it was kept.
    pub argv: Vec<String>,
    /// The command line was longer than what was kept.
    pub argv_truncated: bool,
    /// Name of the thread group's leader.
    pub comm: Comm,
    /// User id in the initial user namespace.
    pub uid: u32,
    /// Group id, likewise.
    pub gid: u32,
    /// Parent process.
    pub parent: u32,
    /// Control group id.
    pub cgroup: u64,
    /// Path of that control group, where the source could find it.
    pub cgroup_path: Option<Arc<str>>,
    /// Names of the container that it runs in, where the files of the container engine have them.
    pub container: Option<Arc<ContainerNames>>,
    /// The user's name, likewise.
    pub user: Option<Arc<str>>,
    /// Process id in its own pid namespace.
    pub pid_in_namespace: u32,
    /// Inode numbers of its namespaces.
    pub namespaces: Namespaces,
}

/// Inode numbers of namespaces; 0 if unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Mount namespace.
    pub mount: u32,
    /// Network namespace.
    pub network: u32,
    /// Pid namespace.
    pub pid: u32,
}

/// The name of a task: at most 15 bytes, chosen by the task itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Comm(pub [u8; 16]);

impl fmt::Display for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.split(|&byte| byte == 0).next().unwrap_or_default();
        f.write_str(&String::from_utf8_lossy(name))
    }
}

impl serde::Serialize for Comm {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The process.
    pub id: ProcessId,
    /// The thread.
    pub tid: u32,
    /// User id in the initial user namespace, where it was taken.
    pub uid: Option<u32>,
    /// Group id, likewise.
    pub gid: Option<u32>,
    /// The thread's own name.
    pub comm: Comm,
}

/// A listening socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    /// Its number, unique while the host is up.
    pub id: u64,
    /// Present path of its file in the mount namespace where it was bound, or `@name` with the NUL bytes that pad it.
    pub path: Vec<u8>,
    /// The front of `path` could not be read.
    pub path_truncated: bool,
    /// The name that was given to bind.
    pub bind_name: Vec<u8>,
    /// Has it an abstract name?
    pub is_abstract: bool,
    /// Device of the file, as stat(2) gives it.
    pub device: u64,
    /// Inode of the file; 0 for an abstract name.
    pub inode: u64,
    /// Inode of the directory that the file is in.
    pub directory_inode: u64,
    /// Mount namespace in which it was bound.
    pub mount_namespace: u32,
    /// Network namespace.
    pub network_namespace: u32,
    /// Who called listen.
    pub pid: Option<u32>,
    /// listen's backlog.
    pub backlog: u32,
    /// A `SOCK_SEQPACKET` socket.
    pub is_seqpacket: bool,
}

/// An accept queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Queue {
    /// Connections waiting to be accepted.
    pub length: u32,
    /// The backlog: one more than this may wait.
    pub max: u32,
}

/// One side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// The end that called connect.
    Client,
    /// The end that accept returned, or would have.
    Server,
}

impl End {
    /// Its name in JSON and exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// Why the last reference to a socket went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// close(), or whatever else replaces or drops a descriptor while the process lives on.
    Close,
    /// The process ended by itself, with this status.
    Exit(u8),
    /// The process was killed by this signal.
    Killed(u8),
    /// exec, of a close-on-exec descriptor.
    Exec,
    /// The listener closed before the connection was accepted.
    ListenerClosed,
    /// A kernel thread dropped it: it was in flight, in nobody's descriptor table.
    Collected,
    /// Whoever held it let go while a round looked at the descriptor, so that the round was the last to refer to it: who and
    /// why is not known.
    Unseen,
}

impl Reason {
    /// Its name in JSON and text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Exit(_) => "exit",
            Self::Killed(_) => "killed",
            Self::Exec => "exec",
            Self::ListenerClosed => "listener-closed",
            Self::Collected => "collected",
            Self::Unseen => "unseen",
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A connection was made; the actor is its opener.
    Connect {
        /// Number of the connection, unique while the host is up.
        connection: u64,
        /// Its listener.
        listener: u64,
        /// Inode of the client's socket.
        client_inode: u64,
        /// The accept queue before.
        queue: Queue,
        /// The client's release will not be seen (map full).
        client_untracked: bool,
        /// Nor what happens to the server end.
        server_untracked: bool,
    },
    /// A connection was accepted; the actor is the acceptor.
    Accept {
        /// Which.
        connection: u64,
        /// Its listener.
        listener: u64,
        /// Inode of the accepted socket.
        server_inode: u64,
    },
    /// An end was released.
    Release {
        /// Of which connection.
        connection: u64,
        /// Its listener.
        listener: u64,
        /// Which end.
        end: End,
        /// Why.
        reason: Reason,
    },
    /// A listener was closed.
    ListenerClosed {
        /// Which.
        listener: u64,
        /// Why.
        reason: Reason,
    },
    /// A connect failed.
    Attempt {
        /// The listener, if one was found.
        listener: Option<u64>,
        /// Error number.
        errno: i32,
        /// `sun_path` as given; an abstract one starts with NUL.
        address: Vec<u8>,
        /// The listener's accept queue.
        queue: Option<Queue>,
        /// The client's working directory, read by the source where a relative address needs it; for an absolute address the
        /// client's root directory if that is another than ours (chroot).
        directory: Option<PathBuf>,
        /// The path that is meant, where it is settled already: in a recording.
        place: Option<Vec<u8>>,
    },
}

impl What {
    /// The connection that it is about.
    #[must_use]
    pub const fn connection(&self) -> Option<u64> {
        match *self {
            Self::Connect { connection, .. }
            | Self::Accept { connection, .. }
            | Self::Release { connection, .. } => Some(connection),
            Self::ListenerClosed { .. } | Self::Attempt { .. } => None,
        }
    }

    /// The listener that it happened at; None for an attempt that found none.
    #[must_use]
    pub const fn listener(&self) -> Option<u64> {
        match *self {
            Self::Attempt { listener, .. } => listener,
            Self::Connect { listener, .. }
            | Self::Accept { listener, .. }
            | Self::Release { listener, .. }
            | Self::ListenerClosed { listener, .. } => Some(listener),
        }
    }
}

/// An error number as the program saw it. The kernel has numbers of its own for "restart the system call"
/// (include/linux/errno.h): where a signal is handled the program sees `EINTR` instead; otherwise the kernel restarts the call, or
/// the signal ends the program.
#[must_use]
pub const fn as_program_saw(errno: i32) -> i32 {
    // ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND and ERESTART_RESTARTBLOCK.
    if matches!(errno, 512 | 513 | 514 | 516) { libc::EINTR } else { errno }
}

/// Something that happened, when, and who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Nanoseconds since boot, suspend included.
    pub at: u64,
    /// Who.
    pub actor: Actor,
    /// What.
    pub what: What,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Describes a process that later events name.
    Process(Arc<Process>),
    /// Describes a listener that later events name.
    Listener(Arc<Listener>),
    /// Something happened.
    Event(Event),
    /// The state of the other end, and who refers to this one: a line of a round over all descriptors.
    Held(Held),
    /// A round begins: what it says of holders takes the place of what the last one said.
    RoundBegins,
    /// The round is over. Whoever was not named holds nothing.
    RoundEnds,
    /// The stack of whoever makes the connection whose record follows, as bytes.
    RawStack(Box<RawStack>),
    /// The same, with names.
    Stack(Stack),
    /// An end turned out to be released, although no record said so.
    Gone {
        /// Of which connection.
        connection: u64,
        /// Which end.
        end: End,
    },
    /// Nothing was watched for a while, and what was followed is forgotten.
    Unwatched {
        /// From when: nanoseconds since boot.
        since: u64,
        /// Until when.
        until: u64,
    },
    /// Whether it is noted when an end sends.
    UseNoted {
        /// Since when: nanoseconds since boot.
        at: u64,
        /// It is from now on. False: some sends were missed, so that what is known of use means nothing.
        is_reliable: bool,
    },
    /// What a segment of a store begins with.
    Carried(Carried),
}
