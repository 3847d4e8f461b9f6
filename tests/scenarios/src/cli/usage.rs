//! Evidence of use where the hooks cannot be attached at the moment when they are needed.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::Value;

use super::bench::{Bench, Door};

/// With `--use auto`, hooks wait until a connection is older than the leak age. By then capture may have no descriptor left, and each hook
/// takes one: it goes on, says that use is not known, and accuses nobody for being idle.
pub(super) fn attached_too_late(bench: &Bench<'_>) -> anyhow::Result<()> {
    const LEAK_AGE: Duration = Duration::from_secs(2);
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let age = format!("{}s", LEAK_AGE.as_secs());
    let capture = bench.trace(&["--leak-age", &age, "--use", "auto", &path])?;
    let pid = capture.child.pid();
    let all = fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64;
    let most = descriptors(pid, 0)?;
    let _kept = door.connect()?;
    // The next one that is opened is one too many.
    descriptors(pid, all)?;
    thread::sleep(LEAK_AGE * 3);
    descriptors(pid, most)?;
    let ended = capture.end_by(Signal::SIGINT)?;
    ended.expect(0)?;
    let report = ended.report()?;
    let said = "it is not known when connections are used: a hook for that could not be attached";
    let usage = &report["open"][0]["use"];
    ensure!(report["open"].as_array().is_some_and(|open| open.len() == 1), "{}", report["open"]);
    if waits(&ended.lines()?)? {
        ensure!(ended.err.contains(said), "nothing is said: {:?}", ended.err);
        ensure!(usage.is_null(), "use is told though it cannot be known: {usage}");
    } else {
        ensure!(
            !ended.err.contains(said),
            "hooks that run from the start need no attaching: {:?}",
            ended.err
        );
        ensure!(!usage.is_null(), "use is known where the hooks run from the start: {report}");
    }
    Ok(())
}

/// Do the hooks wait here? fexit programs do from Linux 6.1 on.
fn waits(lines: &[Value]) -> anyhow::Result<bool> {
    let session = lines.iter().find(|line| line["type"] == "session").context("no session begins")?;
    let hooks = session["hooks"].as_array().context("a session has hooks")?;
    let send = hooks.iter().find(|it| it["hook"] == "send").context("no hook sees what is sent")?;
    let release = session["kernel"].as_str().context("a session names its kernel")?;
    let mut parts = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let version = (parts.next(), parts.next());
    Ok(send["kind"] == "fexit" && version >= (Some(6), Some(1)))
}

/// Lets a process have so many descriptors; 0 changes nothing. Returns how many it could have before.
fn descriptors(pid: Pid, most: u64) -> anyhow::Result<u64> {
    let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one rlimit.
    Errno::result(unsafe {
        libc::prlimit(pid.as_raw(), libc::RLIMIT_NOFILE, std::ptr::null(), &raw mut old)
    })
    .context("the limit cannot be read")?;
    if most > 0 {
        let new = libc::rlimit { rlim_cur: most, rlim_max: old.rlim_max };
        // SAFETY: the kernel reads one rlimit.
        Errno::result(unsafe {
            libc::prlimit(pid.as_raw(), libc::RLIMIT_NOFILE, &raw const new, std::ptr::null_mut())
        })
        .context("the limit cannot be set")?;
    }
    Ok(old.rlim_cur)
}
