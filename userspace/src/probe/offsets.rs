//! Offsets of the kernel's structures, from its BTF to the global that the programs read.

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
        match btf.offset(path) {
            Some(offset) => *value = offset,
            None => missing.push(path),
        }
    }
    if missing.is_empty() { Ok(Offsets::from_values(values)) } else { Err(missing) }
}

#[cfg(test)]
mod tests {
    use super::*;

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
