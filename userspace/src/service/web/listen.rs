//! Where HTTP is served.

use std::{
    fmt, fs, io,
    net::{IpAddr, SocketAddr},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{
            fs::{FileTypeExt as _, PermissionsExt as _},
            net::UnixListener as StdUnixListener,
        },
    },
    path::{Path, PathBuf},
    pin::Pin,
    str::FromStr,
    task::{Context, Poll},
};

use nix::sys::socket::{AddressFamily, SockaddrLike as _, SockaddrStorage, getsockname};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
};

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const REMEDY: &str = "that is no address; write for example 127.0.0.1:9436, [::1]:9436 or unix:/run/sockleak/http.sock";
        match text.strip_prefix("unix:") {
            Some("") => Err(REMEDY),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Tcp).map_err(|_| REMEDY),
        }
    }
}

impl Address {
    /// Can others than this host reach it?
    #[must_use]
    pub fn is_public(&self) -> bool {
        matches!(self, Self::Tcp(address) if is_public(address.ip()))
    }

    /// Listens there, with the permissions of who calls: the web process gets the descriptor. A socket file that nobody listens
    /// on any more is replaced; the new one is for its owner and group.
    ///
    /// # Errors
    /// If that is not possible, for example because somebody else listens there.
    pub fn bind(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Tcp(address) => Ok(std::net::TcpListener::bind(address)?.into()),
            Self::Unix(path) => bind_unix(path),
        }
    }
}

fn bind_unix(path: &Path) -> io::Result<OwnedFd> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket());
    if is_socket {
        match std::os::unix::net::UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)?,
            Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
            Err(error) => return Err(error),
        }
    }
    let listener = StdUnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    Ok(listener.into())
}

/// A socket that listens.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A unix socket.
    Unix(UnixListener),
}

/// A client's connection.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// What is known of a connection beside what is sent on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Local {
    /// Through a unix socket.
    Unix,
    /// Over TCP, to this address of ours. `is_public`: the listener can be reached from elsewhere.
    Tcp { ip: IpAddr, is_public: bool },
}

impl Listener {
    /// Of a descriptor.
    ///
    /// # Errors
    /// If it is of neither kind.
    pub fn new(descriptor: OwnedFd) -> io::Result<Self> {
        let address: SockaddrStorage = getsockname(std::os::fd::AsRawFd::as_raw_fd(&descriptor))?;
        match address.family() {
            Some(AddressFamily::Unix) => {
                let listener = StdUnixListener::from(descriptor);
                listener.set_nonblocking(true)?;
                Ok(Self::Unix(UnixListener::from_std(listener)?))
            }
            Some(AddressFamily::Inet | AddressFamily::Inet6) => {
                let listener = std::net::TcpListener::from(descriptor);
                listener.set_nonblocking(true)?;
                Ok(Self::Tcp(TcpListener::from_std(listener)?))
            }
            _ => Err(io::Error::other("the descriptor is neither a unix socket nor one of TCP")),
        }
    }

    /// The next client.
    pub(super) async fn accept(&self) -> io::Result<(Stream, Local)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                let ip = stream.local_addr()?.ip().to_canonical();
                let is_public = is_public(listener.local_addr()?.ip());
                Ok((Stream::Tcp(stream), Local::Tcp { ip, is_public }))
            }
            Self::Unix(listener) => Ok((Stream::Unix(listener.accept().await?.0), Local::Unix)),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

fn is_public(ip: IpAddr) -> bool {
    !ip.to_canonical().is_loopback()
}

/// Passes a call on to the kind of stream.
macro_rules! for_both {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream.get_mut() {
            Stream::Tcp($inner) => {
                let $inner = Pin::new($inner);
                $call
            }
            Stream::Unix($inner) => {
                let $inner = Pin::new($inner);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        for_both!(self, inner => inner.poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        for_both!(self, inner => inner.poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        for_both!(self, inner => inner.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        for_both!(self, inner => inner.poll_shutdown(context))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_can_reach_is_public() {
        for (address, expected) in [
            ("127.0.0.1:1", false),
            ("127.8.8.8:1", false),
            ("[::1]:1", false),
            ("[::ffff:127.0.0.1]:1", false),
            ("0.0.0.0:1", true),
            ("[::]:1", true),
            ("10.0.0.5:1", true),
        ] {
            assert_eq!(Address::Tcp(address.parse().unwrap()).is_public(), expected, "{address}");
        }
        assert!(!Address::Unix("/run/x".into()).is_public());
    }

    #[test]
    fn addresses_are_read() {
        for text in ["127.0.0.1:9436", "[::1]:80", "unix:/run/x.sock", "unix:x.sock"] {
            assert_eq!(text.parse().map(|address: Address| address.to_string()), Ok(text.to_owned()));
        }
        for bad in ["", "9436", "localhost:80", "127.0.0.1", "unix:", "http://127.0.0.1:80", "/run/x.sock"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_socket_file_is_replaced_only_when_nobody_listens() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("http.sock");
        let address = Address::Unix(path.clone());
        let first = address.bind().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert_eq!(address.bind().unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        let second = Listener::new(address.bind().unwrap()).unwrap();
        assert!(matches!(second, Listener::Unix(_)));
        let file = scratch.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(Address::Unix(file.clone()).bind().is_err());
        assert_eq!(fs::read_to_string(file).unwrap(), "x");
    }
}
