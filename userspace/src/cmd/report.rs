//! `sockleak report`: the report of recordings, or of a service.

mod asked;
mod merged;
mod sources;

use std::{
    collections::BTreeSet,
    io::{self, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use sockleak_core::{
    assess::{Coverage, Earlier, Report, Wanted},
    attribution::{by::By, limits::GivenLimit, selection::Selection},
    event::{Cursor, Place, Record, Window},
    session::{Session, Settings},
    time::{Clock, nanoseconds},
};
use sockleak_recording::{Header, Progress, Trace, TraceError, export};
use sockleak_report::{
    document::{self, Format, Section},
    text::{self, Layout},
};

use self::sources::{Source, Sources};
use super::{
    destination::{Destination, is_stdout},
    output::{style, terminal_width},
    part,
};
use crate::{
    cli::{self, FailOn, Part, View},
    clock,
    console::{self, say},
    failure::Failure,
    service::store::Recording,
};

/// Runs it.
///
/// # Errors
/// If a recording cannot be read, the report not be written, or a verdict is found that `--fail-on` names.
pub fn run(arguments: &cli::Report) -> Result<(), Failure> {
    let format = form(arguments)?;
    if arguments.table.is_some() && format != Format::Csv {
        return Err(Failure::Usage("--table is for --format csv; leave it out, or add that".to_owned()));
    }
    if let Some(server) = &arguments.service {
        return asked::run(server, format, arguments);
    }
    let (replayed, files) = match sources(arguments) {
        Some(sources) if arguments.merge || (!arguments.each && sources.by_host.len() > 1) => {
            return merged::run(sources, format, arguments);
        }
        Some(sources) if !arguments.stores.is_empty() => replay_stores(sources, arguments)?,
        _ => {
            let judged = Judged::by(arguments);
            let replayed = arguments.traces.iter().map(|file| replay(file, &judged));
            (with_something(replayed)?, arguments.traces.clone())
        }
    };
    let wanted = arguments.findings.wanted();
    let sections: Vec<Section> =
        replayed.iter().map(|it| it.section(&arguments.view, &wanted, format)).collect();
    let table = arguments.table.unwrap_or_default();
    put(arguments, &files, |out| document::write(&sections, format, table, layout(arguments), out))?;
    let outcome = sections.iter().try_for_each(|section| fail_on(&section.report, &arguments.fail_on));
    drop(sections);
    // The process ends: what is freed one by one, in millions of pieces, would take as long as a tenth of the replay.
    std::mem::forget(replayed);
    outcome
}

/// The recordings by host, where that makes a difference.
fn sources(arguments: &cli::Report) -> Option<Sources> {
    match arguments.stores.as_slice() {
        [] if arguments.merge => Some(Sources::of_files(&arguments.traces)),
        [] if arguments.each || arguments.traces.len() == 1 => None,
        [] => Some(Sources::of_files(&arguments.traces)),
        directories => Some(Sources::in_directories(directories)),
    }
}

/// The form that was asked for, else the one that the file's name ends with.
fn form(arguments: &cli::Report) -> Result<Format, Failure> {
    if arguments.json {
        return Ok(Format::Json);
    }
    match (arguments.format, arguments.output.as_deref()) {
        (Some(format), _) => Ok(format),
        (None, None) => Ok(Format::default()),
        (None, Some(path)) => match Format::of_file(path) {
            None if export::Format::of_file(path).is_some() => Err(Failure::Usage(format!(
                "{} ends like a file of sockleak export; end it with .txt, .json, .csv, .md or .html, or add --format",
                path.display()
            ))),
            format => Ok(format.unwrap_or_default()),
        },
    }
}

/// How much is shown, and in how many columns.
fn layout(arguments: &cli::Report) -> Layout {
    let to_file = arguments.output.as_deref().is_some_and(|path| !is_stdout(path));
    let width = terminal_width().filter(|_| !to_file).unwrap_or(text::WIDTH);
    Layout { width, is_whole: arguments.view.all, style: style(arguments.view.color, to_file) }
}

/// Has the document written where the user wants it; `sources` are what was read.
fn put(
    arguments: &cli::Report,
    sources: &[PathBuf],
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    Destination::open(arguments.output.as_deref(), sources)?.put(write)
}

/// How recordings are judged.
pub(super) struct Judged<'a> {
    /// Instead of the recorded leak age.
    pub(super) leak_age: Option<Duration>,
    /// Besides the recorded ones; the last that fits counts.
    pub(super) limits: &'a [GivenLimit],
    pub(super) by: By,
    /// The part that figures count.
    pub(super) part: Part,
    /// What comes of them, in a sentence: `the report is`.
    pub(super) what: &'static str,
}

impl<'a> Judged<'a> {
    fn by(arguments: &'a cli::Report) -> Self {
        let cli::Report { leak_age, limits, view, part, .. } = arguments;
        Self { leak_age: *leak_age, limits, by: view.by, part: *part, what: "the report is" }
    }
}

/// What a recording led to.
pub(super) struct Replayed {
    header: Header,
    file: String,
    session: Session,
    frame: Coverage,
    clock: Clock,
    part: Option<(Window, Earlier)>,
}

impl Replayed {
    /// What the recording begins with.
    pub(super) const fn header(&self) -> &Header {
        &self.header
    }

    /// The recording's name.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// When it began.
    pub(super) fn began(&self) -> Timestamp {
        self.clock.timestamp(self.header.started)
    }

    /// All that is known at its end.
    pub(super) fn report(&self) -> Report<'_> {
        self.restricted(Report::new(&self.session, self.frame.clone()))
    }

    fn restricted<'s>(&'s self, mut report: Report<'s>) -> Report<'s> {
        if let Some((window, earlier)) = &self.part {
            report.restrict(*window, earlier);
        }
        report
    }

    fn section(&self, view: &View, wanted: &Wanted, format: Format) -> Section<'_> {
        let origin = (self.header.host.clone(), self.file.clone());
        let section = Section::new(&self.session, self.frame.clone(), self.clock.clone(), origin, format);
        Section { report: self::view(self.restricted(section.report), view, wanted), ..section }
    }
}

