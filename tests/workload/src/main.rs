//! Plays one scenario: `workload SCENARIO --dir DIR --truth FILE`.
//!
//! Prints `ready` when everything has happened, then keeps the final state until its standard input closes. With a
//! scenario that begins before the capture, it prints `prepared` first and waits for a line `go`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use workload::stage::Stage;
use workload::{actor, scenario};

#[derive(Parser)]
#[command(about = "Plays one scenario and writes the truth about it")]
struct Arguments {
    /// Name of the scenario, as `scenarios list` prints it.
    scenario: String,
    /// An empty directory to play in.
    #[arg(long)]
    dir: PathBuf,
    /// The file for the truth.
    #[arg(long)]
    truth: PathBuf,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("actor") => actor::run(),
        Some("touch") => scenario::touch(&arguments[2..]),
        _ => play(&Arguments::parse()).map(|()| ExitCode::SUCCESS),
    }
}

fn play(arguments: &Arguments) -> anyhow::Result<()> {
    let scenario = scenario::find(&arguments.scenario).context("no such scenario")?;
    // Other users have to be able to reach the sockets, whatever the umask.
    std::fs::set_permissions(&arguments.dir, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .with_context(|| arguments.dir.display().to_string())?;
    let mut stage = Stage::new(&arguments.dir);
    (scenario.play)(&mut stage)?;
    stage.hold(&arguments.truth)
}
