//! A thread of this process that answers: it plays a recording, or traces.

use std::{io, os::unix::net::UnixStream as StdUnixStream, sync::mpsc, thread};

use anyhow::Context as _;
use tokio::{
    net::UnixStream,
    sync::{oneshot, watch},
};

use super::trace::{Tracing, Watch};
use crate::{
    failure::Failure,
    replay::{self, Player, Stage},
    service::link::{Asker, Link, Settings},
};

/// How a thread ended.
type Ended = oneshot::Receiver<Result<(), Failure>>;

/// A thread that answers.
#[derive(Debug)]
pub struct Local {
    link: StdUnixStream,
    ended: Ended,
}

impl Local {
    /// Plays a recording; `stage` is told how far it is.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn play(player: Player, stage: watch::Sender<Stage>) -> Result<Self, Failure> {
        Self::start("replay", async move |link| replay::play(player, link, &Settings::default(), stage).await)
    }

    /// Traces, once it is clear that this can be done: until then this waits.
    ///
    /// # Errors
    /// If it cannot be done.
    pub fn trace(tracing: Tracing) -> Result<Self, Failure> {
        let (ready, begun) = mpsc::channel();
        let local = Self::start("tracer", async move |link| match Watch::begin(tracing) {
            Ok(watch) => {
                // Who waits for it may have given up.
                let _ = ready.send(Ok(()));
                watch.follow(link).await
            }
            Err(failure) => {
                let _ = ready.send(Err(failure));
                Ok(())
            }
        })?;
        begun.recv().map_err(|_| anyhow::anyhow!("the thread that traces ended early"))??;
        Ok(local)
    }

    fn start<F>(name: &str, answer: F) -> Result<Self, Failure>
    where
        F: AsyncFnOnce(Link<UnixStream>) -> Result<(), Failure> + Send + 'static,
    {
        let (ours, theirs) = StdUnixStream::pair().context("no sockets can be made")?;
        let (tell, ended) = oneshot::channel();
        let run = move || {
            let runtime = crate::runtime::start();
            runtime.context("the runtime cannot be started")?.block_on(async {
                let stream = asynchronous(theirs).context("the link cannot be used")?;
                let link = Link::new(stream, &Settings::default()).context("the link cannot be used")?;
                answer(link).await
            })
        };
        thread::Builder::new()
            .name(name.to_owned())
            // Nobody may want to know any more.
            .spawn(move || drop(tell.send(run())))
            .context("no thread can be started")?;
        Ok(Self { link: ours, ended })
    }

    /// What asks it, and what tells how it ended. To be called within a runtime.
    pub(in crate::top) fn connect(self) -> io::Result<(Asker, Ended)> {
        let (asker, half) = Asker::new(asynchronous(self.link)?);
        tokio::spawn(half);
        Ok((asker, self.ended))
    }
}

fn asynchronous(stream: StdUnixStream) -> io::Result<UnixStream> {
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}