/// Replays a recording.
pub(super) fn replay(file: &Path, judged: &Judged<'_>) -> Result<Replayed, Failure> {
    let trace = Trace::open(file)?;
    let (of, name) = ((trace.header(), trace.progress()), file.display().to_string());
    let shown = console::Progress::reading(&name, Arc::default());
    let replayed = replay_records(of, name, judged, &shown, |feed| trace.replay(feed))?;
    drop(shown);
    note_end(&trace, file, judged.what);
    Ok(replayed)
}

/// Those of several recordings that have something of the part that is wanted. Says which have nothing.
///
/// # Errors
/// If none has, or another failure.
fn with_something(
    replayed: impl Iterator<Item = Result<Replayed, Failure>>,
) -> Result<Vec<Replayed>, Failure> {
    let (mut found, mut outside) = (Vec::new(), Vec::new());
    for outcome in replayed {
        match outcome {
            Err(Failure::Outside(sentence)) => outside.push(sentence),
            outcome => found.push(outcome?),
        }
    }
    if found.is_empty()
        && let Some(sentence) = outside.pop()
    {
        return Err(Failure::Outside(sentence));
    }
    outside.iter().for_each(say);
    Ok(found)
}

/// Replays the recordings of stores, each to its report. Says what cannot be read. Returns their files besides.
fn replay_stores(
    sources: Sources,
    arguments: &cli::Report,
) -> Result<(Vec<Replayed>, Vec<PathBuf>), Failure> {
    let Sources { by_host, files, unreadable, failure } = sources;
    let judged = Judged::by(arguments);
    let mut replayed = Vec::new();
    if by_host.is_empty()
        && let Some(failure) = Sources::refusal(&unreadable, failure)
    {
        return Err(failure);
    }
    unreadable.iter().for_each(|it| say(&it.because));
    let of_hosts: BTreeSet<Source> = by_host.into_values().flatten().collect();
    for source in of_hosts {
        match source {
            Source::Recording(file) => replayed.push(replay(&file, &judged)),
            Source::Store(directory) => {
                replayed.extend(Recording::all(&directory)?.recordings.iter().map(|recording| {
                    let (of, name) = ((recording.header(), recording.progress()), recording.name());
                    let shown = console::Progress::reading(&name, Arc::default());
                    replay_records(of, name, &judged, &shown, |feed| recording.replay(feed))
                }));
            }
        }
    }
    Ok((with_something(replayed.into_iter())?, files))
}

