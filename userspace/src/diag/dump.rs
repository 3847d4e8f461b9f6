//! Asks the kernel for all unix sockets, in one network namespace after another.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
    thread,
};

use nix::{
    errno::Errno,
    sched::{CloneFlags, setns},
    sys::socket::{self, AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType},
};

use super::{
    message::{self, Answer, Socket},
    namespace::{self, Namespace},
};

/// The sockets of all namespaces, and the error that kept some from being asked.
///
/// # Errors
/// If not even the first one, our own, can be.
pub(super) fn all(namespaces: &[Namespace]) -> io::Result<(Vec<Socket>, Option<io::Error>)> {
    let mut sockets = Vec::new();
    let mut refused = None;
    for (index, (number, file)) in namespaces.iter().enumerate() {
        // A thread of its own: it does not come back from the namespace.
        let asked = thread::scope(|scope| scope.spawn(|| ask(*number, file)).join());
        match asked {
            Ok(Ok(found)) => sockets.extend(found),
            Ok(Err(error)) if index == 0 => return Err(error),
            Ok(Err(error)) => refused = Some(error),
            Err(_) => refused = Some(io::Error::other("the thread that asks panicked")),
        }
    }
    Ok((sockets, refused))
}

fn ask(number: u32, file: &PathBuf) -> io::Result<Vec<Socket>> {
    let file = match File::open(file) {
        Ok(file) => file,
        // The process has gone, and its namespace with it unless another process stands for it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    if namespace::number(Path::new("/proc/thread-self/ns/net")) != Some(number) {
        setns(file, CloneFlags::CLONE_NEWNET)?;
    }
    dump(number)
}

fn dump(number: u32) -> io::Result<Vec<Socket>> {
    let netlink = socket::socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )?;
    socket::sendto(netlink.as_raw_fd(), &message::request(), &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let mut sockets = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let len = receive(&netlink, &mut buffer)?;
        match message::take(&buffer[..len], number, &mut sockets) {
            Answer::More if len > 0 => {}
            Answer::More | Answer::Done => return Ok(sockets),
            Answer::Error(error) => return Err(io::Error::from_raw_os_error(error)),
        }
    }
}

fn receive(netlink: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match socket::recv(netlink.as_raw_fd(), buffer, MsgFlags::empty()) {
            Err(Errno::EINTR) => {}
            done => return Ok(done?),
        }
    }
}
