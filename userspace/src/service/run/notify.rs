//! What systemd is told. Nothing here waits: a socket that nobody reads must not hold up tracing.

use std::{
    env,
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

use sd_notify::NotifyState;

/// Who wants to know how the service is.
#[derive(Debug)]
pub(super) struct Notifier {
    /// None: nobody does.
    to: Option<(UnixDatagram, SocketAddr)>,
    /// It wants to hear that the service is alive.
    is_watched: bool,
    /// It does not know yet that the service is ready.
    owes_ready: bool,
}

impl Notifier {
    /// Whoever the environment names.
    pub(super) fn new() -> Self {
        let name = env::var_os("NOTIFY_SOCKET");
        let to = name.and_then(|name| {
            open(&name).inspect_err(|error| tracing::warn!("systemd cannot be told anything: {error}")).ok()
        });
        Self { to, is_watched: sd_notify::watchdog_enabled().is_some(), owes_ready: false }
    }

    /// The service is ready. It is told again until it is heard.
    pub(super) fn ready(&mut self) {
        self.owes_ready = !self.tell(&NotifyState::Ready);
    }

    /// It is alive: to be called every second.
    pub(super) fn alive(&mut self) {
        if self.owes_ready {
            self.ready();
        }
        if self.is_watched {
            // If that is not heard, the next one may be.
            self.tell(&NotifyState::Watchdog);
        }
    }

    /// It ends.
    pub(super) fn stopping(&self) {
        self.tell(&NotifyState::Stopping);
    }

    /// False if nobody took it up yet.
    fn tell(&self, state: &NotifyState<'_>) -> bool {
        let Some((socket, address)) = &self.to else { return true };
        match socket.send_to_addr(state.to_string().as_bytes(), address) {
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
            Ok(_) => true,
        }
    }
}

/// A path, or `@` and an abstract name.
fn open(name: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notifier(name: &OsStr) -> Notifier {
        Notifier { to: Some(open(name).expect("it is a name")), is_watched: true, owes_ready: false }
    }

    fn heard(socket: &UnixDatagram) -> Option<String> {
        let mut message = [0; 64];
        let length = socket.recv(&mut message).ok()?;
        Some(String::from_utf8_lossy(&message[..length]).into_owned())
    }

    /// In both kinds of place, what is told is heard.
    #[test]
    fn what_is_told_is_heard() {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let path = directory.path().join("notify");
        let name = format!("@sockleak-notify-{}", std::process::id());
        let at = SocketAddr::from_abstract_name(&name[1..]).expect("it is a name");
        for (name, socket) in [
            (path.as_os_str(), UnixDatagram::bind(&path).expect("it is free")),
            (OsStr::new(&name), UnixDatagram::bind_addr(&at).expect("it is free")),
        ] {
            let mut notifier = notifier(name);
            notifier.ready();
            notifier.alive();
            notifier.stopping();
            assert_eq!(heard(&socket).as_deref(), Some("READY=1"));
            assert_eq!(heard(&socket).as_deref(), Some("WATCHDOG=1"));
            assert_eq!(heard(&socket).as_deref(), Some("STOPPING=1"));
        }
    }

    /// Nobody reads for long: the service goes on, and says that it is ready once somebody does.
    #[test]
    fn nobody_is_waited_for() {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("it is free");
        socket.set_nonblocking(true).expect("it is a socket");
        let mut notifier = notifier(path.as_os_str());
        while notifier.tell(&NotifyState::Watchdog) {}
        notifier.ready();
        notifier.alive();
        assert!(notifier.owes_ready);
        while heard(&socket).is_some() {}
        notifier.alive();
        assert_eq!(heard(&socket).as_deref(), Some("READY=1"));
        assert_eq!(heard(&socket).as_deref(), Some("WATCHDOG=1"));
        notifier.alive();
        assert_eq!(heard(&socket).as_deref(), Some("WATCHDOG=1"), "it is ready once");
        // One that has gone is no reason to go on trying.
        drop(socket);
        notifier.ready();
        assert!(!notifier.owes_ready);
    }
}
