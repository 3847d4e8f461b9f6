//! Processes that sockleak starts from its own executable to do as a user without privileges what strangers can have a say in:
//! answering HTTP, and reading other programs' files.

mod confine;
mod starter;

use std::{
    fs::File,
    os::fd::{FromRawFd as _, OwnedFd, RawFd},
};

use nix::{
    libc,
    sys::socket::{GetSockOpt as _, sockopt::SockType},
};

pub use confine::{ConfineError, Limits, confine, easily_killed, give_way};
pub(crate) use starter::{Job, Started, Starter};

/// A socket that was inherited under this number; None if there is none. To be called once for each number.
#[must_use]
pub fn inherited(descriptor: RawFd) -> Option<OwnedFd> {
    let descriptor = open_descriptor(descriptor)?;
    SockType.get(&descriptor).ok()?;
    Some(descriptor)
}

/// A plain file that was inherited under this number; None if there is none. To be called once for each number.
#[must_use]
pub fn inherited_file(descriptor: RawFd) -> Option<File> {
    let file = File::from(open_descriptor(descriptor)?);
    file.metadata().is_ok_and(|it| it.is_file()).then_some(file)
}

fn open_descriptor(descriptor: RawFd) -> Option<OwnedFd> {
    // SAFETY: it is only asked whether it is open.
    let is_open = descriptor > 2 && unsafe { libc::fcntl(descriptor, libc::F_GETFD) } >= 0;
    if !is_open {
        return None;
    }
    // SAFETY: it is open, and nothing else in this process owns it: it was inherited, and no number is named twice.
    Some(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
