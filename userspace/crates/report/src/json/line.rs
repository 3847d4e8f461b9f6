//! The line of an event, and that of a connection whose start was not seen. There is one for each event, and busy sockets have
//! thousands a second: nothing is gathered in maps on the way, and what somebody else owns is not copied.

use serde::Serialize;
use sockleak_core::{
    attribution::{
        container::{Container, Membership},
        who::Who,
    },
    decode::abstract_name,
    event::{Comm, Process, Queue, Reason, What},
    session::{FoundConnection, Seen},
    text::errno_name,
    time::Clock,
};

use super::text;

/// The fields of such a line, sorted by name. An outer None leaves a field out; an inner one is `null`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ns: Option<u64>,
    argv: Option<&'a [String]>,
    argv_truncated: Option<bool>,
    boot_ns: u64,
    cgroup_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_inode: Option<Option<u64>>,
    comm: Option<Comm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<u64>,
    container: Option<Container>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_status: Option<u8>,
    gid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listener: Option<Option<u64>>,
    mount_ns: Option<u64>,
    network_ns: Option<u64>,
    open: u64,
    path: &'a str,
    pid: Option<u32>,
    pid_in_namespace: Option<u64>,
    pid_ns: Option<u64>,
    ppid: Option<u64>,
    program: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<Option<Queue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_inode: Option<Option<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<u8>,
    start_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    thread_comm: Option<Comm>,
    tid: Option<u32>,
    time: String,
    r#type: &'static str,
    uid: Option<u32>,
}

impl<'a> Line<'a> {
    pub(super) fn of_event(seen: &Seen<'a>, clock: &Clock) -> Self {
        let mut line = Self {
            boot_ns: seen.at,
            open: seen.open,
            path: &seen.socket.path,
            time: clock.rfc3339(seen.at),
            age_ns: seen.connection.map(|connection| connection.age(seen.at)),
            state: seen.connection.map(|connection| connection.state().name()),
            ..Self::of(seen.who)
        };
        match seen.what {
            What::Connect { connection, listener, client_inode, queue, .. } => {
                line.r#type = "connect";
                (line.connection, line.listener) = (Some(*connection), Some(Some(*listener)));
                line.client_inode = Some(Some(*client_inode));
                line.queue = Some(Some(*queue));
            }
            What::Accept { connection, listener, server_inode } => {
                line.r#type = "accept";
                (line.connection, line.listener) = (Some(*connection), Some(Some(*listener)));
                line.server_inode = Some(Some(*server_inode));
            }
            What::Release { connection, listener, end, reason } => {
                line.r#type = "release";
                (line.connection, line.listener) = (Some(*connection), Some(Some(*listener)));
                line.end = Some(end.name());
                line.give_reason(*reason);
            }
            What::ListenerClosed { listener, reason } => {
                line.r#type = "listener-closed";
                line.listener = Some(Some(*listener));
                line.give_reason(*reason);
            }
            What::Attempt { listener, errno, address, queue, .. } => {
                line.r#type = "attempt";
                line.listener = Some(*listener);
                (line.errno, line.error) = (Some(*errno), Some(errno_name(*errno)));
                line.address = Some(text(&abstract_name(address)));
                line.queue = Some(*queue);
            }
        }
        line
    }

    pub(super) fn of_found(found: &FoundConnection<'a>, clock: &Clock) -> Self {
        let FoundConnection { socket, connection, open, .. } = *found;
        Self {
            r#type: "found",
            time: clock.rfc3339(connection.opened),
            boot_ns: connection.opened,
            path: &socket.path,
            open,
            connection: Some(connection.id),
            listener: Some(Some(connection.listener)),
            state: Some(connection.state().name()),
            client_inode: Some(known(connection.client_inode)),
            server_inode: Some(connection.accepted.as_ref().map(|accepted| accepted.inode)),
            ..Self::of(&connection.opener)
        }
    }

    /// The fields about somebody.
    fn of(who: &'a Who) -> Self {
        let actor = who.actor;
        let process = who.process.as_deref();
        // Somebody may be known by his number alone, or not at all.
        let is_met = actor.id.start != 0;
        // An unreadable command line is empty, and yet cut.
        let argv = process.filter(|process| !process.argv.is_empty() || !process.argv_truncated);
        let number = |read: fn(&Process) -> u64| process.map(read).and_then(known);
        Self {
            pid: Some(actor.id.pid).filter(|&pid| pid != 0),
            tid: is_met.then_some(actor.tid),
            start_ns: is_met.then_some(actor.id.start),
            comm: is_met.then(|| who.comm()),
            thread_comm: is_met.then_some(actor.comm),
            uid: actor.uid.or_else(|| process.map(|process| process.uid)),
            gid: actor.gid.or_else(|| process.map(|process| process.gid)),
            program: process.and_then(|process| process.program.as_deref()),
            argv: argv.map(|process| process.argv.as_slice()),
            argv_truncated: process.map(|process| process.argv_truncated),
            ppid: number(|process| process.parent.into()),
            pid_in_namespace: number(|process| process.pid_in_namespace.into()),
            cgroup_id: number(|process| process.cgroup),
            container: process.and_then(Membership::of_process).and_then(|it| it.container),
            mount_ns: number(|process| process.namespaces.mount.into()),
            network_ns: number(|process| process.namespaces.network.into()),
            pid_ns: number(|process| process.namespaces.pid.into()),
            ..Self::default()
        }
    }

    fn give_reason(&mut self, reason: Reason) {
        self.reason = Some(reason.name());
        match reason {
            Reason::Exit(status) => self.exit_status = Some(status),
            Reason::Killed(signal) => self.signal = Some(signal),
            Reason::Close | Reason::Exec | Reason::ListenerClosed | Reason::Collected | Reason::Unseen => {}
        }
    }
}

/// Zero stands for what is not known.
fn known(number: u64) -> Option<u64> {
    (number != 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use sockleak_core::{
        attribution::processes::Processes,
        event::{Actor, ProcessId},
        text::escape,
    };

    use super::*;

    #[test]
    fn fields_are_sorted_and_null_where_nothing_is_known() {
        let id = ProcessId { pid: 7, start: 0, exec_id: 0 };
        let actor = Actor { id, tid: 7, uid: None, gid: None, comm: Comm([0; 16]) };
        let nobody = Processes::default().identify(actor);
        let every = Line {
            address: Some("\u{1b}@a".to_owned()),
            age_ns: Some(1),
            client_inode: Some(None),
            connection: Some(2),
            end: Some("client"),
            errno: Some(11),
            error: Some("EAGAIN".to_owned()),
            exit_status: Some(3),
            listener: Some(Some(4)),
            queue: Some(Some(Queue { length: 1, max: 2 })),
            reason: Some("exit"),
            server_inode: Some(Some(5)),
            signal: Some(9),
            state: Some("open"),
            ..Line::of(&nobody)
        };
        let mut written = Vec::new();
        escape::json(&mut written, &every).expect("memory takes everything");
        let written = String::from_utf8(written).expect("it is text");
        let mut sorted = Vec::new();
        escape::json(&mut sorted, &serde_json::to_value(&every).expect("it is JSON")).expect("as above");
        assert_eq!(written.as_bytes(), sorted);
        for part in [
            "\"address\":\"\\u001b@a\"",
            "\"argv\":null",
            "\"client_inode\":null",
            "\"pid\":7,",
            "\"tid\":null",
        ] {
            assert!(written.contains(part), "{part} is not in {written}");
        }
        assert_eq!(serde_json::to_value(Line::of(&nobody)).expect("it is JSON").get("queue"), None);
    }
}
