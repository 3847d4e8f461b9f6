//! A row for each connection: those that closed in the order in which they did, then those that are open, oldest first.

use std::{io, ops::ControlFlow};

use sockleak_core::{
    attribution::{selection::Selection, who::Who},
    event::{Cursor, End, Place, Reason, Usage, Window},
    lifecycle::{Connection, EndState, Origin},
    session::{Session, SocketId},
};

use super::{
    ExportError, Rows,
    column::{Cell, Column, Kind, Table, column},
    party::{self, HasParty, Party},
};
use crate::Trace;

/// The table.
pub(super) struct Connections;

/// A connection, and what is known of it.
pub(super) struct Life<'r> {
    session: &'r Session,
    path: &'r str,
    connection: &'r Connection,
    /// Up to when the recording goes: nanoseconds since boot.
    now: u64,
}

/// Writes all of them.
pub(super) fn export(
    trace: &Trace,
    window: Window,
    mut rows: Rows<'_, Connections>,
) -> Result<(), ExportError> {
    let mut session = session(trace);
    let now = trace.progress().now.min(window.until);
    let mut cursor = Cursor::new(window);
    let mut outcome = Ok(());
    trace.replay(|record| {
        let place = cursor.place(&record);
        if place == Place::After {
            return ControlFlow::Break(());
        }
        let closed = session.feed(record).closed.filter(|_| place == Place::Within);
        let Some(closed) = closed else { return ControlFlow::Continue(()) };
        outcome = rows.write(&life(closed.session, closed.socket, closed.connection, now));
        if outcome.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    outcome.and_then(|()| open(&session, now, &mut rows)).map_err(ExportError::Output)?;
    rows.finish()
}

/// An empty session for the records of a recording.
pub(super) fn session(trace: &Trace) -> Session {
    let header = trace.header();
    let settings = sockleak_core::session::Settings {
        started: header.started,
        leak_age: header.leak_age,
        ..sockleak_core::session::Settings::default()
    };
    Session::new(Selection::recorded(header.targets.clone()), settings)
}

fn open(session: &Session, now: u64, rows: &mut Rows<'_, Connections>) -> io::Result<()> {
    oldest_first(session).into_iter().try_for_each(|(socket, it)| rows.write(&life(session, socket, it, now)))
}

/// What is open, the oldest first.
pub(super) fn oldest_first(session: &Session) -> Vec<(SocketId, &Connection)> {
    let mut open: Vec<_> = session.open().collect();
    open.sort_unstable_by_key(|(_, connection)| (connection.opened, connection.id));
    open
}

pub(super) fn life<'r>(
    session: &'r Session,
    socket: SocketId,
    connection: &'r Connection,
    now: u64,
) -> Life<'r> {
    Life { session, path: &session.sockets()[socket.0].path, connection, now }
}

impl<'r> Life<'r> {
    fn released(&self, end: End) -> Option<(u64, &'r Who, Reason)> {
        match self.connection.end(end) {
            EndState::Released { at, by, reason } => Some((*at, by, *reason)),
            EndState::Open | EndState::ReleasedUnseen { .. } | EndState::Unknown => None,
        }
    }

    fn released_at(&self, end: End) -> Option<u64> {
        self.released(end).map(|(at, ..)| at)
    }

    /// When both ends were released, as far as that was seen.
    fn closed_at(&self) -> Option<u64> {
        Some(self.released_at(End::Client)?.max(self.released_at(End::Server)?))
    }

    fn end_state(&self, end: End) -> Cell<'r> {
        Cell::text(Some(match self.connection.end(end) {
            EndState::Open => "open",
            EndState::Released { .. } | EndState::ReleasedUnseen { .. } => "released",
            EndState::Unknown => "unknown",
        }))
    }

    fn reason(&self, end: End) -> Cell<'r> {
        match self.connection.end(end) {
            EndState::Released { reason, .. } => Cell::text(Some(reason.name())),
            EndState::ReleasedUnseen { .. } => Cell::text(Some(Reason::Unseen.name())),
            EndState::Open | EndState::Unknown => Cell::Null,
        }
    }

    fn status(&self, end: End) -> Cell<'r> {
        Cell::number(self.released(end).and_then(|(.., reason)| status(reason)))
    }

    fn releaser(&self, end: End) -> Option<Party<'r>> {
        self.released(end).map(|(_, who, _)| self.party(who))
    }

    /// What an end sent, by the last descriptor scan before its end; None if that is not known.
    fn sent(&self, end: End) -> Option<Usage> {
        self.session.usage(self.connection, end)?.sent()
    }

    /// What lay unread there then.
    fn unread(&self, end: End) -> Option<u32> {
        Some(self.session.usage(self.connection, end)?.usage.unread)
    }

    fn acceptor(&self) -> Option<Party<'r>> {
        self.connection.accepted.as_ref()?.by.as_ref().map(|who| self.party(who))
    }

    fn party(&self, who: &'r Who) -> Party<'r> {
        Party { who, program: self.session.program(who.program) }
    }

    fn accepted_at(&self) -> Option<u64> {
        self.connection.accepted.as_ref()?.at
    }
}

