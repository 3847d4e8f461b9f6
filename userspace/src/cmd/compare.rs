//! `sockleak compare`: which leaks are new since an earlier recording, which go on, and which are gone.

use std::collections::BTreeSet;

use sockleak_core::assess::Report;
use sockleak_report::{
    compare::{Change, Comparison, Recorded, Side, compare, render},
    text,
};

use super::{
    output::{Output, terminal_width},
    report::{Judged, Replayed, replay},
};
use crate::{
    cli::{Compare, FailOnChange, Part},
    failure::Failure,
};

/// Runs it.
///
/// # Errors
/// If a recording cannot be read, the comparison not be written, or something is found that `--fail-on` names.
pub fn run(arguments: &Compare) -> Result<(), Failure> {
    let judged = Judged {
        part: Part::default(),
        leak_age: arguments.leak_age,
        limits: &arguments.limits,
        by: arguments.by,
        what: "the comparison is",
    };
    let [before, after] = [&arguments.before, &arguments.after].map(|file| replay(file, &judged));
    let (before, after) = (before?, after?);
    let reports = [&before, &after].map(Replayed::report);
    let [earlier, later] =
        [(&before, &reports[0]), (&after, &reports[1])].map(|(it, report)| recorded(it, report));
    let comparison = compare(
        Side { recorded: &earlier, report: &reports[0] },
        Side { recorded: &later, report: &reports[1] },
        before.began() > after.began(),
    );
    let mut out = Output::default();
    if arguments.json {
        out.json(&comparison);
    } else {
        let width = terminal_width().unwrap_or(text::WIDTH);
        out.buffer.extend_from_slice(render(&comparison, width).as_bytes());
    }
    out.flush()?;
    fail_on(&comparison, &arguments.fail_on)
}

fn recorded(replayed: &Replayed, report: &Report<'_>) -> Recorded {
    let header = replayed.header();
    Recorded {
        file: replayed.file().to_owned(),
        host: header.host.clone(),
        time: began(replayed),
        seconds: report.seconds,
        version: header.version.clone(),
        targets: header.targets.clone(),
        limits: header.limits.clone(),
        leak_age_ns: report.leak_age_ns,
        complete: report.complete,
        incomplete_because: report.incomplete_because.clone(),
    }
}

/// To the second.
fn began(replayed: &Replayed) -> String {
    let began = replayed.began();
    began.round(jiff::Unit::Second).unwrap_or(began).to_string()
}

fn fail_on(comparison: &Comparison, asked: &[FailOnChange]) -> Result<(), Failure> {
    let mut found = BTreeSet::new();
    for leak in &comparison.leaks {
        match leak.change {
            Change::New if leak.is_new_accusation() => found.insert(FailOnChange::New),
            Change::New => found.insert(FailOnChange::NewSuspect),
            Change::Still => found.insert(FailOnChange::Still),
            Change::NotEnoughSeen => found.insert(FailOnChange::NotEnoughSeen),
            Change::Gone => false,
        };
    }
    if !comparison.before.complete || !comparison.after.complete {
        found.insert(FailOnChange::Incomplete);
    }
    let names: Vec<&str> = found.iter().filter(|it| asked.contains(it)).map(|it| it.name()).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Failure::Found(format!("found, as --fail-on asks: {}", names.join(", "))))
}
