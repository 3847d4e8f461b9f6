//! The hooks: one body each, and an entry for each kind of program that can run it.
//!
//! The line `proto:` above an entry is the kernel's prototype that it relies on; `cargo xtask lint` compares it with
//! the BTF of every cached kernel.

mod accept;
mod attempt;
mod connect;
mod release;

use aya_ebpf::bindings::BPF_NOEXIST;
use probe_ebpf::abi::{self, Config, End, NAME_LEN, failure, kind, side};

use crate::{
    emit,
    kernel::{
        dentry::{device, inode, inode_number},
        sock::Sock,
    },
    maps::{CONFIG, ENDS, EVENTS, IGNORED},
};

/// The configuration, once tracing is on.
#[inline(always)]
fn config() -> Option<&'static Config> {
    CONFIG.get(0).filter(|config| config.enabled != 0)
}

/// [`listener_number`] of a listener whose connections are not followed.
const NOT_FOLLOWED: u64 = 0;

/// Number of a wanted listener, which is described to userspace when it is first met; None if nobody asked for it.
/// [`NOT_FOLLOWED`] if userspace turned it down, or could not be told about it, which was counted.
///
/// A listener that is known was wanted under its name then: its name need not be looked up again.
#[inline(always)]
fn listener_number(hook: usize, config: &Config, listener: Sock) -> Option<u64> {
    let candidate = listener.candidate(config)?;
    let identity = candidate.identity();
    let number = match known_listener(listener, identity) {
        Some(number) => number,
        None if candidate.is_wanted() => introduce(hook, listener, identity).unwrap_or(NOT_FOLLOWED),
        None => return None,
    };
    if config.any_ignored != 0 && IGNORED.get_ptr(&number).is_some() {
        Some(NOT_FOLLOWED)
    } else {
        Some(number)
    }
}

/// The number of a listener that was entered; an entry that another socket left at its address goes.
#[inline(always)]
fn known_listener(listener: Sock, identity: u64) -> Option<u64> {
    // SAFETY: copied at once; the entry lives until the listener's release.
    let &End { listener: number, owner, .. } = unsafe { ENDS.get(&listener.0) }?;
    if owner == identity {
        return Some(number);
    }
    let _ = ENDS.remove(&listener.0);
    None
}

/// Describes a listener and enters it. As with processes, the record is reserved first, so that it precedes every
/// record that names the listener.
#[inline(always)]
fn introduce(hook: usize, listener: Sock, identity: u64) -> Option<u64> {
    let mut entry = emit::reserve::<abi::Listener>(hook)?;
    // Connects to one listener race here on several processors. A boot time in nanoseconds is a number that no other
    // listener of this boot has.
    let number = emit::now();
    let end =
        End { connection: 0, listener: number, side: side::LISTENER, owner_exec_id: 0, owner: identity };
    if let Err(error) = ENDS.insert(&listener.0, &end, u64::from(BPF_NOEXIST)) {
        entry.discard(0);
        const EEXIST: i32 = -17;
        if error != EEXIST {
            emit::count(hook, failure::ENDS);
        }
        return known_listener(listener, identity);
    }
    let record = entry.as_mut_ptr();
    let location = listener.location();
    // SAFETY: a reserved record; every field is written, but for the unused parts of the names.
    unsafe {
        (*record).header = emit::header::<abi::Listener>(kind::LISTENER);
        (*record).listener = number;
        (*record).network_namespace = listener.network_namespace();
        (*record).pid = listener.peer_pid();
        (*record).backlog = listener.queue::<false>().max;
        (*record).socket_type = u32::from(listener.kind());
        (*record).reserved = 0;
        (*record).bind_name = [0; NAME_LEN + 4];
        (*record).bind_len = listener.bind_name((&raw mut (*record).bind_name).cast());
        (*record).path.used = 0;
        (*record).path.complete = 0;
        if location.dentry == 0 {
            (*record).inode = 0;
            (*record).directory_inode = 0;
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
    Some(number)
}

/// Reserves without counting a failure: for memory that may not be needed.
#[inline(always)]
fn reserve_quietly<T: 'static>() -> Option<aya_ebpf::maps::ring_buf::RingBufEntry<T>> {
    EVENTS.reserve::<T>(0)
}
