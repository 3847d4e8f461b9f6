//! How connections are used, in a report.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::count::counted;
use crate::{clock::human, session::EndUse};

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
    pub(super) fn of(ends: [UseReport; 2]) -> Option<Self> {
        let [client, server] = ends;
        let known_ns = client.known_ns?.min(server.known_ns?);
        let sent = ends.into_iter().filter_map(|end| end.last_sent_ns_ago).min();
        // What was sent before it was noted on both ends is no news.
        Some(match sent.filter(|&ago| ago <= known_ns) {
            Some(ns) => Self { for_ns: ns, at_least: false },
            None => Self { for_ns: known_ns, at_least: !(client.whole && server.whole) },
        })
    }
}

/// What a connection is used for, in a sentence: for how long it has been idle, who sent last, and whether that was read. None if
/// that is not known of both ends.
#[must_use]
pub fn sentence(client: Option<UseReport>, server: Option<UseReport>) -> Option<String> {
    let (client, server) = (client?, server?);
    let idle = Idle::of([client, server])?;
    let ns = human(idle.for_ns);
    if idle.at_least {
        let unread = unread(&client, &server);
        return Some(format!("idle for at least {ns}: nothing was sent since that is noted{unread}"));
    }
    if client.last_sent_ns_ago.or(server.last_sent_ns_ago).is_none() {
        return Some(format!("not used since it was made, {ns} ago"));
    }
    let ago = |end: &UseReport| end.last_sent_ns_ago.unwrap_or(u64::MAX);
    let (who, is_read) = match ago(&client).cmp(&ago(&server)) {
        Ordering::Less => ("the client", server.unread == 0),
        Ordering::Greater => ("the server", client.unread == 0),
        // To 67 ms.
        Ordering::Equal => ("both ends", client.unread == 0 && server.unread == 0),
    };
    let rest = if is_read { ", and it was read".to_owned() } else { unread(&client, &server) };
    Some(format!("idle for {ns}: {who} sent last{rest}"))
}

fn unread(client: &UseReport, server: &UseReport) -> String {
    let at = |whose: &str, end: &UseReport| {
        let lie = if end.unread == 1 { "lies" } else { "lie" };
        format!("{} {lie} unread at the {whose}'s end", counted(u64::from(end.unread), "message"))
    };
    let told = [("client", client), ("server", server)].into_iter().filter(|(_, end)| end.unread > 0);
    told.map(|(whose, end)| format!("; {}", at(whose, end))).collect()
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

    /// In a line: what it sent, what lies unread, what is shut. None if there is nothing to say.
    pub(crate) fn words(&self) -> Option<String> {
        let sent = match (self.known_ns, self.last_sent_ns_ago) {
            (None, _) => None,
            (Some(known), None) => Some(format!("has sent nothing for {}", human(known))),
            (Some(_), Some(ago)) => Some(format!("sent last {} ago", human(ago))),
        };
        let unread =
            (self.unread > 0).then(|| format!("{} unread", counted(u64::from(self.unread), "message")));
        let shut = self.shut().map(|what| format!("shut down for {what}"));
        let words: Vec<String> = sent.into_iter().chain(unread).chain(shut).collect();
        (!words.is_empty()).then(|| words.join(", "))
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

    #[test]
    fn a_sentence_says_who_sent_last_and_whether_it_was_read() {
        let second = 1_000_000_000;
        let hour = 3600 * second;
        let sent = |ago: Option<u64>, unread| UseReport { unread, ..end(Some(5 * hour), ago, true) };
        let table = [
            (
                sent(Some(3 * hour + second), 0),
                sent(Some(3 * hour), 0),
                "idle for 3 h: the server sent last, and it was read",
            ),
            (sent(Some(3 * hour), 0), sent(None, 0), "idle for 3 h: the client sent last, and it was read"),
            (
                sent(Some(3 * hour), 0),
                sent(Some(3 * hour), 0),
                "idle for 3 h: both ends sent last, and it was read",
            ),
            (
                sent(Some(4 * hour), 2),
                sent(Some(3 * hour), 0),
                "idle for 3 h: the server sent last; 2 messages lie unread at the client's end",
            ),
            (
                sent(Some(3 * hour), 0),
                sent(Some(4 * hour), 1),
                "idle for 3 h: the client sent last; 1 message lies unread at the server's end",
            ),
            (sent(None, 0), sent(None, 0), "not used since it was made, 5 h ago"),
            (
                end(Some(hour), None, false),
                end(Some(hour), None, false),
                "idle for at least 1 h: nothing was sent since that is noted",
            ),
        ];
        for (client, server, expected) in table {
            let expected = expected.replace("3 h", &human(3 * hour)).replace("5 h", &human(5 * hour));
            let expected = expected.replace("1 h", &human(hour));
            assert_eq!(sentence(Some(client), Some(server)), Some(expected));
        }
        assert_eq!(sentence(Some(sent(None, 0)), None), None);
        assert_eq!(sentence(Some(end(None, None, false)), Some(sent(None, 0))), None);
    }

    #[test]
    fn words_tell_what_is_known() {
        let words = |end: UseReport| end.words().unwrap_or_default();
        let second = 1_000_000_000;
        assert_eq!(words(end(None, None, false)), "");
        assert_eq!(
            words(end(Some(60 * second), None, false)),
            format!("has sent nothing for {}", human(60 * second))
        );
        let busy = UseReport { unread: 2, no_send: true, ..end(Some(60 * second), Some(second), true) };
        assert_eq!(
            words(busy),
            format!("sent last {} ago, 2 messages unread, shut down for sending", human(second))
        );
    }
}
