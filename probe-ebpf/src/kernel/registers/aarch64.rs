//! Registers of 64-bit ARM.

use super::super::{offset, peek};
use crate::injected::injected;

/// Bytes from the start of a kernel stack to the registers at its top. Set by userspace: the stack's size depends on the page
/// size, and the structure has grown and shrunk.
#[unsafe(no_mangle)]
static REGISTERS_AT: u32 = 0x5ac4_fffc;

/// `user_pt_regs.regs[29]`, the frame pointer, and behind it the link register and `sp`: the order is the ABI of ptrace(2).
const FRAME: u64 = 232;
/// `user_pt_regs.pc`, and behind it `pstate`.
const INSTRUCTION: u64 = 256;

/// Bits of `pstate`, arch/arm64/include/uapi/asm/ptrace.h.
mod pstate {
    /// The exception level; user mode has none of these bits.
    pub(super) const LEVEL: u64 = 0xf;
    /// The program is a 32-bit one.
    pub(super) const COMPAT: u64 = 0x10;
}

/// The saved registers of a task in user mode.
#[derive(Clone, Copy)]
pub(in super::super) struct Registers {
    /// Address of the `struct pt_regs`.
    at: u64,
    instruction: u64,
    is_compat: bool,
}

impl Registers {
    /// Those of a task, by its kernel stack; None for a task that has none.
    #[inline(always)]
    pub(in super::super) fn of(stack: u64) -> Option<Self> {
        let at = stack + injected(&REGISTERS_AT);
        let [instruction, state]: [u64; 2] = peek(at + INSTRUCTION);
        let is_user_mode = instruction != 0 && state & pstate::LEVEL == 0;
        is_user_mode.then_some(Self { at, instruction, is_compat: state & pstate::COMPAT != 0 })
    }

    /// Is the system call `execve` or `execveat`?
    #[inline(always)]
    pub(in super::super) fn is_exec(self) -> bool {
        let number: u32 = peek(self.at + offset!(regs_syscall));
        if self.is_compat { matches!(number, 11 | 387) } else { matches!(number, 221 | 281) }
    }

    /// What a stack is walked by, of 64-bit programs: instruction, stack and frame pointer, and link register.
    #[inline(always)]
    pub(in super::super) fn of_stack(self) -> Option<[u64; 4]> {
        if self.is_compat {
            return None;
        }
        let [frame, link, stack]: [u64; 3] = peek(self.at + FRAME);
        Some([self.instruction, stack, frame, link])
    }
}
