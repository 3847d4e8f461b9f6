//! The user stack of whoever connects, as bytes: userspace unwinds it by the programs' own unwind tables. The kernel's
//! way, by frame pointers, loses the caller of a function that keeps none, as connect(2) of the C library.

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use sockleak_abi::{STACK_LEN, STACK_PIECE, Stack, failure, hook, kind};

use super::{python, task::Task};
use crate::emit;

/// Hands over the stack of the current task. Without room, or for a task without a user mode of 64 bits, there is none.
///
/// A global function of BPF, see `kernel::scalar`.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn emit_stack(connection: u64) -> u64 {
    let task = Task::<false>::current();
    let Some([ip, sp, bp, link]) = task.stack_registers() else { return 0 };
    let Some(mut entry) = emit::reserve_or_count::<Stack>(hook::CONNECT, failure::STACK) else { return 0 };
    let actor = task.actor();
    let record = entry.as_mut_ptr();
    // Aligned, no piece reaches over the end of the last page.
    let base = sp & !(STACK_PIECE as u64 - 1);
    // SAFETY: a reserved record, written field by field; userspace does not look behind the used part of `bytes`.
    unsafe {
        (*record).header = emit::header::<Stack>(kind::STACK);
        (*record).process = actor.process;
        (*record).connection = connection;
        (*record).tid = actor.tid;
        (*record).ip = ip;
        (*record).sp = sp;
        (*record).bp = bp;
        (*record).link = link;
        (*record).base = base;
        (*record).reserved = 0;
        (*record).script_used = python::walk(task, (&raw mut (*record).script).cast());
        (*record).used = copy(base, (&raw mut (*record).bytes).cast());
    }
    emit::submit(entry);
    0
}

/// Copies the stack from `base` on; returns how many bytes.
///
/// # Safety
/// `to` must have room for a whole stack.
#[inline(always)]
unsafe fn copy(base: u64, to: *mut u8) -> u32 {
    let mut piece = 0;
    while piece < STACK_LEN / STACK_PIECE {
        let offset = piece * STACK_PIECE;
        // SAFETY: within `to`, by this function's contract; the helper checks the source.
        let failed = unsafe {
            bpf_probe_read_user(to.add(offset).cast(), STACK_PIECE as u32, (base + offset as u64) as *const _)
        };
        if failed != 0 {
            break;
        }
        piece += 1;
    }
    (piece * STACK_PIECE) as u32
}
