//! Connections as they are asked for, page by page.

use serde::Serialize;

use super::{
    answer::is_asked_for,
    closed::Closed,
    question::{ConnectionFilter, MOST_CONNECTIONS},
};
use crate::{
    lifecycle::{Connection, State},
    report::Open,
    session::{Session, SocketId},
};

/// Some of the connections that are not closed, oldest first; or of those that were closed a short time ago, the last one first.
#[derive(Clone, Debug, Serialize)]
pub struct Page<'s> {
    /// How many fit the question, on all pages.
    pub total: usize,
    /// How many are before this page.
    pub offset: u32,
    /// Those of this page.
    pub connections: Vec<Open<'s>>,
}

impl<'s> Page<'s> {
    /// Picks those that fit. `now` is in nanoseconds since boot.
    #[must_use]
    pub fn new(session: &'s Session, closed: &'s Closed, now: u64, filter: &ConnectionFilter) -> Self {
        let (total, connections) = if filter.state.as_deref() == Some(State::Closed.name()) {
            let fits = |open: &Open<'_>| {
                open.age_ns >= filter.older_than_ns
                    && is_asked_for(filter.socket.as_deref(), open.path)
                    && is_asked_for(filter.program.as_deref(), open.group)
            };
            some(closed.iter().map(|kept| kept.told(now)).filter(fits).collect(), filter, |open| open)
        } else {
            let open = |(socket, connection)| Open::new(session, socket, connection, now);
            some(not_closed(session, now, filter), filter, open)
        };
        Self { total, offset: filter.offset, connections }
    }

    /// Command lines hold secrets.
    pub fn hide_argv(&mut self) {
        for connection in &mut self.connections {
            connection.opener.argv = None;
        }
    }
}

/// Those that fit, oldest first. There may be millions: what is said of one is put together for a page alone.
fn not_closed<'s>(
    session: &'s Session,
    now: u64,
    filter: &ConnectionFilter,
) -> Vec<(SocketId, &'s Connection)> {
    let fits = |&(socket, connection): &(SocketId, &Connection)| {
        connection.age(now) >= filter.older_than_ns
            && is_asked_for(filter.state.as_deref(), connection.state().name())
            && is_asked_for(filter.socket.as_deref(), &session.sockets()[socket.0].path)
            && is_asked_for(filter.program.as_deref(), session.program(connection.opener.group))
    };
    let mut open: Vec<_> = session.open().filter(fits).collect();
    open.sort_unstable_by_key(|(_, connection)| (connection.opened, connection.id));
    open
}

/// How many there are, and what is said of those of one page.
fn some<'s, T>(
    all: Vec<T>,
    filter: &ConnectionFilter,
    tell: impl Fn(T) -> Open<'s>,
) -> (usize, Vec<Open<'s>>) {
    let limit = filter.limit.min(MOST_CONNECTIONS) as usize;
    (all.len(), all.into_iter().skip(filter.offset as usize).take(limit).map(tell).collect())
}
