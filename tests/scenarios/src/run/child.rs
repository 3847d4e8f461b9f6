//! A program under test: in a process group of its own, waited for with a bound, killed with all its children.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// Emulated machines are slow: the bound is there to end a hang, not to measure.
const BOUND: Duration = Duration::from_secs(120);

pub(crate) struct Child {
    name: &'static str,
    child: std::process::Child,
    stdin: Option<ChildStdin>,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Child {
    pub(crate) fn start(
        name: &'static str,
        command: &mut Command,
        stdout: &Path,
        stderr: &Path,
    ) -> anyhow::Result<Self> {
        command.stdout(File::create(stdout)?).stderr(File::create(stderr)?);
        Self::spawn(name, command, stdout, stderr)
    }

    /// Starts it with the output that the command has already; the files are what it is read from, where it can be.
    pub(crate) fn spawn(
        name: &'static str,
        command: &mut Command,
        stdout: &Path,
        stderr: &Path,
    ) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let stdin = child.stdin.take();
        Ok(Self { name, child, stdin, stdout: stdout.to_owned(), stderr: stderr.to_owned() })
    }

    /// Waits until a complete line of its output fits.
    pub(crate) fn wait_for_line(&mut self, fits: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        self.wait_for_line_of(&self.stdout.clone(), fits)
    }

    /// The same on its standard error.
    pub(crate) fn wait_for_message(&mut self, fits: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        self.wait_for_line_of(&self.stderr.clone(), fits)
    }

    fn wait_for_line_of(&mut self, file: &Path, fits: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        let start = Instant::now();
        // It may be long: what was read is not read again.
        let mut output = BufReader::new(File::open(file)?);
        let mut line = Vec::new();
        loop {
            // Asked before reading: what it wrote before it ended counts.
            let ended = self.child.try_wait()?;
            while output.read_until(b'\n', &mut line)? > 0 {
                if let Some(line) = line.strip_suffix(b"\n")
                    && fits(&String::from_utf8_lossy(line))
                {
                    return Ok(());
                }
                // The rest of a line that is not complete comes later.
                if line.ends_with(b"\n") {
                    line.clear();
                }
            }
            if let Some(status) = ended {
                bail!("{} ended early, {status}: {}", self.name, self.last_words());
            }
            ensure!(start.elapsed() < BOUND, "{} hangs: {}", self.name, self.last_words());
            pause();
        }
    }

    pub(crate) fn say(&mut self, line: &str) -> anyhow::Result<()> {
        let stdin = self.stdin.as_mut().context("its standard input is closed")?;
        writeln!(stdin, "{line}").with_context(|| format!("{} does not listen", self.name))
    }

    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        kill(self.pid(), signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Waits until it ends, doing `meanwhile` over and over.
    pub(crate) fn wait_while(
        &mut self,
        mut meanwhile: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(start.elapsed() < BOUND, "{} does not end: {}", self.name, self.last_words());
            meanwhile()?;
            pause();
        }
    }

    pub(crate) fn wait_for_success(&mut self) -> anyhow::Result<()> {
        let status = self.wait_while(|| Ok(()))?;
        ensure!(status.success(), "{} failed, {status}: {}", self.name, self.last_words());
        Ok(())
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// The end of what it wrote on standard error.
    fn last_words(&self) -> String {
        let text = fs::read(&self.stderr).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().rev().take(3).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // The group outlives its leader as long as a member is left; none left is what is wanted.
        let _ = killpg(self.pid(), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}
