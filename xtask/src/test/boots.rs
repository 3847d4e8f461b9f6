//! Runs the scenarios in VMs, some at a time.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::guests::Guests;
use super::matrix::{Boot, CONTAINERS, DEBIAN, SERVERS};
use super::report::{BootResult, Tally};
use crate::counts::Counts;
use crate::vm::{self, Outcome, Verdict, VmSpec, kernels};

/// All scenarios take a few minutes, half of them on the kernel where fifty recordings are killed; with other VMs beside it, a
/// slow machine may need several times that.
const LIMIT: Duration = Duration::from_secs(1500);
/// A Prometheus and a whole system beside it.
const DEBIAN_MIB: u32 = 1536;
/// Servers and Python programs, one server at a time.
const SERVERS_MIB: u32 = 2048;
/// Engines, and some containers.
const CONTAINERS_MIB: u32 = 2048;
/// They take a minute each, and some wait for clients that give up.
const SERVERS_LIMIT: Duration = Duration::from_secs(4500);
/// More VMs at a time would want more memory than a test may take for itself.
const MOST: usize = 4;

/// How many VMs run at a time unless that is said: three for two processors. A VM waits for a third of its time, for grace periods of
/// its kernel and for connections to grow old.
fn usual_jobs() -> usize {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    (processors + processors / 2).min(MOST)
}

/// Runs every boot, with the programs that are built for it. One of the workers does `first` before it takes a boot.
pub(super) fn run_all(
    boots: &[Boot],
    only: &[String],
    jobs: Option<usize>,
    first: impl FnOnce() + Send,
) -> Result<Vec<BootResult>> {
    let guests = Guests::new(boots)?;
    let jobs = jobs.unwrap_or_else(usual_jobs).clamp(1, boots.len());
    let next = Mutex::new(boots.iter().enumerate());
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let worker = || {
            // Taking the next boot releases the lock at once.
            while let Some((index, boot)) = next.lock().ok().and_then(|mut next| next.next()) {
                let result = run_one(boot, &guests, only);
                if let Ok(mut results) = results.lock() {
                    results.push((index, result));
                }
            }
        };
        for _ in 1..jobs {
            scope.spawn(worker);
        }
        first();
        worker();
    });
    let mut results = results.into_inner().map_err(|_| anyhow!("a test thread panicked"))?;
    results.sort_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

/// Runs a boot, once more if the emulator ended it and nothing had failed by then: that is told, and happens once.
fn run_one(boot: &Boot, guests: &Guests, only: &[String]) -> BootResult {
    let (result, ended) = boot_once(boot, guests, only);
    let verdict = ended.as_ref().err().and_then(|error| error.downcast_ref::<Verdict>());
    let is_emulators = verdict == Some(&Verdict::StaleBreakpoint) && result.failed.is_empty();
    if !is_emulators {
        return report(result);
    }
    let label = &result.label;
    let reason = result.trouble.unwrap_or_default();
    println!("[{label}] run again: {reason}");
    let (again, _) = boot_once(boot, guests, only);
    let seconds = result.seconds + again.seconds;
    report(BootResult { again: Some(reason), seconds, ..again })
}

fn report(result: BootResult) -> BootResult {
    if let Some(trouble) = &result.trouble {
        println!("[{}] FAIL boot: {trouble}", result.label);
    }
    result
}

fn boot_once(boot: &Boot, guests: &Guests, only: &[String]) -> (BootResult, Result<Outcome>) {
    let label = boot.label();
    let started = Instant::now();
    let mut sink = Prefixed { label: &label, line: Vec::new(), tally: Tally::default() };
    let ended = kernels::get_for(boot.arch, boot.kernel).and_then(|kernel| {
        let mut spec = VmSpec::new(boot.slug(), kernel, guests.of(boot)?, command(boot, only));
        spec.append = boot.append.map(str::to_owned).into_iter().collect();
        spec.env = vec![("NO_COLOR".into(), "1".into())];
        spec.timeout = LIMIT;
        if boot.groups.contains(&DEBIAN) {
            spec.memory = DEBIAN_MIB;
        }
        if boot.groups.contains(&CONTAINERS) {
            spec.memory = CONTAINERS_MIB;
        }
        if boot.groups.contains(&SERVERS) {
            (spec.memory, spec.timeout) = (SERVERS_MIB, SERVERS_LIMIT);
        }
        vm::run(&spec, &mut sink)
    });
    let trouble = ended.as_ref().err().map(|error| format!("{error:#}"));
    let (counts, failed, trouble) = sink.finish(trouble);
    if let Ok(outcome) = &ended {
        keep_if_failed(&label, outcome, counts.failed > 0);
    }
    let seconds = started.elapsed().as_secs();
    (BootResult { label, counts, failed, trouble, again: None, seconds }, ended)
}

/// Says where the logs of a failed boot are; those of a good one would only pile up.
fn keep_if_failed(label: &str, outcome: &Outcome, failed: bool) {
    if failed {
        if let Some(out) = &outcome.out {
            println!("[{label}] logs of what failed: {}", out.display());
        }
        println!("[{label}] console: {}", outcome.console.display());
        return;
    }
    let _ = fs::remove_file(&outcome.console);
    if let Some(out) = &outcome.out {
        let _ = fs::remove_dir_all(out);
    }
}

fn command(boot: &Boot, only: &[String]) -> Vec<OsString> {
    let mut command = vec!["scenarios", "run", "--hooks", boot.hooks.name()];
    for group in boot.groups {
        command.extend(["--group", group]);
    }
    // What was asked for by name counts, or else what the boot is limited to.
    let names: Vec<&str> =
        if only.is_empty() { boot.only.to_vec() } else { only.iter().map(String::as_str).collect() };
    for name in names {
        command.extend(["--only", name]);
    }
    command.into_iter().map(Into::into).collect()
}

/// Prints a boot's lines under its label, whole, and counts them.
struct Prefixed<'a> {
    label: &'a str,
    line: Vec<u8>,
    tally: Tally,
}

impl Prefixed<'_> {
    fn end_line(&mut self) -> io::Result<()> {
        let bytes = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim_end();
        self.tally.take(line);
        writeln!(io::stdout().lock(), "[{}] {line}", self.label)
    }

    fn finish(mut self, trouble: Option<String>) -> (Counts, Vec<String>, Option<String>) {
        if !self.line.is_empty() {
            // Whether the rest of a line could be shown does not change the counts.
            let _ = self.end_line();
        }
        self.tally.finish(trouble)
    }
}

impl Write for Prefixed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            if byte == b'\n' {
                self.end_line()?;
            } else {
                self.line.push(byte);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
