//! The records in the ring buffer.

use super::{ARGV_LEN, COMPONENT_LEN, NAME_LEN, PATH_LEN, SCRIPT_LEN, STACK_LEN, Sent};

shared! {
    /// Start of every record.
    pub struct Header {
        /// One of [`kind`](super::kind).
        pub kind: u16,
        /// Layout version of the record: [`ABI_VERSION`].
        pub version: u16,
        /// Size of the whole record in bytes.
        pub size: u32,
        /// When it happened: nanoseconds since boot, suspend included (`CLOCK_BOOTTIME`).
        pub at: u64,
    } size 16
}

/// Layout version of the records.
pub const ABI_VERSION: u16 = 1;

shared! {
    /// A process and the program that it runs: the start time tells a reused pid apart, the exec count tells apart
    /// the programs that a process runs one after the other.
    pub struct ProcessKey {
        /// Thread group id in the initial pid namespace.
        pub tgid: u32,
        /// Low half of `task_struct.self_exec_id`.
        pub exec_id: u32,
        /// Start of the thread group's leader, nanoseconds since boot.
        pub start: u64,
    } size 16
}

shared! {
    /// Who did it.
    pub struct Actor {
        /// The process.
        pub process: ProcessKey,
        /// Thread id in the initial pid namespace.
        pub tid: u32,
        /// `task_struct.flags`.
        pub task_flags: u32,
        /// User id, as the initial user namespace has it; [`NO_ID`](super::NO_ID) where it was not taken.
        pub uid: u32,
        /// Group id, likewise.
        pub gid: u32,
        /// The thread's own name, 16 bytes: read and copied in words.
        pub comm: [u64; 2],
    } size 48
}

shared! {
    /// A path, written from its last component to its first, each ended by NUL.
    pub struct Path {
        /// Bytes used.
        pub used: u32,
        /// 1 if the walk reached the root: without it the front of the path is missing.
        pub complete: u32,
        /// The components.
        pub bytes: [u8; PATH_LEN + COMPONENT_LEN],
    } size 1288
}

shared! {
    /// Describes a process; sent before the first record that names it, and again when what it says has changed.
    pub struct Process {
        /// [`kind::PROCESS`](super::kind::PROCESS)
        pub header: Header,
        /// Who.
        pub actor: Actor,
        /// Control group id (v2 hierarchy).
        pub cgroup: u64,
        /// Process id in its own pid namespace.
        pub pid_in_namespace: u32,
        /// Thread group id of the parent.
        pub parent: u32,
        /// Inode number of the mount namespace.
        pub mount_namespace: u32,
        /// Inode number of the network namespace.
        pub network_namespace: u32,
        /// Inode number of the pid namespace.
        pub pid_namespace: u32,
        /// Bytes in `argv`.
        pub argv_used: u32,
        /// Length of the command line, which may be more than was kept.
        pub argv_len: u64,
        /// Name of the thread group's leader: an `io_uring` worker has a name of its own.
        pub leader_comm: [u64; 2],
        /// The command line, arguments ended by NUL.
        pub argv: [u8; ARGV_LEN],
        /// The executable.
        pub executable: Path,
    } size 1920
}

shared! {
    /// Describes a listening socket; sent once, before the first record that names it.
    pub struct Listener {
        /// [`kind::LISTENER`](super::kind::LISTENER)
        pub header: Header,
        /// Number of the listener, unique while the host is up.
        pub listener: u64,
        /// Inode number of the socket's file; 0 for an abstract name.
        pub inode: u64,
        /// Inode number of the directory that the file is in.
        pub directory_inode: u64,
        /// Device of the file, in the kernel's own encoding (12 bits major, 20 bits minor).
        pub device: u32,
        /// Inode number of the mount namespace that the file was bound in.
        pub mount_namespace: u32,
        /// Inode number of the network namespace.
        pub network_namespace: u32,
        /// Who called `listen`; 0 if nobody did.
        pub pid: u32,
        /// `listen`'s backlog.
        pub backlog: u32,
        /// `SOCK_STREAM` or `SOCK_SEQPACKET`.
        pub socket_type: u32,
        /// Bytes of `bind_name`.
        pub bind_len: u32,
        /// Padding.
        pub reserved: u32,
        /// The name that was given to `bind`; an abstract one starts with NUL.
        pub bind_name: [u8; NAME_LEN + 4],
        /// The file's present path.
        pub path: Path,
    } size 1472
}

