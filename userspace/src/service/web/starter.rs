//! A thread that starts web processes as a user without privileges.
//!
//! The tracer gives up the right to change users once it is attached, and the web process may have to be started again after that.
//! Capabilities are a thread's own: this one keeps those alone that it takes, and none can be got through it by a program.

use std::{
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd, RawFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use caps::{CapSet, Capability, CapsHashSet};
use nix::{libc, unistd::geteuid};
use tokio::sync::oneshot;

use crate::privilege;

/// To start as another user, and to end what was started.
const KEPT: [Capability; 3] = [Capability::CAP_SETUID, Capability::CAP_SETGID, Capability::CAP_KILL];

/// A process that was started.
#[derive(Debug)]
pub(super) struct Started {
    /// Our end of the link.
    pub(super) link: UnixStream,
    pub(super) pid: u32,
}

struct Order {
    listeners: Vec<OwnedFd>,
    reply: oneshot::Sender<io::Result<Started>>,
}

/// The thread, as seen from others.
#[derive(Debug)]
pub(super) struct Starter {
    orders: mpsc::Sender<Order>,
}

/// A user's and a group's number.
type Ids = (u32, u32);

impl Starter {
    pub(super) fn new(program: PathBuf) -> io::Result<Self> {
        let user = if geteuid().is_root() { Some(unprivileged()?) } else { None };
        let (orders, received) = mpsc::channel();
        thread::Builder::new().name("web-starter".to_owned()).spawn(move || {
            if let Err(error) = keep_starting() {
                tracing::warn!(
                    "the privileges of the thread that starts the web process could not be dropped: {error}"
                );
            }
            serve(&program, user, &received);
        })?;
        Ok(Self { orders })
    }

    /// Ends the process that was started before, and starts another.
    pub(super) fn start(&self, listeners: &[OwnedFd]) -> io::Result<oneshot::Receiver<io::Result<Started>>> {
        let listeners = listeners.iter().map(OwnedFd::try_clone).collect::<Result<_, _>>()?;
        let (reply, started) = oneshot::channel();
        self.orders
            .send(Order { listeners, reply })
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(started)
    }
}

fn unprivileged() -> io::Result<Ids> {
    let (user, group) = privilege::nobody().ok_or_else(|| {
        io::Error::other("there is no user sockleak or nobody to run the web process as; add one, or set [http] listen = \"off\"")
    })?;
    Ok((user.as_raw(), group.as_raw()))
}

fn keep_starting() -> Result<(), caps::errors::CapsError> {
    let permitted =
        |&capability: &Capability| caps::has_cap(None, CapSet::Permitted, capability).unwrap_or(false);
    let kept: CapsHashSet = KEPT.into_iter().filter(permitted).collect();
    if permitted(&Capability::CAP_SETPCAP) {
        // What it starts gets none, not even if it were to run a program of root's.
        for capability in caps::all() {
            if caps::has_cap(None, CapSet::Bounding, capability)? {
                caps::drop(None, CapSet::Bounding, capability)?;
            }
        }
    }
    caps::clear(None, CapSet::Inheritable)?;
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)
}

fn serve(program: &Path, user: Option<Ids>, orders: &mpsc::Receiver<Order>) {
    let mut running: Option<Child> = None;
    while let Ok(Order { listeners, reply }) = orders.recv() {
        if let Some(mut child) = running.take() {
            // It may have ended, or do nothing but listen still.
            let _ = child.kill();
            let _ = child.wait();
        }
        let started = start(program, user, &listeners).map(|(link, child)| {
            let pid = child.id();
            running = Some(child);
            Started { link, pid }
        });
        // Nobody waits for it when the service ends: the link closes, and with it the process.
        let _ = reply.send(started);
    }
    if let Some(mut child) = running {
        let _ = child.wait();
    }
}

fn start(program: &Path, user: Option<Ids>, listeners: &[OwnedFd]) -> io::Result<(UnixStream, Child)> {
    let (ours, theirs) = UnixStream::pair()?;
    let inherited: Vec<RawFd> =
        [theirs.as_raw_fd()].into_iter().chain(listeners.iter().map(OwnedFd::as_raw_fd)).collect();
    let mut command = Command::new(program);
    command.arg("web").arg(format!("--link={}", theirs.as_raw_fd()));
    command.args(listeners.iter().map(|listener| format!("--listen={}", listener.as_raw_fd())));
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "SOCKLEAK_LOG"));
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    if let Some((user, group)) = user {
        // Other groups are left too.
        command.gid(group).uid(user);
    }
    let inherit = move || {
        for &descriptor in &inherited {
            // SAFETY: it changes a flag of a descriptor that is open, and is safe between fork and exec.
            if unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: the closure calls nothing but fcntl and allocates nothing.
    unsafe { command.pre_exec(inherit) };
    Ok((ours, command.spawn()?))
}
