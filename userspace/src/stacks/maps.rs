//! `/proc/PID/maps`: what code a process has where.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    ops::Range,
    sync::Arc,
};

use crate::proc;

/// Pieces of code of a process that are looked at, and bytes of its map that are read: a process has as many as it likes, each
/// with a path of 4 KiB.
const MOST: usize = 2048;
const MOST_BYTES: u64 = 4 << 20;

/// A piece of code in a process's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    /// Its addresses.
    pub(super) range: Range<u64>,
    /// Where it begins in the file.
    pub(super) offset: u64,
    /// Inode of the file.
    pub(super) inode: u64,
    /// Path of the file, as the process has it. A replaced one ends with ` (deleted)`.
    pub(super) path: Arc<str>,
}

/// The mappings of a process that hold a file's code; None if it is gone or not to be looked at.
pub(super) fn read(pid: u32) -> Option<Vec<Mapping>> {
    let mut lines = BufReader::new(File::open(proc::folder(pid).join("maps")).ok()?.take(MOST_BYTES));
    let mut mappings = Vec::new();
    let mut line = Vec::new();
    while mappings.len() < MOST && lines.read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
        mappings.extend(parse(String::from_utf8_lossy(&line).trim_end_matches('\n')));
        line.clear();
    }
    // That of a process that is exiting is empty.
    (!mappings.is_empty()).then_some(mappings)
}

/// A line such as `5581e000-5582a000 r-xp 00002000 fe:01 5506 /usr/bin/cat`, if it is one of a file's code.
fn parse(line: &str) -> Option<Mapping> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let (rights, rest) = rest.split_once(' ')?;
    let (offset, rest) = rest.split_once(' ')?;
    let (_device, rest) = rest.split_once(' ')?;
    let (inode, path) = rest.split_once(' ')?;
    let path = path.trim_start();
    if rights.as_bytes().get(2) != Some(&b'x') || !path.starts_with('/') {
        return None;
    }
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some(Mapping {
        range: number(start)?..number(end)?,
        offset: number(offset)?,
        inode: inode.parse().ok()?,
        path: path.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_files_is_taken_and_nothing_else() {
        let line = "7f10a000-7f10c000 r-xp 00002000 fe:01 5506                     /opt/a b/x (deleted)";
        let expected = Mapping {
            range: 0x7f10_a000..0x7f10_c000,
            offset: 0x2000,
            inode: 5506,
            path: "/opt/a b/x (deleted)".into(),
        };
        assert_eq!(parse(line), Some(expected));
        for other in [
            "7f10a000-7f10c000 r--p 00002000 fe:01 5506   /usr/bin/cat",
            "7ffd1000-7ffd3000 r-xp 00000000 00:00 0      [vdso]",
            "7ffd1000-7ffd3000 r-xp 00000000 00:00 0 ",
            "nonsense",
            "",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
