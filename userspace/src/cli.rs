//! The command line.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{
    Args, Parser, Subcommand,
    builder::{PathBufValueParser, TypedValueParser as _},
};
use sockleak_core::attribution::{by::By, limits::GivenLimit};
use sockleak_report::document::{CsvTable, Format};

mod children;
mod choice;
mod chosen;
mod color;
mod compare;
mod explain;
mod export;
mod fail_on;
mod list;
mod run;
mod shown;
mod values;
mod verdicts;
mod watch;
mod window;

pub use children::{Archive, Stacks, Web};
pub use chosen::{Chosen, Findings};
pub use color::ColorWhen;
pub use compare::{Compare, FailOnChange};
pub use explain::{Completions, Explain};
pub use export::Export;
pub use fail_on::FailOn;
pub use list::List;
pub use run::{FailOnRun, Run};
pub use shown::{PROGRAM, command, complete};
pub use verdicts::Names;
pub use watch::{Pace, Replay, Top};
pub use window::{Moment, Part};

use crate::{
    client::Server,
    probe::options::{HookChoice, Options, StackPolicy, UsePolicy},
    service::config::DEFAULT_PATH,
};
use choice::choice;
pub(crate) use values::duration;
use values::{recording, report_file, ring_size};

/// Finds the program that opens unix-socket connections without closing them.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit status: 0 done; 1 failed; 2 unusable arguments; 3 privileges missing; 4 the kernel lacks \
     or refuses what tracing needs; 5 output not writable; 6 recording unusable; 7 a verdict of --fail-on found; 8 no socket or process matches.";

const RUN_EXIT_CODES: &str = "Exit status: that of the command (128 and the signal's number if one ended it), unless that is 0 and \
     something was found: then 7. 126 or 127 if the command cannot be started; before it starts, 1 failed; 2 unusable \
     arguments; 3 privileges missing; 4 the kernel lacks or refuses what tracing needs.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trace connections as they come and go, then report who left which open.
    #[command(after_help = EXIT_CODES)]
    Capture(Capture),
    /// Report what a capture reported, from its recording, or what a service knows.
    #[command(after_help = EXIT_CODES)]
    Report(Report),
    /// Play a recording as if it happened now, and answer over HTTP what the service would.
    #[command(after_help = EXIT_CODES)]
    Replay(Replay),
    /// Show live in the terminal which socket fills up, and who fills it.
    #[command(after_help = EXIT_CODES)]
    Top(Top),
    /// Run a command, and fail if its processes leave connections open: a leak check for test suites.
    #[command(after_help = RUN_EXIT_CODES)]
    Run(Run),
    /// Compare two recordings: which leaks are new, which go on, and which are gone.
    #[command(after_help = EXIT_CODES)]
    Compare(Compare),
    /// Write a recording as rows for other tools: CSV, JSON lines or Parquet.
    #[command(after_help = EXIT_CODES)]
    Export(Export),
    /// Tell who holds which end of a socket's connections right now; without a target, survey every socket of the host.
    #[command(after_help = EXIT_CODES)]
    List(List),
    /// Say what a verdict means, and which evidence it needs.
    #[command(after_help = EXIT_CODES)]
    Explain(Explain),
    /// Tell whether this machine can be traced, hook by hook.
    #[command(after_help = EXIT_CODES)]
    Check(Check),
    /// Watch sockets for months: store, alerts and metrics, as the configuration says.
    #[command(after_help = EXIT_CODES)]
    Serve(Serve),
    /// Have the kernel stop tracing for a service that was stopped.
    #[command(after_help = EXIT_CODES)]
    Detach,
    /// Print a script by which a shell completes commands and options.
    #[command(after_help = EXIT_CODES)]
    Completions(Completions),
    /// Answer HTTP for `sockleak serve`, which starts it.
    #[command(hide = true)]
    Web(Web),
    /// Read other programs' files for stacks, for the sockleak that starts it.
    #[command(hide = true)]
    Stacks(Stacks),
    /// Archive a segment for `sockleak serve`, which starts it.
    #[command(hide = true)]
    Archive(Archive),
}

