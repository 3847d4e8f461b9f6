//! `sockleak web`: the process that answers HTTP for the service.

use std::{
    collections::BTreeSet,
    os::{
        fd::{FromRawFd as _, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
};

use anyhow::Context as _;
use nix::{
    libc,
    sys::socket::{GetSockOpt as _, sockopt::SockType},
};

use crate::{
    cli::Web,
    failure::Failure,
    service::web::{self, listen::Listener},
};

/// Runs it until the tracer closes the link.
///
/// # Errors
/// If it was not started by `sockleak serve`, or the link fails.
pub fn run(arguments: &Web) -> Result<(), Failure> {
    let mut descriptors = vec![arguments.link];
    descriptors.extend(&arguments.listen);
    let distinct: BTreeSet<_> = descriptors.iter().collect();
    if distinct.len() < descriptors.len() {
        return Err(by_hand());
    }
    web::confine(&descriptors).map_err(Failure::Usage)?;
    let mut sockets = descriptors.into_iter().map(socket).collect::<Result<Vec<_>, _>>()?;
    let link = UnixStream::from(sockets.remove(0));
    link.set_nonblocking(true).context("the link cannot be used")?;
    let runtime = crate::runtime::start();
    runtime.context("the web process cannot start")?.block_on(async {
        let link = tokio::net::UnixStream::from_std(link).context("the link cannot be used")?;
        let listeners = sockets.into_iter().map(Listener::new).collect::<Result<_, _>>();
        web::serve(link, listeners.context("a listener cannot be used")?)
            .await
            .context("the web process ends")
    })?;
    Ok(())
}

/// A descriptor that was inherited.
fn socket(descriptor: RawFd) -> Result<OwnedFd, Failure> {
    // SAFETY: it is only asked whether it is open.
    let is_open = descriptor > 2 && unsafe { libc::fcntl(descriptor, libc::F_GETFD) } >= 0;
    if !is_open {
        return Err(by_hand());
    }
    // SAFETY: it is open, and nothing else in this process owns it: it was inherited, and no number is named twice.
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
    SockType.get(&descriptor).map_err(|_| by_hand())?;
    Ok(descriptor)
}

fn by_hand() -> Failure {
    Failure::Usage("`sockleak web` is started by `sockleak serve`, not by hand".to_owned())
}
