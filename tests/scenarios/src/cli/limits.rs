//! Buffers that are too small: what is lost is counted, and nothing is made up.

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use workload::unix::inode;

use super::bench::{Bench, Door, Pair, allow_descriptors, total};
use super::service::{Service, mount_bpf_file_system};

fn incomplete(report: &Value) -> anyhow::Result<Vec<&str>> {
    ensure!(report["complete"] == false, "it claims to be complete: {report}");
    let reasons = report["incomplete_because"].as_array().context("no reasons")?;
    reasons.iter().map(|reason| reason.as_str().context("a reason is no text")).collect()
}

/// A ring with room for a few events, and a reader who is stopped half of the time. What is open in the end is known
/// exactly nevertheless: some connections were held all the time, others were opened while events were lost.
pub(super) fn small_ring(bench: &Bench<'_>) -> anyhow::Result<()> {
    const BURST: u64 = 20_000;
    const BEFORE: u64 = 7;
    const HELD: u64 = 30;
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let mut held = (0..BEFORE).map(|_| door.connect()).collect::<anyhow::Result<Vec<_>>>()?;
    let mut capture = bench.trace(&["--ring-size", "4096", &path])?;
    for half in [true, false] {
        if half {
            capture.child.signal(Signal::SIGSTOP)?;
        }
        for number in 0..BURST / 2 {
            if number % (BURST / HELD) == 0 {
                held.push(door.connect()?);
            } else {
                door.pass()?;
            }
        }
        capture.child.signal(Signal::SIGCONT)?;
    }
    capture.child.wait_for_line(|line| line.contains("\"loss\""))?;
    let ended = capture.end_by(Signal::SIGINT)?;
    ended.expect(0)?;
    let report = ended.report()?;
    let reasons = incomplete(&report)?;
    ensure!(reasons.iter().any(|reason| reason.contains("ring buffer full")), "{reasons:?}");
    let lost = |hook: &str| {
        let losses = report["losses"].as_array().into_iter().flatten();
        let its = losses.filter(|loss| loss["hook"] == hook && loss["what"] == "events (ring buffer full)");
        its.filter_map(|loss| loss["count"].as_u64()).sum::<u64>()
    };
    let opened = total(&report, "opened")?;
    ensure!(opened < BURST, "{opened} connections fit in a ring of one page");
    ensure!(opened + lost("connect") == BURST, "{opened} seen, {} lost of {BURST}", lost("connect"));
    ensure!(lost("release") > 0, "no release was lost: {report}");
    // No lost release may look like a leak, and no lost connect may hide one.
    expect_open(&report, &held)
}

/// A storm by eight threads while nothing is read: the ring holds all of it by default.
pub(super) fn storm(bench: &Bench<'_>) -> anyhow::Result<()> {
    const THREADS: u64 = 8;
    const EACH: u64 = 5_000;
    let path = bench.path("t.sock");
    let door = Door::with_backlog(&path, 128)?;
    let capture = bench.trace(&["--quiet", &path])?;
    capture.child.signal(Signal::SIGSTOP)?;
    let visit = || (0..EACH).try_for_each(|_| door.pass());
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(visit)).collect();
        threads.into_iter().try_for_each(|it| it.join().map_err(|_| anyhow!("a thread panicked"))?)
    })?;
    capture.child.signal(Signal::SIGCONT)?;
    let ended = capture.end_by(Signal::SIGINT)?;
    ended.expect(0)?;
    let report = ended.report()?;
    ensure!(report["complete"] == true, "{}", report["incomplete_because"]);
    let (opened, closed) = (total(&report, "opened")?, total(&report, "closed")?);
    ensure!((opened, closed) == (THREADS * EACH, THREADS * EACH), "{opened} opened, {closed} closed");
    Ok(())
}

/// A service that begins where there are more descriptors than its ring has room for: what it has stored makes room for the rest
/// of a round.
pub(super) fn many_descriptors(bench: &Bench<'_>) -> anyhow::Result<()> {
    const HELD: u64 = 2_000;
    mount_bpf_file_system()?;
    allow_descriptors()?;
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let held = (0..HELD).map(|_| door.connect()).collect::<anyhow::Result<Vec<_>>>()?;
    let settings = format!("[[target]]\nsocket = {path:?}\n[probe]\nring_size = \"16KiB\"\n");
    let service = Service::prepare(bench, &settings)?;
    service.start()?.end_by(Signal::SIGTERM)?.expect(0)?;
    let report = service.report()?;
    ensure!(report["complete"] == true, "something is missing: {}", report["incomplete_because"]);
    ensure!(total(&report, "before_trace")? == HELD, "{} found of {HELD}", total(&report, "before_trace")?);
    expect_open(&report, &held)?;
    bench.run(bench.sockleak().arg("detach"))?.expect(0)
}

