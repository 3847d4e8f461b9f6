//! How small things are stored: numbers for names, and names that may be no text.

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use sockleak_core::event::{Comm, End, Reason};

/// Kinds of rows in `event`.
pub(super) mod kind {
    pub(crate) const CONNECT: i64 = 1;
    pub(crate) const ACCEPT: i64 = 2;
    pub(crate) const RELEASE: i64 = 3;
    pub(crate) const LISTENER_CLOSED: i64 = 4;
    pub(crate) const ATTEMPT: i64 = 5;
    pub(crate) const GONE: i64 = 6;
    pub(crate) const ROUND_BEGINS: i64 = 7;
    pub(crate) const ROUND_ENDS: i64 = 8;
    /// 9 stands for a row of `held` in the views.
    pub(crate) const STACK: i64 = 10;
    pub(crate) const UNWATCHED: i64 = 14;
    pub(crate) const USE_NOTED: i64 = 15;
    pub(crate) const CARRY_BEGINS: i64 = 11;
    pub(crate) const CARRIED_LISTENER: i64 = 12;
    pub(crate) const CARRY_ENDS: i64 = 13;
}

/// States of the other end.
pub(super) mod peer {
    pub(crate) const OPEN: i64 = 1;
    pub(crate) const QUEUED: i64 = 2;
    pub(crate) const RELEASED: i64 = 3;
}

/// What an end does not do any more: bits.
pub(super) mod shut {
    pub(crate) const RECEIVE: i64 = 1;
    pub(crate) const SEND: i64 = 2;
}

/// Ends whose releases will not be seen: bits.
pub(super) mod untracked {
    pub(crate) const CLIENT: i64 = 1;
    pub(crate) const SERVER: i64 = 2;
}

pub(super) const fn side(end: End) -> i64 {
    match end {
        End::Client => 1,
        End::Server => 2,
    }
}

pub(super) const fn end(side: i64) -> Option<End> {
    match side {
        1 => Some(End::Client),
        2 => Some(End::Server),
        _ => None,
    }
}

/// Reason, and exit status or signal.
pub(super) fn reason(reason: Reason) -> (i64, Option<i64>) {
    match reason {
        Reason::Close => (1, None),
        Reason::Exit(status) => (2, Some(status.into())),
        Reason::Killed(signal) => (3, Some(signal.into())),
        Reason::Exec => (4, None),
        Reason::ListenerClosed => (5, None),
        Reason::Collected => (6, None),
        Reason::Unseen => (7, None),
    }
}

pub(super) const fn reason_of(code: i64, status: Option<u8>) -> Option<Reason> {
    Some(match (code, status) {
        (1, None) => Reason::Close,
        (2, Some(status)) => Reason::Exit(status),
        (3, Some(signal)) => Reason::Killed(signal),
        (4, None) => Reason::Exec,
        (5, None) => Reason::ListenerClosed,
        (6, None) => Reason::Collected,
        (7, None) => Reason::Unseen,
        _ => return None,
    })
}

/// A name: as text where it can be shown as such, so that a person can read and compare it.
pub(super) fn name(bytes: &[u8]) -> ToSqlOutput<'_> {
    let is_text = !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok();
    ToSqlOutput::Borrowed(if is_text { ValueRef::Text(bytes) } else { ValueRef::Blob(bytes) })
}

/// A task's name, without the NUL bytes at its end.
pub(super) fn comm(comm: &Comm) -> ToSqlOutput<'_> {
    let length = comm.0.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    name(&comm.0[..length])
}

/// None if it is longer than a task's name can be.
pub(super) fn comm_of(bytes: &[u8]) -> Option<Comm> {
    let mut comm = [0; 16];
    comm.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(Comm(comm))
}

/// Two's complement: the values that SQLite can count with are stored as they are.
pub(super) fn unsigned(value: u64) -> ToSqlOutput<'static> {
    ToSqlOutput::Owned(Value::Integer(value.cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_survive() {
        for given in [
            Reason::Close,
            Reason::Exit(0),
            Reason::Exit(255),
            Reason::Killed(9),
            Reason::Exec,
            Reason::ListenerClosed,
            Reason::Collected,
            Reason::Unseen,
        ] {
            let (code, status) = reason(given);
            assert_eq!(reason_of(code, status.map(|status| status as u8)), Some(given));
        }
        assert_eq!(reason_of(2, None), None);
        assert_eq!(reason_of(8, None), None);
    }

    #[test]
    fn names_that_are_no_text_are_blobs() {
        let is_text = |bytes| matches!(name(bytes), ToSqlOutput::Borrowed(ValueRef::Text(_)));
        assert!(is_text("/run/ä.sock".as_bytes()));
        assert!(!is_text(b"\xff"));
        assert!(!is_text(b"\0abstract"));
    }
}
