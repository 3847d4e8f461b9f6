//! Signals that ask a command for something while it waits for other things, too.
//!
//! `sockleak run` does not use this: its signals are for the command that it starts. It blocks them before there is another thread, and a
//! thread of its own passes them on.

use std::{future::poll_fn, task::Poll};

use anyhow::Context as _;
use nix::sys::signal;
use tokio::signal::unix::{Signal, SignalKind};

/// The signals that end a command in order: Ctrl-C, and what `kill` and service managers send.
pub const STOP: [SignalKind; 2] = [SignalKind::interrupt(), SignalKind::terminate()];

/// Signals that ask for the same thing.
#[derive(Debug)]
pub struct SignalSet(Vec<Signal>);

impl SignalSet {
    /// Begins to listen to these signals; from now on, they do nothing else. To be called within a runtime.
    ///
    /// # Errors
    /// If the process cannot handle one of them.
    pub fn listen(kinds: &[SignalKind]) -> anyhow::Result<Self> {
        kinds.iter().map(|&kind| listen(kind)).collect::<Result<_, _>>().map(Self)
    }

    /// Waits for one of them.
    pub async fn any(&mut self) {
        poll_fn(|context| {
            let has_come = self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if has_come { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

fn listen(kind: SignalKind) -> anyhow::Result<Signal> {
    let number = kind.as_raw_value();
    tokio::signal::unix::signal(kind).with_context(|| {
        let name = signal::Signal::try_from(number).map_or("a signal", signal::Signal::as_str);
        format!("{name} cannot be handled")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_of_them_will_do() {
        let runtime = crate::runtime::start().expect("there are resources");
        runtime.block_on(async {
            let kinds = [SignalKind::user_defined1(), SignalKind::user_defined2()];
            let mut signals = SignalSet::listen(&kinds).expect("they can be handled");
            for sent in [signal::Signal::SIGUSR2, signal::Signal::SIGUSR1] {
                signal::raise(sent).expect("it is sent");
                signals.any().await;
            }
            // Those that ended a wait have been taken.
            let is_another = tokio::select! {
                biased;
                () = signals.any() => true,
                () = tokio::task::yield_now() => false,
            };
            assert!(!is_another);
            assert!(SignalSet::listen(&[SignalKind::from_raw(9)]).is_err(), "SIGKILL cannot be handled");
        });
    }
}
