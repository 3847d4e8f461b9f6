//! The report of many hosts: each recording is judged alone, and what it says is added up, so that one session is in memory at a
//! time.

use std::path::Path;

use anyhow::anyhow;
use sockleak_recording::Trace;
use sockleak_report::{
    document::Format,
    fleet::{self, Fleet, HostAnswer, Merged, Moment, Recorded},
};

use super::{
    Judged, Replayed, fail_on_any, layout, put, replay_records,
    sources::{Source, Sources},
};
use crate::{
    cli::{self, FailOn},
    console::{Progress, say},
    failure::Failure,
    service::store::Recording,
};

/// Hosts that a list of JSON, CSV or a page names, unless all are asked for.
const NAMED: usize = 10;

/// Reports all of them as one.
pub(super) fn run(sources: Sources, format: Format, arguments: &cli::Report) -> Result<(), Failure> {
    if arguments.table.is_some() {
        let message = "--table chooses a table of each recording; leave it out, or add --each";
        return Err(Failure::Usage(message.to_owned()));
    }
    let judged = Judged::by(arguments);
    let named = if arguments.view.all { usize::MAX } else { NAMED };
    let mut fleet = Fleet::new(judged.by, named);
    let files = sources.files.clone();
    let failure = add_all(sources, &judged, &mut fleet)?;
    let is_empty = fleet.recordings() == 0;
    let merged = fleet.merged();
    if is_empty && let Some(failure) = Sources::refusal(&merged.unreadable, failure) {
        return Err(failure);
    }
    put(arguments, &files, |out| fleet::write(&merged, format, layout(arguments), out))?;
    if format == Format::Csv {
        // It has no place for them.
        merged.unreadable.iter().for_each(|it| say(&it.because));
    }
    status(&merged, &arguments.fail_on)
}

/// Takes in all hosts. Returns why the first recording could not be read, or had nothing of the part that is wanted.
fn add_all(mut sources: Sources, judged: &Judged<'_>, fleet: &mut Fleet) -> Result<Option<Failure>, Failure> {
    let shown = Progress::several(sources.len());
    for (host, of_host) in std::mem::take(&mut sources.by_host) {
        let mut answer = HostAnswer::new(&*host);
        for source in of_host {
            match add(&source, &host, judged, &mut answer, &shown) {
                Ok(()) => {}
                Err(Failure::Outside(sentence)) => {
                    fleet.note_outside();
                    sources.failure.get_or_insert(Failure::Outside(sentence));
                }
                Err(failure @ Failure::Usage(_)) => return Err(failure),
                Err(failure) => {
                    let (Source::Recording(path) | Source::Store(path)) = &source;
                    sources.note(path, failure);
                }
            }
        }
        fleet.add(answer);
    }
    sources.unreadable.into_iter().for_each(|it| fleet.cannot_read(it));
    Ok(sources.failure)
}

/// Takes in what a source has of a host.
fn add(
    source: &Source,
    host: &str,
    judged: &Judged<'_>,
    answer: &mut HostAnswer,
    shown: &Progress,
) -> Result<(), Failure> {
    match source {
        Source::Recording(path) => {
            shown.next(&path.display().to_string());
            let trace = Trace::open(path)?;
            let of = (trace.header(), trace.progress());
            let replayed =
                replay_records(of, path.display().to_string(), judged, shown, |feed| trace.replay(feed))?;
            take(&replayed, trace.is_ended(), answer);
            Ok(())
        }
        Source::Store(directory) => add_store(directory, host, judged, answer, shown),
    }
}

fn add_store(
    directory: &Path,
    host: &str,
    judged: &Judged<'_>,
    answer: &mut HostAnswer,
    shown: &Progress,
) -> Result<(), Failure> {
    shown.next(&directory.display().to_string());
    let recordings = Recording::all(directory)?.recordings;
    let (mut outside, mut read) = (None, 0);
    for recording in recordings.iter().filter(|it| it.header().host == host) {
        let of = (recording.header(), recording.progress());
        match replay_records(of, recording.name(), judged, shown, |feed| recording.replay(feed)) {
            Err(Failure::Outside(sentence)) => outside = Some(sentence),
            replayed => {
                take(&replayed?, recording.is_ended(), answer);
                read += 1;
            }
        }
    }
    match outside.filter(|_| read == 0) {
        Some(sentence) => Err(Failure::Outside(sentence)),
        None => Ok(()),
    }
}

fn take(replayed: &Replayed, is_ended: bool, answer: &mut HostAnswer) {
    let moment = Moment { began: replayed.began().as_nanosecond(), file: replayed.file().to_owned() };
    answer.add(&Recorded::new(moment, is_ended, &replayed.report()));
}

/// What `--fail-on` names comes first, then what could not be read.
fn status(merged: &Merged, asked: &[FailOn]) -> Result<(), Failure> {
    let verdicts = merged.findings.iter().chain(&merged.undecided).map(|it| FailOn::Verdict(it.verdict));
    fail_on_any(verdicts.chain((!merged.complete).then_some(FailOn::Incomplete)), asked)?;
    match merged.unreadable.len() {
        0 => Ok(()),
        1 => Err(Failure::Store(anyhow!("1 recording or store could not be read; the report names it"))),
        count => Err(Failure::Store(anyhow!(
            "{count} recordings or stores could not be read; the report names them"
        ))),
    }
}
