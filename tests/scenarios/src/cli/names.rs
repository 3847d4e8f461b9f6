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

/// Plays the client: one connection held, one to each socket closed, one failed attempt.
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
