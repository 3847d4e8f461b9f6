//! Other processes, by /proc.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use crate::{clock, namespaces::OwnNamespaces};

/// Does /proc show every process of the host? In a pid namespace, too, it may have been mounted outside.
#[must_use]
pub fn shows_host() -> bool {
    use std::os::unix::fs::MetadataExt as _;

    // Its process 1 is in the namespace that it shows; see `OwnNamespaces` for the number of the host's.
    match fs::metadata("/proc/1/ns/pid") {
        Ok(namespace) => namespace.ino() == 0xEFFF_FFFC,
        Err(_) => OwnNamespaces::inspect().sees_every_process(),
    }
}

/// Where /proc tells what a process has: its executable, memory, descriptors, directories. That is its own folder, or that of one of
/// its threads if the first one has ended: with that one, the kernel no longer shows what all of them share.
#[must_use]
pub fn folder(pid: u32) -> PathBuf {
    let own = PathBuf::from(format!("/proc/{pid}"));
    // A kernel thread has none either, and one that is exiting.
    let has_executable = |folder: &Path| fs::read_link(folder.join("exe")).is_ok();
    if has_executable(&own) {
        return own;
    }
    let threads = fs::read_dir(own.join("task")).into_iter().flatten().flatten();
    threads.map(|thread| thread.path()).find(|thread| has_executable(thread)).unwrap_or(own)
}

/// Is it the process that started then (nanoseconds since boot)? /proc has its start in clock ticks.
#[must_use]
pub fn is_same(pid: u32, start: u64) -> bool {
    let Some((per_tick, ticks)) = per_tick().zip(stat_field(pid, START)) else { return false };
    let Some(ahead) = shown_ahead() else { return false };
    start.saturating_add_signed(ahead).checked_div(per_tick) == Some(ticks)
}

/// When a process started, to a clock tick: nanoseconds since boot.
#[must_use]
pub fn start(pid: u32) -> Option<u64> {
    let shown = stat_field(pid, START)?.checked_mul(per_tick()?)?;
    Some(shown.saturating_add_signed(shown_ahead().unwrap_or(0).saturating_neg()))
}

/// By how much the starts of processes in /proc are ahead of the host's time since boot, in nanoseconds; None if that is not known.
/// In a time namespace Linux 6.1 shows them as that namespace has it, and 5.10 as the host does.
fn shown_ahead() -> Option<i64> {
    static IS_HOSTS: LazyLock<bool> = LazyLock::new(|| {
        let shown = stat_field(std::process::id(), START).zip(per_tick());
        let Some(shown) = shown.and_then(|(ticks, per_tick)| ticks.checked_mul(per_tick)) else {
            return false;
        };
        // This process has begun a short time ago, by whichever clock that is.
        let host = clock::now();
        let own = host.saturating_add_signed(clock::ahead().unwrap_or(0));
        host.abs_diff(shown) < own.abs_diff(shown)
    });
    let ahead = clock::ahead()?;
    Some(if ahead != 0 && *IS_HOSTS { 0 } else { ahead })
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

/// What each descriptor of a process refers to, as proc(5) shows it.
///
/// # Errors
/// If the process does not exist, or its descriptors may not be read.
pub fn descriptors(pid: u32) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(folder(pid).join("fd"))?;
    let mut targets = Vec::new();
    for entry in entries.flatten() {
        match fs::read_link(entry.path()) {
            Ok(target) => targets.push(target.to_string_lossy().into_owned()),
            // The folder may be read where the links may not.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            // It was closed meanwhile.
            Err(_) => {}
        }
    }
    Ok(targets)
}

/// How many descriptors a process may have; None if that cannot be read or is not limited.
#[must_use]
pub fn descriptor_limit(pid: u32) -> Option<u64> {
    soft_descriptor_limit(&fs::read_to_string(folder(pid).join("limits")).ok()?)
}

/// The soft limit out of /proc/PID/limits.
fn soft_descriptor_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_of_descriptors_is_read() {
        let head = "Limit                     Soft Limit           Hard Limit           Units     \n";
        for (line, expected) in [
            ("Max open files            1024                 524288               files     \n", Some(1024)),
            ("Max open files            unlimited            unlimited            files     \n", None),
            ("Max processes             7                    7                    processes \n", None),
            ("Max open files", None),
        ] {
            assert_eq!(soft_descriptor_limit(&format!("{head}{line}")), expected, "{line:?}");
        }
        let own = std::process::id();
        assert!(descriptors(own).is_ok_and(|it| it.len() > 2));
        assert!(descriptors(u32::MAX).is_err());
    }

    #[test]
    fn a_process_has_a_folder_of_its_own() {
        let own = std::process::id();
        assert_eq!(folder(own), Path::new(&format!("/proc/{own}")));
        // Nobody has this number.
        assert_eq!(folder(u32::MAX), Path::new("/proc/4294967295"));
    }
}
