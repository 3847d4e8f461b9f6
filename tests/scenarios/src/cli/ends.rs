//! How a capture ends: a signal, the time, the count. And how old a connection has to be.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;

use super::bench::{Bench, Door, TRACING, total};

pub(super) fn sigint_reports(bench: &Bench<'_>) -> anyhow::Result<()> {
    signal_reports(bench, Signal::SIGINT)
}

pub(super) fn sigterm_reports(bench: &Bench<'_>) -> anyhow::Result<()> {
    signal_reports(bench, Signal::SIGTERM)
}

/// Live lines, then the report, then status 0.
fn signal_reports(bench: &Bench<'_>, signal: Signal) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let mut capture = bench.start(&mut bench.capture(&[&path]))?;
    capture.child.wait_for_line(|line| line.starts_with("TIME"))?;
    let held = door.connect()?;
    door.pass()?;
    capture.child.wait_for_line(|line| line.contains("server end closed"))?;
    let ended = capture.end_by(signal)?;
    drop(held);
    ended.expect(0)?;
    ensure!(ended.err.lines().any(|line| line == TRACING), "it does not say that it traces: {}", ended.err);
    ended.expect_no_complaint()?;
    ended.expect_output(&[
        &format!("s on {path}: 2 connections opened, 1 of them not closed at both ends"),
        "\nNot closed\n",
        "/scenarios",
        "\nUNDECIDED: ",
    ])?;
    let pid = std::process::id().to_string();
    let lines = ended.out.lines().filter(|line| line.split_whitespace().nth(2) == Some(&pid));
    // Six events, before the first line of the report.
    let count = lines.take_while(|line| !line.contains("connections opened")).count();
    ensure!(count >= 6, "{count} of 6 events were shown:\n{}", ended.out);
    Ok(())
}

/// Whoever has read the first line may send the signal at once: tracing has begun, so the report is due.
pub(super) fn signal_at_once(bench: &Bench<'_>) -> anyhow::Result<()> {
    for signal in [Signal::SIGINT, Signal::SIGTERM].repeat(4) {
        let (reader, writer) = std::io::pipe()?;
        let mut command = bench.capture(&["--json", &bench.path("t.sock")]);
        let (stdout, stderr) = bench.files();
        command.stdout(Stdio::from(writer)).stderr(std::fs::File::create(&stderr)?);
        let child = crate::run::child::Child::spawn("sockleak", &mut command, &stdout, &stderr)?;
        // The command holds a writing end too, which would keep the pipe from ending.
        drop(command);
        let mut lines = BufReader::new(reader).lines();
        let first = lines.next().context("it printed nothing")??;
        ensure!(first.contains("\"session\""), "the first line is no session: {first}");
        let ended = super::bench::Running { child, stdout, stderr }.end_by(signal)?;
        ended.expect(0).with_context(|| format!("{signal} at once"))?;
        let last = lines.last().context("there is no report")??;
        ensure!(last.contains("\"report\""), "the last line is no report: {last}");
    }
    Ok(())
}

pub(super) fn for_ends(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let started = Instant::now();
    let capture = bench.trace(&["--for", "1s 500ms", &path])?;
    let held = door.connect()?;
    let ended = capture.end()?;
    drop(held);
    ended.expect(0)?;
    ensure!(started.elapsed() >= Duration::from_millis(1500), "it ended too soon");
    let report = ended.report()?;
    ensure!(report["seconds"].as_f64().is_some_and(|seconds| seconds >= 1.5), "{report}");
    ensure!(total(&report, "open_client")? == 1 && report["complete"] == true, "{report}");
    // A count that is not reached leaves it to the time.
    let idle = bench.run(&mut bench.capture(&["--for", "200ms", "--count", "1", &path]))?;
    idle.expect(0)?;
    idle.expect_output(&["0 connections opened", "No program connected, or tried to."])
}

/// Exactly so many events, however many more there are.
pub(super) fn count_ends(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    for count in [1, 5, 42] {
        let capture = bench.trace(&["--count", &count.to_string(), &path])?;
        let ended = capture.end_while(|| door.pass())?;
        ended.expect(0)?;
        let mut types = ended.types()?;
        ensure!(types.first().is_some_and(|first| first == "session"), "{types:?}");
        ensure!(types.last().is_some_and(|last| last == "report"), "{types:?}");
        types.retain(|kind| !matches!(kind.as_str(), "session" | "listener" | "watching" | "report"));
        ensure!(types.len() == count, "{} events instead of {count}: {types:?}", types.len());
        let opened = types.iter().filter(|kind| *kind == "connect").count();
        let report = ended.report()?;
        ensure!(total(&report, "opened")? == u64::try_from(opened)?, "{opened} lines 'connect': {report}");
    }
    Ok(())
}

/// A connection that is held is pointed out from that age on.
pub(super) fn leak_age(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    for (age, is_old) in [("1us", true), ("1h", false)] {
        let mut capture = bench.start(&mut bench.capture(&["--leak-age", age, &path]))?;
        capture.child.wait_for_line(|line| line.starts_with("TIME"))?;
        let held = door.connect()?;
        door.pass()?;
        capture.child.wait_for_line(|line| line.contains("server end closed"))?;
        let ended = capture.end_by(Signal::SIGINT)?;
        drop(held);
        ended.expect(0)?;
        // One that is held is no leak, but it is told.
        let said = |verdict: &str| ended.out.lines().any(|line| line.starts_with(verdict));
        ensure!(
            said("POOL: ") == is_old && said("UNDECIDED: ") != is_old,
            "--leak-age {age}:\n{}",
            ended.out
        );

        let mut capture = bench.trace(&["--leak-age", age, &path])?;
        let held = door.connect()?;
        door.pass()?;
        capture.child.wait_for_line(|line| line.contains("\"release\"") && line.contains("\"server\""))?;
        let ended = capture.end_by(Signal::SIGINT)?;
        drop(held);
        ended.expect(0)?;
        let old = total(&ended.report()?, "old_client")?;
        ensure!(old == u64::from(is_old), "--leak-age {age}: {old} are old");
    }
    Ok(())
}
