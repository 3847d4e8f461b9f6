//! The thread that has segments archived, one after the other.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader},
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    time::{Duration, SystemTime},
};

use thiserror::Error;

use super::{
    Counts, Timing,
    message::{self, Certificates, Job, Said},
    state::Remembered,
};
use crate::{
    child::Starter,
    service::{
        config::{ArchiveSettings, CredentialsError},
        post,
        store::{self, Closed, Shelf, StoreError},
    },
};

/// How long the process may say nothing: it reads a whole segment before it has a file, and sends one at the pace that it may.
const SILENCE: Duration = Duration::from_mins(30);

/// What the thread has.
pub(super) struct Courier {
    pub(super) starter: Starter,
    pub(super) settings: ArchiveSettings,
    pub(super) host: String,
    pub(super) directory: PathBuf,
    pub(super) shelf: Arc<Shelf>,
    pub(super) counts: Arc<Counts>,
    pub(super) timing: Timing,
    /// Ends it.
    pub(super) stopped: mpsc::Receiver<()>,
}

/// What became of a segment.
enum Outcome {
    Archived,
    /// It is damaged.
    Skipped(String),
    /// It was deleted just now.
    Gone,
    /// It is tried again.
    Failed(String),
}

/// Why nothing could be archived now.
#[derive(Debug, Error)]
enum LookError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// As a segment's [`Outcome::Failed`] says.
    #[error("{0}")]
    Archive(String),
}

impl Courier {
    /// Archives what there is and what will come, until the service ends.
    pub(super) fn run(self) {
        let backoff = post::Timing {
            first: self.timing.first,
            longest: self.timing.longest,
            ..post::Timing::default()
        };
        let mut failures = 0_u32;
        loop {
            let wait = match self.look() {
                // There may be more.
                Ok(true) => {
                    failures = 0;
                    Duration::ZERO
                }
                Ok(false) => {
                    failures = 0;
                    self.timing.look
                }
                Err(reason) => {
                    failures = failures.saturating_add(1);
                    self.fail(&reason.to_string());
                    backoff.wait(failures, fastrand::f64())
                }
            };
            match self.stopped.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Archives the oldest segment that is not. False if there is none.
    fn look(&self) -> Result<bool, LookError> {
        let waiting = store::closed(&self.directory, self.shelf.through())?;
        self.wait_since(waiting.first().map(|closed| closed.written));
        let Some(closed) = waiting.first() else { return Ok(false) };
        match self.archive(closed) {
            Outcome::Failed(reason) => return Err(LookError::Archive(reason)),
            Outcome::Archived => {
                self.counts.segments.fetch_add(1, Ordering::Relaxed);
            }
            Outcome::Skipped(reason) => {
                tracing::warn!("{reason}; it is not archived");
                self.shelf.drop_one();
            }
            Outcome::Gone => {}
        }
        self.settle(closed.number);
        Ok(true)
    }

    /// Nothing up to here is to be archived any more.
    fn settle(&self, number: u64) {
        self.shelf.archived(number);
        let remembered = Remembered { url: self.settings.place.url().to_owned(), through: number };
        // The archive would be asked again.
        if let Err(error) = remembered.write(&self.directory) {
            tracing::warn!("what is archived cannot be noted in {} ({error})", self.directory.display());
        }
        let before = self.counts.trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
        if before.is_some() {
            tracing::info!("{} takes segments again", self.settings.place);
        }
    }

    /// Counts a failure, and logs what is new of it.
    fn fail(&self, reason: &str) {
        self.counts.failures.fetch_add(1, Ordering::Relaxed);
        let mut trouble = self.counts.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.as_deref() != Some(reason) {
            let reason = sockleak_core::text::escape::terminal(reason);
            tracing::warn!(
                "nothing can be archived to {} now ({reason}); it is tried again, and segments are kept until then as far as \
                 max_bytes in [store] lets them",
                self.settings.place
            );
        }
        *trouble = Some(reason.to_owned());
    }

    fn wait_since(&self, written: Option<SystemTime>) {
        let since = written.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        let since = since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
        self.counts.waiting_since.store(since, Ordering::Relaxed);
    }

    fn archive(&self, closed: &Closed) -> Outcome {
        let file = match closed.open() {
            Ok(Some(file)) => file,
            Ok(None) => return Outcome::Failed(format!("{} is being read", closed.path.display())),
            Err(_) if !closed.path.exists() => return Outcome::Gone,
            Err(error) => return Outcome::Failed(error.to_string()),
        };
        let job = match self.job(closed) {
            Ok(job) => job,
            Err(error) => return Outcome::Failed(error.to_string()),
        };
        match self.send(&job, file) {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(format!("the process that archives failed: {error}")),
        }
    }

    fn job(&self, closed: &Closed) -> Result<Job, CredentialsError> {
        let ArchiveSettings { place, credentials, command_lines, bandwidth } = &self.settings;
        let known = |name: &str| name.starts_with(place.variables());
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let mut variables: BTreeMap<String, String> = environment.filter(|(name, _)| known(name)).collect();
        if let Some(file) = credentials {
            // They are read each time: they may have been replaced.
            let given = file.read()?;
            variables.extend(given.into_iter().filter(|(name, _)| known(name)));
        }
        let path = |name| std::env::var_os(name).map(PathBuf::from);
        Ok(Job {
            url: place.url().to_owned(),
            variables,
            certificates: Certificates { file: path("SSL_CERT_FILE"), directory: path("SSL_CERT_DIR") },
            host: self.host.clone(),
            segment: closed.number,
            name: closed.path.clone(),
            command_lines: *command_lines,
            bandwidth: *bandwidth,
        })
    }

    /// Has a process do it, and waits for it.
    fn send(&self, job: &Job, file: File) -> io::Result<Outcome> {
        let (reply, started) = mpsc::channel();
        self.starter.start(Vec::new(), vec![("segment", file.into())], move |started| {
            // Nobody waits for it when the service ends.
            let _ = reply.send(started);
        })?;
        let started = started.recv().map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))??;
        let outcome = self.heed(job, UnixStream::from(started.link));
        self.starter.end();
        outcome
    }

    fn heed(&self, job: &Job, mut link: UnixStream) -> io::Result<Outcome> {
        link.set_read_timeout(Some(SILENCE))?;
        link.set_write_timeout(Some(SILENCE))?;
        message::write(&mut link, job)?;
        let mut link = BufReader::new(link);
        let add = |count: &AtomicU64, more| count.fetch_add(more, Ordering::Relaxed);
        loop {
            return Ok(match message::read::<Said>(&mut link)? {
                None => return Err(io::Error::other("it ended before it was done")),
                Some(Said::File { bytes, is_new, .. }) => {
                    if is_new {
                        add(&self.counts.files, 1);
                        add(&self.counts.bytes, bytes);
                    }
                    continue;
                }
                Some(Said::Done) => Outcome::Archived,
                Some(Said::Unreadable(reason)) => Outcome::Skipped(reason),
                Some(Said::Failed(reason)) => Outcome::Failed(reason),
            });
        }
    }
}
