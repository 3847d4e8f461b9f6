//! `check`, and the warnings about kinds of hook.

use std::fs;

use anyhow::{Context as _, ensure};

use super::bench::Bench;

/// What it says if nothing is missing.
const CONCLUSION: &str =
    "Everything can be traced on this machine: `sockleak capture TARGET` is the next step.";
/// And where kretprobes run out.
const NO_USE: &str = "Connections can be traced on this machine, with gaps: it is not known when an end was last used; \
                      leave out --hooks, and the best kind is taken for each hook.";

/// Every hook can be attached on every kernel, with each choice of kinds; but for those that note use with kprobes alone before
/// Linux 6.0.
pub(super) fn check(bench: &Bench<'_>) -> anyhow::Result<()> {
    for (choice, kinds) in [
        ("auto", &["fentry", "fexit", "kprobe", "kprobe+fentry", "kretprobe", "iter"][..]),
        ("fentry", &["fentry", "fexit", "iter"]),
        ("kprobe", &["kprobe", "kretprobe", "iter"]),
    ] {
        let notes_use = choice != "kprobe" || release()? >= (6, 0);
        let ended = bench.run(bench.sockleak().args(["check", "--json", "--hooks", choice]))?;
        ended.expect(0)?;
        ensure!(ended.err.is_empty(), "it complains: {}", ended.err);
        let findings = ended.lines()?.pop().context("it printed nothing")?;
        let hooks = findings["hooks"].as_array().context("no hooks")?;
        let mut names: Vec<_> = hooks.iter().filter_map(|hook| hook["hook"].as_str()).collect();
        names.sort_unstable();
        ensure!(names == expected_hooks()?, "{names:?}");
        let (on_use, others): (Vec<_>, Vec<_>) =
            hooks.iter().partition(|hook| hook["hook"].as_str().is_some_and(|name| name.starts_with("send")));
        let refused = if notes_use { Vec::new() } else { on_use.clone() };
        for hook in others.iter().chain(on_use.iter().filter(|_| notes_use)) {
            ensure!(hook["status"] == "attached", "--hooks {choice}: {hook}");
            ensure!(kinds.iter().any(|kind| hook["kind"] == *kind), "--hooks {choice}: {hook}");
            // The kernel takes the first way: one that it refuses is named with the error.
            let reason = hook["reason"].as_str().unwrap_or_default();
            ensure!(!reason.contains("os error"), "--hooks {choice}: {hook}");
        }
        for hook in &refused {
            ensure!(
                hook["status"] == "unsupported" && hook["reason"].is_string(),
                "--hooks {choice}: {hook}"
            );
        }
        let conclusion = if notes_use { CONCLUSION } else { NO_USE };
        ensure!(findings["conclusion"] == conclusion, "{findings}");
        ensure!(findings["btf"] == true && findings["kprobes"] == true, "{findings}");
        ensure!(findings["missing_capabilities"] == serde_json::json!([]), "{findings}");

        let shown = bench.run(bench.sockleak().args(["check", "--hooks", choice]))?;
        shown.expect(0)?;
        ensure!(shown.err.is_empty(), "it complains: {}", shown.err);
        ensure!(shown.out.ends_with(&format!("\n{conclusion}\n")), "{}", shown.out);
        let attached = shown.out.lines().filter(|line| line.contains(" attached ")).count();
        let expected = hooks.len() - refused.len();
        ensure!(attached == expected, "{attached} hooks are shown as attached:\n{}", shown.out);
    }
    Ok(())
}

/// Major and minor version of the kernel.
fn release() -> anyhow::Result<(u32, u32)> {
    let release = nix::sys::utsname::uname()?.release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse().ok());
    numbers.next().zip(numbers.next()).with_context(|| format!("cannot read the version of {release}"))
}

/// The hooks of this kernel, by name: pages have a function of their own up to Linux 6.4.
fn expected_hooks() -> anyhow::Result<Vec<&'static str>> {
    let mut names =
        vec!["accept", "attempt", "connect", "iterate", "lookup", "release", "send", "send-packet"];
    if release()? < (6, 5) {
        names.push("send-page");
    }
    Ok(names)
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
