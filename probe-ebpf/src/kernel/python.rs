//! What a Python interpreter runs: its functions are on no stack that could be unwound.
//!
//! connect(2) is called without the interpreter's lock, so "the current thread" of the interpreter is not this one; it is found
//! among all by its id. Whatever is read may be anything: the process can write to all of it.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use sockleak_abi::{Python, SCRIPT_LEN, interpreter_process};

use super::{
    dentry, offset, peek,
    task::{Task, current_ids},
};
use crate::maps::PYTHONS;

/// Threads that are looked at.
const MOST_THREADS: usize = 64;

/// Writes the code object and the instruction of each function that the current thread runs, the innermost first; returns how
/// many. None for a process that is no interpreter, or not a known one.
///
/// # Safety
/// `to` must have room for [`SCRIPT_LEN`] entries.
#[inline(always)]
pub(crate) unsafe fn walk(task: Task<false>, to: *mut [u64; 2]) -> u32 {
    let Some((python, runtime)) = interpreter(task) else { return 0 };
    let Some(thread) = thread(task, &python, runtime) else { return 0 };
    let mut frame = read(read(thread + u64::from(python.c_frame)) + u64::from(python.frame));
    let mut count = 0;
    while count < SCRIPT_LEN {
        if frame == 0 {
            break;
        }
        let code = read(frame + u64::from(python.code));
        let instruction = read(frame + u64::from(python.instruction));
        // SAFETY: within the room, by this function's contract.
        unsafe { *to.add(count) = [code, instruction] };
        frame = read(frame + u64::from(python.previous));
        count += 1;
    }
    count as u32
}

/// The interpreter that the process is, and the address of its `_PyRuntime`.
#[inline(always)]
fn interpreter(task: Task<false>) -> Option<(Python, u64)> {
    let process = interpreter_process(current_ids().0);
    // SAFETY: copied at once.
    if let Some(&python) = unsafe { PYTHONS.get(&process) } {
        return Some((python, python.runtime));
    }
    let mm = task.memory();
    if mm == 0 {
        return None;
    }
    let file: u64 = peek(mm + offset!(mm_exe_file));
    let inode = dentry::inode_number(peek(file + offset!(file_inode)));
    // SAFETY: as above.
    let &python = unsafe { PYTHONS.get(&inode) }?;
    let start: u64 = peek(mm + offset!(mm_start_code));
    Some((python, start.wrapping_add(python.runtime)))
}

/// The interpreter's own notes of the current thread.
#[inline(always)]
fn thread(task: Task<false>, python: &Python, runtime: u64) -> Option<u64> {
    let id = u64::from(task.own_thread_id());
    let interpreter = read(runtime + u64::from(python.interpreter));
    let mut thread = read(interpreter + u64::from(python.thread));
    let mut looked_at = 0;
    while looked_at < MOST_THREADS {
        if thread == 0 {
            return None;
        }
        if read(thread + u64::from(python.thread_id)) == id {
            return Some(thread);
        }
        thread = read(thread + u64::from(python.next_thread));
        looked_at += 1;
    }
    None
}

/// A word of the process's memory; 0 where it cannot be read.
#[inline(always)]
fn read(address: u64) -> u64 {
    let mut value = MaybeUninit::<u64>::uninit();
    // SAFETY: the helper checks the source, and zeroes the destination when it cannot be read.
    unsafe {
        bpf_probe_read_user(value.as_mut_ptr().cast(), size_of::<u64>() as u32, address as *const _);
        value.assume_init()
    }
}
