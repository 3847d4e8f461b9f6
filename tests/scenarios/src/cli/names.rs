//! Names that a hostile program chose: for itself, its arguments and its sockets.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::Signal;
use workload::actor::{Actor, Answer, Command};
use workload::unix::{Kind, Patience};

use super::bench::{Bench, Door, Ended};

/// Clears the screen, sets a title, hides text, turns it round, and forges lines. The name of a program's file.
const PROGRAM: &[u8] = b"\x1b[2J\nFORGED \xe2\x80\xae";
const ROLE: &str = "\u{1b}]0;owned\u{7}\nFORGED role\r\u{9b}31m\u{200b}";
const FILE: &str = "n-\u{1b}[8m\nFORGED file.sock";
const MISSING: &str = "n-\u{1b}c\nFORGED missing.sock";

/// Plays the client: one connection held, one to each socket closed, one failed connect.
fn play(program: &Path, abstract_name: &str, file: &str, missing: &str) -> anyhow::Result<Actor> {
    let mut client = Actor::start(program, ROLE)?;
    for (address, is_there, is_held) in [
        (abstract_name, true, true),
        (abstract_name, true, false),
        (file, true, false),
        (missing, false, false),
    ] {
        let (kind, patience) = (Kind::Stream, Patience::None);
        let answer = client.ask(&Command::Connect { address: address.to_owned(), kind, patience })?;
        match answer {
            Answer::Socket { .. } if is_there && is_held => {}
            Answer::Socket { fd, .. } if is_there => {
                client.ask(&Command::Close(fd))?;
            }
            Answer::Failed(_) if !is_there => {}
            other => bail!("connecting to {address:?} gave {other:?}"),
        }
    }
    Ok(client)
}

/// Text is harmless to a terminal and has no forged lines; JSON has the names as they are.
pub(super) fn hostile_names(bench: &Bench<'_>) -> anyhow::Result<()> {
    let program = Path::new(&bench.path("")).join(OsStr::from_bytes(PROGRAM));
    std::fs::copy(bench.workload(), &program).context("cannot copy the workload")?;
    let abstract_name = format!("@sockleak\u{1b}[1A\nFORGED abstract\u{7}{}", std::process::id());
    let (file, missing) = (bench.path(FILE), bench.path(MISSING));
    let _doors = (Door::open(&abstract_name)?, Door::open(&file)?);
    let glob = bench.path("n-*");

    let mut capture = bench.start(&mut bench.capture(&[&abstract_name, &glob]))?;
    capture.child.wait_for_line(|line| line.starts_with("TIME"))?;
    let client = play(&program, &abstract_name, &file, &missing)?;
    let ended = capture.end_by(Signal::SIGINT)?;
    drop(client);
    ended.expect(0)?;
    ended.expect_no_complaint()?;
    expect_harmless(&ended.out)?;
    expect_harmless(&ended.err)?;
    ended.expect_output(&["FORGED abstract", "FORGED file", "FORGED missing", "connect failed: ENOENT"])?;
    ended.expect_output(&["3 connections opened, 3 of them not closed", "Not closed"])?;

    let capture = bench.trace(&[&abstract_name, &glob])?;
    let client = play(&program, &abstract_name, &file, &missing)?;
    let ended = capture.end_by(Signal::SIGINT)?;
    drop(client);
    expect_names_in_json(&ended, &[&abstract_name, &file], &missing)?;

    // A path that does not exist yet is repeated in words.
    let ended = bench.run(&mut bench.capture(&["--for", "100ms", &missing]))?;
    ended.expect(0)?;
    ensure!(ended.err.contains("waiting for it"), "{}", ended.err);
    expect_harmless(&ended.err)?;
    expect_harmless(&ended.out)
}

pub(super) fn expect_harmless(text: &str) -> anyhow::Result<()> {
    let unsafe_char = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}' || c == '\u{200b}';
    let found = text.chars().find(|&c| unsafe_char(c));
    ensure!(found.is_none(), "{found:?} reaches the terminal: {text:?}");
    let forged = text.lines().find(|line| line.trim_start().starts_with("FORGED"));
    ensure!(forged.is_none(), "a name began a line of its own: {forged:?}");
    Ok(())
}

