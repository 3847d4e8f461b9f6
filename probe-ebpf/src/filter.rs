//! A filter in front of the map of ends, for the hooks that run at every message of the host: a socket that it does not know is in no
//! entry, and is not looked up.
//!
//! It has a count for each value of a short hash: how many ends in the map have that value. An end is counted before it is entered and
//! taken off after it is removed, by whoever did remove it. So a count is never too low. It stays too high where an entry was
//! overwritten whose release was missed; that only costs a lookup.
//!
//! The counts are pinned with the maps: programs of an earlier process go on counting in them.

use core::{arch::asm, cell::UnsafeCell};

use crate::kernel::scalar;

/// Bits of the hash. The counts take 256 KiB.
const BITS: u32 = 16;

/// As many counts as the hash has values.
#[repr(transparent)]
struct Counts(UnsafeCell<[u32; 1 << BITS]>);

// SAFETY: the counts are added to by atomic instructions alone, and read whole.
unsafe impl Sync for Counts {}

/// The kernel makes a map of this section, and programs reach it without a lookup.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".bss")]
static FILTER: Counts = Counts(UnsafeCell::new([0; 1 << BITS]));

/// Is a socket perhaps in the map of ends? `TYPED`: to the verifier it is a typed pointer, and no number.
#[inline(always)]
pub(crate) fn may_follow<const TYPED: bool>(sock: u64) -> bool {
    // SAFETY: a count in the map; others change it whole.
    unsafe { core::ptr::read_volatile(count_of::<TYPED>(sock)) != 0 }
}

/// An end is about to be entered.
#[inline(always)]
pub(crate) fn count<const TYPED: bool>(sock: u64) {
    add(count_of::<TYPED>(sock), 1);
}

/// An end was removed, or not entered after all.
#[inline(always)]
pub(crate) fn uncount<const TYPED: bool>(sock: u64) {
    add(count_of::<TYPED>(sock), -1);
}

/// `BPF_XADD`, see `hooks::send`.
#[inline(always)]
fn add(count: *mut u32, step: i64) {
    // SAFETY: a count in the map.
    unsafe { asm!("lock *(u32 *)({} + 0) += {}", in(reg) count, in(reg) step, options(nostack)) };
}

/// The count of a socket, by the upper bits of a product: lower ones hardly differ, as sockets are large.
#[inline(always)]
fn count_of<const TYPED: bool>(sock: u64) -> *mut u32 {
    /// 2^64 by the golden ratio.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

    let counts = FILTER.0.get().cast::<u32>();
    // The verifier lets no typed pointer be multiplied. It takes the distance between two pointers for a number.
    let distance = if TYPED {
        let mut distance = sock;
        // SAFETY: a subtraction. The compiler must not make another of it, with one of the pointers negated.
        unsafe {
            asm!("{} -= {}", inout(reg) distance, in(reg) counts as u64, options(pure, nomem, nostack));
        }
        distance
    } else {
        sock.wrapping_sub(scalar(counts as u64))
    };
    let index = distance.wrapping_mul(FACTOR) >> (u64::BITS - BITS);
    // SAFETY: as many bits as there are counts for.
    unsafe { counts.add(index as usize) }
}
