//! Listening sockets whose names are like one that was asked for and is not there: the path that a manual gives is often another
//! one than that of the distribution's package.

use std::{collections::BTreeSet, ffi::OsString, fs::File, io::Read as _, path::Path};

use sockleak_core::event::name::shown;

/// Bytes of the kernel's table that are read: some hundred thousand sockets.
const MOST: u64 = 16 << 20;
/// Names that are suggested.
const FEW: usize = 3;
/// The flag of a socket that listens (`SO_ACCEPTCON`), and the type of a stream, as the table writes them.
const LISTENS: &[u8] = b"00010000";
const STREAM: &[u8] = b"0001";

/// A few names of listening sockets that are like those of the targets; none if the table cannot be read.
pub(super) fn similar(targets: &[OsString]) -> Vec<String> {
    let mut table = Vec::new();
    let read = File::open("/proc/net/unix").and_then(|file| file.take(MOST).read_to_end(&mut table));
    if read.is_err() {
        return Vec::new();
    }
    among(&table, targets.iter().filter_map(|target| target.to_str()))
}

/// The same of a table, and of targets as they were written.
fn among<'t>(table: &[u8], targets: impl Iterator<Item = &'t str>) -> Vec<String> {
    let wanted: Vec<String> = targets.map(stem).filter(|stem| stem.len() > 1).collect();
    let listening = table.split(|&byte| byte == b'\n').filter_map(listening);
    let names: BTreeSet<String> = listening
        .filter(|name| {
            let has = stem(name);
            wanted.iter().any(|wanted| has.contains(wanted) || (has.len() > 2 && wanted.contains(&has)))
        })
        .collect();
    names.into_iter().take(FEW).collect()
}

/// The name of a listening stream socket, of a line of the table: number, references, protocol, flags, type, state, inode, name.
fn listening(line: &[u8]) -> Option<String> {
    let mut fields = line.split(|&byte| byte == b' ').filter(|field| !field.is_empty());
    let (flags, kind) = (fields.nth(3)?, fields.next()?);
    let name = fields.nth(2)?;
    // A name may have blanks.
    let begin = name.as_ptr() as usize - line.as_ptr() as usize;
    (flags == LISTENS && kind == STREAM).then(|| shown(&line[begin..]))
}

/// What a file's name has beside its ending and the signs of patterns, in small letters.
fn stem(name: &str) -> String {
    let file = Path::new(name).file_stem().unwrap_or_default().to_string_lossy();
    file.trim_start_matches('@').replace(['*', '?'], "").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 16001 /run/haproxy-master.sock
0000000000000000: 00000003 00000000 00000000 0001 03 16002 /run/haproxy-master.sock
0000000000000000: 00000002 00000000 00010000 0005 01 16003 /run/udev/master
0000000000000000: 00000002 00000000 00010000 0001 01 16004 /run/my sql/mysqld.sock
0000000000000000: 00000003 00000000 00000000 0001 03 16005
broken
0000000000000000: 00000002 00000000 00010000 0001 01 16006 @abstract";

    #[test]
    fn names_are_suggested_that_are_alike() {
        let cases: [(&[&str], &[&str]); 8] = [
            (&["ma.sock"], &["/run/haproxy-master.sock"]),
            (&["/run/haproxy/master.sock"], &["/run/haproxy-master.sock"]),
            (&["mysql.sock"], &["/run/my sql/mysqld.sock"]),
            (&["MYSQLD.sock"], &["/run/my sql/mysqld.sock"]),
            (&["@abstract2"], &["@abstract"]),
            (&["*.sock"], &[]),
            (&["nobody-has-this.sock"], &[]),
            (&[], &[]),
        ];
        for (targets, expected) in cases {
            assert_eq!(among(TABLE, targets.iter().copied()), expected, "{targets:?}");
        }
    }
}
