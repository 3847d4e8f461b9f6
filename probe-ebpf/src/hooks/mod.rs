//! The hooks: one body each, and an entry for each kind of program that can run it.
//!
//! The line `proto:` above an entry is the kernel's prototype that it relies on; `cargo xtask lint` compares it with
//! the BTF of every cached kernel.

mod accept;
mod attempt;
mod connect;
mod iterate;
mod queue;
mod release;
mod send;
mod verify;

use aya_ebpf::{bindings::BPF_NOEXIST, maps::ring_buf::RingBufEntry};
use sockleak_abi::{self as abi, Config, End, NAME_LEN, ProcessKey, Sent, failure, kind, side};

use crate::{
    emit,
    kernel::{
        clear,
        dentry::{device, inode, inode_number},
        scalar,
        sock::Sock,
        zero,
    },
    maps::{CONFIG, ENDS, EVENTS, IGNORED},
};

/// The configuration, once tracing is on.
#[inline(always)]
fn config() -> Option<&'static Config> {
    CONFIG.get(0).filter(|config| config.enabled != 0)
}

/// A socket as a key of a map. A helper reads the key from the stack, and to the verifier a typed pointer there is only a number from
/// then on: the socket must not lie in the same place, wherever the compiler keeps it.
#[inline(always)]
fn key(sock: u64) -> u64 {
    core::hint::black_box(sock)
}

/// [`End::owner`] of an end that a process opens or accepts: its id, and the low half of its start.
#[inline(always)]
fn owner(process: &ProcessKey) -> u64 {
    process.start << 32 | u64::from(process.tgid)
}

/// [`listener_number`] of a listener whose connections are not followed.
const NOT_FOLLOWED: u64 = 0;

/// Number of a wanted listener, which is described to userspace when it is first met; None if nobody asked for it.
/// [`NOT_FOLLOWED`] if userspace turned it down, or could not be told about it, which was counted.
///
/// A listener that is known was wanted under its name then: its name need not be looked up again. `TYPED`: as for
/// [`Sock::candidate`].
#[inline(always)]
fn listener_number<const TYPED: bool>(hook: usize, config: &Config, listener: Sock) -> Option<u64> {
    let candidate = listener.candidate::<TYPED>(config)?;
    let identity = candidate.identity();
    let number = match known_listener(listener, identity) {
        Some(number) => number,
        None if candidate.is_wanted() => {
            introduce(hook, listener, scalar(identity), None).unwrap_or(NOT_FOLLOWED)
        }
        None => return None,
    };
    Some(if is_ignored(config, number) { NOT_FOLLOWED } else { number })
}

/// Did userspace turn a listener down?
#[inline(always)]
fn is_ignored(config: &Config, number: u64) -> bool {
    config.any_ignored != 0 && IGNORED.get_ptr(&number).is_some()
}

/// The number of a listener that was entered; an entry that another socket left at its address goes.
#[inline(always)]
fn known_listener(listener: Sock, identity: u64) -> Option<u64> {
    let key = key(listener.0);
    // SAFETY: copied at once; the entry lives until the listener's release.
    let &End { listener: number, owner, .. } = unsafe { ENDS.get(&key) }?;
    if owner == identity {
        return Some(number);
    }
    let _ = ENDS.remove(&key);
    None
}

/// Describes a listener and enters it, under the number `known` if its server ends have one already.
#[inline(always)]
fn introduce(hook: usize, listener: Sock, identity: u64, known: Option<u64>) -> Option<u64> {
    let number = describe_listener(hook as u64, scalar(listener.0), identity, known.unwrap_or(UNNUMBERED));
    (number != UNNUMBERED).then_some(number)
}

/// Describes the listener of a server end, which may be closed by now: the end has its name.
#[inline(always)]
fn introduce_bound(hook: usize, end: Sock) -> Option<u64> {
    let number = describe_listener(hook as u64, scalar(end.0), NOT_ENTERED, UNNUMBERED);
    (number != UNNUMBERED).then_some(number)
}

/// In place of a listener's number.
const UNNUMBERED: u64 = 0;
/// In place of a listener's identity, which is a pointer: the socket is a server end.
const NOT_ENTERED: u64 = 0;

/// Both of the above. As with processes, the record is reserved first, so that it precedes every record that names the listener.
///
/// A global function of BPF, see `kernel::scalar`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn describe_listener(hook: u64, bound: u64, identity: u64, known: u64) -> u64 {
    let (hook, bound) = (hook as usize, Sock(bound));
    let Some(entry) = emit::reserve::<abi::Listener>(hook) else { return UNNUMBERED };
    let number = if known == UNNUMBERED { new_listener_number() } else { known };
    let mut pid = 0;
    if identity != NOT_ENTERED {
        let end = End {
            connection: 0,
            listener: number,
            side: side::LISTENER,
            owner_exec_id: 0,
            owner: identity,
            inode: 0,
            sent: Sent::NOTHING,
        };
        if let Err(error) = ENDS.insert(&bound.0, &end, u64::from(BPF_NOEXIST)) {
            entry.discard(0);
            const EEXIST: i32 = -17;
            if error != EEXIST {
                emit::count(hook, failure::ENDS);
            }
            return known_listener(bound, identity).unwrap_or(UNNUMBERED);
        }
        // A server end's peer is the client, not whoever listened.
        pid = bound.peer_pid();
    }
    describe(entry, number, bound, pid);
    number
}

/// Connects to one listener race here on several processors. A boot time in nanoseconds is a number that no other listener
/// of this boot has.
#[inline(always)]
fn new_listener_number() -> u64 {
    emit::now()
}

/// Words that a listener's name takes up in its record.
const BIND_NAME_WORDS: usize = (NAME_LEN + 4) / size_of::<u64>();

#[inline(always)]
fn describe(mut entry: RingBufEntry<abi::Listener>, number: u64, bound: Sock, pid: u32) {
    let record = entry.as_mut_ptr();
    let location = bound.location();
    // SAFETY: a reserved record; every field is written, but for the unused parts of the names.
    unsafe {
        (*record).header = emit::header::<abi::Listener>(kind::LISTENER);
        (*record).listener = number;
        (*record).network_namespace = bound.network_namespace();
        (*record).pid = pid;
        (*record).backlog = bound.queue::<false>().max;
        (*record).socket_type = u32::from(bound.kind());
        (*record).reserved = 0;
        clear::<BIND_NAME_WORDS>((&raw mut (*record).bind_name).cast());
        (*record).bind_len = bound.bind_name((&raw mut (*record).bind_name).cast());
        (*record).path.used = 0;
        (*record).path.complete = 0;
        if location.dentry == 0 {
            (*record).inode = zero();
            (*record).directory_inode = zero();
            (*record).device = 0;
            (*record).mount_namespace = 0;
        } else {
            let file = inode(location.dentry);
            let parent: u64 = crate::kernel::peek(location.dentry + crate::kernel::offset!(dentry_parent));
            (*record).inode = inode_number(file);
            (*record).directory_inode = inode_number(inode(parent));
            (*record).device = device(file);
            (*record).mount_namespace = location.mount_namespace();
            location.walk(&raw mut (*record).path);
        }
    }
    emit::submit(entry);
}

/// Reserves without counting a failure: for memory that may not be needed.
#[inline(always)]
fn reserve_quietly<T: 'static>() -> Option<RingBufEntry<T>> {
    EVENTS.reserve::<T>(0)
}