shared! {
    /// The accept queue of a listener.
    pub struct Queue {
        /// Connections waiting to be accepted.
        pub length: u32,
        /// `sk_max_ack_backlog`: one more than this may wait.
        pub max: u32,
    } size 8
}

shared! {
    /// A connection was made.
    pub struct Connect {
        /// [`kind::CONNECT`](super::kind::CONNECT)
        pub header: Header,
        /// The opener.
        pub actor: Actor,
        /// Number of the connection, unique while the programs are loaded.
        pub connection: u64,
        /// Number of its listener.
        pub listener: u64,
        /// Inode number of the client's socket, as in `socket:[N]`.
        pub client_inode: u64,
        /// The accept queue before this connection joined it.
        pub queue: Queue,
        /// [`untracked`]: ends that could not be registered.
        pub untracked: u32,
        /// Padding.
        pub reserved: u32,
    } size 104
}

/// Bits of [`Connect::untracked`].
pub mod untracked {
    /// The release of the client end will not be seen.
    pub const CLIENT: u32 = 1;
    /// Neither the accept nor the release of the server end will be seen.
    pub const SERVER: u32 = 2;
}

shared! {
    /// The user stack of whoever makes a connection; comes before the connection's own record, where it is asked for.
    pub struct Stack {
        /// [`kind::STACK`](super::kind::STACK)
        pub header: Header,
        /// The opener.
        pub process: ProcessKey,
        /// Number of the connection.
        pub connection: u64,
        /// Thread id of the opener.
        pub tid: u32,
        /// Bytes used of `bytes`.
        pub used: u32,
        /// Instruction pointer in user mode.
        pub ip: u64,
        /// Stack pointer.
        pub sp: u64,
        /// Frame pointer.
        pub bp: u64,
        /// Link register, where calls leave their return address; 0 on processors without one.
        pub link: u64,
        /// Address of the first of `bytes`, at or below `sp`.
        pub base: u64,
        /// Entries used of `script`.
        pub script_used: u32,
        /// Padding.
        pub reserved: u32,
        /// Of an interpreter: the addresses of each function's code object and of the instruction in it, the innermost first.
        pub script: [[u64; 2]; SCRIPT_LEN],
        /// What lies on the stack from there on, towards its beginning.
        pub bytes: [u8; STACK_LEN],
    } size 16992
}

shared! {
    /// A connection was accepted.
    pub struct Accept {
        /// [`kind::ACCEPT`](super::kind::ACCEPT)
        pub header: Header,
        /// The acceptor.
        pub actor: Actor,
        /// Number of the connection.
        pub connection: u64,
        /// Number of its listener.
        pub listener: u64,
        /// Inode number of the accepted socket.
        pub server_inode: u64,
    } size 88
}

shared! {
    /// The last reference to an end, or to a listener, was dropped.
    pub struct Release {
        /// [`kind::RELEASE`](super::kind::RELEASE)
        pub header: Header,
        /// Who dropped it.
        pub actor: Actor,
        /// Number of the connection; 0 for a listener.
        pub connection: u64,
        /// Number of its listener.
        pub listener: u64,
        /// One of [`side`].
        pub side: u32,
        /// 1 if a closing listener drops a connection that was never accepted.
        pub embryo: u32,
        /// `task_struct.exit_code` (wait(2) status) of an exiting task, else 0.
        pub exit_code: u32,
        /// Bits of [`circumstance`].
        pub circumstances: u32,
    } size 96
}

