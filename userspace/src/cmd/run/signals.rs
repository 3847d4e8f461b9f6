//! Signals that are sent to sockleak are meant for the command.
//!
//! So they are blocked, and not handled as [`crate::signals`] does: the command begins with the mask that sockleak had, and a signal that
//! comes before the command has begun is kept for it.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use caps::{CapSet, Capability, CapsHashSet};
use nix::{
    sys::{
        signal::{SigSet, SigmaskHow, Signal, kill, pthread_sigmask},
        signalfd::{SfdFlags, SignalFd},
    },
    unistd::Pid,
};

/// Those that are passed on. A terminal stops and continues both by itself.
const PASSED: [Signal; 6] =
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGUSR2];

/// `si_code` of what the kernel sends, as for a key of the terminal: it goes to the whole process group, the command included.
const FROM_KERNEL: i32 = 0x80;

/// To whom they go.
#[derive(Debug, Default)]
enum Receiver {
    /// The command has not begun.
    #[default]
    Nobody,
    /// The command has not begun, and need not: this came.
    Ended(Signal),
    /// The command.
    Command(Pid),
    /// The command has ended, and its number may be another's.
    Gone,
}

/// Passes signals on in a thread of its own.
#[derive(Clone, Debug)]
pub(super) struct Signals {
    receiver: Arc<Mutex<Receiver>>,
    /// Which signals were blocked before: the command begins with those.
    before: SigSet,
}

impl Signals {
    /// Begins. To be called before there is another thread, and while all privileges are there.
    pub(super) fn listen() -> io::Result<Self> {
        let passed: SigSet = PASSED.into_iter().collect();
        let mut before = SigSet::empty();
        pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&passed), Some(&mut before))?;
        let file = SignalFd::with_flags(&passed, SfdFlags::SFD_CLOEXEC)?;
        let receiver = Arc::new(Mutex::new(Receiver::Nobody));
        let signals = Self { receiver, before };
        let own = signals.clone();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            keep_sending();
            while let Ok(Some(info)) = file.read_signal() {
                if let Ok(signal) = Signal::try_from(info.ssi_signo as i32) {
                    own.pass(signal, info.ssi_code == FROM_KERNEL);
                }
            }
        })?;
        Ok(signals)
    }

    fn receiver(&self) -> std::sync::MutexGuard<'_, Receiver> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass(&self, signal: Signal, is_from_kernel: bool) {
        let mut receiver = self.receiver();
        match *receiver {
            Receiver::Nobody => *receiver = Receiver::Ended(signal),
            Receiver::Command(pid) if !is_from_kernel => {
                // It may have ended meanwhile, without having been waited for.
                let _ = kill(pid, signal);
            }
            Receiver::Command(_) | Receiver::Ended(_) | Receiver::Gone => {}
        }
    }

    /// Did a signal come before the command has begun?
    pub(super) fn came(&self) -> Option<Signal> {
        match *self.receiver() {
            Receiver::Ended(signal) => Some(signal),
            _ => None,
        }
    }

    /// The command has begun. What came just before is for it too.
    pub(super) fn is_for(&self, command: Pid) {
        let mut receiver = self.receiver();
        if let Receiver::Ended(signal) = *receiver {
            let _ = kill(command, signal);
        }
        *receiver = Receiver::Command(command);
    }

    /// The command has ended. To be called before it is waited for.
    pub(super) fn command_ended(&self) {
        *self.receiver() = Receiver::Gone;
    }

    /// Blocks what was blocked before. Between fork and exec.
    pub(super) fn restore(&self) -> io::Result<()> {
        Ok(pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None)?)
    }
}

/// The command may run as another user.
fn keep_sending() {
    let kept: CapsHashSet = [Capability::CAP_KILL]
        .into_iter()
        .filter(|&it| caps::has_cap(None, CapSet::Permitted, it).unwrap_or(false))
        .collect();
    let done = caps::clear(None, CapSet::Inheritable)
        .and_then(|()| caps::set(None, CapSet::Effective, &kept))
        .and_then(|()| caps::set(None, CapSet::Permitted, &kept));
    if let Err(error) = done {
        tracing::warn!("the privileges of the thread that passes signals on could not be dropped: {error}");
    }
}
