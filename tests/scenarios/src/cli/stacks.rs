//! `--stacks`: the function and line that opened what is still open, in several languages.

use std::process::Command;

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;

use super::bench::{Bench, Door};
use crate::run::child::Child;

/// A program that opens three connections and keeps them. Its source marks the lines with `here: FUNCTION`.
struct Leak {
    command: &'static [&'static str],
    source: &'static str,
}

const C: Leak =
    Leak { command: &["/opt/stacks/leak-c"], source: include_str!("../../../workload/stacks/leak.c") };
const GO: Leak =
    Leak { command: &["/opt/stacks/leak-go"], source: include_str!("../../../workload/stacks/leak.go") };

const PYTHON: Leak = Leak {
    command: &["/usr/bin/python3", "-S", "-E", "-I", "/opt/stacks/leak.py"],
    source: include_str!("../../../workload/stacks/leak.py"),
};

impl Leak {
    /// The functions that are marked in the source, each with its line, the innermost first.
    fn marks(&self) -> Vec<(&'static str, usize)> {
        let marks = self.source.lines().enumerate().filter_map(|(index, line)| {
            let (_, name) = line.split_once("here: ")?;
            Some((name.trim_end_matches("*/").trim_end(), index + 1))
        });
        marks.collect()
    }
}

pub(super) fn c(bench: &Bench<'_>) -> anyhow::Result<()> {
    let text = names_the_line(bench, &C)?;
    ensure!(text.contains("Opened 3 times in dial (") && text.contains("dial (inlined)"), "{text}");
    ensure!(!text.contains("__libc_start_main"), "{text}");
    Ok(())
}

pub(super) fn go(bench: &Bench<'_>) -> anyhow::Result<()> {
    let text = names_the_line(bench, &GO)?;
    ensure!(text.contains("Opened 3 times in main.queryStatus ("), "{text}");
    Ok(())
}

pub(super) fn python(bench: &Bench<'_>) -> anyhow::Result<()> {
    let text = names_the_line(bench, &PYTHON)?;
    ensure!(text.contains("Opened 3 times in Client.query_status (/opt/stacks/leak.py:"), "{text}");
    ensure!(text.contains(" main /opt/stacks/leak.py:") && text.contains(" connect "), "{text}");
    Ok(())
}

/// Each connection's stack has the marked functions with their lines, in that order, and the recording tells the same. Returns
/// the report as text.
fn names_the_line(bench: &Bench<'_>, leak: &Leak) -> anyhow::Result<String> {
    let path = bench.path("t.sock");
    let trace = bench.path("trace.db");
    let _door = Door::open(&path)?;
    let mut capture = bench.start(&mut bench.capture(&["--stacks", "--json", "--output", &trace, &path]))?;
    capture.child.wait_for_line(|line| line.contains("\"watching\""))?;
    let mut program = start(bench, leak, &path)?;
    program.wait_for_line(|line| line == "ready")?;
    let ended = capture.end_by(Signal::SIGINT)?;
    drop(program);
    ended.expect(0)?;
    let report = ended.report()?;
    let open = report["open"].as_array().context("no list of open connections")?;
    ensure!(open.len() == 3, "{} of 3 connections are open: {report}", open.len());
    for connection in open {
        let stacks = report["stacks"].as_array().into_iter().flatten();
        let stack = stacks.into_iter().find(|stack| stack["id"] == connection["stack"]);
        let frames = stack.and_then(|stack| stack["frames"].as_array()).context("no stack")?;
        let mut rest = frames.iter();
        for (function, line) in leak.marks() {
            let is_there = rest.any(|frame| frame["function"] == function && frame["line"] == line);
            ensure!(is_there, "{function} at line {line} is not in {frames:#?}");
        }
    }
    let replayed = bench.run(bench.sockleak().args(["report", "--json", &trace]))?;
    replayed.expect(0)?;
    let last = ended.out.lines().last();
    ensure!(replayed.out.lines().last() == last, "the recording tells another story: {}", replayed.out);
    let by = bench.run(bench.sockleak().args(["report", "--json", "--by", "stack", &trace]))?;
    by.expect(0)?;
    let (function, _) = leak.marks().into_iter().next().context("the source marks nothing")?;
    let groups = by.report()?["programs"].clone();
    let name = groups[0]["program"].as_str().unwrap_or_default();
    ensure!(name.contains(&format!(": {function} (")) && groups[0]["opened"] == 3, "{groups}");
    let text = bench.run(bench.sockleak().args(["report", "--leak-age", "1ms", &trace]))?;
    text.expect(0)?;
    // Where lines break depends on how long the sources' paths are.
    Ok(text.out.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn start(bench: &Bench<'_>, leak: &Leak, path: &str) -> anyhow::Result<Child> {
    let [program, arguments @ ..] = leak.command else { anyhow::bail!("no command") };
    let mut command = Command::new(program);
    command.args(arguments).arg(path);
    let file = |name: &str| std::path::PathBuf::from(bench.path(name));
    Child::start("leak", &mut command, &file("leak.stdout"), &file("leak.stderr"))
}

/// Without a stack until half the slots are used, and with one from then on.
pub(super) fn auto(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let mut capture =
        bench.start(&mut bench.capture(&["--stacks=auto", "--limit", "t.sock=6", "--json", &path]))?;
    capture.child.wait_for_line(|line| line.contains("\"watching\""))?;
    let held = [door.connect()?, door.connect()?, door.connect()?];
    capture.child.wait_for_message(|line| line.contains("stacks are taken from now on"))?;
    let late = door.connect()?;
    let ended = capture.end_by(Signal::SIGINT)?;
    drop((held, late));
    ended.expect(0)?;
    let report = ended.report()?;
    let open = report["open"].as_array().context("no list of open connections")?;
    let with: Vec<bool> = open.iter().map(|connection| !connection["stack"].is_null()).collect();
    ensure!(with == [false, false, false, true], "{with:?}: {report}");
    Ok(())
}
