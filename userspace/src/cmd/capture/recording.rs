//! `--output`: everything that the session takes in goes to a trace file too.

use super::teller::Teller;
use crate::{
    attribution::{limits::GivenLimit, selection::Selection},
    cli::Capture,
    clock::Clock,
    console::say,
    failure::Failure,
    privilege,
    probe::{attach::Probe, facts::Machine},
    report::Frame,
    session::Settings,
    trace_file::{Header, Progress, Writer},
    tracer::Tracer,
};

/// Begins a recording, if one is asked for.
pub(super) fn begin(
    arguments: &Capture,
    machine: &Machine,
    probe: &Probe,
    selection: &Selection,
    settings: &Settings,
    clock: &Clock,
) -> Result<Option<Writer>, Failure> {
    let Some(path) = &arguments.output else { return Ok(None) };
    let header = Header {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: host(),
        boot_id: machine.boot_id.clone(),
        kernel: machine.release.clone(),
        boot_time: clock.boot_time(),
        targets: selection.given().map(str::to_owned).collect(),
        leak_age: settings.leak_age,
        limits: settings.limits.iter().map(|limit| GivenLimit::text(limit).to_owned()).collect(),
        hooks: serde_json::to_value(&probe.hooks).unwrap_or_default(),
        started: settings.started,
    };
    Ok(Some(Writer::create(path, &header, privilege::keep_writing)?))
}

/// The host's name.
pub(super) fn host() -> String {
    nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned()
}

/// Has written what there is, and tells if that has failed: then the capture goes on without.
pub(super) fn flush(tracer: &mut Tracer<Teller>) {
    if tracer.audience.recording.is_none() {
        return;
    }
    let progress = progress(tracer.frame());
    let Some(writer) = &mut tracer.audience.recording else { return };
    writer.flush(progress);
    if let Some(error) = writer.status() {
        say(error);
        tracer.audience.recording = None;
    }
}

/// Ends the recording as the report has it.
pub(super) fn end(teller: &mut Teller, frame: &Frame) -> Result<(), Failure> {
    let Some(writer) = teller.recording.take() else { return Ok(()) };
    Ok(writer.finish(progress(frame.clone()))?)
}

fn progress(Frame { now, losses, skipped_runs, gaps }: Frame) -> Progress {
    Progress { now, losses, skipped_runs, gaps }
}
