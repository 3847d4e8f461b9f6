//! Records, map keys and map values.
//!
//! Every record starts with a [`Header`]; `kind` says what follows. All fields are native-endian and explicitly
//! padded, so a record has no uninitialised bytes and may be read from any properly sized slice.

#[cfg(not(target_arch = "bpf"))]
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Longest name that can be filtered in the kernel: `sun_path` holds 108 bytes (unix(7)).
pub const NAME_LEN: usize = 108;
/// Bytes of a path that are kept; the walk needs room for one more component behind them.
pub const PATH_LEN: usize = 1024;
/// Longest path component (`NAME_MAX` + NUL).
pub const COMPONENT_LEN: usize = 256;
/// Bytes of the command line that are kept.
pub const ARGV_LEN: usize = 512;
/// Steps of a path walk: components plus mount points crossed.
pub const PATH_STEPS: usize = 32;

/// Bytes of a name that the kernel side compares, besides its length. Userspace turns down what only looks alike.
pub const PREFIX_LEN: usize = 15;
/// No user or group id: `(uid_t)-1`, which no user has.
pub const NO_ID: u32 = u32::MAX;

/// Kinds of record.
pub mod kind {
    /// [`super::Process`]
    pub const PROCESS: u16 = 1;
    /// [`super::Listener`]
    pub const LISTENER: u16 = 2;
    /// [`super::Connect`]
    pub const CONNECT: u16 = 3;
    /// [`super::Accept`]
    pub const ACCEPT: u16 = 4;
    /// [`super::Release`]
    pub const RELEASE: u16 = 5;
    /// [`super::Attempt`]
    pub const ATTEMPT: u16 = 6;
}

/// The hooks, as indices into [`Counters`].
pub mod hook {
    /// A connection was made: `security_unix_stream_connect`.
    pub const CONNECT: usize = 0;
    /// An end was released: `unix_release_sock`.
    pub const RELEASE: usize = 1;
    /// A connection was accepted: `security_sock_graft`.
    pub const ACCEPT: usize = 2;
    /// A connect returned an error: `unix_stream_connect`.
    pub const ATTEMPT: usize = 3;
    /// The listener that a connect found: `unix_find_other`.
    pub const LOOKUP: usize = 4;
    /// How many there are.
    pub const COUNT: usize = 5;
}

/// What can fail in a hook, as indices into a row of [`Counters`].
pub mod failure {
    /// No room in the ring buffer: an event was lost.
    pub const RING: usize = 0;
    /// The map of ends is full: a release will not be seen.
    pub const ENDS: usize = 1;
    /// No room in the ring buffer for the description of a process.
    pub const PROCESS: usize = 2;
    /// The map of pending lookups is full: an attempt lost its listener.
    pub const PENDING: usize = 3;
    /// How many there are.
    pub const COUNT: usize = 4;
}

/// Derives what each side needs: userspace reads and writes the bytes without `unsafe`.
macro_rules! shared {
    ($(#[$meta:meta])* pub struct $name:ident { $($body:tt)* } size $size:literal) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy)]
        #[cfg_attr(
            not(target_arch = "bpf"),
            derive(Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)
        )]
        pub struct $name { $($body)* }

        const _: () = assert!(core::mem::size_of::<$name>() == $size);
        const _: () = assert!(core::mem::align_of::<$name>() <= 8);
    };
}

shared! {
    /// Start of every record.
    pub struct Header {
        /// One of [`kind`].
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
        /// User id, as the initial user namespace has it, for whoever connects; else [`NO_ID`], which saves a look-up.
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
    /// Describes a process; sent once, before the first record that names it.
    pub struct Process {
        /// [`kind::PROCESS`]
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
        /// [`kind::LISTENER`]
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
        /// [`kind::CONNECT`]
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
    /// A connection was accepted.
    pub struct Accept {
        /// [`kind::ACCEPT`]
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
        /// [`kind::RELEASE`]
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
        /// 1 if the task is in `execve`: the descriptor was close-on-exec.
        pub in_exec: u32,
    } size 96
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
        /// [`kind::ATTEMPT`]
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
    /// Key of the map of wanted names.
    pub struct Name {
        /// Length of the whole name.
        pub len: u32,
        /// 1 for an abstract name (without the leading NUL), 0 for a file name.
        pub is_abstract: u32,
        /// The first [`PREFIX_LEN`] bytes, padded with NUL.
        pub prefix: [u64; 2],
    } size 24
}

shared! {
    /// What to look for; one entry, changed while the programs run.
    pub struct Config {
        /// 0 until everything is attached.
        pub enabled: u32,
        /// 1 if every socket with a file is wanted (a wildcard in the file name).
        pub any_file: u32,
        /// 1 if userspace turned a listener down, so that the numbers of those must be looked up.
        pub any_ignored: u32,
        /// Padding.
        pub reserved: u32,
        /// Lengths of the wanted file names, one bit each: most sockets fail this without a hash.
        pub file_lengths: [u64; 4],
        /// Lengths of the wanted abstract names.
        pub abstract_lengths: [u64; 4],
    } size 80
}

shared! {
    /// Value of the map of ends, keyed by `struct sock *`.
    pub struct End {
        /// Number of the connection; 0 for a listener.
        pub connection: u64,
        /// Number of the listener.
        pub listener: u64,
        /// One of [`side`].
        pub side: u32,
        /// Exec count of whoever opened or accepted it, see `owner`.
        pub owner_exec_id: u32,
        /// Of an end: thread group id of whoever opened or accepted it, a process that userspace knows. Of a listener:
        /// the address of what has its name, which tells it from another socket at the same address.
        pub owner: u64,
    } size 32
}

shared! {
    /// Value of the map of pending lookups, keyed by thread: what `unix_find_other` found.
    pub struct Pending {
        /// Number of the listener; 0 if userspace turned it down.
        pub listener: u64,
        /// Its accept queue.
        pub queue: Queue,
        /// Hash of the address that led to it: what an earlier connect left behind is told by it.
        pub address: u64,
    } size 24
}

/// How often something failed, by [`hook`] and [`failure`].
pub type Counters = [[u64; failure::COUNT]; hook::COUNT];
