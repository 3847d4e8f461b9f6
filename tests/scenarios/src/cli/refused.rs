//! Failed connects: by the error that the program saw, and at the listener that refused them.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};
use workload::unix::{Kind, Patience, connect_to};

use super::bench::{Bench, Door};

fn attempts(lines: &[Value]) -> Vec<&Value> {
    lines.iter().filter(|line| line["type"] == "attempt").collect()
}

/// A signal ends a wait in a full queue: the program sees `EINTR`, whatever the kernel calls it.
pub(super) fn interrupted(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let door = Door::with_backlog(&path, 0)?;
    let waits = connect_to(&path, Kind::Stream, Patience::None).context("the queue has no room")?;
    let recording = bench.path("t.db");
    let mut capture = bench.trace(&["--output", &recording, &path])?;
    capture.child.wait_for_line(|line| line.contains("\"watching\""))?;
    let mut actor = Command::new(std::env::current_exe()?);
    actor.args(["act", "interrupted", &path]);
    let mut actor = bench.start(&mut actor)?;
    actor.child.wait_for_line(|line| line == "ready")?;
    let pid = actor.child.pid();
    // Once it is in connect, a signal gets it out.
    actor.child.close_stdin();
    let ended = actor.end_while(|| Ok(kill(pid, Signal::SIGUSR1)?))?;
    ended.expect(0)?;
    ensure!(ended.out.lines().last() == Some("EINTR"), "it saw: {}", ended.out);
    capture.child.wait_for_line(|line| line.contains("\"attempt\""))?;
    let traced = capture.end_by(Signal::SIGINT)?;
    traced.expect(0)?;
    let lines = traced.lines()?;
    let [attempt] = attempts(&lines)[..] else { anyhow::bail!("not one failed connect: {}", traced.out) };
    ensure!(attempt["error"] == "EINTR" && attempt["errno"] == 4, "{attempt}");
    ensure!(attempt["pid"] == pid.as_raw() && attempt["listener"].is_u64(), "{attempt}");
    let report = traced.report()?;
    let failed = report["programs"].as_array().into_iter().flatten().map(|it| &it["failed"]);
    ensure!(failed.clone().any(|it| *it == json!({"EINTR": 1})), "{report}");
    let export = ["export", "--what", "attempts", "--format", "csv", &recording];
    let exported = bench.run(bench.sockleak().args(export))?;
    exported.expect(0)?;
    ensure!(exported.out.contains("EINTR") && !exported.out.contains("RESTART"), "{}", exported.out);
    drop((waits, door));
    Ok(())
}

/// A listener that was shut down refuses every connect, whatever path led to it.
pub(super) fn shut_down(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let (link, folder) = (bench.path("link"), bench.path("folder"));
    symlink(&path, &link)?;
    symlink(Path::new(&path).parent().context("no folder")?, &folder)?;
    let mut capture = bench.trace(&[&path])?;
    capture.child.wait_for_line(|line| line.contains("\"watching\""))?;
    door.pass()?;
    door.shut_down()?;
    let ways = [path.clone(), link, format!("{folder}/t.sock"), format!("{folder}/./t.sock")];
    for way in &ways {
        let refused = connect_to(way, Kind::Stream, Patience::None).map(drop);
        ensure!(refused == Err(Errno::ECONNREFUSED), "{way}: {refused:?}");
    }
    // What comes last was seen last.
    let last = format!("\"address\":\"{}\"", ways[3]);
    capture.child.wait_for_line(|line| line.contains(&last))?;
    let traced = capture.end_by(Signal::SIGINT)?;
    traced.expect(0)?;
    let lines = traced.lines()?;
    let listener = lines.iter().find(|line| line["type"] == "listener").context("no listener")?;
    let seen = attempts(&lines);
    ensure!(seen.len() == ways.len(), "{} of {}: {}", seen.len(), ways.len(), traced.out);
    for (attempt, way) in seen.iter().zip(&ways) {
        ensure!(attempt["error"] == "ECONNREFUSED" && attempt["address"] == way.as_str(), "{attempt}");
        ensure!(attempt["listener"] == listener["listener"] && attempt["path"] == path.as_str(), "{attempt}");
    }
    let report = traced.report()?;
    let failed = report["programs"].as_array().into_iter().flatten().map(|it| &it["failed"]);
    ensure!(failed.clone().any(|it| *it == json!({"ECONNREFUSED": ways.len()})), "{report}");
    Ok(())
}
