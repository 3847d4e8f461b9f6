//! One JSON object a line; `docs/json.md` describes them.

use std::io::{self, Write};

use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap as _},
};
use serde_json::{Map, Value, json};

use super::{Loss, Open, OpenList, Report, errno_name, escape::HarmlessJson};
use crate::{
    attribution::who::Who,
    clock::Clock,
    decode::abstract_name,
    event::{Listener, Process, Reason, What},
    session::{FoundConnection, Seen},
};

/// The line of a listener that a target means.
#[must_use]
pub fn listener(listener: &Listener) -> Value {
    json!({
        "type": "listener",
        "listener": listener.id,
        "path": text(&listener.path),
        "path_truncated": listener.path_truncated,
        "bind_path": text(&abstract_name(&listener.bind_name)),
        "device": listener.device,
        "inode": listener.inode,
        "mount_ns": listener.mount_namespace,
        "network_ns": listener.network_namespace,
        "socket_type": if listener.is_seqpacket { "seqpacket" } else { "stream" },
        "backlog": listener.backlog,
        "pid": listener.pid,
    })
}

/// The line of a connection whose start was not seen.
#[must_use]
pub fn found(found: &FoundConnection<'_>, clock: &Clock) -> Value {
    let FoundConnection { socket, connection, open, .. } = *found;
    let accepted = connection.accepted.as_ref();
    let mut line = Map::new();
    let mut put = |name: &str, value: Value| line.insert(name.to_owned(), value);
    put("type", "found".into());
    put("time", clock.rfc3339(connection.opened).into());
    put("boot_ns", connection.opened.into());
    put("path", socket.path.clone().into());
    put("open", open.into());
    put("connection", connection.id.into());
    put("listener", connection.listener.into());
    put("state", connection.state().name().into());
    put("client_inode", json!(known(connection.client_inode)));
    put("server_inode", json!(accepted.map(|accepted| accepted.inode)));
    who(&mut put, &connection.opener);
    Value::Object(line)
}

/// The line of an event.
#[must_use]
pub fn event(seen: &Seen<'_>, clock: &Clock) -> Value {
    let mut line = Map::new();
    let mut put = |name: &str, value: Value| line.insert(name.to_owned(), value);
    put("time", clock.rfc3339(seen.at).into());
    put("boot_ns", seen.at.into());
    put("path", seen.socket.path.clone().into());
    put("open", seen.open.into());
    if let Some(connection) = seen.connection {
        put("age_ns", connection.age(seen.at).into());
        put("state", connection.state().name().into());
    }
    match seen.what {
        What::Connect { connection, listener, client_inode, queue, .. } => {
            put("type", "connect".into());
            put("connection", (*connection).into());
            put("listener", (*listener).into());
            put("client_inode", (*client_inode).into());
            put("queue", json!(queue));
        }
        What::Accept { connection, listener, server_inode } => {
            put("type", "accept".into());
            put("connection", (*connection).into());
            put("listener", (*listener).into());
            put("server_inode", (*server_inode).into());
        }
        What::Release { connection, listener, end, reason } => {
            put("type", "release".into());
            put("connection", (*connection).into());
            put("listener", (*listener).into());
            put("end", end.name().into());
            put_reason(&mut put, *reason);
        }
        What::ListenerClosed { listener, reason } => {
            put("type", "listener-closed".into());
            put("listener", (*listener).into());
            put_reason(&mut put, *reason);
        }
        What::Attempt { listener, errno, address, queue, .. } => {
            put("type", "attempt".into());
            put("listener", json!(listener));
            put("errno", (*errno).into());
            put("error", errno_name(*errno).into());
            put("address", text(&abstract_name(address)).into());
            put("queue", json!(queue));
        }
    }
    who(&mut put, seen.who);
    Value::Object(line)
}

fn put_reason(put: &mut impl FnMut(&str, Value) -> Option<Value>, reason: Reason) {
    put("reason", reason.name().into());
    match reason {
        Reason::Exit(status) => put("exit_status", status.into()),
        Reason::Killed(signal) => put("signal", signal.into()),
        Reason::Close | Reason::Exec | Reason::ListenerClosed | Reason::Collected | Reason::Unseen => None,
    };
}

fn who(put: &mut impl FnMut(&str, Value) -> Option<Value>, who: &Who) {
    let actor = who.actor;
    let process = who.process.as_deref();
    // Somebody may be known by his number alone, or not at all.
    let is_met = actor.id.start != 0;
    put("pid", json!(Some(actor.id.pid).filter(|&pid| pid != 0)));
    put("tid", json!(is_met.then_some(actor.tid)));
    put("start_ns", json!(is_met.then_some(actor.id.start)));
    put("comm", json!(is_met.then(|| who.comm().to_string())));
    put("thread_comm", json!(is_met.then(|| actor.comm.to_string())));
    put("uid", json!(actor.uid.or_else(|| process.map(|process| process.uid))));
    put("gid", json!(actor.gid.or_else(|| process.map(|process| process.gid))));
    put("program", json!(process.and_then(|process| process.program.as_deref())));
    // An unreadable command line is empty, and yet cut.
    let argv = process.filter(|process| !process.argv.is_empty() || !process.argv_truncated);
    put("argv", json!(argv.map(|process| &process.argv)));
    put("argv_truncated", json!(process.map(|process| process.argv_truncated)));
    // Zero stands for what could not be read.
    let known = |read: fn(&Process) -> u64| json!(process.map(read).filter(|&value| value != 0));
    put("ppid", known(|process| process.parent.into()));
    put("pid_in_namespace", known(|process| process.pid_in_namespace.into()));
    put("cgroup_id", known(|process| process.cgroup));
    put("mount_ns", known(|process| process.namespaces.mount.into()));
    put("network_ns", known(|process| process.namespaces.network.into()));
    put("pid_ns", known(|process| process.namespaces.pid.into()));
}

/// The line of losses that grew.
#[must_use]
pub fn losses(losses: &[Loss]) -> Value {
    json!({"type": "loss", "lost": losses})
}

/// Writes the line of a report; of one among several with its host and its recording. The open connections are written one by
/// one: there may be millions.
///
/// # Errors
/// If it cannot be written.
pub fn report(
    report: &Report,
    clock: &Clock,
    origin: Option<(&str, &str)>,
    out: &mut dyn Write,
) -> io::Result<()> {
    const OPEN: &str = "open";

    let mut fields = match serde_json::to_value(report)? {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("type", "report".into());
    put("time", clock.rfc3339(report.now).into());
    // In the place that its name has among the others.
    put(OPEN, Value::Null);
    if let Some((host, file)) = origin {
        put("host", host.into());
        put("file", file.into());
    }
    let mut line = serde_json::Serializer::with_formatter(&mut *out, HarmlessJson);
    let mut object = line.serialize_map(None)?;
    for (name, value) in &fields {
        if name == OPEN {
            object.serialize_entry(name, &OneByOne(&report.open))?;
        } else {
            object.serialize_entry(name, value)?;
        }
    }
    object.end()?;
    out.write_all(b"\n")
}

struct OneByOne<'r, 's>(&'r OpenList<'s>);

impl Serialize for OneByOne<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Sorted))
    }
}

/// Its fields are sorted by name, as they are in all other lines.
struct Sorted<'s>(Open<'s>);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::to_value(&self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// A number that is never 0.
fn known(number: u64) -> Option<u64> {
    (number != 0).then_some(number)
}

fn text(bytes: &[u8]) -> String {
    crate::event::name::shown(bytes)
}
