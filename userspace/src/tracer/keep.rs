//! What a recording needs of what the session is fed.

use sockleak_core::{
    attribution::{limits::GivenLimit, selection::Selection},
    event::{Record, What},
    session::{Notice, Session, Settings},
    time::Clock,
};
use sockleak_recording::Header;

use crate::probe::{attach::Probe, facts::Machine};

/// What a recording begins with.
#[must_use]
pub fn header(
    machine: &Machine,
    probe: &Probe,
    selection: &Selection,
    settings: &Settings,
    clock: &Clock,
) -> Header {
    Header {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: host_name(),
        boot_id: machine.boot_id.clone(),
        kernel: machine.release.clone(),
        boot_time: clock.boot_time(),
        targets: selection.given().map(str::to_owned).collect(),
        leak_age: settings.leak_age,
        limits: settings.limits.iter().map(|limit| GivenLimit::text(limit).to_owned()).collect(),
        hooks: serde_json::to_value(&probe.hooks).unwrap_or_default(),
        started: settings.started,
    }
}

/// The host's name.
#[must_use]
pub fn host_name() -> String {
    nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned()
}

/// Is this a record that the report depends on? `place` is the path that a failed connect without a listener meant.
pub(super) fn is_worth_keeping(kind: Kind, notice: Option<&Notice<'_>>) -> (bool, Option<Vec<u8>>) {
    match (notice, kind) {
        (Some(Notice::Ignored(_) | Notice::Stranger), _)
        | (None, Kind::Event | Kind::Held { is_followed: false }) => (false, None),
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
