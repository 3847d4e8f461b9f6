//! `cargo xtask bench page`: how soon the page is there in a browser, and what it takes to keep it up to date, with many open
//! connections and many events. Prints, and judges nothing.

use anyhow::Result;

use crate::browser::{Environment, Programs};
use crate::process;

/// Arguments of `cargo xtask bench page`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Connections that are open
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    open: u32,
    /// Events a second
    #[arg(long, value_name = "N", default_value_t = 500)]
    rate: u32,
    /// For how many seconds events are shown
    #[arg(long, value_name = "N", default_value_t = 30)]
    seconds: u32,
}

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    let environment = Environment::get()?;
    let programs = Programs::build()?;
    let mut bench = environment.python("bench.py");
    bench.arg(&environment.chromium).args([&programs.serve, &programs.sockleak]);
    process::run(bench.args([args.open, args.rate, args.seconds].map(|number| number.to_string())))
}
