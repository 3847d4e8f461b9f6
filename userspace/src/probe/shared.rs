//! Types that the kernel side defines, marked as aya wants them.

use sockleak_abi::{Config, Counters, End, Name, Python, offsets::Offsets};

/// A type that both sides share. The wrapper is here because aya's trait and the type are both foreign.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(super) struct Shared<T>(pub(super) T);

// SAFETY: `repr(C)` and padded explicitly; any bytes are a value.
unsafe impl aya::Pod for Shared<Config> {}
// SAFETY: as above.
unsafe impl aya::Pod for Shared<Name> {}
// SAFETY: as above.
unsafe impl aya::Pod for Shared<End> {}
// SAFETY: as above.
unsafe impl aya::Pod for Shared<Python> {}
// SAFETY: an array of integers.
unsafe impl aya::Pod for Shared<Counters> {}
// SAFETY: `repr(C)` and made of u32 alone.
unsafe impl aya::Pod for Shared<Offsets> {}
