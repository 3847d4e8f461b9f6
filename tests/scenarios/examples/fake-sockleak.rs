//! Stands in for sockleak where no kernel can be traced, to test the runner: waits for SIGINT, and then prints the
//! perfect capture of the truth that the workload has written, or fails as `FAKE_SOCKLEAK` says. Its recording is the
//! report, which `report` shows again, whether as JSON or as text.

use std::io::{BufReader, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use nix::sys::signal::{SigSet, Signal};
use scenarios::perfect::capture_of;
use workload::truth::Truth;

fn main() -> anyhow::Result<ExitCode> {
    let fault = std::env::var("FAKE_SOCKLEAK").unwrap_or_default();
    if fault == "refuses" {
        eprintln!("tracing is refused here");
        return Ok(ExitCode::from(3));
    }
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|command| command == "report") {
        return replay(&arguments, fault == "replays-otherwise");
    }
    let mut interrupt = SigSet::empty();
    interrupt.add(Signal::SIGINT);
    interrupt.thread_block()?;
    // Nothing is known yet of what there was before; the scenarios that are played with this have nothing.
    println!("{{\"type\":\"session\"}}\n{{\"type\":\"watching\",\"found\":0}}");
    interrupt.wait()?;
    // The runner keeps the truth in a directory above the targets.
    let target = arguments.iter().rfind(|argument| argument.starts_with('/')).context("no target")?;
    let truth = Path::new(target)
        .ancestors()
        .map(|above| above.join("truth.jsonl"))
        .find(|path| path.exists())
        .context("no truth")?;
    let truth = Truth::read(BufReader::new(std::fs::File::open(truth)?))?;
    let mut lines = capture_of(&truth);
    lines.retain(|line| line["type"] != "session" && line["type"] != "watching");
    if fault == "loses-a-line" {
        lines.remove(lines.len() / 2);
    }
    let report = format!("{}\n", lines.last().context("no report")?);
    // Its text is no other than its JSON.
    for option in ["--output", "--report"] {
        let file = arguments.iter().skip_while(|argument| *argument != option).nth(1).context(option)?;
        std::fs::write(file, &report)?;
    }
    let mut out = std::io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(if fault == "fails-at-the-end" { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn replay(arguments: &[String], otherwise: bool) -> anyhow::Result<ExitCode> {
    let recorded = std::fs::read_to_string(arguments.get(2).context("no trace")?)?;
    let shown = if otherwise { recorded.replace(":true", ":false") } else { recorded };
    print!("{shown}");
    Ok(ExitCode::SUCCESS)
}
