//! A connect fails.
//!
//! `unix_stream_connect` returns the error; the listener is what `unix_find_other` found just before, in the same
//! thread. Where none was found there is only the address, whose last component is compared with the wanted names.

use aya_ebpf::{
    helpers::{
        bpf_get_current_pid_tgid,
        generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str},
    },
    macros::{fexit, kprobe, kretprobe},
    programs::{FExitContext, ProbeContext, RetProbeContext},
};
use core::ptr::{read_volatile, write_volatile};
use sockleak_abi::{Attempt, Config, NAME_LEN, Name, PREFIX_LEN, Pending, Queue, failure, hook, kind};

use super::{NOT_FOLLOWED, config, listener_number, reserve_quietly};
use crate::{
    emit,
    kernel::{
        HASH, clear, mix, peek, scalar,
        sock::{self, Sock},
        task, zero,
    },
    maps::{CALLS, IGNORED, PENDING},
};

/// `sizeof(sa_family_t)`
const FAMILY_LEN: u64 = 2;
const SOCK_DGRAM: u32 = 2;
const AF_UNIX: u16 = 1;
/// Pointers from here on are error codes, include/linux/err.h.
const ERROR_POINTERS: u64 = -4095_i64 as u64;

// proto: int unix_stream_connect(struct socket *sock, struct sockaddr *uaddr, int addr_len, int flags) [5.10, 6.1, 6.12]
// proto: int unix_stream_connect(struct socket *sock, struct sockaddr_unsized *uaddr, int addr_len, int flags) [7.2]
#[fexit(function = "unix_stream_connect")]
pub(crate) fn attempt_fexit(ctx: FExitContext) -> i32 {
    let result: i32 = ctx.arg(4);
    if result < 0 {
        failed(ctx.arg(1), ctx.arg(2), result, true);
    }
    0
}

// proto: int unix_stream_connect(struct socket *sock, struct sockaddr *uaddr, int addr_len, int flags) [5.10, 6.1, 6.12]
// proto: int unix_stream_connect(struct socket *sock, struct sockaddr_unsized *uaddr, int addr_len, int flags) [7.2]
#[kprobe(function = "unix_stream_connect")]
pub(crate) fn attempt_kprobe(ctx: ProbeContext) -> u32 {
    let call = [ctx.arg(1).unwrap_or(0), ctx.arg::<u64>(2).unwrap_or(0) & 0xffff, 0];
    if config().is_none() {
        return 0;
    }
    // The return of the lookup does not see the address by which it could be told from an earlier one.
    let _ = PENDING.remove(&bpf_get_current_pid_tgid());
    if CALLS.insert(attempt_key(), call, 0).is_err() {
        emit::count(hook::ATTEMPT, failure::PENDING);
    }
    0
}

// proto: int unix_stream_connect(struct socket *sock, struct sockaddr *uaddr, int addr_len, int flags) [5.10, 6.1, 6.12]
// proto: int unix_stream_connect(struct socket *sock, struct sockaddr_unsized *uaddr, int addr_len, int flags) [7.2]
#[kretprobe(function = "unix_stream_connect")]
pub(crate) fn attempt_kretprobe(ctx: RetProbeContext) -> u32 {
    let key = attempt_key();
    // SAFETY: only this thread writes or removes the entry.
    let Some(&[address, len, _]) = (unsafe { CALLS.get(&key) }) else { return 0 };
    let _ = CALLS.remove(&key);
    let result: i32 = ctx.ret();
    if result < 0 {
        failed(address, len as i32, result, false);
    }
    0
}

// proto: struct sock *unix_find_other(struct net *net, struct sockaddr_un *sunname, int len, int type, unsigned int hash, int *error) [5.10]
#[fexit(function = "unix_find_other")]
pub(crate) fn lookup_fexit_6(ctx: FExitContext) -> i32 {
    found_by_fexit(ctx.arg(1), ctx.arg(3), ctx.arg(6));
    0
}

// proto: struct sock *unix_find_other(struct net *net, struct sockaddr_un *sunaddr, int addr_len, int type) [6.1, 6.12]
#[fexit(function = "unix_find_other")]
pub(crate) fn lookup_fexit_4(ctx: FExitContext) -> i32 {
    found_by_fexit(ctx.arg(1), ctx.arg(3), ctx.arg(4));
    0
}

// proto: struct sock *unix_find_other(struct net *net, struct sockaddr_un *sunaddr, int addr_len, int type, int flags) [7.2]
#[fexit(function = "unix_find_other")]
pub(crate) fn lookup_fexit_5(ctx: FExitContext) -> i32 {
    found_by_fexit(ctx.arg(1), ctx.arg(3), ctx.arg(5));
    0
}

