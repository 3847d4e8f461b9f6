//! Debian's Prometheus asks the service, with the configuration and the rules that are shipped: what it knows in the end is what
//! happened.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use nix::errno::Errno;
use workload::unix::{Kind, Patience, connect_to};

use super::file;
use super::http::{PROMETHEUS, SERVICE, escaped, get, get_json};
use super::leaker::{Leaker, PROGRAM};
use super::system::{run, socket, start_service, wait_for};
use crate::cli::bench::{Bench, Door};

const SLOTS: usize = 8;
/// Connections that are closed at once, and attempts that fail.
const PASSED: usize = 25;
const FAILED: usize = 3;
/// The shipped files are for months. What differs here: how often is asked and judged, and how long something has to hold.
const FASTER: [(&str, &str, &str); 2] = [
    ("prometheus.yml", "scrape_interval: 15s", "scrape_interval: 2s\n    scrape_timeout: 2s"),
    ("sockleak.rules.yml", "for: 1m", "for: 2s"),
];
/// Rules are judged once a minute unless this is said, which the shipped file leaves to whoever has more than these.
const JUDGE_OFTEN: &str = "global:\n  evaluation_interval: 1s\n";

/// Tells how often it was asked.
pub(super) fn prometheus(bench: &Bench<'_>) -> anyhow::Result<String> {
    let (path, nobody) = (socket("prometheus.sock")?, socket("nobody.sock")?);
    let door = Door::open(&path)?;
    start_service(&format!(
        "leak_age = \"1s\"\n[[target]]\nsocket = {path:?}\nlimit = {SLOTS}\n[[target]]\nsocket = {nobody:?}\n"
    ))?;
    start_prometheus()?;
    expect(r#"up{job="sockleak"}"#, 1)?;

    (0..PASSED).try_for_each(|_| door.pass())?;
    for _ in 0..FAILED {
        let refused = connect_to(&nobody, Kind::Stream, Patience::None).err();
        ensure!(refused == Some(Errno::ENOENT), "nobody listens there: {refused:?}");
    }
    let mut leaker = Leaker::start(bench, &path)?;
    let mut held = Vec::new();
    for used in 1..=SLOTS {
        leaker.connect()?;
        held.push(door.accept()?);
        // One after the other is seen, so that they are of different seconds: not a pool.
        expect(&format!("sockleak_slots_used{{socket={path:?}}}"), used)?;
    }
    expect_truth(&path, &nobody)?;
    for rule in ["SockleakSlotsUsed", "SockleakClientLeak"] {
        expect(&format!("ALERTS{{alertname={rule:?},alertstate=\"firing\",socket={path:?}}}"), 1)?;
    }
    check_metrics(&get(SERVICE, "/metrics")?)?;

    leaker.stop()?;
    drop(held);
    expect(&format!("sum(sockleak_closed_total{{socket={path:?}}})"), PASSED + SLOTS)?;
    expect(&format!("sockleak_slots_used{{socket={path:?}}}"), 0)?;
    expect("count(ALERTS{alertstate=\"firing\"}) or vector(0)", 0)?;
    expect(&format!("max_over_time(sockleak_slots_used{{socket={path:?}}}[1h])"), SLOTS)?;
    let [asked, answered] =
        ["count", "sum"].map(|what| query(&format!("{what}_over_time(up{{job=\"sockleak\"}}[1h])")));
    run("systemctl", &["stop", "prometheus.service"])?;
    // On a slow machine an answer may take too long.
    Ok(format!(
        "{} of {} scrapes answered in time",
        answered?.context("none")?,
        asked?.context("no scrapes")?
    ))
}

/// Debian's unit, with the shipped files made faster.
fn start_prometheus() -> anyhow::Result<()> {
    for (name, slow, fast) in FASTER {
        let shipped = fs::read_to_string(file(name))?;
        ensure!(shipped.contains(slow), "{name} has no '{slow}' any more");
        let mut changed = shipped.replace(slow, fast);
        if name == "prometheus.yml" {
            ensure!(!shipped.contains("evaluation_interval"), "{name} says how often rules are judged");
            changed.insert_str(0, JUDGE_OFTEN);
        }
        fs::write(format!("/etc/prometheus/{name}"), changed)?;
    }
    run("systemctl", &["start", "prometheus.service"])?;
    Ok(())
}

/// What happened, as Prometheus knows it.
fn expect_truth(path: &str, nobody: &str) -> anyhow::Result<()> {
    let of = |series: &str, labels: &str| format!("{series}{{socket={path:?}{labels}}}");
    let leaker = format!(",program={PROGRAM:?}");
    let leak = format!("{leaker},verdict=\"client-leak\"");
    let truth = [
        (format!("sum({})", of("sockleak_opened_total", "")), PASSED + SLOTS),
        (of("sockleak_opened_total", &leaker), SLOTS),
        (format!("sum({})", of("sockleak_closed_total", "")), PASSED),
        (of("sockleak_closed_total", &leaker), 0),
        (of("sockleak_client_ends", &leaker), SLOTS),
        (of("sockleak_slots_used", ""), SLOTS),
        (of("sockleak_slots_limit", ""), SLOTS),
        (of("sockleak_findings", &leak), SLOTS),
        (of("sockleak:slots_used:ratio", ""), 1),
        (format!("sum(sockleak_failed_total{{socket={nobody:?},errno=\"ENOENT\"}})"), FAILED),
        (format!("sum({}) or vector(0)", of("sockleak_failed_total", "")), 0),
        ("sockleak_complete".to_owned(), 1),
    ];
    truth.iter().try_for_each(|(query, value)| expect(query, *value))
}

/// Waits until a query has this value.
fn expect(text: &str, value: usize) -> anyhow::Result<()> {
    let value = value.to_string();
    wait_for(&format!("{text} to be {value}"), || {
        let found = query(text)?;
        ensure!(found.as_deref() == Some(value.as_str()), "it is {found:?}");
        Ok(true)
    })
}

/// The value of a query, if it has one. More than one are an error.
fn query(text: &str) -> anyhow::Result<Option<String>> {
    let answer = get_json(PROMETHEUS, &format!("/api/v1/query?query={}", escaped(text)))?;
    let results = answer["data"]["result"].as_array().with_context(|| format!("no result: {answer}"))?;
    ensure!(results.len() <= 1, "more than one result: {answer}");
    Ok(results.first().and_then(|one| one["value"][1].as_str()).map(str::to_owned))
}

/// promtool finds nothing wrong with what a client gets that asks for no form.
fn check_metrics(scrape: &str) -> anyhow::Result<()> {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("promtool")?;
    let mut stdin = child.stdin.take().context("promtool reads nothing")?;
    std::io::Write::write_all(&mut stdin, scrape.as_bytes())?;
    drop(stdin);
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && said.trim().is_empty(), "promtool says, {}: {said}", output.status);
    Ok(())
}
