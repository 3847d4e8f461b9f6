//! What only the live system knows: added to records before the stages that are free of I/O see them.

use std::{fs, os::unix::fs::MetadataExt as _};

use crate::event::{Actor, Namespaces, Process, ProcessId, Record, What};

/// Adds the client's working directory to a failed attempt by a relative path.
pub(super) fn complete(record: &mut Record) {
    let Record::Event(event) = record else { return };
    if let What::Attempt { listener: None, address, directory, .. } = &mut event.what
        && !matches!(address.first(), Some(b'/' | 0) | None)
    {
        *directory = fs::read_link(format!("/proc/{}/cwd", event.actor.id.pid)).ok();
    }
}

/// Describes from /proc a process that the kernel side could not describe, or not in time. It may be gone, or its
/// number may be another's by now: then nothing is known, and nothing is said.
pub(super) fn read_process(actor: &Actor) -> Option<Process> {
    let ProcessId { pid, start, .. } = actor.id;
    if !is_same(pid, start) {
        return None;
    }
    let owner = fs::metadata(format!("/proc/{pid}")).ok()?;
    // Gone for a process that is exiting, and in the way of a later exec with another name.
    let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let comm = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    if actor.tid == pid && comm.trim_end_matches('\n') != actor.comm.to_string() {
        return None;
    }
    let argv = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let argv = argv.strip_suffix(&[0]).unwrap_or(&argv);
    let argv = if argv.is_empty() { Vec::new() } else { argv.split(|&byte| byte == 0).map(text).collect() };
    // Read again: the number may have changed hands in between.
    is_same(pid, start).then(|| Process {
        id: actor.id,
        program: Some(program.to_string_lossy().into_owned()),
        argv,
        argv_truncated: false,
        comm: actor.comm,
        uid: actor.uid.unwrap_or(owner.uid()),
        gid: actor.gid.unwrap_or(owner.gid()),
        parent: stat_field(pid, 4).unwrap_or(0) as u32,
        cgroup: 0,
        pid_in_namespace: 0,
        namespaces: Namespaces::default(),
    })
}

/// Is it the process that started then? /proc has its start in clock ticks.
fn is_same(pid: u32, start: u64) -> bool {
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten();
    let per_tick = ticks.and_then(|ticks| 1_000_000_000_u64.checked_div(ticks as u64));
    let Some((per_tick, ticks)) = per_tick.zip(stat_field(pid, 22)) else { return false };
    start.checked_div(per_tick) == Some(ticks)
}

/// A field of /proc/PID/stat by its number in proc(5), from the fourth on.
fn stat_field(pid: u32, field: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses, which may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(field - 3)?.parse().ok()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
