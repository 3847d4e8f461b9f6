//! What an actor does in threads other than its first.

use std::os::fd::RawFd;
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::Context as _;

use super::{Answer, act};
use crate::unix::{self, Kind, Patience};
use crate::wait;

/// Not the process's name: sockleak has to report the group leader's.
const NAME: &str = "another-thread";

pub(super) fn tid() -> u32 {
    nix::unistd::gettid().as_raw().cast_unsigned()
}

fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<JoinHandle<T>> {
    Ok(std::thread::Builder::new().name(NAME.to_owned()).spawn(work)?)
}

fn finish<T>(thread: JoinHandle<anyhow::Result<T>>) -> anyhow::Result<T> {
    thread.join().map_err(|_panic| anyhow::anyhow!("a thread panicked"))?
}

pub(super) fn connect(address: &str) -> anyhow::Result<Answer> {
    let address = address.to_owned();
    finish(spawn(move || act::socket(unix::connect_to(&address, Kind::Stream, Patience::Endless)?, tid()))?)
}

pub(super) fn close(fd: RawFd) -> anyhow::Result<Answer> {
    finish(spawn(move || {
        nix::unistd::close(fd)?;
        Ok(Answer::Thread(tid()))
    })?)
}

pub(super) fn idle() -> anyhow::Result<Answer> {
    let (send, started) = mpsc::channel();
    spawn(move || {
        // The receiver is waiting, or the process is about to end.
        let _ = send.send(tid());
        loop {
            std::thread::park();
        }
    })?;
    Ok(Answer::Thread(started.recv()?))
}

/// Closes `fd` while a new thread is blocked in reading it. The kernel keeps the file until that read returns, so
/// that the thread is the one who drops it.
pub(super) fn close_while_read(fd: RawFd) -> anyhow::Result<(u32, JoinHandle<()>)> {
    let (send, started) = mpsc::channel();
    let reader = spawn(move || {
        // Both results show in what the director does next: it waits for the thread, and it makes the read return.
        let _ = send.send(tid());
        let _ = nix::unistd::read(act::borrowed(fd), &mut [0; 16]);
    })?;
    let tid = started.recv()?;
    let syscall = format!("/proc/self/task/{tid}/syscall");
    // The first two words of a sleeping thread: number of the system call, first argument.
    let blocked = format!("{} {fd:#x} ", libc::SYS_read);
    wait::until("a thread to block in read()", || {
        let text = std::fs::read_to_string(&syscall).with_context(|| syscall.clone())?;
        Ok(text.starts_with(&blocked))
    })?;
    nix::unistd::close(fd)?;
    Ok((tid, reader))
}
