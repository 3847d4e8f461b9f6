//! When the command's processes end.

use std::{
    io,
    os::fd::{AsFd as _, FromRawFd as _, OwnedFd, RawFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use nix::{
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
};
use rustc_hash::FxHashMap;

use super::tree::Key;
use crate::clock;

/// Milliseconds after which the thread looks whether it is still needed.
const PATIENCE: u16 = 1000;
/// Ends that are taken from the kernel at a time.
const AT_ONCE: usize = 64;

/// Processes that are waited for, and when the others have ended.
///
/// A thread of its own waits: the one that traces may be busy for seconds, with a stack to name or on a loaded machine, and would see
/// an end too late to tell what was closed just before it.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// None until there is something to wait for.
    waiter: Option<Arc<Waiter>>,
    /// Of those that cannot be waited for.
    ended: FxHashMap<Key, u64>,
}

#[derive(Debug)]
struct Waiter {
    epoll: Epoll,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By what the kernel calls them in an event.
    waiting: FxHashMap<u64, (Key, OwnedFd)>,
    next: u64,
    ended: FxHashMap<Key, u64>,
}

impl Ends {
    /// Waits for a process, which /proc here has under this number.
    pub(super) fn wait_for(&mut self, process: Key, pid: u32) {
        let waited = open(pid).and_then(|descriptor| self.waiter()?.add(process, descriptor));
        if waited.is_err() {
            // It has ended already, or too many are waited for: then this is as near as can be known.
            self.ended.insert(process, clock::now());
        }
    }

    fn waiter(&mut self) -> io::Result<&Waiter> {
        let waiter = match self.waiter.take() {
            Some(waiter) => waiter,
            None => Waiter::start()?,
        };
        Ok(self.waiter.insert(waiter))
    }

    /// Looks which have ended, in case the thread that waits had no turn yet.
    pub(super) fn look(&self) {
        let Some(waiter) = &self.waiter else { return };
        let mut state = waiter.state();
        let polled = |(_, descriptor): &(Key, OwnedFd)| {
            let mut polled = [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
            poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
        };
        let ended: Vec<u64> =
            state.waiting.iter().filter(|(_, it)| polled(it)).map(|(&number, _)| number).collect();
        let now = clock::now();
        ended.into_iter().for_each(|number| state.end(number, now));
    }

    /// When a process ended: nanoseconds since boot. None if it runs.
    pub(super) fn of(&self, process: &Key) -> Option<u64> {
        let waited = self.waiter.as_ref().and_then(|waiter| waiter.state().ended.get(process).copied());
        waited.or_else(|| self.ended.get(process).copied())
    }
}

impl Waiter {
    fn start() -> io::Result<Arc<Self>> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let waiter = Arc::new(Self { epoll, state: Mutex::default() });
        let its = Arc::clone(&waiter);
        thread::Builder::new().name("ends".to_owned()).spawn(move || its.run())?;
        Ok(waiter)
    }

    /// Notes each end as it happens, for as long as somebody else wants to know.
    fn run(self: &Arc<Self>) {
        let mut events = [EpollEvent::empty(); AT_ONCE];
        while Arc::strong_count(self) > 1 {
            // A signal may interrupt it.
            let count = self.epoll.wait(&mut events, EpollTimeout::from(PATIENCE)).unwrap_or(0);
            let now = clock::now();
            let mut state = self.state();
            events.iter().take(count).for_each(|event| state.end(event.data(), now));
        }
    }

    fn add(&self, process: Key, descriptor: OwnedFd) -> io::Result<()> {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        self.epoll.add(&descriptor, EpollEvent::new(EpollFlags::EPOLLIN, number))?;
        state.waiting.insert(number, (process, descriptor));
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Closing its descriptor takes it out of what the kernel waits for.
    fn end(&mut self, number: u64, now: u64) {
        if let Some((process, _)) = self.waiting.remove(&number) {
            self.ended.insert(process, now);
        }
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

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn an_end_is_noted_while_nobody_looks() {
        let mut ends = Ends::default();
        let mut child =
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it is installed");
        let (process, before) = ((child.id(), 1), clock::now());
        ends.wait_for(process, child.id());
        assert_eq!(ends.of(&process), None);
        ends.look();
        assert_eq!(ends.of(&process), None, "it reads");
        drop(child.stdin.take());
        while ends.of(&process).is_none() {
            thread::yield_now();
        }
        let ended = ends.of(&process);
        assert!(ended.is_some_and(|ended| ended >= before));
        child.wait().expect("it has ended");
        ends.look();
        assert_eq!(ends.of(&process), ended, "what was noted first stays");
    }

    #[test]
    fn a_process_that_is_gone_has_ended() {
        let mut ends = Ends::default();
        let mut child = Command::new("true").spawn().expect("it is installed");
        child.wait().expect("it ends");
        ends.wait_for((child.id(), 1), child.id());
        assert!(ends.of(&(child.id(), 1)).is_some());
    }
}
