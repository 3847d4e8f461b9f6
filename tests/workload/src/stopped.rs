//! Work that is done while another process is stopped.

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait;

/// Stops a process (SIGSTOP), waits until it has stopped, does some work, and continues the process (SIGCONT).
///
/// # Errors
/// When the work fails, or when the process cannot be stopped or continued. The process is continued in each case.
pub fn while_stopped<T>(pid: Pid, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    kill(pid, Signal::SIGSTOP).with_context(|| format!("cannot stop process {pid}"))?;
    let done = wait::until("the process to stop", || is_stopped(pid)).and_then(|()| work());
    let continued = kill(pid, Signal::SIGCONT).with_context(|| format!("cannot continue process {pid}"));
    let done = done?;
    continued?;
    Ok(done)
}

fn is_stopped(pid: Pid) -> anyhow::Result<bool> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("process {pid} has ended"))?;
    // The name before the state may hold anything, so the state is looked for from the end.
    Ok(stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T")))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_stopped_during_the_work_alone() {
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().expect("sleep starts");
        let pid = Pid::from_raw(child.id().cast_signed());
        let during = while_stopped(pid, || is_stopped(pid)).expect("it can be stopped");
        let failed = while_stopped(pid, || -> anyhow::Result<()> { anyhow::bail!("the work failed") });
        let after = wait::until("the process to go on", || Ok(!is_stopped(pid)?));
        child.kill().expect("it can be killed");
        child.wait().expect("it was killed");
        assert!(during);
        assert!(failed.is_err());
        after.expect("it goes on after work that failed");
    }
}
