//! The runner, with a stand-in for sockleak: what passes, what fails, and that a failure stays with its scenario.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Binaries of this workspace are built side by side.
fn built(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_scenarios")).with_file_name(name);
    assert!(path.exists(), "{} is not built; test the whole workspace", path.display());
    path
}

fn run(fault: &str, only: &[&str]) -> (Output, PathBuf) {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("out-{fault}"));
    // Left by an earlier run, if anything.
    let _ = std::fs::remove_dir_all(&out);
    let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
    command.args(["run", "--hooks", "kprobe", "--sockleak"]).arg(built("examples/fake-sockleak"));
    command.arg("--workload").arg(built("workload")).arg("--out").arg(&out);
    command.args(only.iter().flat_map(|name| ["--only", name])).env("FAKE_SOCKLEAK", fault);
    (command.output().unwrap(), out)
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Those that need no privilege.
const PLAIN: &[&str] = &[
    "open-close",
    "open-hold",
    "exit-without-close",
    "killed",
    "server-closes-first",
    "client-closes-first",
    "accept-close-race",
    "accept-close-race-4-acceptors",
    "listener-closes-queued",
    "backlog-full",
    "rename-after-bind",
    "short-lived",
    "threads",
    "noisy-neighbour",
    "fork-parent-closes",
    "scm-rights",
    "exec",
    "seqpacket",
    "rebind",
    "handover-holders",
    "start-up-race",
];

#[test]
fn scenarios_pass_with_a_perfect_capture() {
    let (output, out) = run("", PLAIN);
    let mut expected: String = PLAIN.iter().map(|name| format!("ok {name}\n")).collect();
    expected.push_str(&format!("scenarios: {} passed, 0 failed\n", PLAIN.len()));
    assert_eq!(text(&output), expected);
    assert!(output.status.success());
    assert!(!out.exists(), "nothing failed, and yet something was kept");
}

#[test]
fn a_lost_line_fails_and_leaves_its_evidence() {
    let (output, out) = run("loses-a-line", &["open-hold"]);
    assert!(text(&output).starts_with("FAIL open-hold: "), "{}", text(&output));
    assert!(text(&output).ends_with("scenarios: 0 passed, 1 failed\n"));
    assert_eq!(output.status.code(), Some(1));
    for name in ["capture.json", "capture.stderr", "truth.jsonl", "trace.db", "report.txt", "replayed.json"] {
        assert!(out.join("open-hold").join(name).exists(), "{name} was not kept");
    }
}

#[test]
fn a_recording_that_replays_otherwise_fails() {
    let (output, _) = run("replays-otherwise", &["open-hold"]);
    let text = text(&output);
    for what in ["the replayed report differs", "the replayed text differs"] {
        assert!(text.contains(&format!("{what}: first difference at byte ")), "{text}");
    }
    assert!(text.ends_with("scenarios: 0 passed, 1 failed\n"), "{text}");
}

#[test]
fn a_capture_that_cannot_start_fails_each_scenario() {
    let (output, _) = run("refuses", &["open-hold", "open-close"]);
    let text = text(&output);
    assert!(text.contains("capture ended early") && text.contains("tracing is refused here"), "{text}");
    assert!(text.ends_with("scenarios: 0 passed, 2 failed\n"), "{text}");
}

#[test]
fn a_capture_that_ends_badly_fails() {
    let (output, _) = run("fails-at-the-end", &["open-hold"]);
    assert!(text(&output).contains("capture failed, exit status: 1"), "{}", text(&output));
}

#[test]
fn an_unknown_scenario_is_an_error() {
    let (output, _) = run("", &["no-such-scenario"]);
    assert!(!output.status.success());
    assert_eq!(text(&output), "");
}

#[test]
fn every_scenario_is_listed() {
    let output = Command::new(env!("CARGO_BIN_EXE_scenarios")).arg("list").output().unwrap();
    let text = text(&output);
    for name in
        PLAIN.iter().chain(&["names", "refused", "before-trace", "verdict-pool", "haproxy-client-leak"])
    {
        assert!(text.lines().any(|line| line == *name), "{name} is not listed");
    }
}
