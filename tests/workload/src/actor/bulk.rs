//! Many connections, as fast as they go.

use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};

use anyhow::Context as _;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::act::borrowed;
use super::{Pair, thread};
use crate::unix::{self, Kind, Patience};

/// Accepts and closes `count` times. Without a greeting there is nothing in between: the tightest race there is.
pub(super) fn serve(listener: RawFd, count: u32, greet: bool) -> anyhow::Result<()> {
    for _ in 0..count {
        farewell(&unix::accept_from(listener)?, greet)?;
    }
    Ok(())
}

/// Accepts and closes until `control` has something to read.
pub(super) fn serve_until_told(listener: RawFd, greet: bool, control: &File) -> anyhow::Result<()> {
    // Several processes wait for the same listener, so one may find the queue empty again.
    fcntl(borrowed(listener), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    loop {
        match unix::accept_from(listener) {
            Ok(fd) => farewell(&fd, greet)?,
            Err(Errno::EAGAIN) => {
                let mut fds = [
                    PollFd::new(borrowed(listener), PollFlags::POLLIN),
                    PollFd::new(control.as_fd(), PollFlags::POLLIN),
                ];
                poll(&mut fds, PollTimeout::NONE)?;
                if fds[1].any() == Some(true) {
                    return Ok(());
                }
            }
            Err(error) => return Err(error).context("accept"),
        }
    }
}

/// The greeting tells the client who accepted it: without it nobody could say which connection an acceptor got.
pub(super) fn farewell(fd: &OwnedFd, greet: bool) -> anyhow::Result<()> {
    if greet {
        let text = format!("{} {}", std::process::id(), unix::inode(fd)?);
        nix::unistd::write(fd, text.as_bytes())?;
    }
    Ok(())
}

pub(super) fn churn(
    address: &str,
    threads: u32,
    connections: u32,
    greeted: bool,
) -> anyhow::Result<Vec<Pair>> {
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| (0..connections).map(|_| once(address, greeted)).collect::<Vec<_>>()))
            .collect();
        let results = running.into_iter().map(|thread| thread.join().expect("a churning thread panicked"));
        results.flatten().collect()
    })
}

fn once(address: &str, greeted: bool) -> anyhow::Result<Pair> {
    let fd = unix::connect_to(address, Kind::Stream, Patience::Endless).context("connect")?;
    let client_inode = unix::inode(&fd)?;
    let server = if greeted { Some(greeting(&fd)?) } else { None };
    nix::unistd::close(fd)?;
    Ok(Pair { tid: thread::tid(), client_inode, server })
}

pub(super) fn greeting(fd: &OwnedFd) -> anyhow::Result<(u32, u64)> {
    let mut bytes = [0; 64];
    let length = nix::unistd::read(borrowed(fd.as_raw_fd()), &mut bytes)?;
    let text = std::str::from_utf8(&bytes[..length])?;
    let (pid, inode) = text.split_once(' ').context("no greeting")?;
    Ok((pid.parse()?, inode.parse()?))
}
