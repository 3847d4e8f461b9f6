//! A thread that starts processes as a user without privileges.
//!
//! The tracer gives up the right to change users once it is attached, and what it starts may have to be started again after that.
//! Capabilities are a thread's own: this one keeps those alone that it takes, and none can be got through it by a program.

use std::{
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd, RawFd},
        unix::process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use caps::{CapSet, Capability, CapsHashSet};
use nix::{
    libc,
    sys::socket::{AddressFamily, SockFlag, SockType, socketpair},
    unistd::geteuid,
};

use crate::privilege;

/// To start as another user, and to end what was started.
const KEPT: [Capability; 3] = [Capability::CAP_SETUID, Capability::CAP_SETGID, Capability::CAP_KILL];

/// What is started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    /// The subcommand, and the name of the thread.
    pub(crate) name: &'static str,
    /// Kind of the link to it.
    pub(crate) link: SockType,
    /// What it says on standard error goes nowhere: strangers have a say in it.
    pub(crate) is_mute: bool,
    /// It is killed when its starter goes; else it has to end when its link closes.
    pub(crate) is_expendable: bool,
    /// What to do where there is no user to run it as.
    pub(crate) remedy: &'static str,
}

/// A process that was started.
#[derive(Debug)]
pub(crate) struct Started {
    /// Our end of the link.
    pub(crate) link: OwnedFd,
    /// Its number.
    pub(crate) pid: u32,
}

type Reply = Box<dyn FnOnce(io::Result<Started>) + Send>;

enum Order {
    Start { arguments: Vec<String>, inherited: Vec<(&'static str, OwnedFd)>, reply: Reply },
    End,
}

/// The thread, as seen from others.
#[derive(Debug)]
pub(crate) struct Starter {
    orders: mpsc::Sender<Order>,
}

/// A user's and a group's number.
type Ids = (u32, u32);

impl Starter {
    /// Starts the thread, which keeps the privileges to change the user: `program` is sockleak itself.
    ///
    /// # Errors
    /// If that thread cannot be started, or there is no user to run anything as.
    pub(crate) fn new(program: PathBuf, job: Job) -> io::Result<Self> {
        let user = if geteuid().is_root() { Some(unprivileged(job)?) } else { None };
        let (orders, received) = mpsc::channel();
        thread::Builder::new().name(format!("{}-starter", job.name)).spawn(move || {
            if let Err(error) = keep_starting() {
                tracing::warn!(
                    "the privileges of the thread that starts the {} process could not be dropped: {error}",
                    job.name
                );
            }
            serve(job, &program, user, &received);
        })?;
        Ok(Self { orders })
    }

    /// Ends the process that was started before, and starts another with these arguments; each descriptor is told it behind the
    /// name of an option. `reply` is called in the thread.
    ///
    /// # Errors
    /// If the thread has ended.
    pub(crate) fn start(
        &self,
        arguments: Vec<String>,
        inherited: Vec<(&'static str, OwnedFd)>,
        reply: impl FnOnce(io::Result<Started>) + Send + 'static,
    ) -> io::Result<()> {
        let order = Order::Start { arguments, inherited, reply: Box::new(reply) };
        self.orders.send(order).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Ends the process, whatever it does.
    pub(crate) fn end(&self) {
        // A thread that has ended has none.
        let _ = self.orders.send(Order::End);
    }
}

fn unprivileged(job: Job) -> io::Result<Ids> {
    let (user, group) = privilege::nobody().ok_or_else(|| {
        io::Error::other(format!(
            "there is no user sockleak or nobody to run the {} process as; {}",
            job.name, job.remedy
        ))
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

fn serve(job: Job, program: &Path, user: Option<Ids>, orders: &mpsc::Receiver<Order>) {
    let mut running: Option<Child> = None;
    let end = |running: &mut Option<Child>| {
        if let Some(mut child) = running.take() {
            // It may have ended, or do nothing but listen still.
            let _ = child.kill();
            let _ = child.wait();
        }
    };
    while let Ok(order) = orders.recv() {
        end(&mut running);
        let Order::Start { arguments, inherited, reply } = order else { continue };
        let started = start(job, program, user, &arguments, &inherited).map(|(link, child)| {
            let pid = child.id();
            running = Some(child);
            Started { link, pid }
        });
        // Nobody waits for it when the service ends: the link closes, and with it the process.
        reply(started);
    }
    if job.is_expendable {
        end(&mut running);
    } else if let Some(mut child) = running {
        let _ = child.wait();
    }
}

fn start(
    job: Job,
    program: &Path,
    user: Option<Ids>,
    arguments: &[String],
    inherited: &[(&'static str, OwnedFd)],
) -> io::Result<(OwnedFd, Child)> {
    let (ours, theirs) = socketpair(AddressFamily::Unix, job.link, None, SockFlag::SOCK_CLOEXEC)?;
    let named = || inherited.iter().map(|(name, descriptor)| (*name, descriptor.as_raw_fd()));
    let mut command = Command::new(program);
    command.arg(job.name).arg(format!("--link={}", theirs.as_raw_fd())).args(arguments);
    command.args(named().map(|(name, descriptor)| format!("--{name}={descriptor}")));
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "SOCKLEAK_LOG"));
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    if job.is_mute {
        command.stderr(Stdio::null());
    }
    if let Some((user, group)) = user {
        // Other groups are left too.
        command.gid(group).uid(user);
    }
    let inherited: Vec<RawFd> =
        [theirs.as_raw_fd()].into_iter().chain(named().map(|(_, descriptor)| descriptor)).collect();
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
