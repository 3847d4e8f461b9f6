//! An end of a connection sends.
//!
//! The entry of the end is changed in place, and no record is made: whoever looks through the descriptors reads it. Every way to
//! send on a stream comes through `unix_stream_sendmsg` (`write`, `sendto`, `sendmsg`, io_uring), but for pages (`sendfile`,
//! `splice`) before Linux 6.5, which come through `unix_stream_sendpage`. Sockets of type `SOCK_SEQPACKET` send by
//! `unix_seqpacket_sendmsg`. Whether that calls the function for streams, or has a copy of it inside, is the compiler's affair: so the
//! hook for streams leaves such sockets out.
//!
//! Every message of every unix stream of the host passes here. On a socket that nobody asked for, it costs a look at a filter.

use core::arch::asm;

use aya_ebpf::{
    helpers::bpf_get_current_pid_tgid,
    macros::{fexit, kprobe, kretprobe},
    programs::{FExitContext, ProbeContext, RetProbeContext},
};
use sockleak_abi::{Sent, USE_SHIFT, failure, hook};

use super::config;
use crate::{
    emit, filter,
    kernel::{offset, peek, read, sock::Sock},
    maps::{CALLS, ENDS},
};

// proto: int unix_stream_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
#[fexit(function = "unix_stream_sendmsg")]
pub(crate) fn send_fexit(ctx: FExitContext) -> i32 {
    returned(ctx.arg(0), ctx.arg(3), false);
    0
}

// proto: int unix_stream_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
#[kprobe(function = "unix_stream_sendmsg")]
pub(crate) fn send_kprobe(ctx: ProbeContext) -> u32 {
    called(hook::SEND, ctx.arg(0).unwrap_or(0), false);
    0
}

// proto: int unix_stream_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
#[kretprobe(function = "unix_stream_sendmsg")]
pub(crate) fn send_kretprobe(ctx: RetProbeContext) -> u32 {
    answered(ctx.ret());
    0
}

// proto: ssize_t unix_stream_sendpage(struct socket *socket, struct page *page, int offset, size_t size, int flags) [5.10, 6.1]
#[fexit(function = "unix_stream_sendpage")]
pub(crate) fn page_fexit(ctx: FExitContext) -> i32 {
    returned(ctx.arg(0), ctx.arg(5), false);
    0
}

// proto: ssize_t unix_stream_sendpage(struct socket *socket, struct page *page, int offset, size_t size, int flags) [5.10, 6.1]
#[kprobe(function = "unix_stream_sendpage")]
pub(crate) fn page_kprobe(ctx: ProbeContext) -> u32 {
    called(hook::SEND_PAGE, ctx.arg(0).unwrap_or(0), false);
    0
}

// proto: ssize_t unix_stream_sendpage(struct socket *socket, struct page *page, int offset, size_t size, int flags) [5.10, 6.1]
#[kretprobe(function = "unix_stream_sendpage")]
pub(crate) fn page_kretprobe(ctx: RetProbeContext) -> u32 {
    answered(ctx.ret());
    0
}

// proto: int unix_seqpacket_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
#[fexit(function = "unix_seqpacket_sendmsg")]
pub(crate) fn packet_fexit(ctx: FExitContext) -> i32 {
    returned(ctx.arg(0), ctx.arg(3), true);
    0
}

// proto: int unix_seqpacket_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
#[kprobe(function = "unix_seqpacket_sendmsg")]
pub(crate) fn packet_kprobe(ctx: ProbeContext) -> u32 {
    called(hook::SEND_PACKET, ctx.arg(0).unwrap_or(0), true);
    0
}

// proto: int unix_seqpacket_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
#[kretprobe(function = "unix_seqpacket_sendmsg")]
pub(crate) fn packet_kretprobe(ctx: RetProbeContext) -> u32 {
    answered(ctx.ret());
    0
}

/// Is it noted when an end sends?
#[inline(always)]
fn is_armed() -> bool {
    config().is_some_and(|config| config.use_armed != 0)
}

#[inline(always)]
fn returned(socket: u64, result: i32, of_packets: bool) {
    if result <= 0 {
        return;
    }
    // SAFETY: a typed pointer, and its own member is read.
    let sock = unsafe { read::<true, u64>(socket, offset!(socket_sock)) };
    // Asked first: it says no to most.
    if filter::may_follow::<true>(sock) && is_armed() && Sock(sock).is_seqpacket::<true>() == of_packets {
        note(sock, result);
    }
}

/// The return of a function does not see its arguments: they are kept for those who send on a socket that is followed.
#[inline(always)]
fn called(hook: usize, socket: u64, of_packets: bool) {
    if !is_armed() {
        return;
    }
    let sock: u64 = peek(socket + offset!(socket_sock));
    // Each kind of socket has its own hook.
    if Sock(sock).is_seqpacket::<false>() != of_packets {
        return;
    }
    // The return of this thread's last send was not seen: the kernel has few instances of a kretprobe, and a sender that waits for
    // room holds one.
    if CALLS.remove(&key()).is_ok() {
        emit::count(hook, failure::PENDING);
    }
    if ENDS.get_ptr(&sock).is_some() && CALLS.insert(key(), [sock, 0, 0], 0).is_err() {
        emit::count(hook, failure::PENDING);
    }
}

#[inline(always)]
fn answered(result: i32) {
    if !is_armed() {
        return;
    }
    // SAFETY: only this thread writes or removes the entry.
    let Some(&[sock, ..]) = (unsafe { CALLS.get(&key()) }) else { return };
    let _ = CALLS.remove(&key());
    if result > 0 {
        note(sock, result);
    }
}

/// A key for a send, apart from those of connects. Thread ids end at 2^22, so the upper bits of the process id are free.
#[inline(always)]
fn key() -> u64 {
    bpf_get_current_pid_tgid() | 1 << 62
}

/// `sent` is positive.
#[inline(always)]
fn note(sock: u64, sent: i32) {
    let Some(end) = ENDS.get_ptr_mut(&sock) else { return };
    // SAFETY: the entry lives until the end's release, and its memory until this program returns.
    unsafe {
        let noted: *mut Sent = &raw mut (*end).sent;
        add(&raw mut (*noted).bytes, sent as u64);
        count_one(&raw mut (*noted).count);
        (*noted).last = (emit::now() >> USE_SHIFT) as u32;
    }
}

/// Adds to what several threads may add to at a time: `BPF_XADD`, for which the target has no atomic type. As an instruction of
/// its own it asks for nothing that Linux 5.10 lacks.
///
/// # Safety
/// `sum` has to be a map's memory.
#[inline(always)]
unsafe fn add(sum: *mut u64, value: u64) {
    // SAFETY: by the caller.
    unsafe { asm!("lock *(u64 *)({} + 0) += {}", in(reg) sum, in(reg) value, options(nostack)) };
}

/// [`add`]: 1, in 32 bits.
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn count_one(count: *mut u32) {
    // SAFETY: by the caller.
    unsafe { asm!("lock *(u32 *)({} + 0) += {}", in(reg) count, in(reg) 1_u64, options(nostack)) };
}
