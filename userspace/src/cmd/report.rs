//! `sockleak report`: the report of recordings.

use std::{collections::BTreeSet, ops::ControlFlow, path::Path};

use anyhow::Context as _;

use super::output::Output;
use crate::{
    attribution::{limits::GivenLimit, selection::Selection},
    cli::{self, View},
    clock::{Clock, nanoseconds},
    console::say,
    failure::Failure,
    report::{Frame, Report, escape::terminal, json, text},
    session::{Session, Settings},
    trace_file::Trace,
    verdict::Verdict,
};

/// Runs it.
///
/// # Errors
/// If a trace cannot be read, or a verdict is found that `--fail-on` names.
pub fn run(arguments: &cli::Report) -> Result<(), Failure> {
    let mut out = Output::default();
    let mut outcome = Ok(());
    for (index, file) in arguments.traces.iter().enumerate() {
        let (report, clock, host) = replay(file, arguments)?;
        if arguments.traces.len() > 1 && !arguments.json {
            if index > 0 {
                out.buffer.push(b'\n');
            }
            let title = format!("{host}: {}", file.display());
            out.buffer.extend_from_slice(terminal(&title).as_bytes());
            out.buffer.extend_from_slice(b"\n\n");
        }
        if arguments.json {
            out.json(&json::report(&report, &clock).context("the report cannot be written as JSON")?);
        } else {
            out.buffer.extend_from_slice(text::render(&report).as_bytes());
        }
        outcome = outcome.and(fail_on(&report, &arguments.fail_on));
    }
    out.flush()?;
    outcome
}

/// Replays a trace to its report.
fn replay(file: &Path, arguments: &cli::Report) -> Result<(Report, Clock, String), Failure> {
    let trace = Trace::open(file)?;
    let header = trace.header();
    let recorded = header.limits.iter().filter_map(|limit| GivenLimit::parse(limit).ok());
    let settings = Settings {
        started: header.started,
        leak_age: arguments.leak_age.map_or(header.leak_age, nanoseconds),
        // The last that fits counts.
        limits: recorded.chain(arguments.limits.iter().cloned()).collect(),
        by: arguments.view.by,
    };
    let mut session = Session::new(Selection::recorded(header.targets.clone()), settings);
    trace.replay(|record| {
        session.feed(record);
        ControlFlow::Continue(())
    })?;
    note_end(&trace, file, "the report is");
    let progress = trace.progress().clone();
    let frame = Frame {
        now: progress.now,
        losses: progress.losses,
        skipped_runs: progress.skipped_runs,
        gaps: progress.gaps,
    };
    let clock = Clock::booted_at(header.boot_time);
    Ok((view(Report::new(&session, frame), &arguments.view), clock, header.host.clone()))
}

/// The report as far as the user wants to see it.
pub(super) fn view(mut report: Report, view: &View) -> Report {
    if let Some(age) = view.older_than {
        report.hide_younger(nanoseconds(age));
    }
    report
}

/// Says if a trace goes on, or was broken off; `what` is what comes of it.
pub(super) fn note_end(trace: &Trace, file: &Path, what: &str) {
    if !trace.is_ended() {
        let file = file.display();
        say(format_args!("{file} is still being written, or was broken off: {what} of its last moment"));
    }
}

/// Fails if a finding has one of the verdicts.
///
/// # Errors
/// The verdicts that were found.
pub(super) fn fail_on(report: &Report, verdicts: &[Verdict]) -> Result<(), Failure> {
    let found: BTreeSet<Verdict> =
        report.findings.iter().map(|it| it.verdict).filter(|it| verdicts.contains(it)).collect();
    if found.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = found.into_iter().rev().map(Verdict::name).collect();
    Err(Failure::Found(format!("found, as --fail-on asks: {}", names.join(", "))))
}
