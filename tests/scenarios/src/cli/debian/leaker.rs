//! A client that keeps what it opens, in a process of its own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use anyhow::Context as _;

use crate::cli::bench::Bench;
use crate::run::child::Child;

/// Its path.
pub(super) const PROGRAM: &str = "/usr/bin/leaker";

/// It runs until it is stopped.
pub(super) struct Leaker {
    child: Child,
    record: PathBuf,
    connections: usize,
}

impl Leaker {
    pub(super) fn start(bench: &Bench<'_>, socket: &str) -> anyhow::Result<Self> {
        let running = bench.start(Command::new(PROGRAM).arg(socket))?;
        Ok(Self { child: running.child, record: running.stdout, connections: 0 })
    }

    /// One more.
    pub(super) fn connect(&mut self) -> anyhow::Result<()> {
        self.connections += 1;
        let number = format!("{} ", self.connections);
        self.child.say("")?;
        self.child.wait_for_line(|line| line.starts_with(&number))
    }

    /// When it began each, by its own record: milliseconds since 1970.
    pub(super) fn times(&self) -> anyhow::Result<Vec<u64>> {
        let text = fs::read_to_string(&self.record)?;
        let time = |line: &str| line.split_once(' ').and_then(|(_, time)| time.parse().ok());
        text.lines().map(time).collect::<Option<_>>().with_context(|| format!("no times: {text}"))
    }

    /// It ends, and the kernel closes what it held.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        self.child.close_stdin();
        self.child.wait_for_success()
    }
}

/// The time of day, milliseconds since 1970.
pub(super) fn now_ms() -> anyhow::Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis())?)
}
