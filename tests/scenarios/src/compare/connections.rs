//! Connection by connection: opener, acceptor, and the release of each end.

use std::collections::{HashMap, HashSet};

use workload::truth::{self, Truth};

use super::starts::{self, First, Firsts, Life};
use super::{Captured, Numbers, identity, same};
use crate::capture;

/// What a capture says of one connection besides its start.
#[derive(Default)]
struct Rest<'a> {
    accepts: Vec<&'a capture::Accept>,
    client: Vec<&'a capture::Release>,
    server: Vec<&'a capture::Release>,
}

/// What the connections of a capture stand for.
#[derive(Default)]
pub(super) struct Known {
    /// For each number of a listener, which one of the truth it is.
    pub(super) listeners: Numbers,
    /// For each number of a connection, which one of the truth it is.
    pub(super) connections: HashMap<u64, usize>,
    /// For each connection of the truth that was captured, what could be seen of it.
    pub(super) lives: HashMap<usize, Life>,
    /// Ends that were released without anybody seeing by whom, each by its connection of the truth.
    pub(super) unseen: HashSet<(usize, &'static str)>,
    /// The kernel's side notes when an end sends.
    pub(super) is_use_noted: bool,
}

/// Reason of a release that a look at the descriptor came between.
pub(super) const UNSEEN: &str = "unseen";

pub(super) fn check(truth: &Truth, captured: &Captured, differences: &mut Vec<String>) -> Known {
    let mut firsts = Firsts::of(captured, differences);
    let mut rests = rests(captured, differences);
    let mut known = Known::default();
    for (index, connection) in truth.connections.iter().enumerate() {
        let name = name(truth, connection);
        let Some(first) = firsts.take(truth, connection, &name, differences) else { continue };
        let life = Life::told(connection, first);
        known.connections.insert(first.connection(), index);
        known.lives.insert(index, life);
        check_listener(truth, connection, first, &mut known.listeners, &name, differences);
        match first {
            First::Seen(connect) => check_connect(truth, connection, connect, &name, differences),
            First::Found(found) => starts::check_found(truth, connection, found, &name, differences),
        }
        let rest = rests.remove(&first.connection()).unwrap_or_default();
        check_accept(truth, connection, first, &rest, &name, differences);
        for (end, was_open, expected, found) in [
            ("client", life.from.has_client(), &connection.client, &rest.client),
            ("server", life.from.has_server(), &connection.server, &rest.server),
        ] {
            let name = format!("{name}, {end} end");
            if expected.is_some() && found.iter().all(|release| release.reason == UNSEEN) {
                known.unseen.insert((index, end));
            }
            let expected = expected.as_ref().filter(|_| was_open && !(life.has_gap && found.is_empty()));
            check_release(truth, expected, found, first.listener(), &name, differences);
        }
    }
    firsts.end(differences);
    for number in rests.into_keys() {
        differences.push(format!("connection {number} goes on without a beginning in the truth"));
    }
    known
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

fn check_listener(
    truth: &Truth,
    connection: &truth::Connection,
    first: First<'_>,
    numbers: &mut Numbers,
    name: &str,
    differences: &mut Vec<String>,
) {
    let listener = &truth.listeners[connection.listener];
    same(differences, || format!("{name}, path"), listener.path.as_str(), first.path());
    // A listener has one number, and a number one listener.
    let told = first.listener();
    let meant = *numbers.entry(told).or_insert(connection.listener);
    same(differences, || format!("{name}, listener"), connection.listener, meant);
    if numbers.iter().any(|(&number, &it)| it == connection.listener && number != told) {
        differences.push(format!("{name}: its listener has several numbers, one of them {told}"));
    }
}

fn check_connect(
    truth: &Truth,
    connection: &truth::Connection,
    connect: &capture::Connect,
    name: &str,
    differences: &mut Vec<String>,
) {
    let opener = format!("{name}, opener");
    identity::check_in_full(differences, &opener, &truth.processes[connection.opener], &connect.process);
    same(differences, || format!("{opener}, thread"), Some(connection.tid), connect.process.tid);
    let backlog = truth.listeners[connection.listener].backlog;
    same(differences, || format!("{name}, backlog"), Some(backlog), connect.queue.map(|it| it.max));
    if let Some(length) = connection.queue_length {
        same(differences, || format!("{name}, queue"), Some(length), connect.queue.map(|it| it.length));
    }
}

fn check_accept(
    truth: &Truth,
    connection: &truth::Connection,
    first: First<'_>,
    rest: &Rest<'_>,
    name: &str,
    differences: &mut Vec<String>,
) {
    let life = Life::told(connection, first);
    // One that was met while it was accepted may be told as accepted, and of its accept as well.
    let is_told = !life.is_accepted() || (life.has_gap && !rest.accepts.is_empty());
    let accepted_by = connection.accepted_by.filter(|_| is_told);
    match (accepted_by, rest.accepts.as_slice()) {
        (None, []) => {}
        (Some(acceptor), [accept]) => {
            let what = format!("{name}, acceptor");
            identity::check_in_full(differences, &what, &truth.processes[acceptor], &accept.process);
            same(differences, || format!("{what}, listener"), first.listener(), accept.listener);
            same(differences, || format!("{what}, path"), first.path(), accept.path.as_str());
            if connection.server_inode.is_some() || accept.server_inode.is_none() {
                same(differences, || format!("{what}, inode"), connection.server_inode, accept.server_inode);
            }
        }
        (Some(_), []) if life.has_gap => {}
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
        (Some(_), [release]) if release.reason == UNSEEN => {
            same(differences, || format!("{name}, by nobody known"), 0, release.process.pid);
        }
        (Some(expected), [release]) => {
            identity::check_which(differences, name, &truth.processes[expected.by], &release.process);
            if expected.tid.is_some() {
                same(differences, || format!("{name}, thread"), expected.tid, release.process.tid);
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
