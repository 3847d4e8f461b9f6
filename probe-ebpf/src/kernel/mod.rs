//! Readers of kernel structures. They follow offsets that userspace took from BTF; nothing here knows a version.

pub(crate) mod dentry;
pub(crate) mod python;
mod registers;
pub(crate) mod sock;
pub(crate) mod stack;
pub(crate) mod task;

use core::mem::MaybeUninit;

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use sockleak_abi::offsets::Offsets;

/// Overridden by userspace before the programs are loaded.
#[unsafe(no_mangle)]
pub(crate) static OFFSETS: Offsets = Offsets::placeholder();

/// An offset by its name in [`Offsets`].
macro_rules! offset {
    ($name:ident) => {
        $crate::injected::injected(&$crate::kernel::OFFSETS.$name)
    };
}
pub(crate) use offset;

/// Types for which any bytes are a value, and so zeroes are too.
pub(crate) trait Plain: Copy {}
impl Plain for u8 {}
impl Plain for u16 {}
impl Plain for u32 {}
impl Plain for u64 {}
impl Plain for [u64; 2] {}
impl Plain for [u64; 3] {}
impl Plain for [u64; 13] {}

/// Reads kernel memory; zero where it cannot be read, which callers take for "unknown".
#[inline(always)]
pub(crate) fn peek<T: Plain>(address: u64) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the helper checks the source, and zeroes the destination when it cannot be read, so `value` is
    // initialised either way; `Plain` types accept any bytes.
    unsafe {
        bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, address as *const _);
        value.assume_init()
    }
}

/// Reads a member of a kernel structure; zero where it cannot be read.
///
/// `TYPED`: the verifier knows what `pointer` points to, and the member is read without a helper. The kernel makes a bad address
/// read as zero.
///
/// # Safety
/// If `TYPED`, `pointer` must come from the context of an fentry or fexit program, from a helper that returns a typed pointer, or
/// from a member that was read in this way. The member must lie within the structure that BTF says it points to: the verifier
/// refuses everything else.
#[inline(always)]
pub(crate) unsafe fn read<const TYPED: bool, T: Plain>(pointer: u64, offset: u64) -> T {
    if TYPED {
        // SAFETY: by this function's contract.
        unsafe { core::ptr::read_volatile((pointer + offset) as *const T) }
    } else {
        peek(pointer + offset)
    }
}

/// Takes a word into a hash. Any odd number with bits all over would do for the FNV hash's prime.
#[inline(always)]
pub(crate) const fn mix(hash: u64, word: u64) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let hash = (hash ^ word).wrapping_mul(PRIME);
    hash ^ (hash >> 32)
}

/// What a hash begins with: FNV's.
pub(crate) const HASH: u64 = 0xcbf2_9ce4_8422_2325;

/// A pointer as a number that the verifier takes for nothing else, as an argument of a global function of BPF.
///
/// The verifier walks such a function once for each program, whatever may be in its arguments; one that is inlined it walks for
/// each way that leads to it. What is long and seldom needed is therefore a global function: not inlined and not mangled. Kernels
/// before 5.13 take numbers alone for its arguments, and the sockets of fexit programs are typed pointers.
#[inline(always)]
pub(crate) fn scalar(pointer: u64) -> u64 {
    peek(&raw const pointer as u64)
}

/// 0 that the compiler does not know for 0. It would clear several words by a call of `memset`, which writes bytes one by one, and
/// the verifier follows it through each of them.
#[inline(always)]
pub(crate) fn zero() -> u64 {
    core::hint::black_box(0)
}

/// Clears `WORDS` words, likewise.
///
/// # Safety
/// They must lie within a reserved record.
#[inline(always)]
pub(crate) unsafe fn clear<const WORDS: usize>(to: *mut u64) {
    for i in 0..WORDS {
        // SAFETY: by this function's contract.
        unsafe { core::ptr::write_volatile(to.add(i), 0) };
    }
}
