//! Globals that userspace overrides before it loads the programs.

/// Reads a global that userspace overrides. The read is volatile: the compiler must not fold the placeholder.
#[inline(always)]
pub(crate) fn injected(value: &u32) -> u64 {
    // SAFETY: a valid reference.
    u64::from(unsafe { core::ptr::read_volatile(value) })
}
