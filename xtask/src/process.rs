//! Running other programs: checked, with their output kept where it helps.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use wait_timeout::ChildExt;

use crate::paths;

/// A command with its arguments.
pub(crate) fn command<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    // cargo describes this program to it. Build scripts of dependencies (ring's) ask for just these variables: with them, each build from
    // here and each one by hand would build those anew, and sockleak with them, for minutes.
    for (name, _) in env::vars_os().filter(|(name, _)| is_about_us(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command
}

/// Does cargo describe the package that it runs by this variable?
fn is_about_us(name: &str) -> bool {
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

/// Runs a command on our terminal and fails unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = describe(command);
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    ensure!(status.success(), "`{shown}` failed ({status})");
    Ok(())
}

/// Runs a command and gives its standard output; its standard error becomes part of the failure.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = describe(command);
    let output = command.output().with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Like [`output`], for questions to which "no answer" is an answer, within a time limit.
pub(crate) fn ask(command: &mut Command, limit: Duration) -> Option<String> {
    ask_whatever(command, limit).and_then(|(status, text)| status.success().then_some(text))
}

/// Like [`ask`], for programs whose answer counts whatever status they end with.
pub(crate) fn ask_whatever(command: &mut Command, limit: Duration) -> Option<(ExitStatus, String)> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let Ok(Some(status)) = child.wait_timeout(limit) else {
        // Too late to be of use; whether it could be killed changes nothing.
        let _ = child.kill();
        let _ = child.wait();
        return None;
    };
    let mut text = String::new();
    child.stdout.take()?.read_to_string(&mut text).ok()?;
    Some((status, text))
}

/// A file that takes the output of noisy commands.
pub(crate) struct Log {
    path: PathBuf,
}

impl Log {
    /// Starts an empty log of that name in the cache folder.
    pub(crate) fn create(name: &str) -> Result<Self> {
        let path = paths::cache_folder("logs")?.join(format!("{name}.log"));
        File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path })
    }

    /// Runs a command with its output in the log; a failure quotes its last lines.
    pub(crate) fn run(&self, command: &mut Command) -> Result<()> {
        self.run_within(command, None)
    }

    /// Like [`Log::run`], giving up after `limit`.
    pub(crate) fn run_within(&self, command: &mut Command, limit: Option<Duration>) -> Result<()> {
        let shown = describe(command);
        let open = || OpenOptions::new().append(true).open(&self.path);
        let (out, err) =
            open().and_then(|out| Ok((out, open()?))).context("cannot append to the set-up log")?;
        let mut child =
            command.stdout(out).stderr(err).spawn().with_context(|| format!("cannot start `{shown}`"))?;
        let status = match limit {
            None => Some(child.wait()?),
            Some(limit) => child.wait_timeout(limit)?,
        };
        let Some(status) = status else {
            child.kill()?;
            child.wait()?;
            bail!("`{shown}` gave no result in {} s", limit.unwrap_or_default().as_secs());
        };
        ensure!(
            status.success(),
            "`{shown}` failed ({status}); its last lines, from {}:\n{}",
            self.path.display(),
            tail(&self.path, 12)
        );
        Ok(())
    }
}

/// The last lines of a text file; empty when it cannot be read.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// A command as errors quote it: from its first arguments on, as far as one cares to read.
fn describe(command: &Command) -> String {
    const LONGEST: usize = 240;
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    let text = words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(LONGEST) {
        // The end tells more: options come first.
        Some(_) => {
            let end: String = text.chars().skip(text.chars().count() - LONGEST / 2).collect();
            format!("{} … {end}", words[0].to_string_lossy())
        }
        None => text,
    }
}
