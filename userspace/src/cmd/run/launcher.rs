//! Starts the command: in a thread that keeps the privileges which tracing gives up, for the command is to have them.

use std::{
    ffi::OsString,
    io,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Child, Command, ExitStatus},
    sync::{Arc, mpsc},
    thread,
};

use nix::{
    errno::Errno,
    sys::{
        resource::{Resource, getrlimit, rlim_t, setrlimit},
        wait::{Id, WaitPidFlag, waitid, waitpid},
    },
    unistd::Pid,
};
use tokio::sync::oneshot;

use super::{group::Group, signals::Signals, user::Account};
use crate::privilege;

/// The command, which has not begun.
pub(super) struct Launcher {
    /// Taken when nobody wants the command any more.
    go: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    /// Its number, or why it could not be started.
    pub(super) started: oneshot::Receiver<io::Result<u32>>,
    /// How it ended.
    pub(super) ended: oneshot::Receiver<io::Result<ExitStatus>>,
}

/// What is started, and how.
pub(super) struct Job {
    pub(super) command: Vec<OsString>,
    pub(super) user: Option<Account>,
    pub(super) group: Option<Group>,
    pub(super) signals: Signals,
    /// See [`locked_memory`].
    pub(super) locked: (rlim_t, rlim_t),
}

/// The limit of locked memory, which tracing may raise and the command shall have as it was.
pub(super) fn locked_memory() -> io::Result<(rlim_t, rlim_t)> {
    Ok(getrlimit(Resource::RLIMIT_MEMLOCK)?)
}

impl Launcher {
    /// Gets ready. To be called while all privileges are there: the command has them.
    pub(super) fn new(job: Job) -> io::Result<Self> {
        let (go, wait) = mpsc::channel();
        let (tell_start, started) = oneshot::channel();
        let (tell_end, ended) = oneshot::channel();
        let launch = move || {
            // Nobody wants it any more.
            if wait.recv().is_err() {
                return;
            }
            let (signals, group) = (job.signals.clone(), job.group.map(Arc::new));
            let job = Job { group: None, ..job };
            match start(job, group.clone()) {
                Err(error) => {
                    let _ = tell_start.send(Err(error));
                }
                Ok(child) => {
                    let pid = child.id();
                    signals.is_for(Pid::from_raw(pid as i32));
                    // In the end it removes the control group, from a folder that nobody may write to otherwise.
                    privilege::keep_writing();
                    let _ = tell_start.send(Ok(pid));
                    let ended = wait_for(child, &signals);
                    drop(group);
                    let _ = tell_end.send(ended);
                }
            }
        };
        let thread = thread::Builder::new().name("launcher".to_owned()).spawn(launch)?;
        Ok(Self { go: Some(go), thread: Some(thread), started, ended })
    }

    /// Has it begin.
    pub(super) fn go(&self) {
        // Where the thread has ended, `started` says so.
        let _ = self.go.as_ref().map(|go| go.send(()));
    }
}

impl Drop for Launcher {
    /// The control group is removed before the process ends.
    fn drop(&mut self) {
        self.go = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn wait_for(mut child: Child, signals: &Signals) -> io::Result<ExitStatus> {
    // Its number is its own until it is waited for.
    let pid = Pid::from_raw(child.id() as i32);
    while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
    signals.command_ended();
    child.wait()
}

fn start(job: Job, group: Option<Arc<Group>>) -> io::Result<Child> {
    let Job { command, user, signals, locked, .. } = job;
    let [program, arguments @ ..] = command.as_slice() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(user) = &user {
        command.envs(user.environment());
    }
    let prepare = move || {
        // Where it cannot be entered, the command is followed from parent to child.
        let _ = group.as_ref().map(|group| group.enter());
        setrlimit(Resource::RLIMIT_MEMLOCK, locked.0, locked.1)?;
        signals.restore()?;
        user.as_ref().map_or(Ok(()), Account::assume)
    };
    // SAFETY: the closure calls the kernel alone, and allocates nothing.
    unsafe { command.pre_exec(prepare) };
    command.spawn()
}

/// The status that a shell would end with.
pub(super) fn status(ended: ExitStatus) -> u8 {
    /// A process that a signal has ended has this much more than the signal's number.
    const KILLED: i32 = 128;
    let status = ended.code().or_else(|| ended.signal().map(|signal| KILLED + signal));
    status.and_then(|status| u8::try_from(status).ok()).unwrap_or(u8::MAX)
}

/// Takes in the processes that are left to this one after their parents have ended: nobody else waits for them.
pub(super) fn reap(command: u32) {
    let command = Pid::from_raw(command as i32);
    let ended =
        || waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT).ok()?.pid();
    // The command's own end is for the thread that has started it.
    while let Some(orphan) = ended().filter(|&pid| pid != command) {
        let _ = waitpid(orphan, Some(WaitPidFlag::WNOHANG));
    }
}
