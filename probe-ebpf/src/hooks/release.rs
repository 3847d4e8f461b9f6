//! The last reference to a socket is dropped.
//!
//! Preemptible kernels skip either kind of program at times: fentry while it runs already on the processor, kprobes while a
//! task there was preempted in the middle of a change to a BPF map. Both together miss next to nothing: whichever comes
//! first takes the entry, and the other finds none. What both missed is found by `verify`.
//!
//! The function also runs for the unused embryo of a failed connect, which is in no map.

use aya_ebpf::{
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use sockleak_abi::{Actor, End, Release, circumstance, hook, kind, side};

use super::{key, owner};
use crate::{
    emit, filter,
    kernel::{
        sock::Sock,
        task::{self, Task},
    },
    maps::{ENDS, OBSERVER},
};

// proto: void unix_release_sock(struct sock *sk, int embrion)
#[fentry(function = "unix_release_sock")]
pub(crate) fn release_fentry(ctx: FEntryContext) -> i32 {
    released::<true>(ctx.arg(0), ctx.arg(1));
    0
}

// proto: void unix_release_sock(struct sock *sk, int embrion)
#[kprobe(function = "unix_release_sock")]
pub(crate) fn release_kprobe(ctx: ProbeContext) -> u32 {
    released::<false>(ctx.arg(0).unwrap_or(0), ctx.arg(1).unwrap_or(0));
    0
}

/// `TYPED`: the socket comes from an fentry program's context.
#[inline(always)]
fn released<const TYPED: bool>(sock: u64, embryo: i32) {
    let key = key(sock);
    // SAFETY: copied before the entry is removed, by the only task that releases this socket.
    let Some(&end) = (unsafe { ENDS.get(&key) }) else { return };
    // The other program may have been first.
    if ENDS.remove(&key).is_ok() && end.side != side::LISTENER {
        filter::uncount::<TYPED>(sock);
    }
    // What was entered at this address was released without a program, and this is another socket.
    if end.inode != 0 && end.inode != Sock(sock).inode_number::<TYPED>() {
        return;
    }
    if task::is_typed() {
        report(Task::<true>::current(), &end, embryo);
    } else {
        report(Task::<false>::current(), &end, embryo);
    }
}

#[inline(always)]
fn report<const TYPED: bool>(task: Task<TYPED>, end: &End, embryo: i32) {
    // Most ends are released by whoever opened or accepted them, and that process was described then; it may have another
    // user, name or namespace by now.
    let actor = task.announced(hook::RELEASE);
    let Some(mut entry) = emit::reserve::<Release>(hook::RELEASE) else { return };
    entry.write(Release {
        header: emit::header::<Release>(kind::RELEASE),
        actor,
        connection: end.connection,
        listener: end.listener,
        side: end.side,
        embryo: u32::from(embryo != 0),
        exit_code: task.exit_code(actor.task_flags),
        circumstances: circumstances(task, &actor, end),
    });
    emit::submit(entry);
}

#[inline(always)]
fn circumstances<const TYPED: bool>(task: Task<TYPED>, actor: &Actor, end: &End) -> u32 {
    // Close-on-exec descriptors are dropped by the next program, so by another one than that which opened or accepted.
    let is_owner = end.owner == owner(&actor.process) && end.owner_exec_id == actor.process.exec_id;
    let in_exec = u32::from(!is_owner && task.is_in_exec(actor.task_flags)) * circumstance::IN_EXEC;
    let by_observer = OBSERVER.get(0).is_some_and(|&observer| observer == actor.process.tgid);
    in_exec | (u32::from(by_observer) * circumstance::BY_OBSERVER)
}
