//! The tracer's side of the web process: starts it, and starts it again when it has gone.

use std::{
    collections::HashSet,
    io,
    os::{fd::OwnedFd, unix::net},
    path::PathBuf,
    time::Duration,
};

use nix::sys::socket::SockType;
use serde_json::Value;
use tokio::{
    net::UnixStream,
    sync::oneshot,
    time::{Instant, sleep_until},
};

use crate::{
    child::{Job, Started, Starter},
    service::link::{Answer, Asked, Link, Settings},
};

/// How it is started.
const JOB: Job = Job {
    name: "web",
    link: SockType::Stream,
    is_mute: false,
    is_expendable: false,
    remedy: "add one, or set [http] listen = \"off\"",
};

/// A web process that ran so long had no lasting trouble.
const WELL: Duration = Duration::from_mins(1);
/// The longest time between two starts.
const LONGEST: Duration = Duration::from_mins(1);

/// How long to wait before it is started again.
#[derive(Debug, Default)]
struct Backoff {
    next: Duration,
}

impl Backoff {
    /// After it ran for so long.
    fn after(&mut self, ran: Duration) -> Duration {
        if ran >= WELL {
            self.next = Duration::ZERO;
        }
        self.next = (self.next * 2).clamp(Duration::from_secs(1), LONGEST);
        self.next
    }
}

/// Where the web process is.
#[derive(Debug)]
enum Stage {
    /// To be started then.
    Waiting(Instant),
    /// Being started.
    Starting(oneshot::Receiver<io::Result<Started>>),
    /// Running since then.
    Running { link: Box<Link<UnixStream>>, since: Instant, pid: u32 },
}

/// The web process, as the tracer has it. Nothing that it does or sends can do more to the tracer than have it answer.
#[derive(Debug)]
pub struct Web {
    starter: Starter,
    listeners: Vec<OwnedFd>,
    settings: Settings,
    stage: Stage,
    backoff: Backoff,
    /// Questions of the present process that were handed out.
    open: HashSet<u64>,
    starts: u64,
    /// Events that processes before this one missed.
    dropped: u64,
}

impl Web {
    /// Gets ready to start it: `program` is sockleak itself, as a rule `/proc/self/exe`. To be called while the privileges to change
    /// the user are still there; a thread keeps them.
    ///
    /// # Errors
    /// If that thread cannot be started, or there is no user to run it as.
    pub fn new(program: PathBuf, listeners: Vec<OwnedFd>, settings: Settings) -> io::Result<Self> {
        Ok(Self {
            starter: Starter::new(program, JOB)?,
            listeners,
            settings,
            stage: Stage::Waiting(Instant::now()),
            backoff: Backoff::default(),
            open: HashSet::new(),
            starts: 0,
            dropped: 0,
        })
    }

    /// The next question, whichever process asks it. Nothing is lost if it is not waited for to the end.
    pub async fn next(&mut self) -> Asked {
        loop {
            match &mut self.stage {
                Stage::Waiting(until) => {
                    sleep_until(*until).await;
                    self.stage = match self.start() {
                        Ok(started) => Stage::Starting(started),
                        Err(error) => self.again(&error, Duration::ZERO),
                    };
                }
                Stage::Starting(started) => {
                    let started = started.await.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()));
                    self.stage = match started.and_then(|started| self.link(started)) {
                        Ok(running) => running,
                        Err(error) => self.again(&error, Duration::ZERO),
                    };
                }
                Stage::Running { link, since, .. } => {
                    let since = *since;
                    match link.next().await {
                        Ok(Some(asked)) => {
                            self.open.insert(asked.id);
                            return asked;
                        }
                        Ok(None) => self.stage = self.again(&"it has gone", since.elapsed()),
                        Err(error) => self.stage = self.again(&error, since.elapsed()),
                    }
                }
            }
        }
    }

    fn start(&self) -> io::Result<oneshot::Receiver<io::Result<Started>>> {
        let listeners = self.listeners.iter().map(|listener| Ok(("listen", listener.try_clone()?)));
        let listeners = listeners.collect::<io::Result<_>>()?;
        let (reply, started) = oneshot::channel();
        self.starter.start(Vec::new(), listeners, |started| {
            // Nobody waits for it when the service ends.
            let _ = reply.send(started);
        })?;
        Ok(started)
    }

    fn link(&mut self, started: Started) -> io::Result<Stage> {
        let link = net::UnixStream::from(started.link);
        link.set_nonblocking(true)?;
        let stream = UnixStream::from_std(link)?;
        let link = Link::new(stream, &self.settings).map_err(io::Error::other)?;
        self.starts += 1;
        Ok(Stage::Running { link: Box::new(link), since: Instant::now(), pid: started.pid })
    }

    fn again(&mut self, why: &dyn std::fmt::Display, ran: Duration) -> Stage {
        self.open.clear();
        if let Stage::Running { link, .. } = &self.stage {
            self.dropped += link.dropped();
        }
        let wait = self.backoff.after(ran);
        tracing::warn!("the web process failed ({why}); it is started again in {} s", wait.as_secs());
        Stage::Waiting(Instant::now() + wait)
    }

    /// Answers a question. If the process that asked has gone, nothing happens.
    pub fn answer(&mut self, id: u64, answer: &Answer) {
        let is_open = self.open.remove(&id);
        if let Stage::Running { link, .. } = &mut self.stage
            && is_open
            && let Err(error) = link.answer(id, answer)
        {
            tracing::warn!("an answer could not be sent: {error}");
        }
    }

    /// Does anybody want to hear of events?
    #[must_use]
    pub fn wants_events(&self) -> bool {
        matches!(&self.stage, Stage::Running { link, .. } if link.wants_events())
    }

    /// Tells those who want to hear of an event.
    pub fn event(&mut self, event: &Value) {
        if let Stage::Running { link, .. } = &mut self.stage
            && let Err(error) = link.event(event)
        {
            tracing::warn!("an event could not be sent: {error}");
        }
    }

    /// Serves like this from now on. With other listeners the process is started anew.
    pub fn change(&mut self, listeners: Option<Vec<OwnedFd>>, settings: Settings) {
        self.settings = settings;
        if let Some(listeners) = listeners {
            self.listeners = listeners;
            self.open.clear();
            self.dropped = self.events_dropped();
            self.stage = Stage::Waiting(Instant::now());
        } else if let Stage::Running { link, .. } = &mut self.stage
            && let Err(error) = link.tell(&self.settings)
        {
            tracing::warn!("the web process could not be told of new settings: {error}");
        }
    }

    /// How often it had to be started again.
    #[must_use]
    pub const fn restarts(&self) -> u64 {
        self.starts.saturating_sub(1)
    }

    /// Events that were dropped because nobody took them up in time.
    #[must_use]
    pub const fn events_dropped(&self) -> u64 {
        match &self.stage {
            Stage::Running { link, .. } => self.dropped + link.dropped(),
            Stage::Waiting(_) | Stage::Starting(_) => self.dropped,
        }
    }

    /// Its process id, while it runs.
    #[must_use]
    pub const fn pid(&self) -> Option<u32> {
        match self.stage {
            Stage::Running { pid, .. } => Some(pid),
            Stage::Waiting(_) | Stage::Starting(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_until_it_ran_well() {
        let mut backoff = Backoff::default();
        let short = Duration::from_secs(5);
        let waits: Vec<_> = (0..8).map(|_| backoff.after(short).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.after(WELL), Duration::from_secs(1));
    }
}
