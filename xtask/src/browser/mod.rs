//! `cargo xtask browser`: looks at the page and at a report in Debian's Chromium, driven by Playwright for Python from PyPI, with
//! axe for what keeps people from using them. The page shows what is made up, a recording of that, and what the demo recorded.

mod environment;
mod pictures;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::counts::Counts;
use crate::setup::{self, Wants};
use crate::{build, demo, paths, process};
pub(crate) use environment::Environment;

/// Arguments of `cargo xtask browser`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Make the pictures of the documentation anew, in docs/img
    #[arg(long)]
    docs: bool,
}

/// Checks; the last line says how many passed and failed.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    setup::ensure(Wants { build: true, ..Wants::default() })?;
    let (environment, folder) = (Environment::get()?, paths::cache_folder("pictures")?);
    let counts = check(&environment, &folder)?;
    if args.docs {
        pictures::renew(&environment, &folder)?;
    }
    println!("{} passed, {} failed", counts.passed, counts.failed);
    Ok(if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks, as one step of all tests.
pub(crate) fn test() -> Result<Counts> {
    check(&Environment::get()?, &paths::cache_folder("pictures")?)
}

/// Passes on what is said of each check, and leaves pictures in a folder.
fn check(environment: &Environment, folder: &Path) -> Result<Counts> {
    let programs = Programs::build()?;
    let (scratch, demo) = (tempfile::tempdir_in(folder).context("no room for a recording")?, demo::record()?);
    let (trace, report) = (programs.record(scratch.path())?, folder.join("report.html"));
    let arguments = ["report", "--format", "html", "--output"];
    process::run(Command::new(&programs.sockleak).args(arguments).arg(&report).arg(&trace))?;
    let mut check = environment.python("check.py");
    check.arg(&environment.chromium).args([&programs.serve, &programs.sockleak, &report, &trace, &demo]);
    check.arg(folder);
    let mut child = check.stdout(Stdio::piped()).spawn().context("the browser's checks cannot be started")?;
    let mut counts = Counts::default();
    for line in BufReader::new(child.stdout.take().context("the checks have no output")?).lines() {
        let line = line?;
        println!("{line}");
        counts = counts + told(&line);
    }
    if !child.wait()?.success() && counts.failed == 0 {
        println!("FAIL browser: the checks ended early");
        counts.failed = 1;
    }
    eprintln!("browser: pictures are in {}", folder.display());
    Ok(counts)
}

/// What a line counts for.
fn told(line: &str) -> Counts {
    let is = |word: &str| usize::from(line.starts_with(word));
    Counts { passed: is("ok   "), failed: is("FAIL ") }
}

/// What is looked at, and what serves it.
pub(crate) struct Programs {
    pub(crate) sockleak: PathBuf,
    pub(crate) serve: PathBuf,
}

impl Programs {
    pub(crate) fn build() -> Result<Self> {
        eprintln!("browser: building");
        // Cargo chooses the features of dependencies for what is built at a time: with what the VMs and the tests are built with, it
        // is the same build, and not another one of minutes.
        build::release(&build::FOR_TESTS)?;
        let examples = "build --quiet --workspace --exclude probe-ebpf --examples";
        process::run(process::command("cargo", examples.split(' ')).current_dir(paths::repo()))?;
        let serve = paths::target().join("debug/examples/serve-scene");
        Ok(Self { sockleak: paths::release().join("sockleak"), serve })
    }

    /// A leak, recorded.
    fn record(&self, folder: &Path) -> Result<PathBuf> {
        let trace = folder.join("leak.db");
        process::run(Command::new(&self.serve).arg("record").arg(&trace))?;
        Ok(trace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_counts_once() {
        for (line, passed, failed) in
            [("ok   overview", 1, 0), ("FAIL socket: x", 0, 1), ("browser: 3 passed", 0, 0)]
        {
            assert_eq!(told(line), Counts { passed, failed }, "{line}");
        }
    }
}
