//! Compares the truth with a capture: a pure function from both to the list of differences.

mod attempts;
mod connections;
mod figures;
mod findings;
mod holders;
mod identity;
mod listeners;
mod replay;
mod report;
mod skipped;
mod starts;
mod stream;
mod usage;

use std::collections::HashMap;

use workload::truth::{Start, Truth};

use crate::capture::{self, Event};

/// What a capture says, sorted by kind; within a kind in the order of the lines.
#[derive(Default)]
struct Captured {
    sessions: Vec<capture::Session>,
    listeners: Vec<capture::Listener>,
    connects: Vec<capture::Connect>,
    founds: Vec<capture::Found>,
    accepts: Vec<capture::Accept>,
    releases: Vec<capture::Release>,
    closed: Vec<capture::ListenerClosed>,
    attempts: Vec<capture::Attempt>,
    reports: Vec<capture::Report>,
}

/// The listener that a number of the capture stands for: which one of the truth.
type Numbers = HashMap<u64, usize>;

/// The differences between what happened and what was captured, one sentence each; none if the capture is exact.
#[must_use]
pub fn compare(truth: &Truth, capture: &str) -> Vec<String> {
    let mut differences = Vec::new();
    let mut events = Vec::new();
    for (number, line) in capture.lines().enumerate() {
        match capture::parse_line(line) {
            Ok(event) => events.push(event),
            Err(error) => differences.push(format!("line {} is not as documented: {error}", number + 1)),
        }
    }
    stream::check(&events, &mut differences);
    let is_exact = truth.connections.iter().all(|connection| connection.start != Start::Either);
    replay::check(&events, is_exact, &mut differences);
    let skipped_accepts = skipped::skipped_accepts(&events);
    let captured = sort(events);
    let mut known = connections::check(truth, &captured, &mut differences);
    known.is_use_noted = usage::is_noted(&captured.sessions);
    attempts::check(truth, &captured, &known.listeners, &mut differences);
    listeners::check(truth, &captured, &known.listeners, &mut differences);
    if let [report] = captured.reports.as_slice() {
        figures::check(truth, report, &known, &mut differences);
        report::check(truth, report, &known, &mut differences);
        findings::check(truth.findings.as_deref(), report, &mut differences);
    }
    if let ([report], false) = (captured.reports.as_slice(), is_exact) {
        // Its clients are at it while the capture sets itself up.
        skipped::forgive(report, &captured.releases, skipped_accepts, &mut differences);
    }
    differences
}

fn sort(events: Vec<Event>) -> Captured {
    let mut captured = Captured::default();
    for event in events {
        match event {
            Event::Listener(it) => captured.listeners.push(it),
            Event::Connect(it) => captured.connects.push(*it),
            Event::Found(it) => captured.founds.push(*it),
            Event::Accept(it) => captured.accepts.push(*it),
            Event::Release(it) => captured.releases.push(*it),
            Event::ListenerClosed(it) => captured.closed.push(*it),
            Event::Attempt(it) => captured.attempts.push(*it),
            Event::Report(it) => captured.reports.push(*it),
            Event::Session(it) => captured.sessions.push(it),
            Event::Watching(_) | Event::Loss(_) | Event::Other => {}
        }
    }
    captured
}

/// Notes a difference unless both are equal.
fn same<T: PartialEq + std::fmt::Debug + Copy>(
    differences: &mut Vec<String>,
    what: impl FnOnce() -> String,
    truth: T,
    captured: T,
) {
    if truth != captured {
        differences.push(format!("{}: {truth:?}, captured {captured:?}", what()));
    }
}
