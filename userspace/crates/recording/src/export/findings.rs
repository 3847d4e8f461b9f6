//! A row for each verdict on a program on a socket, as it stood when the recording ended.

use sockleak_core::{
    assess::findings::{self, FindingReport},
    session::Session,
};

use super::column::{Cell, Column, Kind, Table, column};
use crate::Trace;

/// The table.
pub(super) struct Findings;

/// A verdict, and of when it is.
pub(super) struct Found {
    finding: FindingReport,
    /// When: nanoseconds since boot.
    at: u64,
    /// Since when was observed: likewise.
    since: u64,
    /// Nothing is known to be missing.
    is_complete: bool,
}

/// All that there are, the most severe first: of a session that was fed the whole recording.
pub(super) fn found(trace: &Trace, session: &Session) -> Vec<Found> {
    let (at, since) = (trace.progress().now, session.settings().started);
    let is_complete = trace.progress().missing(session).is_empty();
    let findings = findings::findings(session, at, !is_complete).into_iter();
    findings.map(|finding| Found { finding, at, since, is_complete }).collect()
}

impl Table for Findings {
    type Row<'r> = Found;

    fn columns() -> Vec<Column<Self>> {
        let all = [named(), counted(), judged()];
        all.into_iter().flatten().collect()
    }
}

fn named() -> Vec<Column<Findings>> {
    use Kind::{Number, Text, Time};
    vec![
        column("time", Time, |it| Cell::Time(it.at)),
        column("time_ns", Number, |it| Cell::Number(it.at)),
        column("since", Time, |it| Cell::Time(it.since)),
        column("since_ns", Number, |it| Cell::Number(it.since)),
        column("verdict", Text, |it| Cell::text(Some(it.finding.verdict.name()))),
        column("path", Text, |it| Cell::text(Some(it.finding.path.as_str()))),
        column("program", Text, |it| Cell::text(Some(it.finding.program.as_str()))),
    ]
}

fn counted() -> Vec<Column<Findings>> {
    use Kind::Number;
    vec![
        column("count", Number, |it| Cell::Number(it.finding.count)),
        column("accepted", Number, |it| Cell::Number(it.finding.accepted)),
        column("unused", Number, |it| Cell::Number(it.finding.unused)),
        column("processes", Number, |it| Cell::Number(it.finding.processes)),
        column("oldest_ns", Number, |it| Cell::number(it.finding.oldest_ns)),
        column("opened", Number, |it| Cell::Number(it.finding.opened)),
        column("closed", Number, |it| Cell::Number(it.finding.closed)),
        column("failed", Number, |it| Cell::Number(it.finding.failed.values().sum())),
        column("p50_ns", Number, |it| Cell::number(it.finding.p50_ns)),
        column("p99_ns", Number, |it| Cell::number(it.finding.p99_ns)),
    ]
}

fn judged() -> Vec<Column<Findings>> {
    use Kind::{Flag, Number, Texts};
    vec![
        column("slots_used", Number, |it| Cell::Number(it.finding.slots_used)),
        column("slots_limit", Number, |it| Cell::number(it.finding.slots_limit)),
        column("seconds_until_full", Number, |it| Cell::number(it.finding.seconds_until_full)),
        column("uncertain", Texts, |it| Cell::Texts(&it.finding.uncertain)),
        column("complete", Flag, |it| Cell::Flag(it.is_complete)),
    ]
}
