//! The report's list of open connections follows from the truth.

use std::collections::BTreeMap;

use workload::truth::{self, Start, Truth};

use super::connections::Known;
use super::starts::Life;
use super::{figures, holders, identity, same, usage};
use crate::capture;

pub(super) fn check(truth: &Truth, report: &capture::Report, known: &Known, differences: &mut Vec<String>) {
    let mut expected: BTreeMap<usize, &truth::Connection> = truth
        .connections
        .iter()
        .enumerate()
        .filter(|(_, connection)| connection.state() != truth::State::Closed)
        .collect();
    let by_inode = |inode| truth.connections.iter().position(|connection| connection.client_inode == inode);
    for open in &report.open {
        let what = format!("report, open connection of inode {:?} by {}", open.client_inode, open.pid);
        let by_number = known.connections.get(&open.connection).copied();
        let index = open.client_inode.map_or(by_number, by_inode);
        let Some((index, connection)) = index.and_then(|index| Some((index, expected.remove(&index)?)))
        else {
            differences.push(format!("{what}: it is not open, or listed twice"));
            continue;
        };
        if by_number != Some(index) {
            differences.push(format!("{what}: its number {} is another's", open.connection));
        }
        let life = known.lives.get(&index).copied().or_else(|| Life::expected(connection));
        if let Some(life) = life {
            let unseen = |end| known.unseen.contains(&(index, end));
            check_open(truth, connection, life, (&unseen, known.is_use_noted), open, &what, differences);
        }
    }
    for connection in expected.into_values() {
        let inode = connection.client_inode;
        differences.push(format!("report: the open connection of inode {inode} is missing"));
    }
}

fn check_open(
    truth: &Truth,
    connection: &truth::Connection,
    life: Life,
    (unseen, is_use_noted): (&dyn Fn(&'static str) -> bool, bool),
    open: &capture::OpenReport,
    what: &str,
    differences: &mut Vec<String>,
) {
    let of = |field: &str| format!("{what}, {field}");
    same(differences, || of("path"), &truth.listeners[connection.listener].path, &open.path);
    same(differences, || of("client inode"), life.client_inode(connection), open.client_inode);
    same(differences, || of("before the trace"), life.is_found, open.before_trace);
    check_opener(truth, connection, life, open, what, differences);
    same(differences, || of("state"), connection.state().word(), open.state.as_str());
    check_server(truth, connection, life, open, what, differences);
    for (end, was_open, release, holders, found) in [
        (
            "client",
            life.from.has_client(),
            connection.client.as_ref(),
            &connection.client_holders,
            &open.client_end,
        ),
        (
            "server",
            life.from.has_server(),
            connection.server.as_ref(),
            &connection.server_holders,
            &open.server_end,
        ),
    ] {
        let is_seen = was_open && !unseen(end);
        let what = of(&format!("{end} end"));
        check_end(truth, release, is_seen, found, &what, differences);
        if release.is_none() {
            holders::check(truth, holders, found.held_by.as_deref(), &what, differences);
            let used = if end == "client" { connection.client_use } else { connection.server_use };
            usage::check(used.as_ref(), is_use_noted, found.usage.as_ref(), &what, differences);
        } else if found.held_by.is_some() {
            differences.push(format!("{what}: it is released, and yet held"));
        }
    }
}

fn check_opener(
    truth: &Truth,
    connection: &truth::Connection,
    life: Life,
    open: &capture::OpenReport,
    what: &str,
    differences: &mut Vec<String>,
) {
    let of = |field: &str| format!("{what}, {field}");
    let opener = match &connection.start {
        Start::Before(before) => before.opener,
        Start::Seen => Some(connection.opener),
        // Whoever holds it in the end is found in the last look at the latest.
        Start::Either if life.is_found && connection.client.is_some() => {
            open.start_ns.map(|_| connection.opener)
        }
        Start::Either => Some(connection.opener),
    };
    let pid = truth.processes[connection.opener].pid;
    same(differences, || of("pid"), pid, open.pid);
    let opener = opener.map(|opener| &truth.processes[opener]);
    let start = opener.map(|opener| opener.start_ticks);
    same(differences, || of("start"), start, open.start_ns.map(identity::ticks));
    let program = match (opener, &connection.start) {
        (Some(opener), _) => opener.program.as_str(),
        (None, Start::Either) => "[unknown]",
        (None, _) => figures::program(truth, connection),
    };
    same(differences, || of("program"), Some(program), open.program.as_deref());
    let first = open.argv.as_ref().and_then(|argv| argv.first());
    same(differences, || of("first argument"), opener.and_then(|opener| opener.argv.first()), first);
}

fn check_server(
    truth: &Truth,
    connection: &truth::Connection,
    life: Life,
    open: &capture::OpenReport,
    what: &str,
    differences: &mut Vec<String>,
) {
    let of = |field: &str| format!("{what}, {field}");
    let is_known = !life.is_accepted() || life.from.has_server();
    let server_inode = connection.server_inode.filter(|_| is_known);
    if server_inode.is_some() || connection.accepted_by.is_none() || !is_known {
        same(differences, || of("server inode"), server_inode, open.server_inode);
    }
    // Who accepted; if that was not seen, one of those that held the end.
    let candidates: Vec<usize> = match &connection.start {
        Start::Before(before) if life.is_accepted() => before.servers.clone(),
        _ => connection.accepted_by.into_iter().collect(),
    };
    let server = |index: &usize| {
        let process = &truth.processes[*index];
        (process.pid, Some(process.program.as_str()))
    };
    let found = open.server.as_ref().map(|server| (server.pid, server.program.as_deref()));
    let fits = match found {
        Some(found) => candidates.iter().any(|index| server(index) == found),
        None => candidates.is_empty() || life.has_gap,
    };
    if !fits {
        let servers: Vec<_> = candidates.iter().map(server).collect();
        differences.push(format!("{}: {servers:?}, captured {found:?}", of("server")));
    }
}

/// `is_seen`: its release, if there was one, was seen.
fn check_end(
    truth: &Truth,
    release: Option<&truth::Release>,
    is_seen: bool,
    found: &capture::EndReport,
    what: &str,
    differences: &mut Vec<String>,
) {
    let expected = match release {
        None => ("open", None, None),
        Some(release) if is_seen => {
            ("released", Some(release.reason.word()), Some(truth.processes[release.by].pid))
        }
        Some(_) => ("released", None, None),
    };
    same(differences, || what.to_owned(), expected, (&found.state, found.reason.as_deref(), found.pid));
}
