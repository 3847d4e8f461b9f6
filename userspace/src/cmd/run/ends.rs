//! When the command's processes end.

use std::{
    io,
    os::fd::{AsFd as _, FromRawFd as _, OwnedFd, RawFd},
};

use nix::{
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use rustc_hash::FxHashMap;

use super::tree::Key;
use crate::clock;

/// Processes that are waited for, and when the others have ended.
#[derive(Debug, Default)]
pub(super) struct Ends {
    waiting: Vec<(Key, OwnedFd)>,
    ended: FxHashMap<Key, u64>,
}

impl Ends {
    /// Waits for a process, which /proc here has under this number.
    pub(super) fn wait_for(&mut self, process: Key, pid: u32) {
        match open(pid) {
            Ok(descriptor) => self.waiting.push((process, descriptor)),
            // It has ended already, or too many are waited for: then this is as near as can be known.
            Err(_) => drop(self.ended.insert(process, clock::now())),
        }
    }

    /// Looks which have ended.
    pub(super) fn look(&mut self) {
        let polled = |(_, descriptor): &'_ (Key, OwnedFd)| {
            let mut polled = [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
            poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
        };
        let now = clock::now();
        for (process, _) in self.waiting.extract_if(.., |it| polled(it)) {
            self.ended.insert(process, now);
        }
    }

    /// When a process ended: nanoseconds since boot. None if it runs.
    pub(super) fn of(&self, process: &Key) -> Option<u64> {
        self.ended.get(process).copied()
    }
}

fn open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: it takes no memory.
    let opened = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if opened < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was opened just now, and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(opened as RawFd) })
}
