//! Pipes whose reader leaves, or takes its time.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, PipeReader, Read as _};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::bench::{Bench, Door, Running, total};
use crate::run::child::Child;

/// Starts a program that writes into a pipe; with `both`, its messages go there too.
fn piped(
    bench: &Bench<'_>,
    mut command: Command,
    both: bool,
) -> anyhow::Result<(Running, BufReader<PipeReader>)> {
    let (reader, writer) = std::io::pipe()?;
    let (stdout, stderr) = bench.files();
    let messages = if both { Stdio::from(writer.try_clone()?) } else { File::create(&stderr)?.into() };
    command.stdout(writer).stderr(messages);
    let child = Child::spawn("sockleak", &mut command, &stdout, &stderr)?;
    // The command goes, and with it our own writing ends: only then does the pipe end with its writer.
    Ok((Running { child, stdout, stderr }, BufReader::new(reader)))
}

fn first_line(reader: &mut BufReader<PipeReader>) -> anyhow::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    ensure!(line.ends_with('\n'), "no line came: {line:?}");
    Ok(line)
}

/// The reader leaves while events come in.
pub(super) fn closed_pipe_busy(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    for arguments in [&[][..], &["--json"]] {
        let mut command = bench.capture(arguments);
        command.arg(&path);
        let (capture, mut reader) = piped(bench, command, false)?;
        first_line(&mut reader)?;
        drop(reader);
        let ended = capture.end_while(|| door.pass())?;
        ended.expect(0)?;
        ended.expect_no_complaint()?;
    }
    Ok(())
}

/// The reader leaves, and nothing happens that could be written.
pub(super) fn closed_pipe_idle(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let _door = Door::open(&path)?;
    for arguments in [&[][..], &["--json"]] {
        let mut command = bench.capture(arguments);
        command.arg(&path);
        let (capture, mut reader) = piped(bench, command, false)?;
        first_line(&mut reader)?;
        drop(reader);
        let ended = capture.end()?;
        ended.expect(0)?;
        ended.expect_no_complaint()?;
    }
    Ok(())
}

/// Nobody reads the messages: `2>&1 | head -1`, a reader of messages who is gone, a log that is full. That is no
/// reason to end otherwise than with an exit status of the list.
pub(super) fn closed_stderr(bench: &Bench<'_>) -> anyhow::Result<()> {
    // It has something to say first: that it waits.
    let path = bench.path("later.sock");
    let (capture, mut reader) = piped(bench, bench.capture(&[&path]), true)?;
    first_line(&mut reader)?;
    drop(reader);
    capture.end()?.expect(0).context("2>&1 with a reader who leaves")?;

    for (what, status, arguments) in
        [("a capture", 0, &["capture", "--for", "200ms", &path][..]), ("a refusal", 2, &["capture", "@"])]
    {
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        let (stdout, stderr) = bench.files();
        let mut command = bench.sockleak();
        command.args(arguments).stdout(File::create(&stdout)?).stderr(writer);
        let child = Child::spawn("sockleak", &mut command, &stdout, &stderr)?;
        let ended = Running { child, stdout, stderr }.end()?;
        ended.expect(status).with_context(|| format!("{what} whose messages nobody reads"))?;
        ensure!(status != 0 || ended.out.contains("No program connected"), "no report: {}", ended.out);
    }
    Ok(())
}

/// A reader who takes his time, as a pager does: when he goes on reading after a signal, everything is there.
pub(super) fn blocked_pipe(bench: &Bench<'_>) -> anyhow::Result<()> {
    const PASSES: u64 = 200;
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let (capture, mut reader) = piped(bench, bench.capture(&["--json", &path]), false)?;
    let mut text = first_line(&mut reader)?;
    for _ in 0..PASSES {
        door.pass()?;
    }
    // The first words of a sleeping task: the number of its system call, and the descriptor that it writes to.
    let syscall = format!("/proc/{}/syscall", capture.child.pid());
    workload::wait::until("the capture to block in a write", || {
        Ok(fs::read_to_string(&syscall)?.starts_with("1 0x1 "))
    })?;
    capture.child.signal(Signal::SIGTERM)?;
    reader.read_to_string(&mut text)?;
    let ended = capture.end()?;
    ended.expect(0)?;
    ended.expect_no_complaint()?;
    let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let report = lines.last().context("nothing came")?;
    ensure!(report["type"] == "report" && report["complete"] == true, "{report}");
    let figures = (total(report, "opened")?, total(report, "closed")?);
    ensure!(figures == (PASSES, PASSES), "{PASSES} connections: {report}");
    ensure!(lines.len() as u64 == 4 + 4 * PASSES, "{} lines", lines.len());
    Ok(())
}
