//! Run in namespaces of its own, sockleak says what it does not see there, and takes nothing that it does not see for gone.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use nix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use super::bench::{Bench, Door};

/// Seconds by which the time namespace is ahead: `1 d 3 h`.
const AHEAD: &str = "97200";

/// `sockleak` as a program of another command.
fn within(bench: &Bench<'_>, outer: &mut Command, arguments: &[&str]) -> Command {
    let inner = bench.sockleak();
    let mut command = Command::new(outer.get_program());
    command.args(outer.get_args()).arg(inner.get_program()).args(arguments);
    command.env_remove("SOCKLEAK_LOG").env("RUST_BACKTRACE", "1");
    command
}

fn apart(arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("who am I")?);
    command.args(["act", "apart"]).args(arguments).arg("--");
    Ok(command)
}

fn unshare(arguments: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(arguments);
    command
}

/// A capture in a pid namespace, of connections that processes outside hold.
pub(super) fn pid_namespace(bench: &Bench<'_>) -> anyhow::Result<()> {
    const WHY: &str = "only the processes of this pid namespace";
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let before = door.connect()?;
    let recording = bench.path("t.db");
    let hooks = bench.hooks().to_owned();
    let capture = ["capture", "--hooks", &hooks, "--json", "--count", "6", "--output", &recording, &path];
    // /proc as it was, and one that knows this namespace alone, where numbers of processes mean others.
    for (index, outer) in [&["-p", "-f"][..], &["-m", "-p", "-f", "--mount-proc"]].into_iter().enumerate() {
        let mut running = bench.start(&mut within(bench, &mut unshare(outer), &capture))?;
        running.child.wait_for_line(|line| line.contains("\"watching\""))?;
        let held = door.connect()?;
        door.pass()?;
        let ended = running.end()?;
        ended.expect(0)?;
        ensure!(ended.err.contains(WHY), "it does not say so when it begins: {}", ended.err);
        let report = ended.report()?;
        ensure!(report["complete"] == false, "{report}");
        ensure!(report["incomplete_because"].to_string().contains(WHY), "{report}");
        let open = report["open"].as_array().context("nothing is open")?;
        let kept = open.iter().find(|it| it["before_trace"] == false).context("the held one is missing")?;
        for end in ["client_end", "server_end"] {
            ensure!(kept[end]["state"] == "open", "{kept}");
            ensure!(kept[end]["held_by"].is_null(), "somebody holds it, whom it cannot see: {kept}");
        }
        let replayed = bench.run(bench.sockleak().args(["report", "--json", &recording]))?;
        replayed.expect(0)?;
        ensure!(replayed.lines()?.last().is_some_and(|it| it["open"] == report["open"]), "{}", replayed.out);
        fs::remove_file(&recording)?;
        drop(held);

        let listed = bench.run(&mut within(bench, &mut unshare(outer), &["list", "--json", &path]))?;
        listed.expect(0)?;
        let listing = listed.lines()?.pop().context("it printed nothing")?;
        ensure!(listing["incomplete_because"].to_string().contains(WHY), "{listing}");
        let checked = bench.run(&mut within(bench, &mut unshare(outer), &["check", "--json"]))?;
        checked.expect(0)?;
        let findings = checked.lines()?.pop().context("it printed nothing")?;
        ensure!(findings["own_namespaces"] == json!(["pid"]), "{index}: {findings}");
        ensure!(findings["conclusion"].as_str().is_some_and(|said| said.contains(WHY)), "{findings}");
    }
    drop(before);
    Ok(())
}

