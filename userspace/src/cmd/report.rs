//! `sockleak report`: the report of recordings.

use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{
    destination::Destination,
    output::{Output, terminal_width},
};
use crate::{
    attribution::{limits::GivenLimit, selection::Selection},
    cli::{self, View},
    clock::{Clock, nanoseconds},
    console::say,
    event::Record,
    failure::Failure,
    report::{
        Frame, Report,
        document::{self, Format, Section},
        pictures::pictures,
        text,
    },
    service::store::{Recording, Recordings, StoreError},
    session::{Session, Settings},
    trace_file::{Header, Progress, Trace, TraceError},
    verdict::Verdict,
};

/// Runs it.
///
/// # Errors
/// If a trace cannot be read, the report not be written, or a verdict is found that `--fail-on` names.
pub fn run(arguments: &cli::Report) -> Result<(), Failure> {
    let format = if arguments.json { Format::Json } else { arguments.format };
    if arguments.table.is_some() && format != Format::Csv {
        return Err(Failure::Usage("--table is for --format csv; leave it out, or add that".to_owned()));
    }
    let (sections, files) = match &arguments.store {
        None => {
            let sections = arguments.traces.iter().map(|file| replay(file, arguments));
            (sections.collect::<Result<Vec<_>, _>>()?, arguments.traces.clone())
        }
        Some(directory) => replay_store(directory, arguments)?,
    };
    let width = terminal_width().filter(|_| arguments.output.is_none()).unwrap_or(text::WIDTH);
    let document = document::render(&sections, format, arguments.table.unwrap_or_default(), width)
        .context("the report cannot be put in that form")?;
    match &arguments.output {
        Some(path) => Destination::open(Some(path), &files)?.put(document.as_bytes())?,
        None => {
            let mut out = Output::default();
            out.buffer.extend_from_slice(document.as_bytes());
            out.flush()?;
        }
    }
    sections.iter().try_for_each(|section| fail_on(&section.report, &arguments.fail_on))
}

/// Replays a trace to its report.
fn replay(file: &Path, arguments: &cli::Report) -> Result<Section, Failure> {
    let trace = Trace::open(file)?;
    let (header, progress) = (trace.header(), trace.progress());
    let section =
        section(header, progress, file.display().to_string(), arguments, |feed| trace.replay(feed))?;
    note_end(&trace, file, "the report is");
    Ok(section)
}

/// Replays the recordings of a store, each to its report. Returns their files besides.
fn replay_store(directory: &Path, arguments: &cli::Report) -> Result<(Vec<Section>, Vec<PathBuf>), Failure> {
    let Recordings { recordings, damaged } = Recording::all(directory)?;
    damaged.iter().for_each(say);
    if recordings.is_empty() {
        return Err(StoreError::Empty(directory.to_owned()).into());
    }
    let sections = recordings.iter().map(|recording| {
        let (header, progress) = (recording.header(), recording.progress());
        section(header, progress, recording.name(), arguments, |feed| recording.replay(feed))
    });
    let sections = sections.collect::<Result<_, _>>()?;
    Ok((sections, recordings.iter().flat_map(Recording::paths).map(Path::to_owned).collect()))
}

/// Replays records to their report.
fn section(
    header: &Header,
    progress: &Progress,
    file: String,
    arguments: &cli::Report,
    replay: impl FnOnce(&mut dyn FnMut(Record) -> ControlFlow<()>) -> Result<(), TraceError>,
) -> Result<Section, Failure> {
    let recorded = header.limits.iter().filter_map(|limit| GivenLimit::parse(limit).ok());
    let settings = Settings {
        started: header.started,
        leak_age: arguments.leak_age.map_or(header.leak_age, nanoseconds),
        // The last that fits counts.
        limits: recorded.chain(arguments.limits.iter().cloned()).collect(),
        by: arguments.view.by,
    };
    let mut session = Session::new(Selection::recorded(header.targets.clone()), settings);
    replay(&mut |record| {
        session.feed(record);
        ControlFlow::Continue(())
    })?;
    let progress = progress.clone();
    let frame = Frame {
        now: progress.now,
        losses: progress.losses,
        skipped_runs: progress.skipped_runs,
        gaps: progress.gaps,
    };
    let pictures = pictures(&session, frame.now);
    Ok(Section {
        host: header.host.clone(),
        file,
        report: view(Report::new(&session, frame), &arguments.view),
        clock: Clock::booted_at(header.boot_time),
        pictures,
    })
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
