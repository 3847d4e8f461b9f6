//! Says how long a command takes: `timed [--until-line] -- COMMAND`, from before it is started to its first line of
//! output or to its end. Prints nanoseconds on the clock and nanoseconds of processor time.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

#[derive(Parser)]
#[command(about = "Says how long a command takes")]
struct Arguments {
    /// Stop the clock, and then the command, at its first line.
    #[arg(long)]
    until_line: bool,
    /// The command and its arguments.
    #[arg(required = true, last = true)]
    command: Vec<String>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut command = Command::new(&arguments.command[0]);
    command.args(&arguments.command[1..]).stdin(Stdio::null()).stdout(Stdio::piped());

    let started = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot start {}", arguments.command[0]))?;
    let pid = Pid::from_raw(child.id().cast_signed());
    let mut output = BufReader::new(child.stdout.take().context("it has no output")?);
    let mut said = Vec::new();
    if arguments.until_line {
        output.read_until(b'\n', &mut said)?;
    } else {
        output.read_to_end(&mut said)?;
    }
    let elapsed = started.elapsed();
    // Its clock can be read until it is waited for.
    let processor: Duration = clock_gettime(clock_getcpuclockid(pid)?)?.into();

    anyhow::ensure!(!said.is_empty(), "it said nothing");
    if arguments.until_line {
        // Its first line may come before it handles any gentler signal.
        child.kill().context("it cannot be stopped")?;
        child.wait()?;
    } else {
        let status = child.wait()?;
        anyhow::ensure!(status.success(), "it failed: {status}");
    }
    println!("elapsed={} processor={}", elapsed.as_nanos(), processor.as_nanos());
    Ok(())
}
