//! Connections that come and go without end, while others stay: what a capture finds when it begins.

use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::{AsFd as _, IntoRawFd as _, OwnedFd, RawFd};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::act::borrowed;
use super::{Made, bulk, thread};
use crate::unix::{self, Kind, Patience};

/// A thread waits so long between two connections: a capture that is flooded is another story.
const BREATH: Duration = Duration::from_millis(1);

/// As many of a thread's connections, the first ones, stay for good.
const FOR_GOOD: usize = 3;

/// Holds the first few for good and later ones for a while.
struct Shelf<T> {
    for_good: usize,
    room: usize,
    held: VecDeque<T>,
}

impl<T> Shelf<T> {
    fn new(for_good: usize, room: usize) -> Self {
        Self { for_good, room: for_good + room, held: VecDeque::new() }
    }

    /// Takes one in; returns the one that has to make room.
    fn put(&mut self, one: T) -> Option<T> {
        self.held.push_back(one);
        if self.held.len() > self.room { self.held.remove(self.for_good) } else { None }
    }
}

/// Connects and closes in `threads`, until `control` has something to read and `further` times more. Calls `begun` when
/// every thread has its first connections.
pub(super) fn clients(
    address: &str,
    threads: u32,
    further: u32,
    control: &File,
    begun: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Made>> {
    let is_over = AtomicBool::new(false);
    let barrier = Barrier::new(threads as usize + 1);
    std::thread::scope(|scope| {
        let client = |number: u32| {
            // Some close at once, some after a while.
            let mut client = Client::new(address, [0, 1, 8][number as usize % 3]);
            let first = client.connect_times(FOR_GOOD);
            barrier.wait();
            first?;
            while !is_over.load(Ordering::Relaxed) {
                client.connect()?;
                std::thread::sleep(BREATH);
            }
            client.connect_times(further as usize)?;
            Ok(client.end())
        };
        let running: Vec<_> = (0..threads).map(|number| scope.spawn(move || client(number))).collect();
        barrier.wait();
        let waited = begun().and_then(|()| Ok(poll_for(&[control.as_fd()])?));
        is_over.store(true, Ordering::Relaxed);
        let results = running.into_iter().map(|thread| thread.join().expect("a restless thread panicked"));
        let made = results.collect::<anyhow::Result<Vec<_>>>();
        waited?;
        Ok(made?.into_iter().flatten().collect())
    })
}

struct Client<'a> {
    address: &'a str,
    made: Vec<Made>,
    /// Each with its place among those made.
    held: Shelf<(usize, OwnedFd)>,
}

impl<'a> Client<'a> {
    fn new(address: &'a str, room: usize) -> Self {
        Self { address, made: Vec::new(), held: Shelf::new(FOR_GOOD, room) }
    }

    fn connect_times(&mut self, times: usize) -> anyhow::Result<()> {
        (0..times).try_for_each(|_| self.connect())
    }

    fn connect(&mut self) -> anyhow::Result<()> {
        let fd = unix::connect_to(self.address, Kind::Stream, Patience::Endless).context("connect")?;
        let client_inode = unix::inode(&fd)?;
        let (server, server_inode) = bulk::greeting(&fd)?;
        let place = self.made.len();
        self.made.push(Made { tid: thread::tid(), client_inode, server, server_inode, fd: None });
        if let Some((_, oldest)) = self.held.put((place, fd)) {
            nix::unistd::close(oldest)?;
        }
        Ok(())
    }

    fn end(mut self) -> Vec<Made> {
        for (place, fd) in self.held.held {
            self.made[place].fd = Some(fd.into_raw_fd());
        }
        self.made
    }
}

/// Accepts, tells each client who did, and keeps some, until `control` has something to read. Returns inode and
/// descriptor of those that it keeps in the end.
pub(super) fn host(
    listener: RawFd,
    for_good: usize,
    room: usize,
    control: &File,
) -> anyhow::Result<Vec<(u64, RawFd)>> {
    fcntl(borrowed(listener), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let mut held = Shelf::new(for_good, room);
    loop {
        match unix::accept_from(listener) {
            Ok(fd) => {
                bulk::farewell(&fd, true)?;
                drop(held.put(fd));
            }
            // Others wait for the same listener.
            Err(Errno::EAGAIN) => {
                if poll_for(&[control.as_fd(), borrowed(listener)])? {
                    break;
                }
            }
            Err(error) => return Err(error).context("accept"),
        }
    }
    held.held.into_iter().map(|fd| Ok((unix::inode(&fd)?, fd.into_raw_fd()))).collect()
}

/// Waits until one of them has something to read; tells whether it is the first.
fn poll_for(fds: &[std::os::fd::BorrowedFd<'_>]) -> nix::Result<bool> {
    let mut fds: Vec<_> = fds.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    poll(&mut fds, PollTimeout::NONE)?;
    Ok(fds[0].any() == Some(true))
}
