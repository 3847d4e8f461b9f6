//! Registers of x86-64.

use super::super::{offset, peek};

/// arch/x86/include/asm/page_64_types.h, without KASAN
const THREAD_SIZE: u64 = 16 << 10;
/// `sizeof(struct pt_regs)`
const REGISTERS: u64 = 168;
const FRED_PADDING: u64 = 16;

/// Values of `cs` in user mode, arch/x86/include/asm/segment.h.
mod user_segment {
    pub(super) const NATIVE: u64 = 0x33;
    pub(super) const COMPAT: u64 = 0x23;
}

/// The saved registers of a task in user mode.
#[derive(Clone, Copy)]
pub(in super::super) struct Registers {
    /// Address of the `struct pt_regs`.
    at: u64,
    /// Its `orig_ax`, `ip` and `cs`, which lie side by side by the ABI of ptrace(2).
    saved: [u64; 3],
}

impl Registers {
    /// Those of a task, by its kernel stack; None for a task that has none.
    ///
    /// The registers are saved at the top of the kernel stack, below a padding that kernels built for FRED have and others
    /// have not. A code segment of user mode tells which.
    #[inline(always)]
    pub(in super::super) fn of(stack: u64) -> Option<Self> {
        let top = stack + THREAD_SIZE - REGISTERS;
        let saved: [u64; 3] = peek(top + offset!(regs_syscall));
        if is_user_mode(saved) {
            return Some(Self { at: top, saved });
        }
        let saved: [u64; 3] = peek(top - FRED_PADDING + offset!(regs_syscall));
        is_user_mode(saved).then_some(Self { at: top - FRED_PADDING, saved })
    }

    /// Is the system call `execve` or `execveat`?
    #[inline(always)]
    pub(in super::super) fn is_exec(self) -> bool {
        let [number, _, segment] = self.saved;
        match segment & 0xffff {
            user_segment::NATIVE => matches!(number, 59 | 322),
            _ => matches!(number, 11 | 358),
        }
    }

    /// What a stack is walked by, of 64-bit programs: instruction, stack and frame pointer, and no link register.
    #[inline(always)]
    pub(in super::super) fn of_stack(self) -> Option<[u64; 4]> {
        /// `pt_regs.bp` and, after `orig_ax`, `ip`, `cs` and `flags`, `pt_regs.sp`: the order is the ABI of ptrace(2).
        const FRAME: u64 = 32;
        const STACK: u64 = 32;

        let [_, ip, segment] = self.saved;
        if segment & 0xffff != user_segment::NATIVE {
            return None;
        }
        Some([ip, peek(self.at + offset!(regs_syscall) + STACK), peek(self.at + FRAME), 0])
    }
}

/// Of `orig_ax`, `ip` and `cs`: is this user mode? FRED keeps event data above the selector's 16 bits.
#[inline(always)]
fn is_user_mode([_, _, segment]: [u64; 3]) -> bool {
    matches!(segment & 0xffff, user_segment::NATIVE | user_segment::COMPAT)
}
