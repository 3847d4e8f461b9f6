//! Stands in for sockleak where no kernel can be traced, to test the runner: waits for SIGINT, and then prints the
//! perfect capture of the truth that the workload has written, or fails as `FAKE_SOCKLEAK` says.

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{BufReader, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use nix::sys::signal::{SigSet, Signal};
use workload::truth::Truth;

fn main() -> anyhow::Result<ExitCode> {
    let fault = std::env::var("FAKE_SOCKLEAK").unwrap_or_default();
    if fault == "refuses" {
        eprintln!("tracing is refused here");
        return Ok(ExitCode::from(3));
    }
    let mut interrupt = SigSet::empty();
    interrupt.add(Signal::SIGINT);
    interrupt.thread_block()?;
    // Nothing is known yet of what there was before; the scenarios that are played with this have nothing.
    println!("{{\"type\":\"session\"}}\n{{\"type\":\"watching\",\"found\":0}}");
    interrupt.wait()?;
    // The runner keeps the truth in a directory above the targets.
    let target = std::env::args().rfind(|argument| argument.starts_with('/')).context("no target")?;
    let truth = Path::new(&target)
        .ancestors()
        .map(|above| above.join("truth.jsonl"))
        .find(|path| path.exists())
        .context("no truth")?;
    let truth = Truth::read(BufReader::new(std::fs::File::open(truth)?))?;
    let mut lines = support::capture_of(&truth);
    lines.retain(|line| line["type"] != "session" && line["type"] != "watching");
    if fault == "loses-a-line" {
        lines.remove(lines.len() / 2);
    }
    let mut out = std::io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(if fault == "fails-at-the-end" { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
