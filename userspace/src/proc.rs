//! Other processes, by /proc.

use std::fs;

/// Is it the process that started then (nanoseconds since boot)? /proc has its start in clock ticks.
pub fn is_same(pid: u32, start: u64) -> bool {
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten();
    let per_tick = ticks.and_then(|ticks| 1_000_000_000_u64.checked_div(ticks as u64));
    let Some((per_tick, ticks)) = per_tick.zip(stat_field(pid, 22)) else { return false };
    start.checked_div(per_tick) == Some(ticks)
}

/// A field of /proc/PID/stat by its number in proc(5), from the fourth on.
pub fn stat_field(pid: u32, field: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses, which may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(field - 3)?.parse().ok()
}
