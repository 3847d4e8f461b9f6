//! Offsets of the kernel's structures, from its BTF to the globals that the programs read.

use sockleak_abi::offsets::Offsets;
use sockleak_btf::Btf;

/// Looks every member up.
///
/// # Errors
/// The members that the kernel does not have.
pub fn resolve(btf: &Btf) -> Result<Offsets, Vec<&'static str>> {
    let mut values = [0; Offsets::COUNT];
    let mut missing = Vec::new();
    for (value, path) in values.iter_mut().zip(Offsets::PATHS) {
        match path.split('|').find_map(|path| btf.offset(path)) {
            Some(offset) => *value = offset,
            None => missing.push(path),
        }
    }
    if missing.is_empty() { Ok(Offsets::from_values(values)) } else { Err(missing) }
}

/// Bytes from the start of a kernel stack to the registers of user mode at its top, on 64-bit ARM. None if the kernel does not have
/// the structure.
#[must_use]
pub fn registers_at(btf: &Btf, page: u32) -> Option<u32> {
    /// `THREAD_SIZE`, arch/arm64/include/asm/memory.h, without KASAN: a stack takes a page at least.
    const LEAST: u32 = 16 << 10;
    LEAST.max(page).checked_sub(btf.size("pt_regs")?)
}

#[cfg(test)]
mod tests {
    use sockleak_btf::{
        BtfError,
        sample::{Builder, sample},
    };

    use super::*;

    #[test]
    fn registers_lie_at_the_top_of_a_stack() -> Result<(), BtfError> {
        let btf = Btf::parse(sample().build())?;
        for (page, expected) in [(4096, 16_048), (16_384, 16_048), (65_536, 65_200)] {
            assert_eq!(registers_at(&btf, page), Some(expected), "{page}");
        }
        assert_eq!(registers_at(&Btf::parse(Builder::default().build())?, 4096), None);
        Ok(())
    }

    #[test]
    fn placeholder_values_are_distinct_and_not_zero() {
        // Equal bytes would be merged with other constants, which would then change with the global.
        let bytes = format!("{:?}", Offsets::placeholder());
        let mut values: Vec<_> =
            bytes.split(|c: char| !c.is_ascii_digit()).filter(|word| word.len() > 6).collect();
        let count = values.len();
        values.sort_unstable();
        values.dedup();
        assert_eq!((values.len(), count), (Offsets::COUNT, Offsets::COUNT));
    }
}
