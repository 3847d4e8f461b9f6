//! What a recording needs of what the session is fed.

use crate::{
    event::{Record, What},
    session::{Notice, Session},
};

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
