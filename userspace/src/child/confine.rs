//! A process that sockleak started gives up whatever it does not need, before it reads a byte from anybody.

use std::{io, os::fd::RawFd};

use caps::{CapSet, errors::CapsError};
use nix::{
    errno::Errno,
    libc,
    sys::{
        prctl,
        resource::{Resource, setrlimit},
    },
    unistd::geteuid,
};

/// What such a process may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Descriptors.
    pub descriptors: u64,
    /// Bytes of address space; None for any number.
    pub memory: Option<u64>,
    /// Seconds of processor time, in all; None for any number.
    pub processor: Option<u64>,
}

/// A process that sockleak started cannot give up what it has to.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// It runs as root. It is named.
    #[error("the {0} process does not run as root; sockleak starts it as another user")]
    Root(String),
    /// It inherited descriptors that stay open.
    #[error("descriptors cannot be closed: {0}")]
    Descriptors(#[source] io::Error),
    /// Capabilities stay.
    #[error("capabilities cannot be given up: {0}")]
    Capabilities(#[source] CapsError),
    /// It could gain privileges, be read by others, or take more than it should.
    #[error("privileges cannot be given up: {0}")]
    Limits(#[source] Errno),
}

/// Closes every descriptor but the standard ones and `keep`, gives up all capabilities and the way to new ones, and lets nobody
/// read its memory, where a token or another program's data may be. `name` says in errors which process it is.
///
/// # Errors
/// If something of that cannot be done, or if it runs as root.
pub fn confine(name: &str, keep: &[RawFd], limits: Limits) -> Result<(), ConfineError> {
    if geteuid().is_root() {
        return Err(ConfineError::Root(name.to_owned()));
    }
    close_others(keep).map_err(ConfineError::Descriptors)?;
    let cleared = [CapSet::Ambient, CapSet::Effective, CapSet::Permitted, CapSet::Inheritable]
        .into_iter()
        .try_for_each(|set| caps::clear(None, set));
    cleared.map_err(ConfineError::Capabilities)?;
    let limited = prctl::set_no_new_privs()
        .and_then(|()| prctl::set_dumpable(false))
        .and_then(|()| setrlimit(Resource::RLIMIT_CORE, 0, 0))
        .and_then(|()| setrlimit(Resource::RLIMIT_NOFILE, limits.descriptors, limits.descriptors))
        .and_then(|()| limits.memory.map_or(Ok(()), |most| setrlimit(Resource::RLIMIT_AS, most, most)))
        .and_then(|()| limits.processor.map_or(Ok(()), |most| setrlimit(Resource::RLIMIT_CPU, most, most)));
    limited.map_err(ConfineError::Limits)
}

/// Where memory is short the kernel takes this process first. It ends with the thread that started it, whatever it does.
pub fn easily_killed() {
    // What cannot be had is done without: limits and links hold all the same.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let _ = prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL);
}

/// Whatever else wants the processor has it first.
pub fn give_way() {
    // SAFETY: it takes numbers, and changes how this process is scheduled. What cannot be had is done without.
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
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
