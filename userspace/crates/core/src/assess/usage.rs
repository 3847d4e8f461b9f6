//! How connections are used.

use serde::{Deserialize, Serialize};

use crate::{
    event::End,
    lifecycle::Connection,
    session::{EndUse, Session},
};

/// For how long a connection has been idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idle {
    /// Nanoseconds since either end sent something, or since that is noted.
    pub for_ns: u64,
    /// It may be longer: nothing was sent since that is noted, and the connection is older.
    pub at_least: bool,
}

impl Idle {
    /// From how both ends were used. None if that is not known of one of them.
    #[must_use]
    pub fn of(ends: [UseReport; 2]) -> Option<Self> {
        let [client, server] = ends;
        let known_ns = client.known_ns?.min(server.known_ns?);
        let sent = ends.into_iter().filter_map(|end| end.last_sent_ns_ago).min();
        // What was sent before it was noted on both ends is no news.
        Some(match sent.filter(|&ago| ago <= known_ns) {
            Some(ns) => Self { for_ns: ns, at_least: false },
            None => Self { for_ns: known_ns, at_least: !(client.whole && server.whole) },
        })
    }

    /// For how long a connection has been idle at `now`, in nanoseconds since boot, by the last descriptor scan. None if that is
    /// not known of both ends.
    #[must_use]
    pub fn of_open(session: &Session, connection: &Connection, now: u64) -> Option<Self> {
        let usage = |end| session.usage(connection, end).map(|known| UseReport::new(&known, now));
        Self::of([usage(End::Client)?, usage(End::Server)?])
    }
}

/// How an end was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UseReport {
    /// How long ago that was looked at, in nanoseconds.
    pub read_ns_ago: u64,
    /// For how long it is known what it sent, in nanoseconds. None if that is not known.
    pub known_ns: Option<u64>,
    /// That is so from the start of the connection on.
    pub whole: bool,
    /// Nanoseconds since it last sent, to 67 ms. None if it did not since then, or if that is not known.
    pub last_sent_ns_ago: Option<u64>,
    /// In how many sends it sent.
    pub sends: Option<u32>,
    /// How many bytes.
    pub sent_bytes: Option<u64>,
    /// Messages that lie there unread.
    pub unread: u32,
    /// By shutdown(2) it neither receives any more ...
    pub no_receive: bool,
    /// ... nor sends.
    pub no_send: bool,
}

impl UseReport {
    pub(super) fn new(known: &EndUse, now: u64) -> Self {
        let EndUse { at, since, is_whole, usage } = *known;
        let sent = known.sent();
        let ago = |at: u64| now.saturating_sub(at);
        Self {
            read_ns_ago: ago(at),
            known_ns: since.map(ago),
            whole: is_whole,
            last_sent_ns_ago: sent.and_then(|sent| sent.last_sent).map(ago),
            sends: sent.map(|sent| sent.sends),
            sent_bytes: sent.map(|sent| sent.bytes),
            unread: usage.unread,
            no_receive: usage.no_receive,
            no_send: usage.no_send,
        }
    }

    /// What it was shut down for: `sending`, `receiving` or both. None if for nothing.
    #[must_use]
    pub const fn shut(&self) -> Option<&'static str> {
        match (self.no_receive, self.no_send) {
            (true, true) => Some("receiving and sending"),
            (true, false) => Some("receiving"),
            (false, true) => Some("sending"),
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noted for so long, sent so long ago.
    fn end(known_ns: Option<u64>, last_sent_ns_ago: Option<u64>, whole: bool) -> UseReport {
        UseReport {
            read_ns_ago: 0,
            known_ns,
            whole,
            last_sent_ns_ago,
            sends: None,
            sent_bytes: None,
            unread: 0,
            no_receive: false,
            no_send: false,
        }
    }

    #[test]
    fn it_is_idle_since_either_end_sent() {
        let exact = |ns| Some(Idle { for_ns: ns, at_least: false });
        let least = |ns| Some(Idle { for_ns: ns, at_least: true });
        let table = [
            (end(Some(90), Some(40), true), end(Some(90), Some(30), true), exact(30)),
            (end(Some(90), Some(40), true), end(Some(90), None, true), exact(40)),
            (end(Some(90), None, true), end(Some(90), None, true), exact(90)),
            (end(Some(50), None, false), end(Some(90), None, true), least(50)),
            // Sent before the other end was noted.
            (end(Some(50), None, false), end(Some(90), Some(70), true), least(50)),
            (end(None, None, false), end(Some(90), Some(70), true), None),
        ];
        for (client, server, expected) in table {
            assert_eq!(Idle::of([client, server]), expected, "{client:?} {server:?}");
        }
    }
}
