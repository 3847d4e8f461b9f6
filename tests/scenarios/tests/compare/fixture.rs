//! A small truth, and how to look into a capture of it.

use scenarios::compare::compare;
use serde_json::Value;
use workload::truth::{
    Attempts, Before, Connection, Holder, Listener, Process, Reason, Release, Start, State, Truth,
};

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
        closed_before: false,
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
        start: Start::Seen,
        queue_length: Some(0),
        accepted_by: Some(0),
        server_inode: Some(client_inode + 500),
        client: None,
        server: None,
        client_holders: vec![Holder { process: opener, fd: Some(5) }],
        server_holders: vec![Holder { process: 0, fd: Some(6) }],
        client_use: None,
        server_use: None,
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
        client_holders: Vec::new(),
        server_holders: Vec::new(),
        client_use: None,
        server_use: None,
        ..connection(1001, 1, 20)
    };
    let queued = Connection {
        accepted_by: None,
        server_inode: None,
        server_holders: Vec::new(),
        client_use: None,
        server_use: None,
        ..connection(1003, 2, 30)
    };
    let killed = Connection {
        client: Some(Release { signal: Some(9), ..release(2, 30, Reason::Killed) }),
        client_holders: Vec::new(),
        ..connection(1004, 2, 30)
    };
    Truth {
        findings: None,
        processes: vec![process(10, "/bin/server"), process(20, "/bin/good"), process(30, "/bin/ill")],
        listeners: vec![listener()],
        connections: vec![closed, connection(1002, 1, 20), queued, killed],
        attempts: vec![
            failed("/d/t.sock", Some(0), "EAGAIN", 11, 2),
            failed("/d/gone.sock", None, "ENOENT", 2, 1),
        ],
    }
}

/// A connection that was there before, and of which `state` was left.
fn before(connection: Connection, state: State) -> Connection {
    let opener = state.has_client().then_some(connection.opener);
    let servers = if matches!(state, State::Open | State::ClientClosed) { vec![0] } else { Vec::new() };
    Connection { start: Start::Before(Before { state, opener, servers }), ..connection }
}

/// The same server and programs, and what is older than the capture: open, closed during it, waiting, abandoned and
/// then accepted, half closed, passed on, and one that is over.
pub(crate) fn older_truth() -> Truth {
    let closed = || Connection { client_holders: Vec::new(), ..connection(2002, 1, 20) };
    let close = |by, tid| Some(release(by, tid, Reason::Close));
    let queued = Connection {
        accepted_by: None,
        server_inode: None,
        server_holders: Vec::new(),
        client_use: None,
        server_use: None,
        ..connection(2003, 1, 20)
    };
    let passed =
        Connection { client_holders: vec![Holder { process: 2, fd: Some(9) }], ..connection(2006, 1, 20) };
    let passed = Connection {
        start: Start::Before(Before { state: State::Open, opener: None, servers: vec![0] }),
        ..passed
    };
    let abandoned =
        Connection { client_inode: 2004, server_inode: Some(2504), client: close(1, 20), ..closed() };
    let half = Connection { client_inode: 2005, server_inode: Some(2505), client: close(1, 20), ..closed() };
    let over = Connection {
        client_inode: 2007,
        server_inode: Some(2507),
        client: close(1, 20),
        server: close(0, 10),
        server_holders: Vec::new(),
        client_use: None,
        server_use: None,
        ..closed()
    };
    Truth {
        findings: None,
        connections: vec![
            before(connection(2001, 1, 20), State::Open),
            before(Connection { client: close(1, 21), ..closed() }, State::Open),
            before(queued, State::Queued),
            before(abandoned, State::Abandoned),
            before(half, State::ClientClosed),
            passed,
            before(over, State::Closed),
            connection(2008, 2, 30),
        ],
        attempts: Vec::new(),
        ..truth()
    }
}

pub(crate) fn differences(lines: &[Value]) -> Vec<String> {
    differences_from(&truth(), lines)
}

pub(crate) fn differences_from(truth: &Truth, lines: &[Value]) -> Vec<String> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    compare(truth, &text)
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