// proto: struct sock *unix_find_other(struct net *net, struct sockaddr_un *sunname, int len, int type, unsigned int hash, int *error) [5.10]
// proto: struct sock *unix_find_other(struct net *net, struct sockaddr_un *sunaddr, int addr_len, int type) [6.1, 6.12]
// proto: struct sock *unix_find_other(struct net *net, struct sockaddr_un *sunaddr, int addr_len, int type, int flags) [7.2]
#[kretprobe(function = "unix_find_other")]
pub(crate) fn lookup_kretprobe(ctx: RetProbeContext) -> u32 {
    let other: u64 = ctx.ret();
    if is_socket(other) {
        let sock = Sock(other);
        if u32::from(sock.kind()) != SOCK_DGRAM && !has_room::<false>(sock) {
            found(0, sock);
        }
    }
    0
}

/// A key for the arguments of `unix_stream_connect`, apart from those of the security hook inside it. Thread ids end
/// at 2^22, so the top bit of the process id is free.
#[inline(always)]
fn attempt_key() -> u64 {
    bpf_get_current_pid_tgid() | 1 << 63
}

#[inline(always)]
fn is_socket(pointer: u64) -> bool {
    pointer != 0 && pointer < ERROR_POINTERS
}

#[inline(always)]
fn found_by_fexit(address: u64, socket_type: u32, other: u64) {
    if socket_type == SOCK_DGRAM || !is_socket(other) {
        return;
    }
    let other = Sock(other);
    if !has_room::<true>(other) {
        found(address, other);
    }
}

/// Will a connect to this socket succeed, as far as the socket goes? Then nothing needs to be remembered. Other connects
/// may fill up the queue in the meantime, but hardly this many places of it.
#[inline(always)]
fn has_room<const TYPED: bool>(listener: Sock) -> bool {
    const SLACK: u32 = 8;
    /// include/net/tcp_states.h
    const TCP_LISTEN: u8 = 10;

    let queue = listener.queue::<TYPED>();
    listener.state::<TYPED>() == TCP_LISTEN
        && queue.length < queue.max
        && queue.max - queue.length > SLACK
        && !listener.receives_no_more::<TYPED>()
}

/// Remembers a wanted socket that a connect found, in case that it fails.
#[inline(always)]
fn found(address: u64, other: Sock) {
    let Some(config) = config() else { return };
    let Some(listener) = listener_number::<false>(hook::LOOKUP, config, other) else { return };
    let pending = Pending { listener, queue: other.queue::<false>(), address: address_hash(address) };
    if PENDING.insert(bpf_get_current_pid_tgid(), &pending, 0).is_err() {
        emit::count(hook::LOOKUP, failure::PENDING);
    }
}

/// Remembers a listener to which a security module refuses the connect that is under way, and so about to fail.
#[inline(always)]
pub(super) fn refused(config: &Config, listener: Sock) {
    let Some(number) = listener_number::<true>(hook::CONNECT, config, listener) else { return };
    let pending = Pending { listener: number, queue: listener.queue::<true>(), address: THIS_CONNECT };
    if PENDING.insert(bpf_get_current_pid_tgid(), &pending, 0).is_err() {
        emit::count(hook::CONNECT, failure::PENDING);
    }
}

/// [`Pending::address`] of an entry that belongs to the connect under way whatever its address. No hash is 1.
const THIS_CONNECT: u64 = 1;

/// A hash of `sun_path` as it lies in the kernel's copy of the address, what is behind it included: the copy is the same
/// for the look-up and the return of one connect.
#[inline(always)]
fn address_hash(address: u64) -> u64 {
    if address == 0 {
        return 0;
    }
    let words: [u64; 13] = peek(address + FAMILY_LEN);
    let mut hash = HASH;
    for word in words {
        hash = mix(hash, word);
    }
    hash & !THIS_CONNECT
}