/// Arguments of `capture`.
#[derive(Debug, Args)]
pub struct Capture {
    /// Sockets: a path, a glob, a bare file name (in any directory and container), or @abstract.
    ///
    /// A path need not exist yet. A path means the socket that it leads to from here, whatever the server called it when
    /// it bound it; globs and bare names mean every socket of that name. A glob that exists as a path means that path; a
    /// backslash takes a wildcard literally: 'a\[1\].sock'. @name* means every abstract name that begins so.
    ///
    /// Without a target, the busiest sockets are named, and nothing is traced.
    #[arg(value_name = "TARGET")]
    pub targets: Vec<OsString>,
    /// End after this time, for example 90s or 10m.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
    /// End after this many events.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Print one JSON object a line (described in docs/json.md).
    #[arg(long)]
    pub json: bool,
    /// Print the report alone.
    #[arg(long, short)]
    pub quiet: bool,
    /// Record everything in this file, which `sockleak report` reads.
    #[arg(long, short, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(recording))]
    pub output: Option<PathBuf>,
    /// Write the report to this file too, in the form that its name ends with: .txt, .json, .csv, .md or .html.
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(report_file))]
    pub report: Option<ReportFile>,
    /// End with status 7 if one of these verdicts is found, for example client-leak,suspect; or if the report is incomplete.
    ///
    /// With --verdict, --program and their like, only what the report shows counts.
    #[arg(long, value_name = "VERDICT,...", value_delimiter = ',', value_parser = FailOn::names())]
    pub fail_on: Vec<FailOn>,
    /// Connections older than this are pointed out in the report.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub leak_age: Duration,
    /// How many connections a socket's server serves at a time: a path, file name, @name or glob, and the number.
    ///
    /// Of HAProxy's master socket it is known.
    #[arg(long = "limit", value_name = "SOCKET=SLOTS", value_parser = GivenLimit::parse)]
    pub limits: Vec<GivenLimit>,
    /// Tell where in the program connections are opened: take the stack of whoever connects.
    ///
    /// It costs some microseconds a connection. With `auto`, stacks are taken once half the slots of a socket are used
    /// whose limit is known.
    #[arg(long, value_parser = choice::<StackPolicy>(), value_name = "WHEN", num_args = 0..=1, require_equals = true,
          default_value_t, default_missing_value = "on")]
    pub stacks: StackPolicy,
    /// When to note that an end of a connection sends something: how long it has been idle is known from then on.
    ///
    /// With `auto`, from the first connection on that is older than the leak age; with `off`, no hook is attached for it.
    #[arg(long = "use", value_parser = choice::<UsePolicy>(), value_name = "WHEN", default_value_t)]
    pub usage: UsePolicy,
    /// What the report shows, and how.
    #[command(flatten)]
    pub view: View,
    /// How to hook into the kernel.
    #[command(flatten)]
    pub probe: Probe,
    /// What the report tells of.
    #[command(
        flatten,
        next_help_heading = "What the report tells of (everything is traced, printed live and recorded)"
    )]
    pub findings: Findings,
}

