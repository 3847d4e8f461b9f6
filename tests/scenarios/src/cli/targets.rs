//! Targets: those that come later, and several at a time.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;

use super::bench::{Bench, Door, total};

/// A path of which not even the directory exists is announced, and traced once it is there.
pub(super) fn waits_for_target(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("later/t.sock");
    let mut capture = bench.trace(&[&path])?;
    capture.child.wait_for_message(|line| {
        line.starts_with("sockleak: ") && line.contains(&path) && line.contains("waiting for it")
    })?;
    fs::create_dir(bench.path("later"))?;
    let door = Door::open(&path)?;
    let held = door.connect()?;
    door.pass()?;
    capture.child.wait_for_line(|line| line.contains("\"release\"") && line.contains("\"server\""))?;
    let ended = capture.end_by(Signal::SIGINT)?;
    drop(held);
    ended.expect(0)?;
    let said = ended.complaints().count();
    ensure!(said == 1, "it says more than that it waits: {}", ended.err);
    let report = ended.report()?;
    let figures = (total(&report, "opened")?, total(&report, "closed")?);
    ensure!(figures == (2, 1), "2 connections were opened and 1 closed: {report}");
    ensure!(report["complete"] == true && report["programs"][0]["path"] == path.as_str(), "{report}");
    // One that exists is not announced.
    let there = bench.run(&mut bench.capture(&["--for", "100ms", &path]))?;
    there.expect(0)?;
    there.expect_no_complaint()
}

/// Two paths, an abstract name and a glob: each event is attributed to its socket, and no other socket has any.
pub(super) fn several_targets(bench: &Bench<'_>) -> anyhow::Result<()> {
    let abstract_name = format!("@sockleak-several-{}", std::process::id());
    let glob = bench.path("g-*.sock");
    // How often each is connected to; those at the end are no targets.
    let mut expected = BTreeMap::new();
    for (name, count) in [("a.sock", 1), ("b.sock", 2), ("g-1.sock", 4), ("g-2.sock", 5)] {
        expected.insert(bench.path(name), count);
    }
    expected.insert(abstract_name.clone(), 3);
    let mut doors = Vec::new();
    for (path, &count) in &expected {
        doors.push((Door::open(path)?, count));
    }
    fs::create_dir(bench.path("g-dir"))?;
    for other in [bench.path("h-1.sock"), bench.path("g-dir/a.sock"), format!("{abstract_name}-other")] {
        doors.push((Door::open(&other)?, 6));
    }
    let (a, b) = (bench.path("a.sock"), bench.path("b.sock"));
    let capture = bench.trace(&[&a, &b, &abstract_name, &glob])?;
    for (door, count) in &doors {
        for _ in 0..*count {
            door.pass()?;
        }
    }
    let ended = capture.end_by(Signal::SIGINT)?;
    ended.expect(0)?;
    ended.expect_no_complaint()?;
    let mut seen: BTreeMap<(String, String), u64> = BTreeMap::new();
    for line in ended.lines()? {
        if let (Some(kind), Some(path)) = (line["type"].as_str(), line["path"].as_str()) {
            *seen.entry((kind.to_owned(), path.to_owned())).or_default() += 1;
        }
    }
    let report = ended.report()?;
    let rows = report["programs"].as_array().context("no programs")?;
    ensure!(rows.len() == expected.len(), "not {} rows: {report}", expected.len());
    for (path, count) in expected {
        for (kind, count) in [("listener", 1), ("connect", count), ("accept", count), ("release", 2 * count)]
        {
            let found = seen.remove(&(kind.to_owned(), path.clone())).unwrap_or(0);
            ensure!(found == count, "{path} has {found} lines '{kind}' instead of {count}");
        }
        let row = rows.iter().find(|row| row["path"] == path.as_str());
        let row = row.with_context(|| format!("the report lacks {path}"))?;
        ensure!(row["opened"] == count && row["closed"] == count, "{count} on {path}: {row}");
    }
    ensure!(seen.is_empty(), "lines that nobody asked for: {seen:?}");
    ensure!(report["complete"] == true, "{report}");
    Ok(())
}