/// Exit status, or the signal that killed.
pub(super) const fn status(reason: Reason) -> Option<u8> {
    match reason {
        Reason::Exit(status) | Reason::Killed(status) => Some(status),
        _ => None,
    }
}

fn pid(party: Option<Party<'_>>) -> Cell<'_> {
    party.map_or(Cell::Null, Party::pid)
}

fn program(party: Option<Party<'_>>) -> Cell<'_> {
    Cell::text(party.map(|it| it.program))
}

impl HasParty for Connections {
    fn party<'a>(row: &'a Life<'_>) -> Option<Party<'a>> {
        Some(row.party(&row.connection.opener))
    }
}

impl Table for Connections {
    type Row<'r> = Life<'r>;

    fn columns() -> Vec<Column<Self>> {
        [start(), party::columns(), accept(), client(), server(), whole()].into_iter().flatten().collect()
    }
}

fn start() -> Vec<Column<Connections>> {
    use Kind::{Number, Text, Time};
    vec![
        column("connection", Number, |it| Cell::Number(it.connection.id)),
        column("path", Text, |it| Cell::text(Some(it.path))),
        column("listener", Number, |it| Cell::Number(it.connection.listener)),
        column("state", Text, |it| Cell::text(Some(it.connection.state().name()))),
        column("origin", Text, |it| {
            Cell::text(Some(match it.connection.origin {
                Origin::Seen => "seen",
                Origin::BeforeTrace => "before trace",
                Origin::StartLost => "start lost",
            }))
        }),
        column("opened", Time, |it| Cell::Time(it.connection.opened)),
        column("opened_ns", Number, |it| Cell::Number(it.connection.opened)),
        column("client_inode", Number, |it| {
            Cell::number(Some(it.connection.client_inode).filter(|&inode| inode != 0))
        }),
    ]
}

fn accept() -> Vec<Column<Connections>> {
    use Kind::{Number, Text, Time};
    vec![
        column("accepted", Time, |it| Cell::time(it.accepted_at())),
        column("accepted_ns", Number, |it| Cell::number(it.accepted_at())),
        column("acceptor_pid", Number, |it| pid(it.acceptor())),
        column("acceptor_program", Text, |it| program(it.acceptor())),
        column("server_inode", Number, |it| {
            Cell::number(it.connection.accepted.as_ref().map(|accepted| accepted.inode))
        }),
    ]
}

fn client() -> Vec<Column<Connections>> {
    use Kind::{Number, Text, Time};
    vec![
        column("client_end", Text, |it| it.end_state(End::Client)),
        column("client_released", Time, |it| Cell::time(it.released_at(End::Client))),
        column("client_released_ns", Number, |it| Cell::number(it.released_at(End::Client))),
        column("client_reason", Text, |it| it.reason(End::Client)),
        column("client_status", Number, |it| it.status(End::Client)),
        column("client_released_by_pid", Number, |it| pid(it.releaser(End::Client))),
        column("client_released_by", Text, |it| program(it.releaser(End::Client))),
        column("client_last_sent_ns", Number, |it| {
            Cell::number(it.sent(End::Client).and_then(|it| it.last_sent))
        }),
        column("client_sends", Number, |it| Cell::number(it.sent(End::Client).map(|it| it.sends))),
        column("client_sent_bytes", Number, |it| Cell::number(it.sent(End::Client).map(|it| it.bytes))),
        column("client_unread", Number, |it| Cell::number(it.unread(End::Client))),
    ]
}

fn server() -> Vec<Column<Connections>> {
    use Kind::{Number, Text, Time};
    vec![
        column("server_end", Text, |it| it.end_state(End::Server)),
        column("server_released", Time, |it| Cell::time(it.released_at(End::Server))),
        column("server_released_ns", Number, |it| Cell::number(it.released_at(End::Server))),
        column("server_reason", Text, |it| it.reason(End::Server)),
        column("server_status", Number, |it| it.status(End::Server)),
        column("server_released_by_pid", Number, |it| pid(it.releaser(End::Server))),
        column("server_released_by", Text, |it| program(it.releaser(End::Server))),
        column("server_last_sent_ns", Number, |it| {
            Cell::number(it.sent(End::Server).and_then(|it| it.last_sent))
        }),
        column("server_sends", Number, |it| Cell::number(it.sent(End::Server).map(|it| it.sends))),
        column("server_sent_bytes", Number, |it| Cell::number(it.sent(End::Server).map(|it| it.bytes))),
        column("server_unread", Number, |it| Cell::number(it.unread(End::Server))),
    ]
}

fn whole() -> Vec<Column<Connections>> {
    vec![
        column("lifetime_ns", Kind::Number, |it| {
            Cell::number(it.closed_at().map(|at| it.connection.age(at)))
        }),
        column("age_ns", Kind::Number, |it| {
            Cell::number((!it.connection.is_closed()).then(|| it.connection.age(it.now)))
        }),
    ]
}
