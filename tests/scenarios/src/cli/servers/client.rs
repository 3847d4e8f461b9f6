//! The clients: Python programs with real client libraries, which count for themselves what they did.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::server::{FOLDER, Server};
use crate::cli::bench::Bench;
use crate::run::child::Child;

/// A client that runs. It ends when this is dropped.
pub(super) struct Client {
    child: Child,
    stdout: PathBuf,
}

impl Client {
    /// Starts a script of the folder with a server's name and address and further arguments, and waits until its libraries are
    /// loaded.
    pub(super) fn start(
        bench: &Bench<'_>,
        script: &str,
        server: &Server,
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        let mut command = Command::new("python3");
        // The image of the VM has no compiled files of these, and nothing is gained by writing them.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.arg(format!("{FOLDER}/{script}")).args([server.name, server.address]).args(arguments);
        let running = bench.start(&mut command)?;
        let mut client = Self { child: running.child, stdout: running.stdout };
        client.wait_for(|line| line == "ready").with_context(|| format!("{script} is not ready"))?;
        Ok(client)
    }

    /// Waits for a line of its output. Each wait reads from the start.
    pub(super) fn wait_for(&mut self, fits: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        self.child.wait_for_line(fits)
    }

    /// Waits until it has counted this far: a line of the word and the number. A leaker that is turned away first counts no further.
    pub(super) fn wait_for_count(&mut self, word: &str, number: u64) -> anyhow::Result<()> {
        let line = format!("{word} {number}");
        let is_last = |it: &str| it == line || it.starts_with("full ");
        self.wait_for(is_last).with_context(|| format!("waited in vain for '{line}'"))?;
        let counted = self.last(word)?;
        ensure!(counted[0] >= number, "it was turned away with {} of {number} '{word}'", counted[0]);
        Ok(())
    }

    /// The numbers behind a word in the last line that begins with it.
    pub(super) fn last(&self, word: &str) -> anyhow::Result<Vec<u64>> {
        let text = fs::read_to_string(&self.stdout)?;
        let of_line = |line: &str| {
            let numbers = line.strip_prefix(word)?.strip_prefix(' ')?;
            numbers.split(' ').map(|number| number.parse().ok()).collect::<Option<Vec<u64>>>()
        };
        text.lines().rev().find_map(of_line).with_context(|| format!("no line of '{word}'"))
    }

    /// Has a visitor stop, and tells how many of its visits went well and how many did not.
    pub(super) fn stop(&mut self) -> anyhow::Result<(u64, u64)> {
        self.child.say("stop")?;
        self.wait_for(|line| line.starts_with("stopped "))?;
        match self.last("stopped")?[..] {
            [visited, failed] => Ok((visited, failed)),
            _ => anyhow::bail!("a visitor counts two things"),
        }
    }
}
