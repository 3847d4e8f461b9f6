//! `sockleak run`: a leak check for test suites.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use nix::unistd::User;

use super::bench::{Bench, Door, Ended};

/// A suite of three tests, the second of which forgets to close unless it is told `fixed`.
struct Suite {
    command: &'static [&'static str],
    source: &'static str,
    /// What it takes to see that: an interpreter closes at its end what is still open.
    options: &'static [&'static str],
}

const C: Suite = Suite {
    command: &["/opt/stacks/suite-c"],
    source: include_str!("../../../workload/stacks/suite.c"),
    options: &[],
};
const GO: Suite = Suite {
    command: &["/opt/stacks/suite-go"],
    source: include_str!("../../../workload/stacks/suite.go"),
    options: &[],
};
const PYTHON: Suite = Suite {
    command: &["/usr/bin/python3", "-S", "-E", "-I", "/opt/stacks/suite.py"],
    source: include_str!("../../../workload/stacks/suite.py"),
    options: &["--late", "1s"],
};

/// Longer than what the cases connect.
const BACKLOG: u32 = 512;

pub(super) fn c(bench: &Bench<'_>) -> anyhow::Result<()> {
    names_the_line(bench, &C, &|options, command| run(bench, options, command))
}

pub(super) fn go(bench: &Bench<'_>) -> anyhow::Result<()> {
    names_the_line(bench, &GO, &|options, command| run(bench, options, command))
}

pub(super) fn python(bench: &Bench<'_>) -> anyhow::Result<()> {
    names_the_line(bench, &PYTHON, &|options, command| run(bench, options, command))
}

/// Runs a command below `sockleak run` with these options.
type How<'a> = &'a dyn Fn(&[&str], &[&str]) -> anyhow::Result<Ended>;

/// `sockleak run`, with the hooks that are being tested.
fn run<S: AsRef<OsStr>>(
    bench: &Bench<'_>,
    options: &[&str],
    command: impl IntoIterator<Item = S>,
) -> anyhow::Result<Ended> {
    bench.run(&mut prepare(bench, options, command))
}

fn prepare<S: AsRef<OsStr>>(
    bench: &Bench<'_>,
    options: &[&str],
    command: impl IntoIterator<Item = S>,
) -> Command {
    let mut sockleak = bench.sockleak();
    sockleak.args(["run", "--hooks", bench.hooks()]).args(options).arg("--").args(command);
    sockleak
}

/// Nothing is said but what Python says of this guest, which lacks its library.
fn expect_silence(ended: &Ended) -> anyhow::Result<()> {
    let is_pythons = |line: &&str| line.starts_with("Could not find platform ");
    let said: Vec<_> = ended.err.lines().filter(|line| !is_pythons(line)).collect();
    ensure!(said.is_empty(), "it says: {said:?}");
    Ok(())
}

/// Without line breaks: where they are depends on how long the sources' paths are.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The suite that leaks fails with the line that opened; the one that is fixed passes, and nothing is said.
fn names_the_line(bench: &Bench<'_>, suite: &Suite, run: How<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let _door = Door::with_backlog(&path, BACKLOG)?;
    let command = [suite.command, &[path.as_str()]].concat();
    let leaking = run(suite.options, &command)?;
    leaking.expect(7)?;
    ensure!(leaking.out == "3 tests passed\n", "its output: {:?}", leaking.out);
    let said = words(&leaking.err);
    let mark = suite.source.lines().position(|line| line.contains("here: ")).context("nothing is marked")?;
    let line = suite.source.lines().nth(mark).and_then(|line| line.split_once("here: "));
    let (_, function) = line.context("nothing is marked")?;
    let function = function.trim_end_matches("*/").trim_end();
    let end = format!(":{}", mark + 1);
    ensure!(
        said.contains("1 connection was lost") && said.contains("found, as --fail-on asks: lost"),
        "{said}"
    );
    ensure!(said.contains(&format!("left 1 connection to {path} open until its end.")), "{said}");
    let is_named = said.match_indices(function).any(|(at, _)| {
        let rest: String = said[at..].chars().take(200).collect();
        rest.split(' ').nth(1).is_some_and(|place| place.trim_end_matches(')').ends_with(&end))
    });
    ensure!(is_named, "{function} at line {} is not named: {}", mark + 1, leaking.err);
    for test in ["test_ping", "test_quit", "testPing", "testQuit"] {
        ensure!(!said.contains(test), "a test that closes is named: {said}");
    }

    let strict = [suite.options, &["--socket", &path, "--allow", "0"]].concat();
    let fixed = run(&strict, &[&command[..], &["fixed"]].concat())?;
    fixed.expect(0)?;
    ensure!(fixed.out == "3 tests passed\n", "its output: {:?}", fixed.out);
    expect_silence(&fixed)?;
    // On another socket it may do what it likes.
    let elsewhere = run(&[suite.options, &["-s", "other.sock"]].concat(), &command)?;
    elsewhere.expect(0)?;
    expect_silence(&elsewhere)?;
    // What an interpreter closes is closed, unless that is asked for.
    let plain = run(&[], &command)?;
    plain.expect(if suite.options.is_empty() { 7 } else { 0 })
}

