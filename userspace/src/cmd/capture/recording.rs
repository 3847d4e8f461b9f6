//! `--output`: everything that the session takes in goes to a recording too.

use sockleak_core::{assess::Coverage, attribution::selection::Selection, session::Settings, time::Clock};
use sockleak_recording::Writer;

use super::teller::Teller;
use crate::{
    cli::Capture,
    console::say,
    failure::Failure,
    privilege,
    probe::{attach::Probe, facts::Machine},
    tracer::{self, Tracer},
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
    let header = tracer::header(machine, probe, selection, settings, clock);
    Ok(Some(Writer::create(path, &header, privilege::keep_writing)?))
}

/// Has written what there is, and tells if that has failed: then the capture goes on without.
pub(super) fn flush(tracer: &mut Tracer<Teller>) {
    if tracer.audience.recording.is_none() {
        return;
    }
    let progress = tracer.frame();
    let Some(writer) = &mut tracer.audience.recording else { return };
    writer.flush(progress);
    if let Some(error) = writer.status() {
        say(error);
        tracer.audience.recording = None;
    }
}

/// Ends the recording as the report has it.
pub(super) fn end(teller: &mut Teller, frame: &Coverage) -> Result<(), Failure> {
    let Some(writer) = teller.recording.take() else { return Ok(()) };
    Ok(writer.finish(frame.clone())?)
}
