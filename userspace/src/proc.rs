//! Other processes, by /proc.

use std::fs;

/// Is it the process that started then (nanoseconds since boot)? /proc has its start in clock ticks.
#[must_use]
pub fn is_same(pid: u32, start: u64) -> bool {
    let Some((per_tick, ticks)) = per_tick().zip(stat_field(pid, START)) else { return false };
    start.checked_div(per_tick) == Some(ticks)
}

/// When a process started, to a clock tick: nanoseconds since boot.
#[must_use]
pub fn start(pid: u32) -> Option<u64> {
    stat_field(pid, START)?.checked_mul(per_tick()?)
}

/// Nanoseconds of a clock tick.
fn per_tick() -> Option<u64> {
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
    1_000_000_000_u64.checked_div(ticks as u64)
}

/// Field of a process's start.
const START: usize = 22;

/// A field of /proc/PID/stat by its number in proc(5), from the fourth on.
#[must_use]
pub fn stat_field(pid: u32, field: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses, which may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(field - 3)?.parse().ok()
}
