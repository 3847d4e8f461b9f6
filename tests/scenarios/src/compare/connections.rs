//! Connection by connection: opener, acceptor, and the release of each end.

use std::collections::HashMap;

use workload::truth::{self, Truth};

use super::{Captured, Numbers, identity, same};
use crate::capture;

/// What a capture says of one connection besides its start.
#[derive(Default)]
struct Rest<'a> {
    accepts: Vec<&'a capture::Accept>,
    client: Vec<&'a capture::Release>,
    server: Vec<&'a capture::Release>,
}

/// Compares; returns which listener and which connection of the truth each number of the capture stands for.
pub(super) fn check(
    truth: &Truth,
    captured: &Captured,
    differences: &mut Vec<String>,
) -> (Numbers, HashMap<u64, usize>) {
    let mut by_inode: HashMap<u64, Vec<&capture::Connect>> = HashMap::new();
    for connect in &captured.connects {
        match connect.client_inode {
            Some(inode) => by_inode.entry(inode).or_default().push(connect),
            None => differences.push(format!("connection {} has no client inode", connect.connection)),
        }
    }
    let mut rests = rests(captured, differences);
    let (mut numbers, mut connections) = (Numbers::new(), HashMap::new());
    for (index, connection) in truth.connections.iter().enumerate() {
        let name = name(truth, connection);
        let connect = match by_inode.remove(&connection.client_inode).as_deref() {
            Some([connect]) => *connect,
            Some(several) => {
                differences.push(format!("{name}: captured {} times", several.len()));
                several[0]
            }
            None => {
                differences.push(format!("{name}: not captured"));
                continue;
            }
        };
        connections.insert(connect.connection, index);
        check_start(truth, connection, connect, &mut numbers, &name, differences);
        let rest = rests.remove(&connect.connection).unwrap_or_default();
        check_accept(truth, connection, connect, &rest, &name, differences);
        for (end, expected, found) in
            [("client", &connection.client, &rest.client), ("server", &connection.server, &rest.server)]
        {
            let name = format!("{name}, {end} end");
            check_release(truth, expected.as_ref(), found, connect.listener, &name, differences);
        }
    }
    for connect in by_inode.into_values().flatten() {
        differences.push(format!(
            "invented: connection of inode {:?} by {} on {}",
            connect.client_inode, connect.process.pid, connect.path
        ));
    }
    for number in rests.into_keys() {
        differences.push(format!("connection {number} goes on without a beginning in the truth"));
    }
    (numbers, connections)
}

fn name(truth: &Truth, connection: &truth::Connection) -> String {
    let opener = &truth.processes[connection.opener];
    format!("connection of inode {} by {}", connection.client_inode, opener.pid)
}

fn rests<'a>(captured: &'a Captured, differences: &mut Vec<String>) -> HashMap<u64, Rest<'a>> {
    let mut rests: HashMap<u64, Rest<'_>> = HashMap::new();
    for accept in &captured.accepts {
        rests.entry(accept.connection).or_default().accepts.push(accept);
    }
    for release in &captured.releases {
        let rest = rests.entry(release.connection).or_default();
        match release.end.as_str() {
            "client" => rest.client.push(release),
            "server" => rest.server.push(release),
            other => differences.push(format!("connection {} has an end '{other}'", release.connection)),
        }
    }
    rests
}

fn check_start(
    truth: &Truth,
    connection: &truth::Connection,
    connect: &capture::Connect,
    numbers: &mut Numbers,
    name: &str,
    differences: &mut Vec<String>,
) {
    let opener = format!("{name}, opener");
    identity::check_in_full(differences, &opener, &truth.processes[connection.opener], &connect.process);
    same(differences, || format!("{opener}, thread"), connection.tid, connect.process.tid);
    let listener = &truth.listeners[connection.listener];
    same(differences, || format!("{name}, path"), &listener.path, &connect.path);
    // A listener has one number, and a number one listener.
    let meant = *numbers.entry(connect.listener).or_insert(connection.listener);
    same(differences, || format!("{name}, listener"), connection.listener, meant);
    if numbers.iter().any(|(&number, &it)| it == connection.listener && number != connect.listener) {
        differences
            .push(format!("{name}: its listener has several numbers, one of them {}", connect.listener));
    }
    same(differences, || format!("{name}, backlog"), Some(listener.backlog), connect.queue.map(|it| it.max));
    if let Some(length) = connection.queue_length {
        same(differences, || format!("{name}, queue"), Some(length), connect.queue.map(|it| it.length));
    }
}

fn check_accept(
    truth: &Truth,
    connection: &truth::Connection,
    connect: &capture::Connect,
    rest: &Rest<'_>,
    name: &str,
    differences: &mut Vec<String>,
) {
    match (connection.accepted_by, rest.accepts.as_slice()) {
        (None, []) => {}
        (Some(acceptor), [accept]) => {
            let what = format!("{name}, acceptor");
            identity::check_in_full(differences, &what, &truth.processes[acceptor], &accept.process);
            same(differences, || format!("{what}, listener"), connect.listener, accept.listener);
            same(differences, || format!("{what}, path"), &connect.path, &accept.path);
            if connection.server_inode.is_some() || accept.server_inode.is_none() {
                same(differences, || format!("{what}, inode"), connection.server_inode, accept.server_inode);
            }
        }
        (Some(_), []) => differences.push(format!("{name}: its accept was not captured")),
        (None, found) => differences.push(format!("{name}: invented accept by {}", found[0].process.pid)),
        (Some(_), found) => differences.push(format!("{name}: accepted {} times", found.len())),
    }
}

fn check_release(
    truth: &Truth,
    expected: Option<&truth::Release>,
    found: &[&capture::Release],
    listener: u64,
    name: &str,
    differences: &mut Vec<String>,
) {
    match (expected, found) {
        (None, []) => {}
        (Some(expected), [release]) => {
            identity::check_which(differences, name, &truth.processes[expected.by], &release.process);
            if let Some(tid) = expected.tid {
                same(differences, || format!("{name}, thread"), tid, release.process.tid);
            }
            same(differences, || format!("{name}, reason"), expected.reason.word(), release.reason.as_str());
            same(differences, || format!("{name}, signal"), expected.signal, release.signal);
            same(differences, || format!("{name}, status"), expected.exit_status, release.exit_status);
            same(differences, || format!("{name}, listener"), listener, release.listener);
        }
        (Some(_), []) => differences.push(format!("{name}: its release was not captured")),
        (None, found) => {
            let (by, reason) = (found[0].process.pid, &found[0].reason);
            differences.push(format!("{name}: it is open, captured a release by {by} ({reason})"));
        }
        (Some(_), found) => differences.push(format!("{name}: released {} times", found.len())),
    }
}
