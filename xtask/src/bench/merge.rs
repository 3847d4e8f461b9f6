//! `cargo xtask bench merge`: what one answer for the recordings of many hosts costs in time and memory, for ever more of them.
//! Prints, and judges nothing.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::replay::timed::{Spent, timed};
use crate::{build, paths, process};

/// Arguments of `cargo xtask bench merge`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Recordings, each of a host of its own; a tenth and a hundredth of them are measured too
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    hosts: u32,
    /// Events in each recording
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(100..))]
    events: u32,
}

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    eprintln!("bench: building");
    build::release(&["sockleak"])?;
    let example = ["build", "--release", "--quiet", "--package", "sockleak", "--example", "generate-trace"];
    process::run(process::command("cargo", example).current_dir(paths::repo()))?;
    let folder = tempfile::tempdir_in(paths::cache_folder("merge")?).context("no room for recordings")?;
    let mut rows = Vec::new();
    for hosts in [args.hosts / 100, args.hosts / 10, args.hosts] {
        if hosts == 0 {
            continue;
        }
        eprintln!("bench: recording {hosts} hosts");
        let copies = folder.path().join(hosts.to_string());
        fs::create_dir(&copies).context("no room for recordings")?;
        generate(&copies, hosts, args.events)?;
        let mut report = Command::new(paths::release().join("sockleak"));
        let spent = timed(report.args(["report", "--merge", "--store"]).arg(&copies))?;
        rows.push(Row { hosts, bytes: size(&copies)?, spent });
        fs::remove_dir_all(&copies).context("recordings cannot be removed")?;
    }
    print!("{}", render(args.events, &rows));
    Ok(())
}

/// What so many recordings cost.
struct Row {
    hosts: u32,
    bytes: u64,
    spent: Spent,
}

fn generate(directory: &Path, hosts: u32, events: u32) -> Result<()> {
    let mut generator = Command::new(paths::release().join("examples/generate-trace"));
    process::run(generator.arg(directory).args(["hosts", &hosts.to_string(), &events.to_string()]))
}

/// Of all files of a directory, in bytes.
fn size(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for file in fs::read_dir(directory).context("the recordings are gone")? {
        bytes += file.and_then(|file| file.metadata()).context("a recording is gone")?.len();
    }
    ensure!(bytes > 0, "nothing was recorded");
    Ok(bytes)
}

fn render(events: u32, rows: &[Row]) -> String {
    const MEGABYTE: f64 = 1e6;
    let mut out = format!("\n{events} events in each recording\n\n");
    let _ = writeln!(
        out,
        "{:>10} {:>12} {:>10} {:>12} {:>14} {:>10}",
        "recordings", "on disk", "clock", "processor", "a recording", "peak"
    );
    for Row { hosts, bytes, spent } in rows {
        let _ = writeln!(
            out,
            "{hosts:>10} {:>9.0} MB {:>8.1} s {:>10.1} s {:>11.1} ms {:>7.1} MB",
            *bytes as f64 / MEGABYTE,
            spent.clock,
            spent.processor,
            spent.processor * 1e3 / f64::from(*hosts),
            spent.peak as f64 / MEGABYTE
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_aligned() {
        let spent = Spent { clock: 12.0, processor: 10.0, peak: 21_000_000 };
        let text = render(2000, &[Row { hosts: 1000, bytes: 130_000_000, spent }]);
        let lines: Vec<&str> = text.lines().skip(3).collect();
        assert_eq!(lines[0].len(), lines[1].len(), "{text}");
        assert!(lines[1].ends_with("10.0 ms    21.0 MB"), "{text}");
    }
}
