//! Reserve, submit, or count.

use aya_ebpf::{
    bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    helpers::generated::bpf_ktime_get_boot_ns,
    maps::ring_buf::RingBufEntry,
};
use sockleak_abi::{ABI_VERSION, Header, failure};

use crate::{
    injected::injected,
    maps::{COUNTERS, EVENTS},
};

/// Unread bytes from which userspace is woken, set by userspace to fit the ring. Below, records wait for userspace's own
/// timer: waking it for every one would cost more than all the rest.
#[unsafe(no_mangle)]
static WAKE_AT: u32 = 0x5ac4_ffff;

/// Counts a failure of a hook, on the processor's own counter. A task that is preempted between the read and the
/// write may swallow another's count, so a figure is a lower bound; it never stays 0 after a failure.
#[inline(always)]
pub(crate) fn count(hook: usize, what: usize) {
    if let Some(counters) = COUNTERS.get_ptr_mut(0) {
        // SAFETY: this processor's copy of the map's only entry.
        if let Some(row) = unsafe { (*counters).get_mut(hook) } {
            row[what] += 1;
        }
    }
}

/// What [`count`] counted on this processor.
#[inline(always)]
pub(crate) fn counted(hook: usize, what: usize) -> u64 {
    // SAFETY: as there.
    COUNTERS.get_ptr(0).map_or(0, |counters| unsafe { (*counters)[hook][what] })
}

/// Takes back one that was counted on this processor, because it is tried again.
#[inline(always)]
pub(crate) fn uncount(hook: usize, what: usize) {
    if let Some(counters) = COUNTERS.get_ptr_mut(0) {
        // SAFETY: as in `count`.
        unsafe { (*counters)[hook][what] -= 1 };
    }
}

/// Room for a record in the ring; a lack of it is counted.
#[inline(always)]
pub(crate) fn reserve<T: 'static>(hook: usize) -> Option<RingBufEntry<T>> {
    reserve_or_count(hook, failure::RING)
}

/// Room for a record in the ring; a lack of it is counted as `what`.
#[inline(always)]
pub(crate) fn reserve_or_count<T: 'static>(hook: usize, what: usize) -> Option<RingBufEntry<T>> {
    let entry = EVENTS.reserve::<T>(0);
    if entry.is_none() {
        count(hook, what);
    }
    entry
}

/// Hands a record over.
#[inline(always)]
pub(crate) fn submit<T: 'static>(entry: RingBufEntry<T>) {
    let wake = EVENTS.query(u64::from(BPF_RB_AVAIL_DATA)) >= injected(&WAKE_AT);
    entry.submit(u64::from(if wake { BPF_RB_FORCE_WAKEUP } else { BPF_RB_NO_WAKEUP }));
}

/// A header for a record of type `T`, timed now.
#[inline(always)]
pub(crate) fn header<T>(kind: u16) -> Header {
    Header { kind, version: ABI_VERSION, size: size_of::<T>() as u32, at: now() }
}

/// Nanoseconds since boot, suspend included.
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: a helper without arguments.
    unsafe { bpf_ktime_get_boot_ns() }
}
