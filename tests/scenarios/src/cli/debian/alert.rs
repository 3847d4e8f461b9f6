//! A client takes the slots of a HAProxy one by one: somebody is told while there are some left, and again when it is over.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::file;
use super::http::{SERVICE, get_json};
use super::leaker::{Leaker, now_ms};
use super::system::{run, start_service, wait_for};
use crate::cli::bench::Bench;
use crate::run::child::Child;

/// Where Debian's unit has HAProxy's master listen, and how many it serves at a time.
const MASTER: &str = "/run/haproxy-master.sock";
const SLOTS: u64 = 10;
/// Where alerts are sent to.
const RECEIVER: &str = "18080";
/// As many of them in use are worth an alert.
const WORTH_AN_ALERT: u64 = 8;
/// From then on the client leaves so much time, by the service's own clock, between one connection and the next. An alert has
/// to hold for an eighth of it before it is told.
const PACE_MS: u64 = 8000;

/// What the receiver wrote down.
#[derive(Debug, Deserialize)]
struct Told {
    came_ms: u64,
    alert: Value,
}

/// Tells how many slots were in use when the alert was made.
pub(super) fn alert(bench: &Bench<'_>) -> anyhow::Result<String> {
    let told = PathBuf::from(bench.path("told.stdout"));
    let _receiver = receiver(bench, &told)?;
    run("systemctl", &["start", "haproxy.service"])?;
    start_service(&format!(
        "[[target]]\nsocket = {MASTER:?}\n[alerts]\nslots_percent = 80\nfor = \"1s\"\n\
         [[alerts.sink]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{RECEIVER}/alerts\"\n"
    ))?;

    let mut leaker = Leaker::start(bench, MASTER)?;
    for number in 1..=SLOTS {
        leaker.connect()?;
        let since = wait_for_snapshot(|snapshot, _| slots(snapshot) == Some(number))?;
        if (WORTH_AN_ALERT..SLOTS).contains(&number) {
            wait_for_snapshot(|_, at| at >= since + PACE_MS)?;
        }
    }
    let firing = wait_for_alert(&told, "firing")?;
    let connects = leaker.times()?;
    let [enough_ms, .., full_ms] = connects[WORTH_AN_ALERT as usize - 1..] else {
        bail!("not all connections are recorded: {connects:?}")
    };
    let used = firing.alert["value"].as_u64().context("an alert of slots has their number")?;
    ensure!(firing.alert["limit"] == SLOTS, "the limit is {SLOTS}: {firing:?}");
    ensure!((WORTH_AN_ALERT..SLOTS).contains(&used), "eighty percent are in use, and not all: {firing:?}");
    ensure!(firing.came_ms < full_ms, "the socket was full at {full_ms}: {firing:?}");

    let stopped_ms = now_ms()?;
    leaker.stop()?;
    let resolved = wait_for_alert(&told, "resolved")?;
    ensure!(
        resolved.came_ms >= stopped_ms,
        "it is over before the client stopped at {stopped_ms}: {resolved:?}"
    );
    let all = alerts_of_slots(&told)?;
    ensure!(all.len() == 2, "told more than once: {all:?}");
    let snapshot = get_json(SERVICE, "/api/v1/snapshot")?;
    ensure!(slots(&snapshot) == Some(0), "slots are still in use: {snapshot}");
    run("systemctl", &["stop", "haproxy.service"])?;
    let delay = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e3;
    Ok(format!(
        "told with {used} of {SLOTS} slots in use, {:.1} s after there were enough and {:.1} s before the last",
        delay(enough_ms, firing.came_ms),
        delay(firing.came_ms, full_ms)
    ))
}

fn receiver(bench: &Bench<'_>, told: &Path) -> anyhow::Result<Child> {
    let mut command = Command::new("python3");
    command.args([&file("receiver.py"), RECEIVER]).arg(told);
    let mut running = bench.start(&mut command)?;
    running.child.wait_for_line(|line| line == "ready")?;
    Ok(running.child)
}

/// Waits until what the service knows, and since when, is as it should be; tells the time: milliseconds since 1970.
fn wait_for_snapshot(is_so: impl Fn(&Value, u64) -> bool) -> anyhow::Result<u64> {
    let at = Cell::new(0);
    wait_for("the service to know of it", || {
        let snapshot = get_json(SERVICE, "/api/v1/snapshot")?;
        at.set(snapshot["at_ms"].as_u64().context("a snapshot is of some time")?);
        Ok(is_so(&snapshot, at.get()))
    })?;
    Ok(at.get())
}

/// How many slots of the only socket are in use.
fn slots(snapshot: &Value) -> Option<u64> {
    snapshot["sockets"][0]["slots"].as_u64()
}

/// What was told of slots, in its order. A leak has other consequences as well.
fn alerts_of_slots(told: &Path) -> anyhow::Result<Vec<Told>> {
    let text = fs::read_to_string(told).unwrap_or_default();
    let all = text.lines().map(serde_json::from_str::<Told>).collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().filter(|it| it.alert["kind"] == "slots" && it.alert["socket"] == MASTER).collect())
}

fn wait_for_alert(told: &Path, status: &str) -> anyhow::Result<Told> {
    let find = || anyhow::Ok(alerts_of_slots(told)?.into_iter().find(|it| it.alert["status"] == status));
    wait_for(&format!("an alert that is {status}"), || Ok(find()?.is_some()))?;
    find()?.context("an alert vanished")
}