/// What counts as lost, and what may be kept.
pub(super) fn rules(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let _door = Door::with_backlog(&path, BACKLOG)?;
    // One, for as long as its process lives.
    let one = "import _socket, os, sys\ns = _socket.socket(1, 1)\ns.connect(sys.argv[1])\nos._exit(0)";
    let one = || ["/usr/bin/python3", "-S", "-E", "-I", "-c", one, path.as_str()];
    let kept = run(bench, &[], one())?;
    kept.expect(0)?;
    let said = words(&kept.err);
    ensure!(said.contains("sockleak: 1 connection was kept until the process ended"), "{said}");
    let lost = run(bench, &["--allow", "0"], one())?;
    lost.expect(7)?;
    ensure!(words(&lost.err).contains("left 1 connection to"), "{}", lost.err);
    // Three that stay open, as `leak-c` opens them, until it is killed.
    let leak = format!("/opt/stacks/leak-c {path} & sleep 1; kill $!; wait $!; exit 0");
    let lost = run(bench, &[], ["sh", "-c", &leak])?;
    lost.expect(7)?;
    let said = words(&lost.err);
    ensure!(said.contains("2 connections were lost") && said.contains("Opened 2 times in dial ("), "{said}");
    ensure!(said.contains("1 connection was kept until the process ended"), "{said}");
    for (options, status, words_of) in [
        (&["--allow", "3"][..], 0, "3 connections were kept"),
        (&["--allow", "2"], 7, "1 connection was lost"),
        (&["--allow", "0"], 7, "3 connections were lost"),
        (&["--allow", "0", "--fail-on", "client-leak"], 0, "3 connections were lost"),
        (&["--allow", "0", "--stacks=off"], 7, "It is not known where"),
    ] {
        let ended = run(bench, options, ["sh", "-c", &leak])?;
        ended.expect(status)?;
        let said = words(&ended.err);
        ensure!(said.contains(words_of), "{options:?}: {words_of:?} is not in {said}");
    }
    Ok(())
}

/// Only the command's processes count, and all of them: also without a control group for them.
pub(super) fn tree(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let _door = Door::with_backlog(&path, BACKLOG)?;
    // Its shell ends first, so that the suite has another parent by the time it connects.
    let orphan = format!("sh -c '(sleep 0.5; /opt/stacks/suite-c {path}) & exit 0'; sleep 2");
    // Somebody else does the same meanwhile.
    let beside = format!("while sleep 0.2; do /opt/stacks/suite-c {path}; done");
    let (out, err) = bench.files();
    let other =
        crate::run::child::Child::start("beside", Command::new("sh").args(["-c", &beside]), &out, &err)?;
    let ended = run(bench, &[], ["sh", "-c", &orphan])?;
    ended.expect(7)?;
    ensure!(words(&ended.err).contains("1 connection was lost"), "{}", ended.err);
    // Nothing that could be written to is there.
    let covered = "mount -t tmpfs none /sys/fs/cgroup && exec \"$0\" \"$@\"";
    let mut unshared = Command::new("unshare");
    let inner = prepare(bench, &[], ["sh", "-c", &orphan]);
    unshared.args(["-m", "sh", "-c", covered]).arg(inner.get_program()).args(inner.get_args());
    let ended = bench.run(&mut unshared)?;
    ended.expect(7)?;
    ensure!(words(&ended.err).contains("1 connection was lost"), "{}", ended.err);
    // Who does nothing is not accused of what others do.
    let idle = run(bench, &["--allow", "0"], ["sleep", "2"])?;
    idle.expect(0)?;
    ensure!(idle.err.is_empty(), "{}", idle.err);
    drop(other);
    // What goes on is no leak yet.
    let running = format!("/opt/stacks/leak-c {path} & sleep 1");
    let ended = run(bench, &["--allow", "0"], ["sh", "-c", &running])?;
    ended.expect(0)?;
    let said = words(&ended.err);
    ensure!(said.contains("1 process of the command still runs and holds 3 connections"), "{said}");
    let groups = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten();
    let left: Vec<_> =
        groups.filter(|it| it.file_name().to_string_lossy().starts_with("sockleak-run")).collect();
    ensure!(left.is_empty(), "control groups are left: {left:?}");
    Ok(())
}

