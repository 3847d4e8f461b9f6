//! A connection is accepted: `unix_accept` grafts the server end onto the acceptor's socket.
//!
//! `security_sock_graft` runs exactly once for each accept, with the same arguments on every kernel. The return of
//! `unix_accept` is skipped on preemptible kernels when several processes accept. TCP passes here too, and costs one
//! lookup.

use aya_ebpf::{
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use sockleak_abi::{Accept, End, hook, kind, side};

use super::owner;
use crate::{
    emit,
    kernel::{sock, task},
    maps::ENDS,
};

// proto: void security_sock_graft(struct sock *sk, struct socket *parent)
#[fentry(function = "security_sock_graft")]
pub(crate) fn accept_fentry(ctx: FEntryContext) -> i32 {
    accepted(ctx.arg(0), ctx.arg(1));
    0
}

// proto: void security_sock_graft(struct sock *sk, struct socket *parent)
#[kprobe(function = "security_sock_graft")]
pub(crate) fn accept_kprobe(ctx: ProbeContext) -> u32 {
    accepted(ctx.arg(0).unwrap_or(0), ctx.arg(1).unwrap_or(0));
    0
}

#[inline(always)]
fn accepted(server: u64, parent: u64) {
    let Some(end) = ENDS.get_ptr_mut(&server) else { return };
    // SAFETY: the acceptor holds the socket, so the entry stays.
    let End { connection, listener, side, .. } = unsafe { *end };
    if side != side::SERVER {
        return;
    }
    let actor = task::announced(hook::ACCEPT);
    let server_inode = sock::socket_inode_number(parent);
    // SAFETY: as above; nobody else writes to the entry.
    unsafe {
        (*end).owner = owner(&actor.process);
        (*end).owner_exec_id = actor.process.exec_id;
        (*end).inode = server_inode;
    }
    let Some(mut entry) = emit::reserve::<Accept>(hook::ACCEPT) else { return };
    entry.write(Accept {
        header: emit::header::<Accept>(kind::ACCEPT),
        actor,
        connection,
        listener,
        server_inode,
    });
    emit::submit(entry);
}
