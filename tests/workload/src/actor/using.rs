//! Sending in every way there is, and saying what the kernel took.

use std::fs::File;
use std::io::{IoSlice, Write as _};
use std::os::fd::RawFd;

use anyhow::Context as _;
use nix::errno::Errno;
use nix::fcntl::{SpliceFFlags, splice};
use nix::sys::sendfile::sendfile;
use nix::sys::socket::{MsgFlags, Shutdown, UnixAddr, send, sendmsg, shutdown};
use nix::sys::uio::writev;
use nix::unistd::{pipe, write};
use serde::{Deserialize, Serialize};

use super::act::borrowed;

/// A way to use an end.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Way {
    /// `write()` of so many bytes.
    Write(usize),
    /// `send()`.
    Send(usize),
    /// `writev()` of three buffers, each of so many bytes.
    WriteVector(usize),
    /// `sendmsg()` of three buffers.
    SendMessage(usize),
    /// `sendfile()` from a file.
    SendFile(usize),
    /// `splice()` from a pipe.
    Splice(usize),
    /// `send()` of so many bytes that does not wait, until the kernel takes no more: the last one before takes a part.
    Fill(usize),
    /// `send()` to an end that has gone: nothing is taken.
    InVain,
    /// So many threads send a byte so many times each.
    Threads(u32, u32),
    /// `shutdown()` of the sending side.
    ShutSend,
    /// `shutdown()` of the receiving side.
    ShutReceive,
}

/// What the kernel took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Bytes.
    pub bytes: u64,
    /// Calls that sent something.
    pub calls: u32,
}

/// Uses an end.
pub(super) fn perform(fd: RawFd, way: Way) -> anyhow::Result<Taken> {
    let socket = borrowed(fd);
    let text = |length| vec![b'x'; length];
    let once = |bytes: usize| Ok(Taken { bytes: bytes as u64, calls: 1 });
    match way {
        Way::Write(length) => once(write(socket, &text(length))?),
        Way::Send(length) => once(send(fd, &text(length), MsgFlags::empty())?),
        Way::WriteVector(length) => {
            let part = text(length);
            once(writev(socket, &[IoSlice::new(&part); 3])?)
        }
        Way::SendMessage(length) => {
            let part = text(length);
            once(sendmsg::<UnixAddr>(fd, &[IoSlice::new(&part); 3], &[], MsgFlags::empty(), None)?)
        }
        Way::SendFile(length) => {
            let path = std::env::temp_dir().join(format!("sendfile-{}", std::process::id()));
            File::create(&path)?.write_all(&text(length))?;
            let sent = sendfile(socket, File::open(&path)?, None, length).context("sendfile");
            std::fs::remove_file(&path)?;
            once(sent?)
        }
        Way::Splice(length) => {
            let (from, to) = pipe()?;
            write(&to, &text(length))?;
            once(splice(from, None, socket, None, length, SpliceFFlags::empty()).context("splice")?)
        }
        Way::Fill(length) => fill(fd, &text(length)),
        Way::InVain => match send(fd, b"x", MsgFlags::MSG_NOSIGNAL) {
            Err(Errno::EPIPE) => Ok(Taken::default()),
            other => anyhow::bail!("a send in vain gave {other:?}"),
        },
        Way::Threads(threads, times) => by_threads(fd, threads, times),
        Way::ShutSend => Ok(shutdown(fd, Shutdown::Write).map(|()| Taken::default())?),
        Way::ShutReceive => Ok(shutdown(fd, Shutdown::Read).map(|()| Taken::default())?),
    }
}

fn fill(fd: RawFd, text: &[u8]) -> anyhow::Result<Taken> {
    let mut taken = Taken::default();
    loop {
        match send(fd, text, MsgFlags::MSG_DONTWAIT) {
            Ok(bytes) => {
                taken.bytes += bytes as u64;
                taken.calls += 1;
            }
            Err(Errno::EAGAIN) => return Ok(taken),
            Err(error) => return Err(error.into()),
        }
    }
}

fn by_threads(fd: RawFd, threads: u32, times: u32) -> anyhow::Result<Taken> {
    let body = move || (0..times).try_for_each(|_| send(fd, b"x", MsgFlags::empty()).map(|_| ()));
    let threads: Vec<_> = (0..threads).map(|_| std::thread::spawn(body)).collect();
    let calls = times * u32::try_from(threads.len())?;
    for thread in threads {
        thread.join().map_err(|_panic| anyhow::anyhow!("a sender panicked"))??;
    }
    Ok(Taken { bytes: calls.into(), calls })
}
