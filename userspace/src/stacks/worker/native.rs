//! How stacks of this processor are unwound.

use super::message::Registers;

#[cfg(target_arch = "aarch64")]
pub(super) use framehop::aarch64::{CacheAarch64 as Cache, UnwinderAarch64 as Unwinder};
#[cfg(target_arch = "x86_64")]
pub(super) use framehop::x86_64::{CacheX86_64 as Cache, UnwinderX86_64 as Unwinder};

/// What unwinding starts with.
#[cfg(target_arch = "x86_64")]
pub(super) fn registers(stack: &Registers) -> framehop::x86_64::UnwindRegsX86_64 {
    framehop::x86_64::UnwindRegsX86_64::new(stack.ip, stack.sp, stack.bp)
}

/// What unwinding starts with. Programs may sign return addresses: an address has 48 bits, and the signature lies above them.
#[cfg(target_arch = "aarch64")]
pub(super) fn registers(stack: &Registers) -> framehop::aarch64::UnwindRegsAarch64 {
    use framehop::aarch64::{PtrAuthMask, UnwindRegsAarch64};

    let mask = PtrAuthMask::from_max_known_address((1 << 48) - 1);
    UnwindRegsAarch64::new_with_ptr_auth_mask(mask, mask.strip_ptr_auth(stack.link), stack.sp, stack.bp)
}