/// Replays records.
fn replay_records(
    (header, progress): (&Header, &Progress),
    file: String,
    judged: &Judged<'_>,
    shown: &console::Progress,
    replay: impl FnOnce(&mut dyn FnMut(Record) -> ControlFlow<()>) -> Result<(), TraceError>,
) -> Result<Replayed, Failure> {
    let recorded = header.limits.iter().filter_map(|limit| GivenLimit::parse(limit).ok());
    let settings = Settings {
        started: header.started,
        leak_age: judged.leak_age.map_or(header.leak_age, nanoseconds),
        // The last that fits counts.
        limits: recorded.chain(judged.limits.iter().cloned()).collect(),
        by: judged.by,
    };
    let window = part::window(judged.part, header, progress, &file)?;
    let mut cursor = Cursor::new(window.unwrap_or(Window::ALWAYS));
    let mut session = Session::new(Selection::recorded(header.targets.clone()), settings);
    let mut earlier = None;
    let as_of =
        |session: &Session, now| Earlier::new(Report::new(session, Coverage { now, ..progress.clone() }));
    replay(&mut |record| {
        shown.count();
        match (cursor.place(&record), window) {
            (Place::After, _) => return ControlFlow::Break(()),
            (Place::Within, Some(window)) if earlier.is_none() && window.since > header.started => {
                earlier = Some(as_of(&session, window.since));
            }
            _ => {}
        }
        session.feed(record);
        ControlFlow::Continue(())
    })?;
    let part = window.map(|window| {
        let is_later = window.since > header.started;
        // Nothing may have happened in it.
        let earlier = earlier.or_else(|| is_later.then(|| as_of(&session, window.since)));
        (window, earlier.unwrap_or_default())
    });
    let clock = clock::booted_at(header.boot_time);
    let now = window.map_or(progress.now, |window| window.until);
    let frame = Coverage { now, ..progress.clone() };
    Ok(Replayed { header: header.clone(), file, session, frame, clock, part })
}

/// The report as far as the user wants to see it.
pub(super) fn view<'s>(mut report: Report<'s>, view: &View, wanted: &Wanted) -> Report<'s> {
    report.keep_only(wanted);
    if let Some(age) = view.older_than {
        report.hide_younger(nanoseconds(age));
    }
    report
}

/// Says if a recording goes on, or was broken off; `what` is what comes of it.
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
pub(super) fn fail_on(report: &Report, asked: &[FailOn]) -> Result<(), Failure> {
    let found = report.findings.iter().map(|it| FailOn::Verdict(it.verdict));
    fail_on_any(found.chain((!report.complete).then_some(FailOn::Incomplete)), asked)
}

fn fail_on_any(given: impl Iterator<Item = FailOn>, asked: &[FailOn]) -> Result<(), Failure> {
    let found: BTreeSet<FailOn> = given.filter(|it| asked.contains(it)).collect();
    if found.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = found.into_iter().rev().map(FailOn::name).collect();
    Err(Failure::Found(format!("found, as --fail-on asks: {}", names.join(", "))))
}
