//! How often verdicts are right, on recordings of known truth.

use std::path::PathBuf;

use anyhow::Result;

use crate::{paths, process};

/// Arguments of `cargo xtask bench verdicts`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Recordings of each kind
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    seeds: u32,
    /// Take the half of the seeds that rules may be tuned on, instead of the one that is published
    #[arg(long)]
    tune: bool,
    /// Print each kind of workload
    #[arg(long)]
    kinds: bool,
    /// Judge the recordings of a directory against the .truth file beside each, instead of made-up ones
    #[arg(long, value_name = "DIR", conflicts_with_all = ["seeds", "tune", "kinds"])]
    report_of: Option<PathBuf>,
}

/// Measures and prints.
pub(super) fn run(args: &Args) -> Result<()> {
    let build = ["build", "--release", "--quiet", "--package", "sockleak", "--example", "judge-corpus"];
    process::run(process::command("cargo", build).current_dir(paths::repo()))?;
    let judge = paths::release().join("examples/judge-corpus").display().to_string();
    if let Some(directory) = &args.report_of {
        return process::run(process::command(&judge, ["report"]).arg(directory));
    }
    let half = if args.tune { "tune" } else { "publish" };
    let mut command = process::command(&judge, [half, &args.seeds.to_string()]);
    if args.kinds {
        command.arg("kinds");
    }
    process::run(&mut command)
}