#[inline(always)]
fn failed(address: u64, address_len: i32, result: i32, compare: bool) {
    if config().is_none() || peek::<u16>(address) != AF_UNIX {
        return;
    }
    let thread = bpf_get_current_pid_tgid();
    // SAFETY: only this thread writes or removes the entry; copied before it goes.
    let pending = unsafe { PENDING.get(&thread) }.copied();
    let _ = PENDING.remove(&thread);
    // A connect that succeeded leaves its entry behind: it may only speak for one to the same address.
    let pending = pending.filter(|pending| {
        !compare || pending.address == THIS_CONNECT || pending.address == address_hash(address)
    });
    let (listener, queue) = match pending {
        // A listener that userspace turned down.
        Some(pending) if pending.listener == NOT_FOLLOWED || IGNORED.get_ptr(&pending.listener).is_some() => {
            return;
        }
        Some(pending) => (pending.listener, pending.queue),
        None => (0, Queue { length: 0, max: 0 }),
    };
    if listener == 0 && is_wanted_address(scalar(address), address_len) == 0 {
        return;
    }
    let actor = task::announced(hook::ATTEMPT);
    let Some(mut entry) = emit::reserve::<Attempt>(hook::ATTEMPT) else { return };
    let record = entry.as_mut_ptr();
    // SAFETY: a reserved record; every field is written before it is submitted.
    unsafe {
        (*record).header = emit::header::<Attempt>(kind::ATTEMPT);
        (*record).actor = actor;
        (*record).listener = listener;
        (*record).queue = queue;
        (*record).errno = result.unsigned_abs();
        (*record).last_component = 0;
        (*record).end = 0;
        copy_address(address, address_len, record);
    }
    emit::submit(entry);
}

/// Is the address's last component, or the abstract name, among the wanted ones?
///
/// The verifier wants memory in which the address can be searched: a record that is discarded again. What follows is
/// reserved behind the description of the process.
///
/// A global function of BPF, see `kernel::scalar`: 1 if it is.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn is_wanted_address(address: u64, address_len: i32) -> u64 {
    let Some(config) = config() else { return 0 };
    let Some(mut entry) = reserve_quietly::<Attempt>() else {
        // Whether it would have been wanted is not known: better one loss too many.
        emit::count(hook::ATTEMPT, failure::RING);
        return 0;
    };
    // SAFETY: a reserved record.
    let is_wanted = unsafe {
        let len = copy_address(address, address_len, entry.as_mut_ptr());
        is_wanted_name(config, entry.as_mut_ptr(), len)
    };
    entry.discard(0);
    u64::from(is_wanted)
}

/// Words that an address takes up in its record.
const ADDRESS_WORDS: usize = 128 / size_of::<u64>();

/// Copies `sun_path` and returns its length.
///
/// # Safety
/// `record` must point to a reserved record.
#[inline(always)]
unsafe fn copy_address(address: u64, address_len: i32, record: *mut Attempt) -> u32 {
    let len = (address_len as u32).saturating_sub(FAMILY_LEN as u32);
    let len = core::hint::black_box(if len > NAME_LEN as u32 { NAME_LEN as u32 } else { len }) & 0x7f;
    let from = (address + FAMILY_LEN) as *const _;
    // SAFETY: `address` has 128 bytes and `len` is below that; the helpers check the source.
    unsafe {
        clear::<ADDRESS_WORDS>((&raw mut (*record).address).cast());
        let to = (&raw mut (*record).address).cast();
        bpf_probe_read_kernel(to, len, from);
        (*record).address_len = len;
    }
    len
}

/// # Safety
/// `record` must point to a reserved record whose address is filled in.
#[inline(always)]
unsafe fn is_wanted_name(config: &Config, record: *mut Attempt, len: u32) -> bool {
    // SAFETY: by this function's contract.
    let bytes = unsafe { (&raw const (*record).address).cast::<u8>() };
    // SAFETY: all indices are below 128, the size of the address.
    unsafe {
        write_volatile(&raw mut (*record).last_component, 0);
        write_volatile(&raw mut (*record).end, 0);
        if len == 0 {
            return false;
        }
        if read_volatile(bytes) == 0 {
            if config.any_abstract != 0 {
                return true;
            }
            // As in `Candidate::is_wanted`: NUL bytes may pad the name.
            let mut key = Name { len: 0, is_abstract: 1, prefix: [zero(); 2] };
            sock::read_prefix(&mut key, bytes.add(1) as u64, len - 1);
            return sock::is_listed(&key);
        }
        if config.any_file != 0 {
            return true;
        }
        for i in 0..NAME_LEN {
            // The positions are kept in the record: see the path walk.
            match read_volatile(bytes.add(i)) {
                b'/' => write_volatile(&raw mut (*record).last_component, i as u32 + 1),
                0 => break,
                _ => {}
            }
            write_volatile(&raw mut (*record).end, i as u32 + 1);
        }
        let start = read_volatile(&raw const (*record).last_component) & 0x7f;
        // The length is that of the whole name, the key has its front.
        let from = bytes.add(start as usize);
        let mut key = Name { len: 0, is_abstract: 0, prefix: [zero(); 2] };
        let end = core::hint::black_box(read_volatile(&raw const (*record).end));
        if end <= start {
            return false;
        }
        key.len = end - start;
        bpf_probe_read_kernel_str(key.prefix.as_mut_ptr().cast(), PREFIX_LEN as u32 + 1, from.cast());
        sock::is_listed(&key)
    }
}