/// Bits of [`Release::circumstances`].
pub mod circumstance {
    /// The task is in `execve`: the descriptor was close-on-exec.
    pub const IN_EXEC: u32 = 1;
    /// The task is the one that looks through the descriptors: whoever held the last of them let go while it was looked at,
    /// so that the look dropped the last reference.
    pub const BY_OBSERVER: u32 = 2;
}

/// What a registered socket is.
pub mod side {
    /// The end that called `connect`.
    pub const CLIENT: u32 = 0;
    /// The end that `accept` returns.
    pub const SERVER: u32 = 1;
    /// The listening socket.
    pub const LISTENER: u32 = 2;
}

shared! {
    /// A connect failed.
    pub struct Attempt {
        /// [`kind::ATTEMPT`](super::kind::ATTEMPT)
        pub header: Header,
        /// Who tried.
        pub actor: Actor,
        /// Number of the listener, 0 if none was found.
        pub listener: u64,
        /// The accept queue when the listener was found.
        pub queue: Queue,
        /// Error number, positive.
        pub errno: u32,
        /// Bytes in `address`.
        pub address_len: u32,
        /// Where the last component of `address` begins (kept here for the verifier's sake).
        pub last_component: u32,
        /// Where `address` ends (likewise).
        pub end: u32,
        /// `sun_path` as the client gave it; an abstract one starts with NUL.
        pub address: [u8; 128],
    } size 224
}

shared! {
    /// A descriptor that refers to a wanted socket, found by the iterator. Or, of a server end without an inode, the descriptor of
    /// the listener in whose queue it waits: its client has left, and no descriptor leads to it.
    pub struct Held {
        /// [`kind::HELD`](super::kind::HELD)
        pub header: Header,
        /// The process whose descriptor it is.
        pub process: ProcessKey,
        /// Name of the thread group's leader.
        pub comm: [u64; 2],
        /// Number of the connection, see [`is_seed`]; 0 for a listener.
        pub connection: u64,
        /// Number of the listener.
        pub listener: u64,
        /// Inode number of the socket, as in `socket:[N]`; 0 while it is not accepted.
        pub inode: u64,
        /// Inode number of the other end; 0 if that has none (not accepted, or released).
        pub peer_inode: u64,
        /// The accept queue of a listener.
        pub queue: Queue,
        /// One of [`side`].
        pub side: u32,
        /// One of [`peer`].
        pub peer: u32,
        /// The descriptor.
        pub fd: u32,
        /// Of a connection: the process that connected, by `SO_PEERCRED` of the server end; 0 if that is gone.
        pub opener: u32,
        /// Of an end: what it sent while that was noted.
        pub sent: Sent,
        /// Of an end: messages that lie there unread (`sk_receive_queue.qlen`).
        pub unread: u32,
        /// Of an end: bits of [`shutdown`].
        pub shutdown: u32,
    } size 128
}

/// Bits of [`Held::shutdown`]: `sk_shutdown` of the end (include/net/sock.h). shutdown(2) sets one at each end, so that what an
/// end has set is its own doing or the other's.
pub mod shutdown {
    /// It receives nothing any more.
    pub const RECEIVE: u32 = 1;
    /// It sends nothing any more.
    pub const SEND: u32 = 2;
}

/// Low bits of a connection's number: the processor that gave it. Numbers stay below 2^53, which JSON readers can
/// represent, for 10^12 connections on each processor.
pub const PROCESSOR_BITS: u32 = 13;
/// In place of a processor, in the number of a connection whose start no hook saw. Linux has no more than 8192 processors,
/// and as good as no host has this one.
pub const SEED: u64 = (1 << PROCESSOR_BITS) - 1;

/// Is it the number of a connection whose start no hook saw?
#[must_use]
pub const fn is_seed(connection: u64) -> bool {
    connection & SEED == SEED
}

/// What became of the other end, as the iterator saw it.
pub mod peer {
    /// Somebody refers to it.
    pub const OPEN: u32 = 0;
    /// A server end that waits to be accepted.
    pub const QUEUED: u32 = 1;
    /// Nobody does any more.
    pub const RELEASED: u32 = 2;
}
