//! Machines on which nothing can be traced: one sentence that names the remedy, and the documented status.

use std::fs;
use std::io::Write as _;
use std::process::Command;

use anyhow::{Context as _, ensure};
use caps::Capability;
use nix::sys::signal::Signal;

use super::bench::{Bench, Door, Ended, total};
use super::{Verdict, confine};

/// What capture adds where the kernel takes no program.
const LIST: &str = "; sockleak list may work all the same, and says who holds what now";

/// Runs `capture` and `check`, each confined, and expects the same sentence of both. Only `check` writes something.
fn expect_refusal(
    bench: &Bench<'_>,
    confine: impl Fn(&mut Command),
    status: i32,
    words: &[&str],
) -> anyhow::Result<()> {
    // Should it not be refused, the capture ends by itself.
    let mut capture = bench.capture(&["--for", "100ms", "/run/sockleak-test.sock"]);
    confine(&mut capture);
    let refused = bench.run(&mut capture)?;
    refused.expect_refusal(status, words).context("capture")?;
    ensure!(refused.out.is_empty(), "it wrote a report all the same: {}", refused.out);
    for arguments in [&["check"][..], &["check", "--json"]] {
        let mut check = bench.sockleak();
        check.args(arguments).args(["--hooks", bench.hooks()]);
        confine(&mut check);
        let ended = bench.run(&mut check)?;
        ended.expect_refusal(status, words).context("check")?;
        // Capture also names what works without a program in the kernel.
        let said = refused.err.replace(LIST, "");
        ensure!(ended.err == said, "check says '{}', capture '{}'", ended.err, refused.err);
        ensure!(ended.out.contains("kernel"), "check tells nothing: {}", ended.out);
    }
    Ok(())
}

/// Type information that is missing or no good.
pub(super) fn no_btf(bench: &Bench<'_>) -> anyhow::Result<()> {
    let words = ["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF"];
    let good = fs::read("/sys/kernel/btf/vmlinux")?;
    let half = &good[..good.len() / 2];
    let header = &good[..24];
    let mut twisted = good.clone();
    for byte in twisted.iter_mut().skip(24).step_by(7) {
        *byte ^= 0x5a;
    }
    for (name, bytes) in [
        ("empty", &[][..]),
        ("garbage", &[0xff; 4096]),
        ("header", header),
        ("half", half),
        ("twisted", &twisted),
    ] {
        let file = bench.path(name);
        fs::write(&file, bytes)?;
        let confine = |command: &mut Command| confine::with_types_from(command, file.clone());
        expect_refusal(bench, confine, 4, &words).with_context(|| format!("BTF is {name}"))?;
    }
    expect_refusal(bench, confine::without_sys, 4, &words).context("/sys is not mounted")
}

/// Neither root's capabilities nor the two that suffice.
pub(super) fn no_privilege(bench: &Bench<'_>) -> anyhow::Result<()> {
    use Capability::{CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN};

    let nobody = |command: &mut Command| confine::as_nobody_with(command, &[]);
    expect_refusal(bench, nobody, 3, &["CAP_BPF", "CAP_PERFMON", "sudo"]).context("as nobody")?;
    let bare_root = |command: &mut Command| confine::without(command, &[CAP_SYS_ADMIN, CAP_BPF, CAP_PERFMON]);
    expect_refusal(bench, bare_root, 3, &["CAP_BPF", "CAP_PERFMON"]).context("as root without them")?;
    let one = |command: &mut Command| confine::as_nobody_with(command, &[CAP_BPF]);
    expect_refusal(bench, one, 3, &["CAP_PERFMON"]).context("as nobody with CAP_BPF")
}

const PARANOID: &str = "/proc/sys/kernel/perf_event_paranoid";

