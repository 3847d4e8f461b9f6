//! `check`, and the warnings about kinds of hook.

use std::fs;

use anyhow::{Context as _, ensure};

use super::bench::Bench;

/// Every hook can be attached on every kernel, with each choice of kinds.
pub(super) fn check(bench: &Bench<'_>) -> anyhow::Result<()> {
    const CONCLUSION: &str = "Everything can be traced on this machine.";
    for (choice, kinds) in [
        ("auto", &["fentry", "fexit", "kprobe", "kprobe+fentry", "kretprobe", "iter"][..]),
        ("fentry", &["fentry", "fexit", "iter"]),
        ("kprobe", &["kprobe", "kretprobe", "iter"]),
    ] {
        let ended = bench.run(bench.sockleak().args(["check", "--json", "--hooks", choice]))?;
        ended.expect(0)?;
        ensure!(ended.err.is_empty(), "it complains: {}", ended.err);
        let findings = ended.lines()?.pop().context("it printed nothing")?;
        let hooks = findings["hooks"].as_array().context("no hooks")?;
        let mut names: Vec<_> = hooks.iter().filter_map(|hook| hook["hook"].as_str()).collect();
        names.sort_unstable();
        ensure!(names == ["accept", "attempt", "connect", "iterate", "lookup", "release"], "{names:?}");
        for hook in hooks {
            ensure!(hook["status"] == "attached", "--hooks {choice}: {hook}");
            ensure!(kinds.iter().any(|kind| hook["kind"] == *kind), "--hooks {choice}: {hook}");
        }
        ensure!(findings["conclusion"] == CONCLUSION, "{findings}");
        ensure!(findings["btf"] == true && findings["kprobes"] == true, "{findings}");
        ensure!(findings["missing_capabilities"] == serde_json::json!([]), "{findings}");

        let shown = bench.run(bench.sockleak().args(["check", "--hooks", choice]))?;
        shown.expect(0)?;
        ensure!(shown.err.is_empty(), "it complains: {}", shown.err);
        ensure!(shown.out.ends_with(&format!("\n{CONCLUSION}\n")), "{}", shown.out);
        let attached = shown.out.lines().filter(|line| line.contains(" attached ")).count();
        ensure!(attached == 6, "{attached} hooks are shown as attached:\n{}", shown.out);
    }
    Ok(())
}

/// fentry for releases is warned of where the kernel is preemptible, and only there.
pub(super) fn forced_kind_warns(bench: &Bench<'_>) -> anyhow::Result<()> {
    let version = nix::sys::utsname::uname()?.version().to_string_lossy().into_owned();
    let dynamic = fs::read_to_string("/sys/kernel/debug/sched/preempt").unwrap_or_default();
    let is_preemptible = dynamic.contains("(full)") || dynamic.contains("(lazy)");
    // Without the file, only a kernel that says nothing of preemption is known to have none.
    ensure!(!dynamic.is_empty() || !version.contains("PREEMPT"), "cannot tell what to expect of {version}");

    let path = bench.path("t.sock");
    let mut capture = bench.sockleak();
    capture.args(["capture", "--hooks", "fentry", "--for", "100ms", "--json", &path]);
    let ended = bench.run(&mut capture)?;
    ended.expect(0)?;
    let warns = ended
        .err
        .lines()
        .any(|line| line.starts_with("sockleak: hook release: ") && line.contains("releases may be missed"));
    ensure!(warns == is_preemptible, "preemptible: {is_preemptible}; it says: {}", ended.err);
    let session = ended.lines()?.swap_remove(0);
    let hooks = session["hooks"].as_array().context("no hooks")?;
    let release = hooks.iter().find(|hook| hook["hook"] == "release").context("no release hook")?;
    ensure!(release["kind"] == "fentry" && release["status"] == "attached", "{release}");
    ensure!(release["reason"].is_string() == is_preemptible, "{release}");

    // The best kind is warned of nowhere.
    let ended = bench.run(bench.sockleak().args(["capture", "--hooks", "auto", "--for", "100ms", &path]))?;
    ended.expect(0)?;
    ensure!(!ended.err.contains("releases may be missed"), "{}", ended.err);
    Ok(())
}
