//! `--stacks`: the function and line that opened what is still open, in several languages.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::bench::{Bench, Door};
use super::confine;
use super::service::{ADDRESS, Service, get, mount_bpf_file_system, wait_for};
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
    run(bench, command.args(arguments).arg(path))
}

fn run(bench: &Bench<'_>, command: &mut Command) -> anyhow::Result<Child> {
    let file = |name: &str| std::path::PathBuf::from(bench.path(name));
    Child::start("leak", command, &file("leak.stdout"), &file("leak.stderr"))
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

/// A program of a user without rights, whose debug information claims to take 64 TiB once it is unpacked: whoever believes that
/// ends. Capture and service go on; its stacks are told as addresses, and everybody else's by name.
pub(super) fn hostile(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (path, trace, program) = (bench.path("t.sock"), bench.path("trace.db"), bench.path("hostile"));
    fs::write(&program, claiming_much(fs::read(C.command[0])?)?)?;
    fs::set_permissions(&program, Permissions::from_mode(0o755))?;
    let _door = Door::open(&path)?;
    fs::set_permissions(&path, Permissions::from_mode(0o666))?;
    let mut capture = bench.start(&mut bench.capture(&["--stacks", "--json", "--output", &trace, &path]))?;
    capture.child.wait_for_line(|line| line.contains("\"watching\""))?;
    let leaking = leak_beside(bench, &program, &path)?;
    let ended = capture.end_by(Signal::SIGINT)?;
    drop(leaking);
    ended.expect(0)?;
    expect_addresses_and_names(&ended.report()?, &program)?;
    let replayed = bench.run(bench.sockleak().args(["report", "--json", &trace]))?;
    replayed.expect(0)?;
    ensure!(
        replayed.out.lines().last() == ended.out.lines().last(),
        "the recording differs: {}",
        replayed.out
    );

    mount_bpf_file_system()?;
    let settings = format!("stacks = \"on\"\n[[target]]\nsocket = {path:?}\n[http]\nlisten = {ADDRESS:?}\n");
    let service = Service::configure(bench, &settings)?;
    let running = service.start()?;
    let leaking = leak_beside(bench, &program, &path)?;
    wait_for(|| {
        let page: Value = serde_json::from_str(&get(ADDRESS, "/api/v1/connections")?)?;
        Ok(page["total"].as_u64() >= Some(6))
    })?;
    running.end_by(Signal::SIGTERM)?.expect(0)?;
    drop(leaking);
    expect_addresses_and_names(&service.report()?, &program)?;
    bench.run(bench.sockleak().arg("detach"))?.expect(0)
}

/// The hostile program, and the honest one.
fn leak_beside(bench: &Bench<'_>, program: &str, path: &str) -> anyhow::Result<[Child; 2]> {
    let mut command = Command::new(program);
    command.arg(path);
    confine::as_nobody_with(&mut command, &[]);
    let mut hostile = run(bench, &mut command)?;
    hostile.wait_for_line(|line| line == "ready")?;
    let mut honest = start(bench, &C, path)?;
    honest.wait_for_line(|line| line == "ready")?;
    Ok([hostile, honest])
}

/// Three connections of either: of the hostile program addresses in its own file, with the reason.
fn expect_addresses_and_names(report: &Value, program: &str) -> anyhow::Result<()> {
    let stacks = report["stacks"].as_array().context("no stacks")?;
    let open = report["open"].as_array().context("no list of open connections")?;
    for (name, is_hostile) in [(program, true), (C.command[0], false)] {
        let own: Vec<_> = open.iter().filter(|connection| connection["program"] == name).collect();
        ensure!(own.len() == 3, "{} of 3 connections of {name} are open: {report}", own.len());
        for connection in own {
            let stack = stacks.iter().find(|stack| stack["id"] == connection["stack"]);
            let frames = stack.and_then(|stack| stack["frames"].as_array()).context("no stack")?;
            let in_it: Vec<_> = frames.iter().filter(|frame| frame["module"] == name).collect();
            let is_unnamed = |frame: &&Value| {
                frame["function"].is_null() && frame["offset"].is_u64() && frame["unnamed"].is_string()
            };
            let is_dial = |frame: &Value| frame["function"] == "dial";
            if is_hostile {
                ensure!(!in_it.is_empty() && in_it.iter().all(is_unnamed), "not addresses: {frames:#?}");
            } else {
                ensure!(frames.iter().any(is_dial), "not named: {frames:#?}");
            }
        }
    }
    Ok(())
}

/// An ELF file whose `.debug_info` says that it is compressed and takes 64 TiB.
fn claiming_much(mut elf: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    const COMPRESSED: u64 = 1 << 11;
    const ZLIB: u64 = 1;
    let word = |elf: &[u8], at: usize, len: usize| -> anyhow::Result<usize> {
        let bytes = elf.get(at..at + len).context("no such place in the file")?;
        Ok(bytes.iter().rev().fold(0, |value, &byte| value << 8 | usize::from(byte)))
    };
    let (table, count, names) = (word(&elf, 40, 8)?, word(&elf, 60, 2)?, word(&elf, 62, 2)?);
    let names = word(&elf, table + names * 64 + 24, 8)?;
    for header in (0..count).map(|nth| table + nth * 64) {
        let name = names + word(&elf, header, 4)?;
        if elf.get(name..).is_some_and(|name| name.starts_with(b".debug_info\0")) {
            let data = word(&elf, header + 24, 8)?;
            let flags = word(&elf, header + 8, 8)? as u64 | COMPRESSED;
            elf[header + 8..header + 16].copy_from_slice(&flags.to_le_bytes());
            let claim = [ZLIB, 1 << 46, 1].map(u64::to_le_bytes).concat();
            elf.get_mut(data..data + 24).context("a section is too short")?.copy_from_slice(&claim);
            return Ok(elf);
        }
    }
    anyhow::bail!("there is no debug information in {}", C.command[0])
}
