//! The director's side of an actor.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Answer, Command};
use crate::{identity, wait};

/// An actor process, and the way to talk to it.
pub struct Actor {
    pid: u32,
    /// None for a process that an actor forked.
    child: Option<Child>,
    input: File,
    output: BufReader<File>,
}

impl Actor {
    /// Starts `program` (a copy of this one) as an actor. `role` makes its command line its own.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &Path, role: &str) -> anyhow::Result<Self> {
        let mut child = std::process::Command::new(program)
            .args(["actor", role])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let input = File::from(std::os::fd::OwnedFd::from(child.stdin.take().context("no stdin")?));
        let output = File::from(std::os::fd::OwnedFd::from(child.stdout.take().context("no stdout")?));
        let mut actor = Self { pid: child.id(), child: Some(child), input, output: BufReader::new(output) };
        actor.hello()?;
        Ok(actor)
    }

    /// Lets this actor fork; the child is an actor too.
    ///
    /// # Errors
    /// When the fork or the FIFOs fail.
    pub fn fork(&mut self, fifo: &Path) -> anyhow::Result<Self> {
        let (input, output) = (fifo.with_extension("in"), fifo.with_extension("out"));
        for path in [&input, &output] {
            nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).context("mkfifo")?;
        }
        self.tell(&Command::Fork { fifo: fifo.to_string_lossy().into_owned() })?;
        let pid = self.hello()?;
        let input = OpenOptions::new().write(true).open(input)?;
        let output = BufReader::new(File::open(output)?);
        let mut child = Self { pid, child: None, input, output };
        anyhow::ensure!(child.hello()? == pid, "another process answered for the forked child");
        Ok(child)
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Gives a command without waiting for the answer.
    ///
    /// # Errors
    /// When the actor is gone.
    pub fn tell(&mut self, command: &Command) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(command)?;
        line.push(b'\n');
        self.input.write_all(&line).with_context(|| format!("actor {} is gone", self.pid))
    }

    /// Waits for the answer to the last command.
    ///
    /// # Errors
    /// When the actor is gone, or could not do it.
    pub fn answer(&mut self) -> anyhow::Result<Answer> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        match serde_json::from_str(&line).with_context(|| format!("actor {} said '{line}'", self.pid))? {
            Answer::Impossible(why) => bail!("actor {}: {why}", self.pid),
            answer => Ok(answer),
        }
    }

    /// Gives a command and waits for its answer.
    ///
    /// # Errors
    /// As [`Actor::tell`] and [`Actor::answer`].
    pub fn ask(&mut self, command: &Command) -> anyhow::Result<Answer> {
        self.tell(command)?;
        self.answer()
    }

    /// Waits for a greeting and returns the pid in it.
    ///
    /// # Errors
    /// When something else comes.
    pub fn hello(&mut self) -> anyhow::Result<u32> {
        match self.answer()? {
            Answer::Hello(pid) => Ok(pid),
            other => bail!("actor {}: expected a greeting, got {other:?}", self.pid),
        }
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        kill(Pid::from_raw(self.pid.cast_signed()), signal).with_context(|| format!("kill {}", self.pid))
    }

    /// Waits until the process has ended and dropped everything it held.
    ///
    /// # Errors
    /// When it does not end.
    pub fn wait(&mut self) -> anyhow::Result<()> {
        let pid = self.pid;
        wait::until("an actor's end", || Ok(identity::has_ended(pid)))?;
        if let Some(mut child) = self.child.take() {
            child.wait()?;
        }
        Ok(())
    }
}

impl Drop for Actor {
    /// Nothing outlives its director; a process that has ended already is no error.
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // A child that was not waited for keeps its pid, so this cannot hit another process.
            let _ = child.kill();
            let _ = child.wait();
        } // A forked actor reads the end of its FIFO and exits by itself.
    }
}