/// Times and ages in a time namespace are the host's.
pub(super) fn time_namespace(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let hooks = bench.hooks().to_owned();
    let capture = ["capture", "--hooks", &hooks, "--json", "--count", "6", &path];
    let began = boot_time()?;
    let before = door.connect()?;
    let mut running = bench.start(&mut within(bench, &mut apart(&["--ahead", AHEAD])?, &capture))?;
    running.child.wait_for_line(|line| line.contains("\"watching\""))?;
    let held = door.connect()?;
    door.pass()?;
    let ended = running.end()?;
    ended.expect(0)?;
    let over = boot_time()?;
    let lines = ended.lines()?;
    for line in &lines {
        let Some(at) = line["boot_ns"].as_u64() else { continue };
        ensure!((began..=over).contains(&at), "outside of {began} to {over}: {line}");
    }
    ensure!(lines.iter().filter(|line| line["boot_ns"].is_u64()).count() >= 6, "{}", ended.out);
    let report = ended.report()?;
    ensure!(report["complete"] == true, "{report}");
    let open = report["open"].as_array().context("nothing is open")?;
    ensure!(open.len() == 2, "two are held: {report}");
    for connection in open {
        ensure!(connection["age_ns"].as_u64().is_some_and(|age| age <= over - began), "{connection}");
        // /proc tells when processes started by our own clock: the one from before tracing is described by it.
        let is_found = connection["before_trace"] == true;
        ensure!(
            !is_found || connection["client_end"]["held_by"][0]["pid"] == std::process::id(),
            "{connection}"
        );
        let program = connection["program"].as_str().unwrap_or_default();
        ensure!(program.ends_with("/scenarios"), "{connection}");
    }
    drop((before, held));
    let checked = bench.run(&mut within(bench, &mut apart(&["--ahead", AHEAD])?, &["check", "--json"]))?;
    checked.expect(0)?;
    let findings = checked.lines()?.pop().context("it printed nothing")?;
    ensure!(findings["own_namespaces"] == json!(["time"]), "{findings}");
    Ok(())
}

/// In namespaces of control groups and of users: what cannot be told is not told, and said.
pub(super) fn other_namespaces(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let checked = bench.run(&mut within(bench, &mut apart(&["--cgroup"])?, &["check", "--json"]))?;
    checked.expect(0)?;
    let findings = checked.lines()?.pop().context("it printed nothing")?;
    ensure!(findings["own_namespaces"] == json!(["cgroup"]), "{findings}");
    // Where the host's control groups are seen, its paths are worked out.
    ensure!(findings["conclusion"].as_str().is_some_and(|it| !it.contains("not named")), "{findings}");

    let refused = bench.run(&mut within(bench, &mut unshare(&["-U", "-r"]), &["capture", &path]))?;
    refused.expect_refusal(4, &["user namespace", "--userns=host"])?;
    Ok(())
}

/// Nanoseconds since boot.
fn boot_time() -> anyhow::Result<u64> {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    Ok(time.tv_sec().cast_unsigned() * 1_000_000_000 + time.tv_nsec().cast_unsigned())
}

/// Each event tells who the process was then, not who it was when it was first met.
pub(super) fn restless_process(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let mut capture = bench.trace(&[&path])?;
    capture.child.wait_for_line(|line| line.contains("\"watching\""))?;
    let mut actor = Command::new(std::env::current_exe()?);
    actor.args(["act", "restless", &path]);
    let ended = bench.run(&mut actor)?;
    ended.expect(0)?;
    let truth = ended.lines()?;
    // The last of its events is the last that is seen: all others lie in front of it.
    capture.child.wait_for_line(|line| line.contains("\"release\"") && line.contains("\"exit\""))?;
    let traced = capture.end_by(nix::sys::signal::Signal::SIGINT)?;
    traced.expect(0)?;
    let pid = truth_pid(&traced.lines()?)?;
    let lines = traced.lines()?;
    let seen: Vec<&Value> =
        lines.iter().filter(|line| line["pid"] == pid && line["boot_ns"].is_u64()).collect();
    for (event, told) in seen.iter().zip(&truth) {
        ensure!(event["type"] == told["type"], "{told}: {event}");
        // A process that ends has left its namespaces by then: they are those that it had before.
        let fields = ["uid", "comm", "mount_ns", "network_ns"];
        for field in fields {
            ensure!(event[field] == told["who"][field], "{field} of {told}: {event}");
        }
    }
    ensure!(seen.len() == truth.len(), "{} events instead of {}", seen.len(), truth.len());
    let report = traced.report()?;
    let failed = report["programs"].as_array().into_iter().flatten().map(|it| it["failed"].to_string());
    ensure!(
        failed.clone().all(|it| it == "{}"),
        "elsewhere something failed: {:?}",
        failed.collect::<Vec<_>>()
    );
    drop(door);
    ensure!(Path::new(&path).exists(), "it was gone");
    Ok(())
}

