//! A connection is made.
//!
//! At the return of `security_unix_stream_connect` with 0, both ends and the listener are known, the listener is
//! locked, the server cannot see the connection yet, and nothing after it can fail. Later (at the return of
//! `unix_stream_connect`) the server may have accepted and closed already.

use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, generated::bpf_get_smp_processor_id},
    macros::{fexit, kprobe, kretprobe},
    programs::{FExitContext, ProbeContext, RetProbeContext},
};
use aya_log_ebpf::warn;
use sockleak_abi::{Config, Connect, End, PROCESSOR_BITS, SEED, Sent, failure, hook, kind, side, untracked};

use super::{NOT_FOLLOWED, attempt, config, listener_number, owner};
use crate::{
    emit, filter,
    kernel::{sock::Sock, stack, task},
    maps::{CALLS, ENDS, NUMBERS},
};

// proto: int security_unix_stream_connect(struct sock *sock, struct sock *other, struct sock *newsk)
#[fexit(function = "security_unix_stream_connect")]
pub(crate) fn connect_fexit(ctx: FExitContext) -> i32 {
    let client: u64 = ctx.arg(0);
    let listener: u64 = ctx.arg(1);
    let server: u64 = ctx.arg(2);
    let refused: i32 = ctx.arg(3);
    if client == 0 || listener == 0 || server == 0 {
        warn!(&ctx, "security_unix_stream_connect without a socket");
    } else if let Some(config) = config() {
        if refused == 0 {
            connected::<true>(config, Sock(client), Sock(listener), Sock(server));
        } else {
            attempt::refused(config, Sock(listener));
        }
    }
    0
}

// proto: int security_unix_stream_connect(struct sock *sock, struct sock *other, struct sock *newsk)
#[kprobe(function = "security_unix_stream_connect")]
pub(crate) fn connect_kprobe(ctx: ProbeContext) -> u32 {
    let sockets = [ctx.arg(0).unwrap_or(0), ctx.arg(1).unwrap_or(0), ctx.arg(2).unwrap_or(0)];
    // Kept for matching sockets alone; the return is looked up by thread. One that was missed must not answer for this.
    let Some(config) = config() else { return 0 };
    let _ = CALLS.remove(&bpf_get_current_pid_tgid());
    if Sock(sockets[1]).candidate::<false>(config).is_some()
        && CALLS.insert(bpf_get_current_pid_tgid(), sockets, 0).is_err()
    {
        emit::count(hook::CONNECT, failure::PENDING);
    }
    0
}

// proto: int security_unix_stream_connect(struct sock *sock, struct sock *other, struct sock *newsk)
#[kretprobe(function = "security_unix_stream_connect")]
pub(crate) fn connect_kretprobe(ctx: RetProbeContext) -> u32 {
    let thread = bpf_get_current_pid_tgid();
    // SAFETY: only this thread writes or removes the entry.
    let Some(&[client, listener, server]) = (unsafe { CALLS.get(&thread) }) else { return 0 };
    let _ = CALLS.remove(&thread);
    if let (0, Some(config)) = (ctx.ret::<i32>(), config()) {
        connected::<false>(config, Sock(client), Sock(listener), Sock(server));
    }
    0
}

/// `TYPED`: the sockets come from an fexit program's context.
#[inline(always)]
fn connected<const TYPED: bool>(config: &Config, client: Sock, listener: Sock, server: Sock) {
    let Some(number) = listener_number::<TYPED>(hook::CONNECT, config, listener) else { return };
    if number == NOT_FOLLOWED {
        return;
    }
    let actor = task::announced(hook::CONNECT);
    let connection = next_number();
    if config.stacks != 0 {
        stack::emit_stack(connection);
    }
    let Some(mut entry) = emit::reserve::<Connect>(hook::CONNECT) else { return };
    let client_inode = client.inode_number::<TYPED>();
    let mut end = End {
        connection,
        listener: number,
        side: side::CLIENT,
        owner: owner(&actor.process),
        owner_exec_id: actor.process.exec_id,
        inode: client_inode,
        sent: Sent::NOTHING,
    };
    let mut missing = 0;
    // Neither end can send yet.
    if ENDS.insert(&client.0, &end, 0).is_ok() {
        filter::count::<TYPED>(client.0);
    } else {
        missing |= untracked::CLIENT;
    }
    end.side = side::SERVER;
    end.owner = 0;
    end.inode = 0;
    if ENDS.insert(&server.0, &end, 0).is_ok() {
        filter::count::<TYPED>(server.0);
    } else {
        missing |= untracked::SERVER;
    }
    if missing != 0 {
        emit::count(hook::CONNECT, failure::ENDS);
    }
    entry.write(Connect {
        header: emit::header::<Connect>(kind::CONNECT),
        actor,
        connection,
        listener: number,
        client_inode,
        queue: listener.queue::<TYPED>(),
        untracked: missing,
        reserved: 0,
    });
    emit::submit(entry);
}

/// A number that no other connection has while the programs are loaded: the processor's, and a count of its own. The listener's lock
/// keeps the task on its processor.
#[inline(always)]
fn next_number() -> u64 {
    let Some(count) = NUMBERS.get_ptr_mut(0) else { return 0 };
    // SAFETY: this processor's own entry; nothing else runs on the processor here (see above).
    unsafe {
        *count += 1;
        (*count << PROCESSOR_BITS) | (u64::from(bpf_get_smp_processor_id()) & SEED)
    }
}
