//! The report's figures per program follow from the truth.

use std::collections::BTreeMap;

use workload::truth::{self, Start, Truth};

use super::connections::Known;
use super::same;
use super::starts::Life;
use crate::capture;

/// The figures of one program on one socket.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figures {
    opened: u64,
    before_trace: u64,
    closed: u64,
    open_client: u64,
    open_server: u64,
    failed: BTreeMap<String, u64>,
}

impl Figures {
    fn add(&mut self, row: &capture::ProgramFigures) {
        self.opened += row.opened;
        self.before_trace += row.before_trace;
        self.closed += row.closed;
        self.open_client += row.open_client;
        self.open_server += row.open_server;
        for (error, count) in &row.failed {
            *self.failed.entry(error.clone()).or_default() += count;
        }
    }
}

/// For each socket and program.
type Table<'a> = BTreeMap<(&'a str, &'a str), Figures>;

/// Stands for all programs of a socket, where nobody can know of which the opener is found to be.
const ALL: &str = "all programs";

pub(super) fn check(truth: &Truth, report: &capture::Report, known: &Known, differences: &mut Vec<String>) {
    let is_exact = truth.connections.iter().all(|connection| connection.start != Start::Either);
    let mut expected = expected(truth, known, is_exact);
    let mut found = Table::new();
    for row in &report.programs {
        let program = if is_exact { row.program.as_str() } else { ALL };
        let key = (row.path.as_str(), program);
        if is_exact && found.contains_key(&key) {
            differences.push(format!("report, {program} on {}: listed twice", row.path));
        }
        found.entry(key).or_default().add(row);
    }
    for ((path, program), figures) in found {
        let what = || format!("report, {program} on {path}");
        match expected.remove(&(path, program)) {
            Some(expected) => same(differences, what, &expected, &figures),
            None => differences.push(format!("{}: invented: {figures:?}", what())),
        }
    }
    for ((path, program), figures) in expected {
        differences.push(format!("report, {program} on {path}: missing: {figures:?}"));
    }
}

fn expected<'a>(truth: &'a Truth, known: &Known, is_exact: bool) -> Table<'a> {
    let mut expected = Table::new();
    for (index, connection) in truth.connections.iter().enumerate() {
        let told = || known.lives.get(&index).copied();
        let Some(life) = Life::expected(connection).or_else(told) else { continue };
        if life.from == truth::State::Closed {
            continue;
        }
        let program = if is_exact { program(truth, connection) } else { ALL };
        let path = truth.listeners[connection.listener].path.as_str();
        let figures = expected.entry((path, program)).or_default();
        figures.opened += u64::from(!life.is_found);
        figures.before_trace += u64::from(life.is_found);
        figures.closed += u64::from(connection.state() == truth::State::Closed);
        figures.open_client += u64::from(connection.client.is_none());
        figures.open_server += u64::from(connection.server.is_none());
    }
    for attempts in &truth.attempts {
        let program = if is_exact { truth.processes[attempts.by].program.as_str() } else { ALL };
        let figures = expected.entry((attempts.path.as_str(), program)).or_default();
        *figures.failed.entry(attempts.error.clone()).or_default() += attempts.count;
    }
    expected
}

/// What a connection's program is called.
pub(super) fn program<'a>(truth: &'a Truth, connection: &truth::Connection) -> &'a str {
    let opener = match &connection.start {
        Start::Before(before) => before.opener,
        Start::Seen | Start::Either => Some(connection.opener),
    };
    opener.map_or("[unknown]", |opener| &truth.processes[opener].program)
}
