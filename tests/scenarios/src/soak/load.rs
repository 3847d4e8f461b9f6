//! The load: on each of several sockets a thread that connects and accepts at a steady pace, now and then a short-lived process of
//! another program in its place, and on the first a leak of one a minute.

use std::collections::VecDeque;
use std::fs;
use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use crate::cli::bench::{Door, Pair};

/// Sockets that share the rate.
const SOCKETS: u32 = 4;
/// One in so many connections comes from a process of its own.
const SHORT_LIVED: u32 = 100;
/// Programs that those are of.
const PROGRAMS: u32 = 20;
/// Time between two connections that are left open.
const LEAK_EVERY: Duration = Duration::from_mins(1);
/// Connections that a thread holds for a while.
const HELD: usize = 8;

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Truth {
    pub(super) opened: u64,
    /// At both ends.
    pub(super) closed: u64,
    /// Different programs that connected.
    pub(super) programs: u32,
}

/// The load, whether it runs or not.
pub(super) struct Load {
    doors: Vec<(String, Door)>,
    clients: Vec<PathBuf>,
    rate: u32,
    opened: AtomicU64,
    closed: AtomicU64,
    /// Time that it ran, in milliseconds, and what was opened in it.
    ran: AtomicU64,
    made: AtomicU64,
    held: Vec<Pair>,
}

impl Load {
    /// `folder` is for the sockets, and for the programs of short-lived clients: copies of this one.
    pub(super) fn open(folder: &str, rate: u32) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        let doors = (0..SOCKETS).map(|number| {
            let path = format!("{folder}/{number}.sock");
            anyhow::Ok((path.clone(), Door::open(&path)?))
        });
        let own = std::env::current_exe()?;
        let clients = (0..PROGRAMS).map(|number| {
            let client = Path::new(folder).join(format!("client-{number}"));
            fs::copy(&own, &client).with_context(|| format!("cannot make {}", client.display()))?;
            Ok(client)
        });
        Ok(Self {
            doors: doors.collect::<anyhow::Result<_>>()?,
            clients: clients.collect::<anyhow::Result<_>>()?,
            rate,
            opened: AtomicU64::new(0),
            closed: AtomicU64::new(0),
            ran: AtomicU64::new(0),
            made: AtomicU64::new(0),
            held: Vec::new(),
        })
    }

    pub(super) fn truth(&self) -> Truth {
        Truth {
            opened: self.opened.load(Ordering::Relaxed),
            closed: self.closed.load(Ordering::Relaxed),
            programs: PROGRAMS + 1,
        }
    }

    /// Paths of the sockets.
    pub(super) fn sockets(&self) -> impl Iterator<Item = &str> {
        self.doors.iter().map(|(path, _)| path.as_str())
    }

    /// Both ends of what is open.
    pub(super) fn held(&self) -> &[Pair] {
        &self.held
    }

    /// Connections a second, in the last run.
    pub(super) fn rate(&self) -> f64 {
        let ran = self.ran.load(Ordering::Relaxed).max(1);
        self.made.load(Ordering::Relaxed) as f64 * 1000.0 / ran as f64
    }

    /// Runs until `meanwhile` returns. Then all is closed but what is leaked.
    pub(super) fn run(&mut self, meanwhile: impl FnOnce(&Self) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let before = self.truth().opened;
        let started = Instant::now();
        let is_over = AtomicBool::new(false);
        let load: &Self = self;
        let leaked = thread::scope(|scope| {
            let work = |number| {
                let is_over = &is_over;
                scope.spawn(move || load.work(number, is_over))
            };
            let workers: Vec<_> = (0..SOCKETS).map(work).collect();
            let looked = meanwhile(load);
            is_over.store(true, Ordering::Relaxed);
            let leaked = workers.into_iter().map(|worker| worker.join().expect("a worker panicked"));
            let leaked = leaked.collect::<anyhow::Result<Vec<_>>>();
            looked.and(leaked)
        })?;
        self.held.extend(leaked.into_iter().flatten());
        self.ran.store(started.elapsed().as_millis() as u64, Ordering::Relaxed);
        self.made.store(self.truth().opened - before, Ordering::Relaxed);
        Ok(())
    }

    /// One socket's share. Returns what it leaks.
    fn work(&self, number: u32, is_over: &AtomicBool) -> anyhow::Result<Vec<Pair>> {
        let (path, door) = &self.doors[number as usize];
        let step = Duration::from_secs(u64::from(SOCKETS)) / self.rate.max(1);
        let started = Instant::now();
        let (mut leaked, mut held) = (Vec::new(), VecDeque::new());
        let mut next_leak = LEAK_EVERY / 2;
        for turn in 0_u32.. {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            // A turn that is late is made up for.
            thread::sleep((step * turn).saturating_sub(started.elapsed()));
            if turn % SHORT_LIVED == SHORT_LIVED / SOCKETS * number {
                self.visited(path, door, turn / SHORT_LIVED * SOCKETS + number)?;
                continue;
            }
            held.push_back(door.connect()?);
            self.opened.fetch_add(1, Ordering::Relaxed);
            if number == 0 && started.elapsed() >= next_leak {
                next_leak += LEAK_EVERY;
                leaked.extend(held.pop_back());
            }
            if held.len() > HELD {
                self.close(held.pop_front());
            }
        }
        held.into_iter().for_each(|pair| self.close(Some(pair)));
        Ok(leaked)
    }

    fn close(&self, pair: Option<Pair>) {
        drop(pair);
        self.closed.fetch_add(1, Ordering::Relaxed);
    }

    /// By a process of its own.
    fn visited(&self, path: &str, door: &Door, nth: u32) -> anyhow::Result<()> {
        let client = &self.clients[(nth % PROGRAMS) as usize];
        let mut child = Command::new(client).arg("visit").arg(path).spawn().context("a client")?;
        let server = door.accept()?;
        self.opened.fetch_add(1, Ordering::Relaxed);
        drop(server);
        ensure!(child.wait()?.success(), "{} failed", client.display());
        self.closed.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// What a short-lived client does: it connects, waits for the server to close, and is gone.
///
/// # Errors
/// If it cannot.
pub fn visit(path: &str) -> anyhow::Result<()> {
    let mut stream = UnixStream::connect(path)?;
    match stream.read(&mut [0; 16])? {
        0 => Ok(()),
        more => bail!("{more} bytes from a server that says nothing"),
    }
}
