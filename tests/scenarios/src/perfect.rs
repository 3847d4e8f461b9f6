//! The capture that a perfect tracer would print, made from the truth. The runner's own tests spoil it, and a stand-in for
//! sockleak prints it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use workload::truth::{Connection, Holder, Process, Release, Start, State, Truth};

const NS_PER_TICK: u64 = 10_000_000;

/// The lines of the capture, as objects. Connection N of the truth is number 100 + N, listener N is number 10 + N. Where nobody knows
/// whether a connection was made before the capture, this capture has seen it made.
pub fn capture_of(truth: &Truth) -> Vec<Value> {
    let mut lines = vec![json!({"type": "session", "version": "0", "targets": []})];
    for (index, listener) in truth.listeners.iter().enumerate() {
        let owner = &truth.processes[listener.owner];
        lines.push(json!({
            "type": "listener", "listener": 10 + index, "path": listener.path, "bind_path": listener.bind_path,
            "inode": listener.inode, "mount_ns": owner.mount_ns, "network_ns": owner.network_ns,
            "socket_type": listener.socket_type, "backlog": listener.backlog, "pid": owner.pid,
        }));
    }
    let mut taken: BTreeMap<usize, u64> = BTreeMap::new();
    found(truth, &mut taken, &mut lines);
    for (index, connection) in truth.connections.iter().enumerate() {
        lines.extend(one_life(truth, index, connection, taken.entry(connection.listener).or_default()));
    }
    lines.extend(attempts(truth));
    for (index, listener) in truth.listeners.iter().enumerate() {
        if let Some(by) = listener.closed_by.filter(|_| !listener.closed_before) {
            let about = json!({"type": "listener-closed", "listener": 10 + index, "path": listener.path});
            lines.push(merged(about, process(&truth.processes[by], None)));
        }
    }
    lines.push(report(truth));
    lines
}

fn merged(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other);
    }
    one
}

fn process(process: &Process, tid: Option<u32>) -> Value {
    let bytes: usize = process.argv.iter().map(|argument| argument.len() + 1).sum();
    let mut argv = process.argv.clone();
    if bytes > 256 {
        let text: String = argv.join("\0").chars().take(256).collect();
        argv = text.split('\0').map(str::to_owned).collect();
    }
    json!({
        "pid": process.pid, "tid": tid.unwrap_or(process.pid), "start_ns": process.start_ticks * NS_PER_TICK + 7,
        "comm": process.comm, "program": process.program, "argv": argv, "argv_truncated": bytes > 256,
        "uid": process.uid, "gid": process.gid, "ppid": process.ppid, "pid_in_namespace": process.pid,
        "mount_ns": process.mount_ns, "network_ns": process.network_ns, "pid_ns": process.pid_ns,
    })
}

/// What there is before the capture, and that it was looked for.
fn found(truth: &Truth, taken: &mut BTreeMap<usize, u64>, lines: &mut Vec<Value>) {
    let older = truth.connections.iter().enumerate().filter_map(|(index, connection)| {
        let Start::Before(before) = &connection.start else { return None };
        (before.state != State::Closed).then_some((index, connection, before))
    });
    for (_, connection, before) in older.clone() {
        *taken.entry(connection.listener).or_default() += u64::from(before.state.has_server());
    }
    let number = older.clone().count();
    for (index, connection, before) in older {
        let opener = match before.opener {
            Some(opener) => process(&truth.processes[opener], None),
            None => json!({"pid": truth.processes[connection.opener].pid, "tid": null, "start_ns": null}),
        };
        let server_inode = matches!(before.state, State::Open | State::ClientClosed)
            .then_some(connection.server_inode.unwrap_or(5));
        let about = json!({
            "type": "found", "connection": 100 + index, "listener": 10 + connection.listener,
            "path": truth.listeners[connection.listener].path, "state": before.state.word(),
            "client_inode": before.state.has_client().then_some(connection.client_inode),
            "server_inode": server_inode, "open": taken[&connection.listener],
        });
        lines.push(merged(about, opener));
    }
    lines.push(json!({"type": "watching", "boot_ns": 1, "found": number}));
}

/// All that happens to one connection, before the next begins: an order as good as any.
fn one_life(truth: &Truth, index: usize, connection: &Connection, taken: &mut u64) -> Vec<Value> {
    let listener = &truth.listeners[connection.listener];
    let about = |kind: &str| json!({"type": kind, "connection": 100 + index, "listener": 10 + connection.listener, "path": listener.path});
    let mut lines = Vec::new();
    let from = match &connection.start {
        Start::Before(before) => before.state,
        Start::Seen | Start::Either => {
            *taken += 1;
            let queue = json!({"length": connection.queue_length.unwrap_or(1), "max": listener.backlog});
            let more = json!({"client_inode": connection.client_inode, "queue": queue, "open": taken});
            let opener = process(&truth.processes[connection.opener], Some(connection.tid));
            lines.push(merged(merged(about("connect"), more), opener));
            State::Queued
        }
    };
    let waits = matches!(from, State::Queued | State::Abandoned);
    if let Some(acceptor) = connection.accepted_by.filter(|_| waits) {
        let more = json!({"server_inode": connection.server_inode.unwrap_or(5), "open": taken});
        lines.push(merged(merged(about("accept"), more), process(&truth.processes[acceptor], None)));
    }
    let accepted = connection.accepted_by.is_some();
    if let Some(release) = connection.client.as_ref().filter(|_| from.has_client()) {
        let state = match (from.has_server(), accepted) {
            (false, _) => "closed",
            (true, true) => "client-closed",
            (true, false) => "abandoned",
        };
        lines.push(merged(about("release"), end(truth, release, "client", state, *taken)));
    }
    if let Some(release) = connection.server.as_ref().filter(|_| from.has_server()) {
        *taken -= 1;
        let state = if connection.client.is_some() { "closed" } else { "server-closed" };
        lines.push(merged(about("release"), end(truth, release, "server", state, *taken)));
    }
    lines
}

