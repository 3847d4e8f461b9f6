//! Who a process is, from `/proc`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use anyhow::Context as _;

use crate::truth::Process;

/// Reads the identity of a living process.
///
/// # Errors
/// When the process is gone, or its `/proc` entries may not be read.
pub fn of(pid: u32) -> anyhow::Result<Process> {
    let proc = format!("/proc/{pid}");
    let program = fs::read_link(format!("{proc}/exe")).with_context(|| format!("{proc}/exe"))?;
    let argv = fs::read(format!("{proc}/cmdline"))?
        .strip_suffix(b"\0")
        .unwrap_or_default()
        .split(|&byte| byte == 0)
        .map(|argument| String::from_utf8_lossy(argument).into_owned())
        .collect();
    let (uid, gid) = owner(&proc)?;
    Ok(Process {
        pid,
        start_ticks: start_ticks(pid)?,
        program: program.to_string_lossy().into_owned(),
        argv,
        comm: fs::read_to_string(format!("{proc}/comm"))?.trim_end().to_owned(),
        uid,
        gid,
        ppid: Some(parent(pid)?),
        mount_ns: namespace(&proc, "mnt")?,
        network_ns: namespace(&proc, "net")?,
        pid_ns: namespace(&proc, "pid")?,
    })
}

/// When a process started, in clock ticks since boot; a process that was not waited for still tells it.
///
/// # Errors
/// When the process is gone.
pub fn start_ticks(pid: u32) -> anyhow::Result<u64> {
    stat_field(pid, 22)
}

/// Pid of a process's parent.
///
/// # Errors
/// When the process is gone.
pub fn parent(pid: u32) -> anyhow::Result<u32> {
    stat_field(pid, 4)
}

/// Whether a process has let go of everything: it is gone, or a zombie.
#[must_use]
pub fn has_ended(pid: u32) -> bool {
    stat_field::<String>(pid, 3).map_or(true, |state| state == "Z" || state == "X")
}

/// Field `number` of `/proc/PID/stat`, counted from 1 as in proc(5); only those after the name.
fn stat_field<T: std::str::FromStr>(pid: u32, number: usize) -> anyhow::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("stat of {pid}"))?;
    // The name is in parentheses and may hold anything, so what follows is found from the right.
    let (_, rest) = stat.rsplit_once(')').context("stat without a name")?;
    let field = rest.split_ascii_whitespace().nth(number - 3).context("stat is too short")?;
    field.parse().with_context(|| format!("stat field {number}"))
}

fn owner(proc: &str) -> anyhow::Result<(u32, u32)> {
    let status = fs::read_to_string(format!("{proc}/status"))?;
    let first = |key: &str| -> anyhow::Result<u32> {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).context("status lacks an id")?;
        Ok(line.split_ascii_whitespace().next().context("status lacks an id")?.parse()?)
    };
    Ok((first("Uid:")?, first("Gid:")?))
}

fn namespace(proc: &str, kind: &str) -> anyhow::Result<u64> {
    let path = format!("{proc}/ns/{kind}");
    Ok(fs::metadata(&path).context(path)?.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process() {
        let me = of(std::process::id()).unwrap();
        assert_eq!(me.program, std::env::current_exe().unwrap().to_string_lossy());
        assert_eq!(me.argv, std::env::args().collect::<Vec<_>>());
        assert_eq!(me.ppid, Some(std::os::unix::process::parent_id()));
        assert!(me.start_ticks > 0 && me.mount_ns > 0 && me.network_ns > 0 && me.pid_ns > 0);
        assert!(!has_ended(me.pid));
    }

    #[test]
    fn a_zombie_has_ended_and_still_tells_its_start() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        while !has_ended(child.id()) {
            std::thread::yield_now();
        }
        assert!(start_ticks(child.id()).unwrap() >= start_ticks(std::process::id()).unwrap());
        child.wait().unwrap();
    }
}