/// A process whose first thread has ended is one process still, and each of its descriptors is one.
pub(super) fn leaderless(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let program = std::env::current_exe()?;
    let mut actor = Command::new(&program);
    let mut actor = bench.start(actor.args(["act", "leaderless", &path]))?;
    let before = [door.accept()?, door.accept()?];
    actor.child.wait_for_line(|line| line == "ready")?;
    let listed = bench.run(bench.sockleak().args(["list", "--json", &path]))?;
    listed.expect(0)?;
    let mut capture = bench.trace(&[&path])?;
    capture.child.wait_for_line(|line| line.contains("\"watching\""))?;
    actor.child.say("go")?;
    let last = door.accept()?;
    actor.child.wait_for_line(|line| line == "connected")?;
    let traced = capture.end_by(nix::sys::signal::Signal::SIGINT)?;
    traced.expect(0)?;
    let report = traced.report()?;
    let rows: Vec<_> = report["programs"].as_array().into_iter().flatten().collect();
    let [row] = rows[..] else { anyhow::bail!("not one row: {rows:?}") };
    let program = program.to_str().context("no text")?;
    let figures = [&row["program"], &row["opened"], &row["before_trace"]];
    ensure!(figures == [&json!(program), &json!(1), &json!(2)], "{row}");
    for open in report["open"].as_array().context("nothing is open")? {
        ensure!(open["program"] == program && open["argv"][2] == "leaderless", "{open}");
        for end in ["client_end", "server_end"] {
            let holders = open[end]["held_by"].as_array().context("nobody was looked for")?;
            ensure!(holders.len() == 1 && holders[0]["program"] == program, "{end} of {open}");
        }
    }
    actor.child.say("enough")?;
    actor.end()?.expect(0)?;
    drop((before, last));
    Ok(())
}

/// Two sockets of one path, each in a mount namespace: every row and finding says which one it is about.
pub(super) fn equal_paths(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("equal.sock");
    let door = Door::open(&path)?;
    let mut twin = Command::new(std::env::current_exe()?);
    let mut twin = bench.start(twin.args(["act", "twin", &path]))?;
    twin.child.wait_for_line(|line| line.contains("listening"))?;
    let mut capture = bench.trace(&["equal.sock"])?;
    capture.child.wait_for_line(|line| line.contains("\"watching\""))?;
    let held = [door.connect()?, door.connect()?];
    twin.child.say("go")?;
    twin.child.wait_for_line(|line| line.contains("mount_ns"))?;
    let listed = bench.run(bench.sockleak().args(["list", "equal.sock"]))?;
    capture.child.wait_for_line(|line| line.contains("\"accept\"") && line.contains("twin"))?;
    let traced = capture.end_by(nix::sys::signal::Signal::SIGINT)?;
    traced.expect(0)?;
    twin.child.say("enough")?;
    let ended = twin.end()?;
    ended.expect(0)?;
    let told = ended.lines()?.pop().context("the twin told nothing")?;
    let namespaces = [fs::metadata("/proc/self/ns/mnt")?.ino().into(), told["mount_ns"].clone()];
    let qualified = namespaces.map(|namespace| format!("{path} (mount namespace {namespace})"));
    // The one that is met first goes by its path.
    let [ours, its] = if listed.out.contains(&qualified[0]) {
        [qualified[0].clone(), path.clone()]
    } else {
        [path.clone(), qualified[1].clone()]
    };
    listed.expect_output(&[&format!("{ours}: "), &format!("{its}: ")])?;
    let report = traced.report()?;
    let opened = |name: &str| {
        let rows = report["programs"].as_array().into_iter().flatten().filter(|row| row["path"] == name);
        rows.filter_map(|row| row["opened"].as_u64()).sum::<u64>()
    };
    ensure!((opened(&ours), opened(&its)) == (2, 1), "{report}");
    for (name, count) in [(&ours, 2), (&its, 1)] {
        let open = report["open"].as_array().into_iter().flatten().filter(|it| it["path"] == **name).count();
        ensure!(open == count, "{open} of {count} open on {name}: {report}");
    }
    // An event tells the path as it is, and its listener.
    let connects = traced.lines()?.into_iter().filter(|line| line["type"] == "connect");
    let listeners: BTreeSet<String> =
        connects.filter(|line| line["path"] == path).map(|line| line["listener"].to_string()).collect();
    ensure!(listeners.len() == 2, "{listeners:?}: {}", traced.out);
    drop(held);
    Ok(())
}

/// The process that connected.
fn truth_pid(lines: &[Value]) -> anyhow::Result<Value> {
    let connect = lines.iter().find(|line| line["type"] == "connect").context("nobody connected")?;
    Ok(connect["pid"].clone())
}
