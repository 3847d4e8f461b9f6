//! A small truth, and how to look into a capture of it.

use scenarios::compare::compare;
use serde_json::Value;
use workload::truth::{Attempts, Connection, Listener, Process, Reason, Release, Truth};

fn process(pid: u32, program: &str) -> Process {
    Process {
        pid,
        start_ticks: u64::from(pid) * 3,
        program: program.to_owned(),
        argv: vec![program.to_owned(), pid.to_string()],
        comm: "comm".to_owned(),
        uid: 0,
        gid: 0,
        ppid: Some(1),
        mount_ns: 1,
        network_ns: 2,
        pid_ns: 3,
    }
}

fn listener() -> Listener {
    Listener {
        path: "/d/t.sock".to_owned(),
        bind_path: "/d/t.sock.9.tmp".to_owned(),
        socket_type: "stream".to_owned(),
        backlog: 1,
        inode: Some(77),
        owner: 0,
        closed_by: None,
    }
}

fn release(by: usize, tid: u32, reason: Reason) -> Release {
    Release { by, tid: Some(tid), reason, signal: None, exit_status: None }
}

fn connection(client_inode: u64, opener: usize, tid: u32) -> Connection {
    Connection {
        client_inode,
        listener: 0,
        opener,
        tid,
        queue_length: Some(0),
        accepted_by: Some(0),
        server_inode: Some(client_inode + 500),
        client: None,
        server: None,
    }
}

fn failed(path: &str, listener: Option<usize>, error: &str, errno: i32, count: u64) -> Attempts {
    let queue_length = listener.map(|_| 2);
    let (error, address) = (error.to_owned(), path.to_owned());
    Attempts { by: 2, error, errno, path: address.clone(), address, listener, queue_length, count }
}

/// Two programs and a server; a closed connection, a held one, a queued one, a killed one, two failed connects.
pub(crate) fn truth() -> Truth {
    let closed = Connection {
        client: Some(release(1, 21, Reason::Close)),
        server: Some(release(0, 10, Reason::Close)),
        ..connection(1001, 1, 20)
    };
    let queued = Connection { accepted_by: None, server_inode: None, ..connection(1003, 2, 30) };
    let killed = Connection {
        client: Some(Release { signal: Some(9), ..release(2, 30, Reason::Killed) }),
        ..connection(1004, 2, 30)
    };
    Truth {
        processes: vec![process(10, "/bin/server"), process(20, "/bin/good"), process(30, "/bin/ill")],
        listeners: vec![listener()],
        connections: vec![closed, connection(1002, 1, 20), queued, killed],
        attempts: vec![
            failed("/d/t.sock", Some(0), "EAGAIN", 11, 2),
            failed("/d/gone.sock", None, "ENOENT", 2, 1),
        ],
    }
}

pub(crate) fn differences(lines: &[Value]) -> Vec<String> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    compare(&truth(), &text)
}

pub(crate) fn find(lines: &[Value], fits: impl Fn(&Value) -> bool) -> usize {
    lines.iter().position(fits).expect("the capture has such a line")
}

pub(crate) fn kind(lines: &[Value], kind: &str) -> usize {
    find(lines, |line| line["type"] == kind)
}

pub(crate) fn killed(lines: &[Value]) -> usize {
    find(lines, |line| line["reason"] == "killed")
}
