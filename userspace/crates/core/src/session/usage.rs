//! Evidence of use: when an end was last used, as far as that is known.

use super::Session;
use crate::{
    event::{End, Usage},
    lifecycle::{Connection, Origin},
    verdict,
};

/// How an end was used, by the last complete descriptor scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndUse {
    /// When the scan read it: nanoseconds since boot.
    pub at: u64,
    /// Since when it is known what the end sent: nanoseconds since boot. None if that is not known: it was not noted, or some
    /// sends were missed. What lies unread is known all the same.
    pub since: Option<u64>,
    /// It is known from the start of the connection on.
    pub is_whole: bool,
    /// What was read.
    pub usage: Usage,
}

impl EndUse {
    /// What it sent since that is known. None if it is not.
    #[must_use]
    pub fn sent(&self) -> Option<Usage> {
        self.since.map(|_| self.usage)
    }

    /// For how long the end had sent nothing when that was read, in nanoseconds: since it last sent, or at least since that was
    /// noted. None if it is not known.
    #[must_use]
    pub fn idle(&self) -> Option<u64> {
        let since = self.since?;
        let last = self.usage.last_sent.unwrap_or(0).max(since);
        Some(self.at.saturating_sub(last))
    }
}

impl Session {
    /// Since when it is noted when an end sends: nanoseconds since boot. None if it is not, or if sends were missed.
    #[must_use]
    pub const fn use_noted(&self) -> Option<u64> {
        self.use_noted
    }

    /// How an end of a connection was used; None if no scan told.
    #[must_use]
    pub fn usage(&self, connection: &Connection, end: End) -> Option<EndUse> {
        let (at, usage) = self.holders.usage((connection.id, end))?;
        // The start of one that was there before tracing started, or whose record was lost, was not seen.
        let is_whole = |noted: u64| connection.origin == Origin::Seen && connection.opened >= noted;
        let noted = self.use_noted;
        Some(EndUse {
            at,
            since: noted.map(|noted| noted.max(connection.opened)),
            is_whole: noted.is_some_and(is_whole),
            usage,
        })
    }

    /// How a connection is used, as it is judged: of both ends. None if that is not known of one of them.
    #[must_use]
    pub fn use_of(&self, connection: &Connection) -> Option<verdict::Usage> {
        let (client, server) = (self.usage(connection, End::Client)?, self.usage(connection, End::Server)?);
        let since = client.since?.max(server.since?);
        // The kernel's side goes on counting where another process takes over: of one that was there before, it is not known how
        // often it sent since then, but at least once if it did.
        let sends = |end: &EndUse| match end.is_whole {
            true => end.usage.sends.into(),
            false => u64::from(end.usage.last_sent.is_some_and(|last| last >= since)),
        };
        let of = |end: &EndUse| verdict::EndUse {
            last: end.usage.last_sent,
            sends: sends(end),
            bytes: end.usage.bytes,
            unread: Some(end.usage.unread.into()),
        };
        Some(verdict::Usage {
            since,
            until: client.at.min(server.at),
            client: of(&client),
            server: of(&server),
        })
    }

    /// Is there a connection that has been open for the leak age at `now`? Those that come next will not be young for ever: then
    /// it is time to note what is used.
    #[must_use]
    pub fn has_old(&self, now: u64) -> bool {
        let leak_age = self.settings().leak_age;
        self.open().any(|(_, connection)| connection.age(now) >= leak_age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Actor, Comm, Held, HeldSocket, Peer, ProcessId, Record},
        testing::{SECOND, accept, connect, event, listener, process, session},
    };

    /// A descriptor scan at this second finds both ends of connection 1, which have sent at these moments.
    fn scan(session: &mut Session, second: u64, sent: [Option<u64>; 2]) {
        session.feed(Record::RoundBegins);
        for (end, last) in [End::Client, End::Server].into_iter().zip(sent) {
            let id = ProcessId { pid: 7, start: 7, exec_id: 1 };
            let holder = Actor { id, tid: 7, uid: None, gid: None, comm: Comm(*b"a-thread\0\0\0\0\0\0\0\0") };
            let other = if end == End::Client { 101 } else { 100 };
            let socket = HeldSocket::End {
                connection: 1,
                is_seed: false,
                end,
                peer: Peer::Open(other),
                opener: Some(7),
            };
            let usage = Usage { sends: 9, bytes: 90, last_sent: last, unread: 1, ..Usage::default() };
            session.feed(Record::Held(Held {
                at: second * SECOND,
                holder,
                fd: 3,
                inode: 201 - other,
                listener: 1,
                socket,
                usage: Some(usage),
            }));
        }
        session.feed(Record::RoundEnds);
    }

    /// One connection, which began in second 10 and was accepted then.
    fn one() -> Session {
        let mut session = session(&["a.sock"]);
        session.feed(process(7, Some("/bin/a")));
        session.feed(listener(1, "/run/a.sock"));
        session.feed(event(10, 7, connect(1, 1)));
        session.feed(event(10, 7, accept(1, 1)));
        session
    }

    /// Since and until when, in seconds; of the client's end when it last sent, how often, and how much lies unread.
    type Known = (u64, u64, Option<u64>, u64, Option<u64>);

    fn known(session: &Session) -> Option<Known> {
        let (_, connection) = session.open().next()?;
        let usage = session.use_of(connection)?;
        let of = |at: u64| at / SECOND;
        Some((
            of(usage.since),
            of(usage.until),
            usage.client.last.map(of),
            usage.client.sends,
            usage.client.unread,
        ))
    }

    #[test]
    fn use_is_known_from_when_it_is_noted_to_the_last_scan() {
        let mut session = one();
        scan(&mut session, 20, [Some(15 * SECOND), None]);
        assert_eq!(known(&session), None, "it was not noted");
        session.feed(Record::UseNoted { at: 5 * SECOND, is_reliable: true });
        // From before its start on: what was counted is all that it sent.
        assert_eq!(known(&session), Some((10, 20, Some(15), 9, Some(1))));
        session.feed(Record::UseNoted { at: 12 * SECOND, is_reliable: true });
        assert_eq!(
            known(&session),
            Some((12, 20, Some(15), 1, Some(1))),
            "how often since then is not known"
        );
        scan(&mut session, 30, [Some(11 * SECOND), None]);
        assert_eq!(known(&session), Some((12, 30, Some(11), 0, Some(1))), "not since then");
    }

    #[test]
    fn what_was_missed_makes_use_unknown() {
        let mut session = one();
        session.feed(Record::UseNoted { at: 5 * SECOND, is_reliable: true });
        scan(&mut session, 20, [None, None]);
        assert_eq!(known(&session), Some((10, 20, None, 9, Some(1))));
        session.feed(Record::UseNoted { at: 25 * SECOND, is_reliable: false });
        assert_eq!(known(&session), None);
    }

    #[test]
    fn it_is_asked_for_once_a_connection_is_old() {
        let session = one();
        let leak_age = session.settings().leak_age;
        assert!(!session.has_old(10 * SECOND + leak_age - 1));
        assert!(session.has_old(10 * SECOND + leak_age));
    }
}
