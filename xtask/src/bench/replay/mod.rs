//! `cargo xtask bench replay`: how fast a recording is replayed to its report, beside the same question asked of the same
//! recording with DuckDB, and what an open connection takes in memory. Prints, and judges nothing.

mod duckdb;
mod table;
pub(super) mod timed;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{build, paths, process};
use duckdb::DuckDb;
use table::Figures;
use timed::{Spent, timed};

/// Arguments of `cargo xtask bench replay`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Events in the recording
    #[arg(long, value_name = "N", default_value_t = 5_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    events: u64,
    /// Connections that stay open, in another recording
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    open: u64,
    /// Runs of each measurement, of which the shortest counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    eprintln!("bench: building");
    build::release(&["sockleak"])?;
    process::run(
        process::command(
            "cargo",
            ["build", "--release", "--quiet", "--package", "sockleak", "--example", "generate-trace"],
        )
        .current_dir(paths::repo()),
    )?;
    let duckdb = DuckDb::get()?;
    let folder = tempfile::tempdir_in(paths::cache_folder("replay")?).context("no room for recordings")?;
    let figures = replay(args, &duckdb, folder.path())?;
    print!("{}", table::render(&figures));
    Ok(())
}

fn replay(args: &Args, duckdb: &DuckDb, folder: &Path) -> Result<Figures> {
    let trace = folder.join("trace.db");
    eprintln!("bench: recording {} events", args.events);
    generate(&trace, &["events", &args.events.to_string()])?;
    let parquet = folder.join("events.parquet");
    eprintln!("bench: exporting them");
    let mut export = sockleak(&["export", "--what", "events", "--format", "parquet", "--output"]);
    let export = timed(export.arg(&parquet).arg(&trace))?;
    let json = folder.join("report.json");
    let report = File::create(&json).context("no room for the report")?;
    process::run(sockleak(&["report", "--json"]).arg(&trace).stdout(report))?;

    let (mut replay, mut direct, mut columnar) = (Vec::new(), Vec::new(), Vec::new());
    for run in 1..=args.runs {
        // Side by side, so that a machine that is busy for a while is so for all of them.
        eprintln!("bench: run {run} of {}", args.runs);
        replay.push(timed(sockleak(&["report"]).arg(&trace))?);
        direct.push(duckdb.ask(&trace, &json)?);
        columnar.push(duckdb.ask(&parquet, &json)?);
    }
    let size = |path: &Path| fs::metadata(path).map(|file| file.len()).context("a file is gone");
    Ok(Figures {
        events: args.events,
        open: args.open,
        trace_bytes: size(&trace)?,
        parquet_bytes: size(&parquet)?,
        export,
        replay: least(replay)?,
        direct: least(direct)?,
        columnar: least(columnar)?,
        duckdb: duckdb.version.clone(),
        open_bytes: per_connection(args.open, folder)?,
    })
}

/// Memory that an open connection takes: what the report of a recording takes more if all connections stay open.
fn per_connection(count: u64, folder: &Path) -> Result<f64> {
    let mut peaks = Vec::new();
    for open in [0, count] {
        let trace = folder.join(format!("open-{open}.db"));
        eprintln!("bench: recording {count} connections of which {open} stay open");
        generate(&trace, &["open", &open.to_string(), &count.to_string()])?;
        peaks.push(timed(sockleak(&["report"]).arg(&trace))?.peak);
        fs::remove_file(&trace).context("a recording cannot be removed")?;
    }
    let more = peaks.iter().max().zip(peaks.first()).map_or(0, |(most, none)| most - none);
    Ok(more as f64 / count as f64)
}

fn generate(trace: &Path, arguments: &[&str]) -> Result<()> {
    let generator = paths::release().join("examples/generate-trace");
    process::run(Command::new(generator).arg(trace).args(arguments))
}

/// sockleak on one processor.
fn sockleak(arguments: &[&str]) -> Command {
    let mut command = on_one_processor(&paths::release().join("sockleak"));
    command.args(arguments);
    command
}

/// A command that stays on one processor.
fn on_one_processor(program: &Path) -> Command {
    let mut command = process::command("taskset", ["-c", "0"]);
    command.arg(program);
    command
}

/// The run that took the least processor time.
fn least(runs: Vec<Spent>) -> Result<Spent> {
    let least = runs.into_iter().min_by(|a, b| a.processor.total_cmp(&b.processor));
    least.context("nothing was measured")
}
