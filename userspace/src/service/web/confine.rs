//! The web process gives up whatever it does not need, before it reads a byte from anybody.

use std::{io, os::fd::RawFd};

use caps::CapSet;
use nix::{
    libc,
    sys::{
        prctl,
        resource::{Resource, setrlimit},
    },
    unistd::geteuid,
};

/// Descriptors that the process may have.
const MOST_DESCRIPTORS: u64 = 1024;

/// Closes every descriptor but the standard ones and `keep`, gives up all capabilities and the way to new ones, and lets nobody
/// read its memory: the token is there.
///
/// # Errors
/// A sentence, if something of that cannot be done, or if it runs as root.
pub fn confine(keep: &[RawFd]) -> Result<(), String> {
    if geteuid().is_root() {
        return Err(
            "the web process does not run as root; `sockleak serve` starts it as another user".to_owned()
        );
    }
    close_others(keep).map_err(|error| format!("descriptors cannot be closed: {error}"))?;
    let cleared = [CapSet::Ambient, CapSet::Effective, CapSet::Permitted, CapSet::Inheritable]
        .into_iter()
        .try_for_each(|set| caps::clear(None, set));
    cleared.map_err(|error| format!("capabilities cannot be given up: {error}"))?;
    let limited = prctl::set_no_new_privs()
        .and_then(|()| prctl::set_dumpable(false))
        .and_then(|()| setrlimit(Resource::RLIMIT_CORE, 0, 0))
        .and_then(|()| setrlimit(Resource::RLIMIT_NOFILE, MOST_DESCRIPTORS, MOST_DESCRIPTORS));
    limited.map_err(|error| format!("privileges cannot be given up: {error}"))
}

fn close_others(keep: &[RawFd]) -> io::Result<()> {
    let mut keep: Vec<u32> = keep.iter().filter_map(|&fd| u32::try_from(fd).ok()).collect();
    keep.sort_unstable();
    gaps(&keep).try_for_each(|(first, last)| {
        // SAFETY: nothing in this process owns a descriptor yet but those that are kept.
        let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    })
}

/// The ranges of numbers from 3 on that are between those that are kept, which are in order.
fn gaps(keep: &[u32]) -> impl Iterator<Item = (u32, u32)> {
    let ends = keep.iter().map(|&fd| fd.checked_sub(1)).chain([Some(u32::MAX)]);
    let begins = [3].into_iter().chain(keep.iter().map(|&fd| (fd + 1).max(3)));
    begins.zip(ends).filter_map(|(first, last)| Some((first, last?))).filter(|(first, last)| first <= last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_else_is_closed() {
        let all = |keep: &[u32]| gaps(keep).collect::<Vec<_>>();
        assert_eq!(all(&[]), [(3, u32::MAX)]);
        assert_eq!(all(&[3]), [(4, u32::MAX)]);
        assert_eq!(all(&[5, 6, 9]), [(3, 4), (7, 8), (10, u32::MAX)]);
        assert_eq!(all(&[0, 2, 4]), [(3, 3), (5, u32::MAX)]);
    }
}
