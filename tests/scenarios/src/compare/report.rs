//! The report: its figures per program and its list of open connections follow from the truth.

use std::collections::{BTreeMap, HashMap};

use workload::truth::{self, Truth};

use super::{identity, same};
use crate::capture;

/// The figures of one program on one socket.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figures {
    opened: u64,
    closed: u64,
    open_client: u64,
    open_server: u64,
    failed: BTreeMap<String, u64>,
}

pub(super) fn check(
    truth: &Truth,
    report: &capture::Report,
    connections: &HashMap<u64, usize>,
    differences: &mut Vec<String>,
) {
    check_figures(truth, report, differences);
    let mut expected: HashMap<u64, &truth::Connection> = truth
        .connections
        .iter()
        .filter(|it| it.client.is_none() || it.server.is_none())
        .map(|it| (it.client_inode, it))
        .collect();
    for open in &report.open {
        let what = format!("report, open connection of inode {:?} by {}", open.client_inode, open.pid);
        let Some(connection) = open.client_inode.and_then(|inode| expected.remove(&inode)) else {
            differences.push(format!("{what}: it is not open, or listed twice"));
            continue;
        };
        let index = connections.get(&open.connection).copied();
        let is_it = index.is_some_and(|index| std::ptr::eq(&raw const truth.connections[index], connection));
        if !is_it {
            differences.push(format!("{what}: its number {} is another's", open.connection));
        }
        check_open(truth, connection, open, &what, differences);
    }
    for inode in expected.into_keys() {
        differences.push(format!("report: the open connection of inode {inode} is missing"));
    }
}

fn check_figures(truth: &Truth, report: &capture::Report, differences: &mut Vec<String>) {
    let mut expected: BTreeMap<(&str, &str), Figures> = BTreeMap::new();
    for connection in &truth.connections {
        let path = truth.listeners[connection.listener].path.as_str();
        let program = truth.processes[connection.opener].program.as_str();
        let figures = expected.entry((path, program)).or_default();
        figures.opened += 1;
        figures.closed += u64::from(connection.client.is_some() && connection.server.is_some());
        figures.open_client += u64::from(connection.client.is_none());
        figures.open_server += u64::from(connection.server.is_none());
    }
    for attempts in &truth.attempts {
        let program = truth.processes[attempts.by].program.as_str();
        let figures = expected.entry((attempts.path.as_str(), program)).or_default();
        *figures.failed.entry(attempts.error.clone()).or_default() += attempts.count;
    }
    for row in &report.programs {
        let found = Figures {
            opened: row.opened,
            closed: row.closed,
            open_client: row.open_client,
            open_server: row.open_server,
            failed: row.failed.clone(),
        };
        let what = || format!("report, {} on {}", row.program, row.path);
        match expected.remove(&(row.path.as_str(), row.program.as_str())) {
            Some(figures) => same(differences, what, &figures, &found),
            None => differences.push(format!("{}: invented, or listed twice: {found:?}", what())),
        }
    }
    for ((path, program), figures) in expected {
        differences.push(format!("report, {program} on {path}: missing: {figures:?}"));
    }
}

fn check_open(
    truth: &Truth,
    connection: &truth::Connection,
    open: &capture::OpenReport,
    what: &str,
    differences: &mut Vec<String>,
) {
    let opener = &truth.processes[connection.opener];
    let of = |field: &str| format!("{what}, {field}");
    same(differences, || of("path"), &truth.listeners[connection.listener].path, &open.path);
    same(differences, || of("pid"), opener.pid, open.pid);
    same(differences, || of("start"), Some(opener.start_ticks), open.start_ns.map(identity::ticks));
    same(differences, || of("program"), Some(&opener.program), open.program.as_ref());
    let first = open.argv.as_ref().and_then(|argv| argv.first());
    same(differences, || of("first argument"), opener.argv.first(), first);
    same(differences, || of("state"), state(connection), open.state.as_str());
    if connection.server_inode.is_some() || connection.accepted_by.is_none() {
        same(differences, || of("server inode"), connection.server_inode, open.server_inode);
    }
    let server = connection.accepted_by.map(|acceptor| {
        let acceptor = &truth.processes[acceptor];
        (acceptor.pid, Some(&acceptor.program))
    });
    let found = open.server.as_ref().map(|server| (server.pid, server.program.as_ref()));
    same(differences, || of("server"), server, found);
    check_end(truth, connection.client.as_ref(), &open.client_end, &of("client end"), differences);
    check_end(truth, connection.server.as_ref(), &open.server_end, &of("server end"), differences);
}

fn check_end(
    truth: &Truth,
    release: Option<&truth::Release>,
    found: &capture::EndReport,
    what: &str,
    differences: &mut Vec<String>,
) {
    let expected = match release {
        None => ("open", None, None),
        Some(release) => ("released", Some(release.reason.word()), Some(truth.processes[release.by].pid)),
    };
    same(differences, || what.to_owned(), expected, (&found.state, found.reason.as_deref(), found.pid));
}

fn state(connection: &truth::Connection) -> &'static str {
    match (connection.client.is_some(), connection.server.is_some(), connection.accepted_by.is_some()) {
        (true, true, _) => "closed",
        (false, true, _) => "server-closed",
        (true, false, true) => "client-closed",
        (true, false, false) => "abandoned",
        (false, false, true) => "open",
        (false, false, false) => "queued",
    }
}
