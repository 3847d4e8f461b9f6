//! Unix sockets, as thin as the system calls.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType,
    SockaddrLike as _, UnixAddr, accept4, bind, connect, listen, recvmsg, sendmsg, setsockopt, socket,
    sockopt,
};
use nix::sys::time::TimeVal;
use serde::{Deserialize, Serialize};

/// What a socket carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// `SOCK_STREAM`.
    Stream,
    /// `SOCK_SEQPACKET`.
    Seqpacket,
}

impl Kind {
    /// The word that `capture --json` uses.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Seqpacket => "seqpacket",
        }
    }

    fn socket(self, flags: SockFlag) -> nix::Result<OwnedFd> {
        let kind = match self {
            Self::Stream => SockType::Stream,
            Self::Seqpacket => SockType::SeqPacket,
        };
        socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC | flags, None)
    }
}

/// How long a connect waits in a full accept queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Patience {
    /// For ever.
    Endless,
    /// Not at all: the socket is non-blocking.
    None,
    /// For a moment: the socket has a send timeout.
    Short,
}

fn address(text: &str) -> nix::Result<UnixAddr> {
    match text.strip_prefix('@') {
        Some(name) => UnixAddr::new_abstract(name.as_bytes()),
        None if text.len() == FULL => full_address(text.as_bytes()),
        None => UnixAddr::new(text),
    }
}

/// Bytes of `sun_path`.
const FULL: usize = 108;

/// An address without a NUL at its end, which the kernel takes and nix does not make.
fn full_address(path: &[u8]) -> nix::Result<UnixAddr> {
    // SAFETY: the structure is plain bytes and numbers.
    let mut raw: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    raw.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (to, &from) in raw.sun_path.iter_mut().zip(path) {
        *to = from as libc::c_char;
    }
    let length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: the pointer refers to a whole address of that length and family.
    unsafe { UnixAddr::from_raw((&raw const raw).cast(), Some(length)) }.ok_or(Errno::EINVAL)
}

/// Binds `name` (`@name` is abstract), renames the file if another name is given, and listens.
///
/// # Errors
/// As the system calls.
pub fn listen_on(name: &str, kind: Kind, backlog: u32, renamed: Option<&str>) -> nix::Result<OwnedFd> {
    let fd = kind.socket(SockFlag::empty())?;
    bind(fd.as_raw_fd(), &address(name)?)?;
    if let Some(new) = renamed {
        // HAProxy's order: the file has its final name before anybody can connect.
        nix::fcntl::renameat(nix::fcntl::AT_FDCWD, name, nix::fcntl::AT_FDCWD, new)?;
    }
    listen(&fd, Backlog::new(backlog.cast_signed())?)?;
    Ok(fd)
}

/// Connects to `name`.
///
/// # Errors
/// As `connect()`.
pub fn connect_to(name: &str, kind: Kind, patience: Patience) -> nix::Result<OwnedFd> {
    let flags = if patience == Patience::None { SockFlag::SOCK_NONBLOCK } else { SockFlag::empty() };
    let fd = kind.socket(flags)?;
    if patience == Patience::Short {
        setsockopt(&fd, sockopt::SendTimeout, &TimeVal::new(0, 20_000))?;
    }
    connect(fd.as_raw_fd(), &address(name)?)?;
    Ok(fd)
}

/// Accepts one connection.
///
/// # Errors
/// As `accept4()`.
pub fn accept_from(listener: RawFd) -> nix::Result<OwnedFd> {
    let fd = accept4(listener, SockFlag::SOCK_CLOEXEC)?;
    // SAFETY: accept4 has just returned this descriptor, and nothing else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Inode of a socket: the N of `socket:[N]`.
///
/// # Errors
/// As `fstat()`.
pub fn inode(fd: impl AsFd) -> nix::Result<u64> {
    Ok(nix::sys::stat::fstat(fd)?.st_ino)
}

/// Passes `fd` over a connected socket.
///
/// # Errors
/// As `sendmsg()`.
pub fn send_fd(over: RawFd, fd: RawFd) -> nix::Result<()> {
    let fds = [fd];
    let message = [ControlMessage::ScmRights(&fds)];
    sendmsg::<()>(over, &[IoSlice::new(b".")], &message, MsgFlags::empty(), None)?;
    Ok(())
}

/// Takes a descriptor that [`send_fd`] passed.
///
/// # Errors
/// As `recvmsg()`; `EBADMSG` when the message carries none.
pub fn receive_fd(over: RawFd) -> nix::Result<OwnedFd> {
    let mut byte = [0];
    let mut data = [IoSliceMut::new(&mut byte)];
    let mut space = cmsg_space!([RawFd; 1]);
    let message = recvmsg::<()>(over, &mut data, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = control
            && let Some(&fd) = fds.first()
        {
            // SAFETY: recvmsg has just installed this descriptor, and nothing else knows it.
            return Ok(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }
    Err(Errno::EBADMSG)
}

mod request {
    //! The wrapper nix makes is public and undocumented; it stays in here.
    #![allow(missing_docs, unreachable_pub, reason = "written by nix's macro")]
    nix::ioctl_read_bad!(unsent, libc::TIOCOUTQ, libc::c_int);
}

/// Bytes that the peer has not read yet.
///
/// # Errors
/// As `ioctl(SIOCOUTQ)`.
pub fn unread_by_peer(fd: RawFd) -> nix::Result<i32> {
    let mut bytes = 0;
    // SAFETY: the request writes one int, to which the pointer refers.
    unsafe { request::unsent(fd, &raw mut bytes)? };
    Ok(bytes)
}
