//! `cargo xtask bench`: what tracing costs a connection and a message, in instructions of an emulated processor, beside
//! bpftrace and beside an older revision; `replay`: what a report of a recording costs; `merge`: what one answer for many
//! hosts costs; `session`: what a scan costs; `verdicts`: how often verdicts are right; `page`: what the service's page
//! costs; `soak`: what the service takes in the long run; `build`: what building takes. Prints, and judges nothing.

mod comparison;
mod compile;
mod figures;
mod merge;
mod messages;
mod page;
mod replay;
mod revision;
mod session;
mod soak;
mod table;
mod top;
mod verdicts;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::setup::{self, Wants};
use crate::vm::{self, Guest, VmSpec, kernels};
use crate::{build, paths};
use figures::Figures;
use revision::Revision;

/// The measurements take two minutes or three on an idle machine.
const LIMIT: Duration = Duration::from_mins(20);
/// As long again with an older revision, which is measured in the same run.
const LIMIT_OF_COMPARISON: Duration = Duration::from_mins(20);
/// bpftrace's libraries alone are more than 200 MB.
const MEMORY_MIB: u32 = 2048;
/// What runs in the guest, beside bpftrace.
const PROGRAMS: [&str; 6] = ["sockleak", "floor", "bpf-stats", "pairs", "messages", "timed"];
/// The older revision's sockleak in the guest.
const THEN: &str = "/usr/bin/sockleak-then";

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// The kernel to boot: 5.10, 6.1, 6.12, 6.12-rt, 7.2 or 7.3
    #[arg(long, value_name = "SERIES", default_value = "6.1")]
    kernel: String,
    /// Pairs of each measurement
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(250..=100_000))]
    pairs: u32,
    /// Messages of each measurement
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1000..=1_000_000))]
    messages: u32,
    /// Runs of each measurement
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Build the sockleak of this older revision too (a commit, branch or tag), measure it in the same run, and print both
    #[arg(long, value_name = "REV")]
    compare: Option<String>,
}

#[cfg(test)]
impl Args {
    /// Arguments for tests of the tables.
    fn example() -> Self {
        Self { what: None, kernel: "6.1".into(), pairs: 1, messages: 1, runs: 1, compare: None }
    }
}

/// Something else to measure.
#[derive(clap::Subcommand)]
enum What {
    /// Measure how fast a recording is replayed to its report, beside DuckDB
    Replay(replay::Args),
    /// Measure what one answer for the recordings of many hosts takes
    Merge(merge::Args),
    /// Measure what connections that a descriptor scan finds cost a session, for ever more of them
    Session(session::Args),
    /// Run the service under a steady load for half an hour
    Soak(soak::Args),
    /// Measure how soon the page is there, and what keeping it up to date takes, with many connections and events
    Page(page::Args),
    /// Measure how soon `sockleak top` shows something, and what keeping it up to date takes, with many connections and events
    Top(top::Args),
    /// Measure how often verdicts are right, on recordings of known truth
    Verdicts(verdicts::Args),
    /// Measure what building takes from nothing and after a change, in processor time
    Build(compile::Args),
}

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match &args.what {
        Some(What::Replay(args)) => return replay::run(args).map(|()| ExitCode::SUCCESS),
        Some(What::Merge(args)) => return merge::run(args).map(|()| ExitCode::SUCCESS),
        Some(What::Session(args)) => return session::run(args).map(|()| ExitCode::SUCCESS),
        Some(What::Soak(args)) => return soak::run(args).map(|()| ExitCode::SUCCESS),
        Some(What::Top(args)) => return top::run(args).map(|()| ExitCode::SUCCESS),
        Some(What::Page(args)) => return page::run(args).map(|()| ExitCode::SUCCESS),
        Some(What::Verdicts(args)) => return verdicts::run(args).map(|()| ExitCode::SUCCESS),
        Some(What::Build(args)) => return compile::run(args).map(|()| ExitCode::SUCCESS),
        None => {}
    }
    let series = kernels::series(&args.kernel)?;
    let then = args.compare.as_deref().map(Revision::resolve).transpose()?;
    if let Some(then) = &then {
        eprintln!("bench: comparing with {} ({})", then.title, then.hash);
    }
    setup::ensure(Wants {
        build: true,
        guest: true,
        bench: true,
        kernels: &[series.name],
        ..Wants::default()
    })?;
    eprintln!("bench: building");
    build::release(&["sockleak", "workload", "floor"])?;
    let older = then.as_ref().map(Revision::sockleak).transpose()?;

    let kernel = kernels::get(series.name)?;
    let title = kernel.package.clone();
    eprintln!("bench: measuring on {title}, instruction by instruction; this takes a few minutes");
    let mut sink = Sink::default();
    let outcome = vm::run(&spec(args, kernel, older.as_deref())?, &mut sink)?;
    let figures = sink.figures;
    ensure!(outcome.status == 0, "the measurements ended early (status {})", outcome.status);
    print!("{}\n{}", table::render(&figures, &title, args)?, messages::render(&figures, args)?);
    if let Some(then) = &then {
        print!("\n{}", comparison::render(&figures, then)?);
    }
    Ok(ExitCode::SUCCESS)
}

/// The run, with an older revision's sockleak if there is one to compare with.
fn spec(args: &Args, kernel: kernels::Kernel, older: Option<&Path>) -> Result<VmSpec> {
    let mut guest = Guest::new()?;
    for program in PROGRAMS {
        guest.add(&paths::release().join(program), &Path::new("/usr/bin").join(program))?;
    }
    if let Some(older) = older {
        guest.add(older, Path::new(THEN))?;
    }
    let bpftrace = paths::program("bpftrace").context("bpftrace is not on this machine")?;
    guest.add(&bpftrace, Path::new("/usr/bin/bpftrace"))?;
    guest.bytes("/etc/bench/question.bt", include_bytes!("question.bt").to_vec(), 0o644);
    guest.bytes("/usr/bin/bench", include_bytes!("guest.sh").to_vec(), 0o755);

    let mut spec = VmSpec::new("bench", kernel, guest, vec!["/usr/bin/bench".into()]);
    // One nanosecond of the guest's clock is one instruction, and idle time passes at once.
    spec.qemu = ["-icount", "shift=0,sleep=off"].map(OsString::from).to_vec();
    spec.smp = 1;
    spec.memory = MEMORY_MIB;
    spec.timeout = LIMIT + older.map_or(Duration::ZERO, |_| LIMIT_OF_COMPARISON);
    spec.env = vec![
        ("NO_COLOR".into(), "1".into()),
        ("PAIRS".into(), args.pairs.to_string().into()),
        ("WARM_UP".into(), (args.pairs / 10).to_string().into()),
        ("MESSAGES".into(), args.messages.to_string().into()),
        ("MESSAGES_WARM_UP".into(), (args.messages / 10).to_string().into()),
        ("MESSAGE_BYTES".into(), messages::BYTES.to_string().into()),
        ("THEN".into(), older.map_or("", |_| THEN).into()),
        ("RUNS".into(), args.runs.to_string().into()),
    ];
    Ok(spec)
}

/// Takes the figures out of the guest's lines.
#[derive(Default)]
struct Sink {
    line: Vec<u8>,
    figures: Figures,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim_end().to_owned();
            // Figures are shown raw as they come: it takes a while until the tables do.
            self.figures.take(&line);
            if !line.is_empty() {
                eprintln!("{line}");
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