/// These connections are open at both ends, and no others.
pub(crate) fn expect_open(report: &Value, held: &[Pair]) -> anyhow::Result<()> {
    let inodes = |pair: &Pair| anyhow::Ok((inode(&pair.0)?, inode(&pair.1)?));
    let expected = held.iter().map(inodes).collect::<anyhow::Result<BTreeSet<_>>>()?;
    let open = report["open"].as_array().context("no list of open connections")?;
    let found = open.iter().map(|connection| {
        let ends = ["client_inode", "server_inode"].map(|name| connection[name].as_u64());
        let [Some(client), Some(server)] = ends else { bail!("an inode is not known: {connection}") };
        ensure!(connection["state"] == "open", "it is open: {connection}");
        Ok((client, server))
    });
    let found = found.collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(found.len() == expected.len(), "{} are open, {} reported", expected.len(), found.len());
    let found: BTreeSet<_> = found.into_iter().collect();
    let wrong: Vec<_> = expected.symmetric_difference(&found).collect();
    ensure!(wrong.is_empty(), "open or reported, and not both: {wrong:?}");
    Ok(())
}

/// So many without room that the oldest are forgotten; then others leave, and descriptor scans meet the forgotten ones. They are
/// counted once, and accuse nobody.
pub(super) fn full_map(bench: &Bench<'_>) -> anyhow::Result<()> {
    const MADE: u64 = 8_000;
    allow_descriptors()?;
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let mut capture = bench.trace(&["--leak-age", "1s", "--max-connections", "16", &path])?;
    capture.child.wait_for_line(|line| line.contains("\"watching\""))?;
    let mut pairs = (0..MADE).map(|_| door.connect()).collect::<anyhow::Result<Vec<_>>>()?;
    // Those that were followed are the first ones: their places are free now.
    pairs.drain(..1_000);
    // Of some, one end is left.
    let halves: Vec<_> =
        pairs.drain(..100).flat_map(|(client, server)| [client, server]).step_by(2).collect();
    let ended = capture.end_by(Signal::SIGINT)?;
    ended.expect(0)?;
    let report = ended.report()?;
    let reasons = incomplete(&report)?;
    ensure!(reasons.iter().any(|reason| reason.contains("could not be followed")), "{reasons:?}");
    let figure = |name| total(&report, name);
    let (opened, before) = (figure("opened")?, figure("before_trace")?);
    ensure!((opened, before) == (MADE, 0), "{opened} opened of {MADE}, {before} from before tracing");
    let open = report["open"].as_array().context("no list of open connections")?;
    ensure!(open.iter().all(|it| it["before_trace"] == false), "one is from before tracing");
    // Nobody released an end alone but this process the servers' ends of a hundred, of which few were followed.
    let leaks = report["findings"].as_array().into_iter().flatten();
    let counts = leaks.filter(|it| it["verdict"] == "stale-client" || it["verdict"] == "server-leak");
    let accused: u64 = counts.filter_map(|it| it["count"].as_u64()).sum();
    ensure!(accused <= halves.len() as u64, "{accused} accuse somebody: {}", report["findings"]);
    Ok(())
}

/// More connections than can be followed: the others have ends of which nothing is known.
pub(super) fn max_connections(bench: &Bench<'_>) -> anyhow::Result<()> {
    const HELD: u64 = 1_000;
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let capture = bench.trace(&["--max-connections", "16", &path])?;
    let mut pairs = Vec::new();
    for _ in 0..HELD {
        pairs.push(door.connect()?);
    }
    drop(pairs);
    let ended = capture.end_by(Signal::SIGINT)?;
    ended.expect(0)?;
    let report = ended.report()?;
    let reasons = incomplete(&report)?;
    for part in ["map of connections full", "could not be followed"] {
        ensure!(reasons.iter().any(|reason| reason.contains(part)), "'{part}' is no reason: {reasons:?}");
    }
    let open = report["open"].as_array().context("no list of open connections")?;
    for connection in open {
        let ends = [&connection["client_end"]["state"], &connection["server_end"]["state"]];
        let is_known = |state: &&Value| **state == "released";
        let is_unknown = |state: &&Value| **state == "unknown";
        ensure!(ends.iter().all(|end| is_known(end) || is_unknown(end)), "nothing is open: {connection}");
        ensure!(ends.iter().any(is_unknown), "closed, and listed as open: {connection}");
    }
    let (opened, closed) = (total(&report, "opened")?, total(&report, "closed")?);
    let unknown = open.len() as u64;
    ensure!(opened == HELD, "{opened} opened of {HELD}");
    ensure!(closed + unknown == HELD, "{closed} closed and {unknown} unknown of {HELD}: {reasons:?}");
    ensure!(closed >= 16, "not even 16 connections were followed");
    Ok(())
}
