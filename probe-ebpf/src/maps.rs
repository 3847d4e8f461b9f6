//! The maps. Sizes are what userspace asks for at load; those here are the defaults.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use sockleak_abi::{Config, Counters, End, Name, Pending, ProcessKey, Python};

/// Records on their way to userspace.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(8 << 20, 0);

/// What to look for.
#[map]
pub(crate) static CONFIG: Array<Config> = Array::with_max_entries(1, 0);

/// Names of the listeners that are wanted.
#[map]
pub(crate) static WANTED: HashMap<Name, u8> = HashMap::with_max_entries(1024, 0);

/// Listeners with a wanted name that userspace turned down, for example one in another directory. Keyed by the
/// listener's number, which is never reused, so a late entry cannot hit a new listener.
#[map]
pub(crate) static IGNORED: LruHashMap<u64, u8> = LruHashMap::with_max_entries(4096, 0);

/// Listeners and both ends of every connection that is followed, by `struct sock *`. Entries go when the socket is
/// released: the kernel reuses the address at once.
#[map]
pub(crate) static ENDS: HashMap<u64, End> = HashMap::with_max_entries(65_536, 0);

/// Processes that userspace was told about, each with a hash of what may change (`Task::state`), as it was told. The oldest make
/// room: telling twice is harmless.
#[map]
pub(crate) static ANNOUNCED: LruHashMap<ProcessKey, u64> = LruHashMap::with_max_entries(16_384, 0);

/// What describes a process and may change while it runs the same program: see `Task::state`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct State {
    /// User and group.
    pub(crate) user: u64,
    /// Inode numbers of the namespaces of mounts and networks.
    pub(crate) namespaces: u64,
    /// Thread group id of the parent.
    pub(crate) parent: u64,
    /// Control group id.
    pub(crate) cgroup: u64,
    /// Name of the thread group's leader.
    pub(crate) comm: [u64; 2],
}

/// A process that was described, as it was then.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Announced {
    pub(crate) process: ProcessKey,
    pub(crate) state: State,
}

/// Places of [`LAST_ANNOUNCED`], a power of two.
pub(crate) const LAST_PLACES: u32 = 16;

/// Processes that were found among the described ones last, on each processor, by thread group id: a busy one is not looked up
/// again, and no hash of its state is made.
#[map]
pub(crate) static LAST_ANNOUNCED: PerCpuArray<Announced> = PerCpuArray::with_max_entries(LAST_PLACES, 0);

/// What `unix_find_other` found for the connect that a thread is in, where the connect may fail. Entries of connects that
/// succeeded stay until the thread connects again or others need the room, so this is no map that can be full.
#[map]
pub(crate) static PENDING: LruHashMap<u64, Pending> = LruHashMap::with_max_entries(8192, 0);

/// Arguments that a kretprobe's entry probe keeps for it, by thread.
#[map]
pub(crate) static CALLS: LruHashMap<u64, [u64; 3]> = LruHashMap::with_max_entries(8192, 0);

/// Last number given to a connection, on each CPU.
#[map]
pub(crate) static NUMBERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// How often something failed.
#[map]
pub(crate) static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(1, 0);

/// Listeners by the address that they are bound to (`struct unix_address *`), which their server ends share. Filled by the
/// iterator and emptied by userspace before each round: addresses are reused.
#[map]
pub(crate) static ADDRESSES: LruHashMap<u64, u64> = LruHashMap::with_max_entries(4096, 0);

/// Numbers of connections whose start was not seen, by the client end's `struct sock *`: both ends get the same one. As
/// [`ADDRESSES`], for one round.
#[map]
pub(crate) static SEEDS: HashMap<u64, u64> = HashMap::with_max_entries(65_536, 0);

/// Last number given to such a connection. The iterator runs once at a time.
#[map]
pub(crate) static SEED_NUMBER: Array<u64> = Array::with_max_entries(1, 0);

/// Thread group id of whoever runs the iterator, as the kernel has it: in a pid namespace userspace does not know its own.
#[map]
pub(crate) static OBSERVER: Array<u32> = Array::with_max_entries(1, 0);

/// Python interpreters: by their executable's inode number, or by process where they are in a library.
#[map]
pub(crate) static PYTHONS: LruHashMap<u64, Python> = LruHashMap::with_max_entries(1024, 0);

/// Why the iterator looks at the same descriptor again.
#[repr(C)]
pub(crate) struct Again {
    /// How often in a row it did.
    pub(crate) in_a_row: u32,
    /// 1 if a walk along a queue went astray just now.
    pub(crate) is_astray: u32,
}

/// The iterator's own.
#[map]
pub(crate) static AGAIN: Array<Again> = Array::with_max_entries(1, 0);
