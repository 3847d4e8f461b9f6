//! What a command takes: time and memory.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// What was spent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::bench) struct Spent {
    /// Seconds on the clock.
    pub(in crate::bench) clock: f64,
    /// Seconds of the processor.
    pub(in crate::bench) processor: f64,
    /// Memory at its peak, in bytes.
    pub(in crate::bench) peak: u64,
}

/// Runs a command to its end, without its output. Fails unless it succeeds.
pub(in crate::bench) fn timed(command: &mut Command) -> Result<Spent> {
    let began = Instant::now();
    let child = command.stdout(Stdio::null()).spawn().context("a command cannot be started")?;
    let pid = i32::try_from(child.id()).context("a process has no number")?;
    let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::uninit());
    // SAFETY: both pointers are to places of ours that are large enough. The child is ours and nobody else waits for it:
    // std does so only when asked to.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
    let clock = began.elapsed().as_secs_f64();
    if waited != pid || status != 0 {
        bail!("`{}` failed (status {status})", command.get_program().to_string_lossy());
    }
    // SAFETY: wait4 returned a child, so it has filled this in.
    let usage = unsafe { usage.assume_init() };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok(Spent {
        clock,
        processor: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        // Linux counts it in KiB.
        peak: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_measured_and_a_failure_told() {
        let spent = timed(&mut Command::new("true")).expect("it succeeds");
        assert!(spent.clock > 0.0 && spent.peak > 0, "{spent:?}");
        assert!(timed(&mut Command::new("false")).is_err());
    }
}