fn expect_names_in_json(ended: &Ended, paths: &[&str], missing: &str) -> anyhow::Result<()> {
    ended.expect(0)?;
    ended.expect_no_complaint()?;
    let lines = ended.lines()?;
    let program = String::from_utf8_lossy(PROGRAM);
    let comm = String::from_utf8_lossy(&PROGRAM[..15]);
    let connects: Vec<_> = lines.iter().filter(|line| line["type"] == "connect").collect();
    ensure!(connects.len() == 3, "{} lines 'connect' instead of 3", connects.len());
    for line in connects {
        ensure!(paths.iter().any(|path| line["path"] == *path), "another path: {line}");
        ensure!(line["argv"][2] == ROLE, "another command line: {line}");
        ensure!(line["comm"] == *comm, "another name: {line}");
        let its = line["program"].as_str().context("no program")?;
        ensure!(its.ends_with(&*program), "another program: {line}");
    }
    let attempt = lines.iter().find(|line| line["type"] == "attempt").context("the attempt is missing")?;
    ensure!(attempt["address"] == missing && attempt["path"] == missing, "{attempt}");
    ensure!(ended.report()?["complete"] == true, "the report is incomplete");
    Ok(())
}

/// Names that are right and unusual: brackets, bytes that are not UTF-8, an address without a NUL, abstract names that are padded.
/// Each target means its socket and no other, the recording says the same, and so does `list`.
pub(super) fn odd_names(bench: &Bench<'_>) -> anyhow::Result<()> {
    let id = std::process::id();
    let pad = |name: String| format!("{name}{}", "\0".repeat(108 - name.len()));
    let base = bench.path("");
    let full = format!("{base}{}", "f".repeat(108 - base.len()));
    let bytes = [base.as_bytes(), b"b-\xff\xfe.sock"].concat();
    let bytes = Path::new(OsStr::from_bytes(&bytes));
    let (exact, padded) = (format!("@odd-{id}-plain"), format!("@odd-{id}-padded-and-long"));
    // Padding: the address has the family and 108 bytes.
    let padding = |name: &str| format!("{name}\\x00{{{}}}", 108 - name.len());
    let (glob_one, glob_two) = (format!("@glob-{id}-1"), format!("@glob-{id}-2"));
    let expected = [
        (bench.path("a[1].sock"), bench.path("a[1].sock")),
        (bench.path("c[2].sock"), bench.path("c[2].sock")),
        (full.clone(), full.clone()),
        (exact.clone(), exact.clone()),
        (pad(padded.clone()), padding(&padded)),
        (glob_one.clone(), glob_one.clone()),
        (pad(glob_two.clone()), padding(&glob_two)),
    ];
    let mut doors = Vec::new();
    for (name, _) in &expected {
        doors.push(Door::open(name)?);
    }
    // What a glob, a prefix or a lost byte would mean, too.
    for other in [
        bench.path("a1.sock"),
        bench.path("c2.sock"),
        bench.path("b-\u{fffd}\u{fffd}.sock"),
        format!("{padded}-other"),
        pad(format!("{exact}r")),
    ] {
        doors.push(Door::open(&other)?);
    }
    let server = std::os::unix::net::UnixListener::bind(bytes)?;
    let mut paths: Vec<String> = expected.iter().map(|(_, shown)| shown.clone()).collect();
    paths.push(format!("{base}b-\\xff\\xfe.sock"));
    paths.sort();

    let (a, c) = (bench.path("a[1].sock"), bench.path(r"c\[2\].sock"));
    let (globs, trace) = (format!("@glob-{id}-*"), bench.path("odd.db"));
    let targets = [a.as_str(), &c, &full, &exact, &padded, &globs];
    let mut command = bench.capture(&targets);
    let mut capture = bench.start(command.arg(bytes).args(["--json", "--output", &trace]))?;
    capture.child.wait_for_line(|line| line.contains("\"session\""))?;
    for door in &doors {
        door.pass()?;
    }
    drop((std::os::unix::net::UnixStream::connect(bytes)?, server.accept()?));
    let ended = capture.end_by(Signal::SIGINT)?;
    ended.expect(0)?;
    ended.expect_no_complaint()?;
    let connects = ended.lines()?.into_iter().filter(|line| line["type"] == "connect").count();
    ensure!(connects == paths.len(), "{connects} lines 'connect' instead of {}", paths.len());
    let report = ended.report()?;
    ensure!(report["complete"] == true, "{report}");
    expect_paths(&report["programs"], &paths)?;
    let replayed = bench.run(bench.sockleak().args(["report", "--json", &trace]))?;
    replayed.expect(0)?;
    expect_paths(&replayed.report()?["programs"], &paths)?;

    let listed = bench.run(bench.sockleak().args(["list", "--json"]).args(targets).arg(bytes))?;
    listed.expect(0)?;
    let listing = listed.lines()?.pop().context("it printed nothing")?;
    expect_paths(&listing["sockets"], &paths)
}

/// These sockets, each once.
fn expect_paths(rows: &serde_json::Value, paths: &[String]) -> anyhow::Result<()> {
    let rows = rows.as_array().context("no rows")?;
    let mut found: Vec<_> = rows.iter().filter_map(|row| row["path"].as_str()).collect();
    found.sort_unstable();
    ensure!(found == paths, "{found:?} instead of {paths:?}");
    Ok(())
}
