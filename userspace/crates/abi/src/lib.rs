//! What the kernel side and userspace agree on: the records in the ring buffer, the maps' keys and values, and the
//! [`offsets`] that userspace fills in before the programs are loaded.
//!
//! Each layout is defined here once and used by both sides; their sizes are asserted at compile time.
//!
//! Every record starts with a [`Header`]; `kind` says what follows. All fields are native-endian and explicitly
//! padded, so a record has no uninitialised bytes and may be read from any properly sized slice.
#![no_std]

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

/// Bytes of a user stack that are kept, with the piece below it that the first read takes along.
pub const STACK_LEN: usize = 16 << 10;
/// A stack is copied in pieces of this size, up to the first that cannot be read.
pub const STACK_PIECE: usize = 1 << 10;

/// Frames of an interpreter that are kept.
pub const SCRIPT_LEN: usize = 32;

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
    /// [`super::Held`]
    pub const HELD: u16 = 7;
    /// [`super::Stack`]
    pub const STACK: u16 = 8;
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
    /// Who refers to which socket: an iterator over all descriptor tables.
    pub const ITERATE: usize = 5;
    /// An end sent something: `unix_stream_sendmsg`.
    pub const SEND: usize = 6;
    /// An end sent a page: `unix_stream_sendpage`, where the kernel has it (up to 6.4).
    pub const SEND_PAGE: usize = 7;
    /// An end of type `SOCK_SEQPACKET` sent something: `unix_seqpacket_sendmsg`.
    pub const SEND_PACKET: usize = 8;
    /// How many there are.
    pub const COUNT: usize = 9;
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
    /// No room in the ring buffer for the stack of whoever connects.
    pub const STACK: usize = 4;
    /// An accept queue is longer than the iterator looks: a connection from before the trace may be missing.
    pub const QUEUE: usize = 5;
    /// How many there are.
    pub const COUNT: usize = 6;
}

/// The last use of an end is kept in steps of 2^26 ns (67 ms) since boot: 32 bits reach nine years.
pub const USE_SHIFT: u32 = 26;

/// What the program `verify` returns.
pub mod liveness {
    /// The end is open.
    pub const OPEN: i32 = 1;
    /// It is not, or another one is in its place.
    pub const RELEASED: i32 = 2;
}

/// Derives what each side needs: userspace reads and writes the bytes without `unsafe`.
macro_rules! shared {
    ($(#[$meta:meta])* pub struct $name:ident { $($body:tt)* } size $size:literal) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy)]
        #[cfg_attr(
            not(target_arch = "bpf"),
            derive(
                Debug,
                PartialEq,
                Eq,
                zerocopy::FromBytes,
                zerocopy::IntoBytes,
                zerocopy::Immutable,
                zerocopy::KnownLayout
            )
        )]
        pub struct $name { $($body)* }

        const _: () = assert!(core::mem::size_of::<$name>() == $size);
        const _: () = assert!(core::mem::align_of::<$name>() <= 8);
    };
}

mod maps;
pub mod offsets;
mod records;

pub use maps::*;
pub use records::*;