/// A file for a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportFile {
    /// The file.
    pub path: PathBuf,
    /// The form that its name ends with.
    pub format: Format,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct Report {
    /// Recordings of `sockleak capture --output`, finished or not. Those of several hosts are merged to one answer.
    #[arg(required_unless_present_any = ["stores", "service"], value_name = "RECORDING")]
    pub traces: Vec<PathBuf>,
    /// Report all that `sockleak serve` has stored in these directories and below, also while it runs: a report for each boot.
    #[arg(long = "store", value_name = "DIRECTORY", num_args = 1.., conflicts_with = "traces")]
    pub stores: Vec<PathBuf>,
    /// Merge all recordings to one answer, also if they are of one host: which program leaks on which socket, on how many hosts.
    #[arg(long, conflicts_with_all = ["each", "service"])]
    pub merge: bool,
    /// Report each recording in turn, also if they are of several hosts.
    #[arg(long, conflicts_with = "service")]
    pub each: bool,
    /// Report what a service knows now, which needs no root: http://HOST:PORT, https:// or unix:PATH.
    ///
    /// It groups and judges as its configuration says.
    #[arg(long, value_name = "URL", conflicts_with_all = ["traces", "stores", "leak_age", "limits", "by", "since", "until"])]
    pub service: Option<Server>,
    /// A file with the service's token, which shows command lines.
    #[arg(long, value_name = "FILE", requires = "service", conflicts_with_all = ["traces", "stores"])]
    pub token_file: Option<PathBuf>,
    /// Form of the report [default: as the name of --output ends (.txt, .json, .csv, .md or .html), else text]
    #[arg(long, value_parser = choice::<Format>(), value_name = "FORM")]
    pub format: Option<Format>,
    /// Short for --format json.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Which table, with --format csv [default: programs]
    #[arg(long, value_parser = choice::<CsvTable>(), value_name = "TABLE")]
    pub table: Option<CsvTable>,
    /// Write the report to this file, whole or not at all; `-` is standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The part of each recording that is reported.
    #[command(flatten)]
    pub part: Part,
    /// Judge with this leak age instead of the recorded one.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub leak_age: Option<Duration>,
    /// How many connections a socket's server serves at a time, instead of or besides what was recorded.
    #[arg(long = "limit", value_name = "SOCKET=SLOTS", value_parser = GivenLimit::parse)]
    pub limits: Vec<GivenLimit>,
    /// End with status 7 if one of these verdicts is found, for example client-leak,suspect; or if the report is incomplete.
    ///
    /// With --verdict, --program and their like, only what the report shows counts.
    #[arg(long, value_name = "VERDICT,...", value_delimiter = ',', value_parser = FailOn::names())]
    pub fail_on: Vec<FailOn>,
    /// What the report shows, and how.
    #[command(flatten)]
    pub view: View,
    /// What the report tells of.
    #[command(flatten, next_help_heading = "What the report tells of")]
    pub findings: Findings,
}

/// What a report shows, and how.
#[derive(Clone, Copy, Debug, Args)]
pub struct View {
    /// What figures and findings are grouped by.
    ///
    /// Who is in no unit or container, or cannot be told, counts by program: [no unit] /usr/bin/x, [unknown unit] /usr/bin/x.
    #[arg(long, value_parser = choice::<By>(), default_value_t, value_name = "WHAT")]
    pub by: By,
    /// List only connections as old as this among those that are not closed, for example 10m.
    ///
    /// Those opened before tracing started are listed too: their age is a minimum. Figures and verdicts do not change.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub older_than: Option<Duration>,
    /// List everything: without it, long lists of text, Markdown and HTML are cut, and what is left out is counted.
    ///
    /// HTML lists 200 sockets, 1,000 findings and 10,000 connections of a recording at most.
    #[arg(long)]
    pub all: bool,
    /// When text has colours: by default on a terminal, unless the variable NO_COLOR is set or TERM is dumb.
    ///
    /// A file has none, except with `always`. Other forms than text have none, nor has the report of a service.
    #[arg(long, value_parser = choice::<ColorWhen>(), default_value_t, value_name = "WHEN")]
    pub color: ColorWhen,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// The configuration (described in sockleak-config(5) and docs/service.md).
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    pub config: PathBuf,
    /// Only tell whether the configuration can be used.
    #[arg(long)]
    pub check_config: bool,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// How to hook into the kernel.
    #[command(flatten)]
    pub probe: Probe,
}

/// How to hook into the kernel.
#[derive(Clone, Copy, Debug, Args)]
pub struct Probe {
    /// Kinds of hook: the best for each, or only one kind.
    #[arg(long, value_parser = choice::<HookChoice>(), default_value_t, value_name = "KIND")]
    pub hooks: HookChoice,
    /// Size of the buffer between kernel and sockleak, a power of two of at least 4096, for example 33554432 [default: by the host's
    /// memory, from 8 to 64 MiB].
    #[arg(long, value_name = "BYTES", value_parser = ring_size)]
    pub ring_size: Option<u32>,
    /// How many connections can be followed at a time, at least [default: by the host's memory, from 16384 to 131072].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4_194_304))]
    pub max_connections: Option<u32>,
}

impl From<Probe> for Options {
    fn from(Probe { hooks, ring_size, max_connections }: Probe) -> Self {
        Self { hooks, ring_size, max_connections }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
