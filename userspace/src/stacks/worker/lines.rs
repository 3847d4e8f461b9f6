//! The line of an instruction, from a code object's table (`CPython`'s Objects/locations.md).

/// The line of the instruction with this number (each takes two bytes); None for one that belongs to no line.
pub(super) fn line(table: &[u8], first_line: u32, instruction: u64) -> Option<u32> {
    let mut bytes = table.iter().copied();
    let mut line = i64::from(first_line);
    let mut end = 0_u64;
    while let Some(entry) = bytes.next() {
        end += u64::from(entry & 7) + 1;
        let delta = match entry >> 3 & 15 {
            0..=9 => {
                bytes.next()?;
                Some(0)
            }
            one_line @ 10..=12 => {
                bytes.next()?;
                bytes.next()?;
                Some(i64::from(one_line) - 10)
            }
            13 => Some(signed(&mut bytes)?),
            14 => {
                let delta = signed(&mut bytes)?;
                for _ in 0..3 {
                    unsigned(&mut bytes)?;
                }
                Some(delta)
            }
            _ => None,
        };
        // A table may be anybody's.
        line = line.checked_add(delta.unwrap_or_default())?;
        if instruction < end {
            return delta.and_then(|_| u32::try_from(line).ok());
        }
    }
    None
}

/// Six bits a byte, the lowest first; the seventh says that more follow.
fn unsigned(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut value = 0;
    for shift in (0..60).step_by(6) {
        let byte = bytes.next()?;
        value |= u64::from(byte & 0x3f) << shift;
        if byte & 0x40 == 0 {
            return Some(value);
        }
    }
    None
}

/// The sign is the lowest bit.
fn signed(bytes: &mut impl Iterator<Item = u8>) -> Option<i64> {
    let value = unsigned(bytes)?;
    let magnitude = i64::try_from(value >> 1).ok()?;
    Some(if value & 1 == 1 { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Table of a function in line 10 of a file, with a loop and calls over two lines, as Python 3.11 compiles it.
    const TABLE: [u8; 52] = [
        128, 0, 216, 9, 10, 221, 8, 9, 136, 33, 137, 4, 140, 4, 241, 3, 1, 10, 13, 128, 65, 224, 13, 14, 240,
        0, 1, 5, 17, 240, 0, 1, 5, 17, 136, 1, 221, 8, 13, 136, 97, 137, 8, 140, 8, 136, 8, 136, 8, 216, 11,
        12,
    ];

    #[test]
    fn lines_are_those_that_python_tells() {
        // By `co_positions` of the same function.
        let runs: [(u32, usize); 8] =
            [(10, 1), (11, 1), (12, 14), (11, 3), (13, 4), (14, 16), (15, 1), (0, 0)];
        let expected = runs.into_iter().flat_map(|(line, count)| std::iter::repeat_n(line, count));
        for (instruction, expected) in expected.enumerate() {
            assert_eq!(line(&TABLE, 10, instruction as u64), Some(expected), "instruction {instruction}");
        }
        assert_eq!(line(&TABLE, 10, 40), None);
    }

    #[test]
    fn lines_beyond_all_numbers_are_none() {
        // Thirty-nine deltas of 2^58 and more.
        let mut entry = vec![0x80 | 13 << 3];
        entry.extend([0x7e; 9]);
        entry.push(0x3f);
        let table: Vec<u8> = entry.iter().copied().cycle().take(entry.len() * 39).collect();
        assert_eq!(line(&table, u32::MAX, 38), None);
    }

    #[test]
    fn an_instruction_may_belong_to_no_line() {
        assert_eq!(line(&[0x80 | 15 << 3], 10, 0), None);
        assert_eq!(line(&[0x80 | 14 << 3, 0x41], 10, 0), None);
    }

    proptest! {
        #[test]
        fn any_table_is_read_to_its_end(table in vec(any::<u8>(), 0..64), first in any::<u32>(), at in any::<u64>()) {
            let _ = line(&table, first, at);
        }
    }
}