/// The two capabilities that docs/exit-codes.md asks for are enough, for a user who is not root. Before Linux 5.11
/// maps count as locked memory, of which such a user has little: there a third one is needed, and the sentence names
/// it.
pub(super) fn few_capabilities(bench: &Bench<'_>) -> anyhow::Result<()> {
    use Capability::{CAP_BPF, CAP_PERFMON, CAP_SYS_RESOURCE};

    let before = fs::read_to_string(PARANOID)?;
    let tried = (|| {
        fs::write(PARANOID, "2")?;
        trace_as_nobody(bench, &[CAP_BPF, CAP_PERFMON, CAP_SYS_RESOURCE])?
            .expect_no_complaint()
            .context("kprobes are allowed")?;
        // Debian's kernels can keep kprobes from everybody but CAP_SYS_ADMIN: fentry serves, and is warned of.
        fs::write(PARANOID, "3")?;
        if bench.hooks() == "kprobe" {
            let mut capture = bench.capture(&["--for", "100ms", "/run/sockleak-test.sock"]);
            confine::as_nobody_with(&mut capture, &[CAP_BPF, CAP_PERFMON, CAP_SYS_RESOURCE]);
            bench
                .run(&mut capture)?
                .expect_refusal(4, &["kernel.perf_event_paranoid is 3", "CAP_SYS_ADMIN"])?;
        } else {
            let ended = trace_as_nobody(bench, &[CAP_BPF, CAP_PERFMON, CAP_SYS_RESOURCE])?;
            let is_warning = |line: &str| line.starts_with("sockleak: hook ");
            ensure!(ended.complaints().all(is_warning), "kprobes are not allowed: {}", ended.err);
        }

        fs::write(PARANOID, "2")?;
        let release = nix::sys::utsname::uname()?.release().to_string_lossy().into_owned();
        if !release.starts_with("5.10.") {
            return trace_as_nobody(bench, &[CAP_BPF, CAP_PERFMON])?.expect_no_complaint();
        }
        let mut capture = bench.capture(&["--for", "100ms", "/run/sockleak-test.sock"]);
        confine::as_nobody_with(&mut capture, &[CAP_BPF, CAP_PERFMON]);
        bench.run(&mut capture)?.expect_refusal(3, &["CAP_SYS_RESOURCE"])
    })();
    fs::write(PARANOID, before.trim())?;
    tried
}

/// Traces one connection with these capabilities alone.
fn trace_as_nobody(bench: &Bench<'_>, capabilities: &'static [Capability]) -> anyhow::Result<Ended> {
    let path = bench.path("t.sock");
    // Left by the run before.
    let _ = fs::remove_file(&path);
    let door = Door::open(&path)?;
    let mut capture = bench.capture(&["--json", &path]);
    confine::as_nobody_with(&mut capture, capabilities);
    let mut running = bench.start(&mut capture)?;
    running.child.wait_for_line(|line| line.contains("\"session\""))?;
    door.pass()?;
    let ended = running.end_by(Signal::SIGINT)?;
    ended.expect(0).with_context(|| format!("with {capabilities:?}"))?;
    let report = ended.report()?;
    let figures = (total(&report, "opened")?, total(&report, "closed")?);
    ensure!(figures == (1, 1) && report["complete"] == true, "one connection: {report}");
    Ok(ended)
}

/// Lockdown forbids to read kernel memory: the refusal names it, unless the kernel traces all the same. It cannot be
/// lifted before the next boot.
pub(super) fn lockdown(bench: &Bench<'_>) -> anyhow::Result<Verdict> {
    const LOCKDOWN: &str = "/sys/kernel/security/lockdown";
    let locked = fs::File::options()
        .write(true)
        .open(LOCKDOWN)
        .and_then(|mut file| file.write_all(b"confidentiality"));
    if let Err(error) = locked {
        return Ok(Verdict::Skipped(format!("{LOCKDOWN} cannot be written: {error}")));
    }
    let mode = fs::read_to_string(LOCKDOWN)?;
    ensure!(mode.contains("[confidentiality]"), "the mode is {mode}");
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let ended =
        bench.start(&mut bench.capture(&["--json", "--count", "4", &path]))?.end_while(|| door.pass())?;
    if ended.status.success() {
        let report = ended.report()?;
        ensure!(total(&report, "opened")? > 0 && report["complete"] == true, "{report}");
        return Ok(Verdict::Passed(None));
    }
    expect_refusal(bench, |_| {}, 4, &["lockdown", "confidentiality"])?;
    Ok(Verdict::Passed(None))
}