fn end(truth: &Truth, release: &Release, end: &str, state: &str, open: u64) -> Value {
    let about = json!({
        "end": end, "reason": release.reason.word(), "signal": release.signal,
        "exit_status": release.exit_status, "state": state, "open": open,
    });
    merged(about, process(&truth.processes[release.by], release.tid))
}

fn attempts(truth: &Truth) -> Vec<Value> {
    let mut lines = Vec::new();
    for attempts in &truth.attempts {
        let queue = attempts
            .listener
            .map(|index| json!({"length": attempts.queue_length, "max": truth.listeners[index].backlog}));
        let line = json!({
            "type": "attempt", "error": attempts.error, "errno": attempts.errno, "path": attempts.path,
            "address": attempts.address, "listener": attempts.listener.map(|index| 10 + index), "queue": queue,
        });
        let line = merged(line, process(&truth.processes[attempts.by], None));
        lines.extend(std::iter::repeat_n(line, usize::try_from(attempts.count).expect("a small count")));
    }
    lines
}

fn report(truth: &Truth) -> Value {
    let mut rows: BTreeMap<(&str, &str), Value> = BTreeMap::new();
    let fresh = |path: &str, program: &str| {
        json!({"path": path, "program": program, "opened": 0, "before_trace": 0, "closed": 0, "open_client": 0,
            "open_server": 0, "failed": {}})
    };
    let add = |row: &mut Value, field: &str, count: u64| {
        row[field] = json!(row[field].as_u64().unwrap_or(0) + count);
    };
    let mut open = Vec::new();
    for (index, connection) in truth.connections.iter().enumerate() {
        let (opener, is_found) = match &connection.start {
            Start::Before(before) if before.state == State::Closed => continue,
            Start::Before(before) => (before.opener, true),
            Start::Seen | Start::Either => (Some(connection.opener), false),
        };
        let path = truth.listeners[connection.listener].path.as_str();
        let program = opener.map_or("[unknown]", |opener| truth.processes[opener].program.as_str());
        let row = rows.entry((path, program)).or_insert_with(|| fresh(path, program));
        let (client, server) = (connection.client.is_none(), connection.server.is_none());
        add(row, if is_found { "before_trace" } else { "opened" }, 1);
        add(row, "closed", u64::from(!client && !server));
        add(row, "open_client", u64::from(client));
        add(row, "open_server", u64::from(server));
        if client || server {
            open.push(open_connection(truth, index, connection));
        }
    }
    for attempts in &truth.attempts {
        let program = truth.processes[attempts.by].program.as_str();
        let row = rows.entry((&attempts.path, program)).or_insert_with(|| fresh(&attempts.path, program));
        add(&mut row["failed"], &attempts.error, attempts.count);
    }
    json!({"type": "report", "complete": true, "incomplete_because": [], "losses": [], "unseen_releases": 0, "open": open,
        "findings": [], "programs": rows.into_values().collect::<Vec<_>>()})
}

fn open_connection(truth: &Truth, index: usize, connection: &Connection) -> Value {
    let (from, opener, servers) = match &connection.start {
        Start::Before(before) => (before.state, before.opener, before.servers.clone()),
        Start::Seen | Start::Either => (State::Queued, Some(connection.opener), Vec::new()),
    };
    let opener = match opener {
        Some(opener) => process(&truth.processes[opener], None),
        None => json!({
            "pid": truth.processes[connection.opener].pid, "start_ns": null, "program": "[unknown]", "argv": null,
        }),
    };
    let waits = matches!(from, State::Queued | State::Abandoned);
    let server = if waits { connection.accepted_by } else { servers.first().copied() };
    let about = json!({
        "connection": 100 + index, "path": truth.listeners[connection.listener].path,
        "state": connection.state().word(), "before_trace": matches!(connection.start, Start::Before(_)),
        "client_inode": from.has_client().then_some(connection.client_inode),
        "server_inode": server.map(|_| connection.server_inode.unwrap_or(5)),
        "client_end": end_report(truth, &connection.client, from.has_client(), &connection.client_holders),
        "server_end": end_report(truth, &connection.server, from.has_server(), &connection.server_holders),
        "server": server.map(|server| party(truth, server)),
    });
    merged(opener, about)
}

fn party(truth: &Truth, index: usize) -> Value {
    let process = &truth.processes[index];
    json!({"pid": process.pid, "program": process.program})
}

fn end_report(truth: &Truth, release: &Option<Release>, was_open: bool, holders: &[Holder]) -> Value {
    match release {
        None => {
            let held_by = holders
                .iter()
                .map(|holder| merged(party(truth, holder.process), json!({"fd": holder.fd.unwrap_or(3)})));
            json!({"state": "open", "reason": null, "held_by": held_by.collect::<Vec<_>>()})
        }
        Some(release) if was_open => {
            let about = json!({"state": "released", "reason": release.reason.word(), "held_by": null});
            merged(about, party(truth, release.by))
        }
        Some(_) => json!({"state": "released", "reason": null, "held_by": null}),
    }
}
