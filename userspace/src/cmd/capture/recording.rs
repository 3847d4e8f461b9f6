//! `--output`: everything that the session takes in goes to a trace file too.

use super::Run;
use crate::{
    attribution::{limits::GivenLimit, selection::Selection},
    cli::Capture,
    clock::{self, Clock},
    console::say,
    event::{Record, What},
    failure::Failure,
    privilege,
    probe::{attach::Probe, facts::Machine},
    report::Frame,
    session::{Notice, Session, Settings},
    trace_file::{Header, Progress, Writer},
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
    let host = nix::unistd::gethostname().unwrap_or_default();
    let header = Header {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: host.to_string_lossy().into_owned(),
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

/// Is this a record that the report depends on? `place` is the path that a failed attempt without a listener meant.
pub(super) fn is_worth_keeping(kind: Kind, notice: Option<&Notice<'_>>) -> (bool, Option<Vec<u8>>) {
    match (notice, kind) {
        (Some(Notice::Ignored(_)), _) | (None, Kind::Event | Kind::Held { is_followed: false }) => {
            (false, None)
        }
        (Some(Notice::Seen(seen)), _) => {
            let is_placeless = matches!(seen.what, What::Attempt { listener: None, .. });
            (true, is_placeless.then(|| seen.socket.path.as_bytes().to_vec()))
        }
        _ => (true, None),
    }
}

/// What a record is, as far as keeping it depends on that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something happened.
    Event,
    /// A descriptor.
    Held {
        /// Of a listener that a target means.
        is_followed: bool,
    },
    /// Anything else.
    Other,
}

impl Kind {
    pub(super) fn of(record: &Record, session: &Session) -> Self {
        match record {
            Record::Event(_) => Self::Event,
            Record::Held(held) => Self::Held { is_followed: session.follows(held.listener) },
            _ => Self::Other,
        }
    }
}

impl Run<'_> {
    /// Has written what there is, and tells if that has failed: then the capture goes on without.
    pub(super) fn flush_recording(&mut self) {
        let progress = Progress {
            now: clock::now(),
            losses: self.losses.clone(),
            skipped_runs: self.probe.skipped_runs(),
            gaps: self.gaps(),
        };
        let Some(writer) = &mut self.recording else { return };
        writer.flush(progress);
        if let Some(error) = writer.status() {
            say(error);
            self.recording = None;
        }
    }

    /// Ends the recording as the report has it.
    pub(super) fn end_recording(&mut self, frame: &Frame) -> Result<(), Failure> {
        let Some(writer) = self.recording.take() else { return Ok(()) };
        let Frame { now, losses, skipped_runs, gaps } = frame.clone();
        Ok(writer.finish(Progress { now, losses, skipped_runs, gaps })?)
    }
}