/// The status is the command's own, and signals are for the command.
pub(super) fn status(bench: &Bench<'_>) -> anyhow::Result<()> {
    for (command, status) in [
        (&["true"][..], 0),
        (&["sh", "-c", "exit 3"], 3),
        (&["sh", "-c", "kill -9 $$"], 137),
        (&["/nowhere/suite"], 127),
        (&["/etc"], 126),
    ] {
        let ended = run(bench, &[], command)?;
        ended.expect(status)?;
        ensure!(ended.out.is_empty() && ended.err.is_empty() == (status < 126 || status == 137), "{ended:?}");
    }
    // A suite that fails by itself has its own status, and the leak is told all the same.
    let path = bench.path("t.sock");
    let _door = Door::with_backlog(&path, BACKLOG)?;
    let failing = run(bench, &[], ["sh", "-c", &format!("/opt/stacks/suite-c {path}; exit 5")])?;
    failing.expect(5)?;
    ensure!(failing.err.contains("1 connection was lost"), "{}", failing.err);
    for (trap, signal, status) in [("", Signal::SIGTERM, 143), ("trap 'exit 9' USR1;", Signal::SIGUSR1, 9)] {
        let script = format!("{trap} echo ready; while :; do sleep 0.1; done");
        let mut running = bench.start(&mut prepare(bench, &[], ["sh", "-c", &script]))?;
        running.child.wait_for_line(|line| line == "ready")?;
        running.end_by(signal)?.expect(status)?;
    }
    Ok(())
}

/// The command has the rights that sockleak was started with, or those of the user that is asked for.
pub(super) fn user(bench: &Bench<'_>) -> anyhow::Result<()> {
    let script = "id -u; id -G; pwd; ulimit -l; grep -E 'Cap|NoNewPrivs|SigBlk|Seccomp:' /proc/self/status";
    let plain = bench.run(Command::new("sh").args(["-c", script]))?;
    let traced = run(bench, &[], ["sh", "-c", script])?;
    traced.expect(0)?;
    ensure!(traced.out == plain.out, "not the same:\n{}\n{}", plain.out, traced.out);
    let nobody = User::from_name("nobody")?.context("there is no user nobody")?;
    let script = "id -u; id -g; echo $USER; grep -E 'CapEff' /proc/self/status";
    let expected = format!("{}\n{}\nnobody\nCapEff:\t0000000000000000\n", nobody.uid, nobody.gid);
    let named = run(bench, &["--user=nobody"], ["sh", "-c", script])?;
    named.expect(0)?;
    ensure!(named.out == expected, "{}", named.out);
    let mut by_sudo = prepare(bench, &["--user"], ["sh", "-c", script]);
    let by_sudo = bench.run(by_sudo.env("SUDO_UID", nobody.uid.to_string()))?;
    by_sudo.expect(0)?;
    ensure!(by_sudo.out == expected, "{}", by_sudo.out);
    run(bench, &["--user"], ["true"])?.expect_refusal(2, &["SUDO_UID", "--user=NAME"])?;
    run(bench, &["--user=nosuchuser"], ["true"])?.expect_refusal(2, &["nosuchuser"])?;
    let mut unprivileged = prepare(bench, &[], ["true"]);
    unprivileged.uid(nobody.uid.as_raw()).gid(nobody.gid.as_raw());
    bench.run(&mut unprivileged)?.expect_refusal(3, &["CAP_BPF"])
}
