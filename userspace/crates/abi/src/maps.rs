//! Keys and values of the maps.

use super::{Queue, failure, hook};

shared! {
    /// Key of the map of wanted names.
    pub struct Name {
        /// Length of the whole name; 0 for an abstract one, which NUL bytes may pad.
        pub len: u32,
        /// 1 for an abstract name (without the leading NUL), 0 for a file name.
        pub is_abstract: u32,
        /// The first [`PREFIX_LEN`](super::PREFIX_LEN) bytes, padded with NUL.
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
        /// 1 while a round of the iterator looks for listeners alone: ends are known by their listener's address.
        pub listeners_only: u32,
        /// 1 if the user stack of whoever connects is wanted.
        pub stacks: u32,
        /// 1 if every socket with an abstract name is wanted (a wildcard in it).
        pub any_abstract: u32,
        /// 1 if it is noted when an end sends.
        pub use_armed: u32,
        /// Nothing.
        pub padding: u32,
        /// Lengths of the wanted file names, one bit each: most sockets fail this without a hash.
        pub file_lengths: [u64; 4],
        /// Lengths that the wanted abstract names may have, padded or not.
        pub abstract_lengths: [u64; 4],
    } size 96
}

shared! {
    /// Value of the map of ends, keyed by `struct sock *`.
    pub struct End {
        /// Number of the connection; 0 for a listener.
        pub connection: u64,
        /// Number of the listener.
        pub listener: u64,
        /// One of [`side`](super::side).
        pub side: u32,
        /// Exec count of whoever opened or accepted it, see `owner`; 0 for an end that the iterator entered.
        pub owner_exec_id: u32,
        /// Of an end: thread group id of whoever opened or accepted it, and the low half of that process's start above it; 0
        /// for an end that the iterator entered. Of a listener: the address of what has its name, which tells it from another
        /// socket at the same address.
        pub owner: u64,
        /// Inode number of the socket, which tells an end from another socket at its address; 0 for a listener, and for a server
        /// end that is not accepted.
        pub inode: u64,
        /// What the end sent while that was noted.
        pub sent: Sent,
    } size 56
}

shared! {
    /// What an end of a connection sent, as far as it was noted. Changed in place at each send; no record is made of it.
    pub struct Sent {
        /// Bytes in all, of sends that the kernel took.
        pub bytes: u64,
        /// How many such sends.
        pub count: u32,
        /// When the last one returned: nanoseconds since boot, shifted by [`USE_SHIFT`](super::USE_SHIFT). 0 for none.
        pub last: u32,
    } size 16
}

impl Sent {
    /// Nothing.
    pub const NOTHING: Self = Self { bytes: 0, count: 0, last: 0 };
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

shared! {
    /// Value of the map of Python interpreters: where they keep what they run. All but the first are offsets in structures,
    /// which differ from version to version.
    pub struct Python {
        /// Address of `_PyRuntime`; in an entry for a file from the beginning of the process's code on.
        pub runtime: u64,
        /// `_PyRuntimeState.interpreters.head`
        pub interpreter: u32,
        /// `PyInterpreterState.threads.head`
        pub thread: u32,
        /// `PyThreadState.next`
        pub next_thread: u32,
        /// `PyThreadState.native_thread_id`
        pub thread_id: u32,
        /// `PyThreadState.cframe`
        pub c_frame: u32,
        /// `_PyCFrame.current_frame`
        pub frame: u32,
        /// `_PyInterpreterFrame.f_code`
        pub code: u32,
        /// `_PyInterpreterFrame.previous`
        pub previous: u32,
        /// `_PyInterpreterFrame.prev_instr`
        pub instruction: u32,
        /// Padding.
        pub reserved: u32,
    } size 48
}

/// Key of a process in the map of interpreters.
#[must_use]
pub const fn interpreter_process(tgid: u32) -> u64 {
    (tgid as u64) | 1 << 63
}

/// How often something failed, by [`hook`] and [`failure`].
pub type Counters = [[u64; failure::COUNT]; hook::COUNT];
