//! Whether a captured process is the one of the truth.

use workload::truth;

use super::same;
use crate::capture;

/// The kernel tells user space about times in hundredths of a second, whatever its own clock does.
const NS_PER_TICK: u64 = 10_000_000;

/// As much of a command line as a capture has to keep, in bytes.
const ARGV_KEPT: usize = 256;

/// Everything that a capture says of whoever opened, accepted or tried.
pub(super) fn check_in_full(
    differences: &mut Vec<String>,
    what: &str,
    truth: &truth::Process,
    captured: &capture::Process,
) {
    check_which(differences, what, truth, captured);
    let of = |field: &str| format!("{what}, {field}");
    same(differences, || of("program"), Some(&truth.program), captured.program.as_ref());
    same(differences, || of("comm"), Some(&truth.comm), captured.comm.as_ref());
    same(differences, || of("uid"), Some(truth.uid), captured.uid);
    same(differences, || of("gid"), Some(truth.gid), captured.gid);
    same(differences, || of("mount namespace"), Some(truth.mount_ns), captured.mount_ns);
    same(differences, || of("net namespace"), Some(truth.network_ns), captured.network_ns);
    same(differences, || of("pid namespace"), Some(truth.pid_ns), captured.pid_ns);
    same(differences, || of("pid in its namespace"), Some(truth.pid), captured.pid_in_namespace);
    if truth.ppid.is_some() {
        same(differences, || of("parent"), truth.ppid, captured.ppid);
    }
    check_argv(differences, what, truth, captured);
}

/// Who it was, as for whoever released: at the end of a process less can be read.
pub(super) fn check_which(
    differences: &mut Vec<String>,
    what: &str,
    truth: &truth::Process,
    captured: &capture::Process,
) {
    let of = |field: &str| format!("{what}, {field}");
    same(differences, || of("pid"), truth.pid, captured.pid);
    same(differences, || of("start in ticks"), Some(truth.start_ticks), captured.start_ns.map(ticks));
    // What could not be read is null; what was read has to be right.
    if captured.program.is_some() {
        same(differences, || of("program"), Some(&truth.program), captured.program.as_ref());
    }
}

/// Somebody of whom only the pid can be known.
pub(super) fn check_pid_alone(
    differences: &mut Vec<String>,
    what: &str,
    truth: &truth::Process,
    captured: &capture::Process,
) {
    same(differences, || format!("{what}, pid"), truth.pid, captured.pid);
    let nothing = capture::Process {
        pid: captured.pid,
        tid: None,
        start_ns: None,
        comm: None,
        program: None,
        argv: None,
        argv_truncated: None,
        uid: None,
        gid: None,
        ppid: None,
        pid_in_namespace: None,
        mount_ns: None,
        network_ns: None,
        pid_ns: None,
    };
    if *captured != nothing {
        differences.push(format!("{what}: only its pid can be known, captured {captured:?}"));
    }
}

/// Start of a process in the unit of `/proc/PID/stat`.
pub(super) fn ticks(start_ns: u64) -> u64 {
    start_ns / NS_PER_TICK
}

fn check_argv(
    differences: &mut Vec<String>,
    what: &str,
    truth: &truth::Process,
    captured: &capture::Process,
) {
    let expected = truth.argv.join("\0");
    let found = captured.argv.as_ref().map(|argv| argv.join("\0"));
    let fits = match (&found, captured.argv_truncated) {
        (Some(found), Some(true)) => {
            // The last of the kept bytes may be the terminator of an argument.
            expected.len() >= ARGV_KEPT
                && found.len() + 1 >= ARGV_KEPT
                && expected.starts_with(found.as_str())
        }
        (Some(found), Some(false)) => *found == expected,
        _ => false,
    };
    if !fits {
        let truncated = captured.argv_truncated;
        differences.push(format!(
            "{what}, argv: {:?}, captured {:?} (truncated {truncated:?})",
            truth.argv, captured.argv
        ));
    }
}
