//! `sockleak web`: the process that answers HTTP for the service.

use std::{collections::BTreeSet, os::unix::net::UnixStream};

use anyhow::Context as _;

use crate::{
    child::{self, Limits},
    cli::Web,
    failure::Failure,
    service::web::{self, listen::Listener},
};

/// Its limits.
const LIMITS: Limits = Limits { descriptors: 1024, memory: None, processor: None };

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
    child::confine("web", &descriptors, LIMITS).map_err(|error| Failure::Usage(error.to_string()))?;
    let mut sockets = descriptors
        .into_iter()
        .map(|descriptor| child::inherited(descriptor).ok_or_else(by_hand))
        .collect::<Result<Vec<_>, _>>()?;
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

fn by_hand() -> Failure {
    Failure::Usage("`sockleak web` is started by `sockleak serve`, not by hand".to_owned())
}
