//! Open connections as they are asked for, page by page.

use serde::Serialize;

use super::{
    answer::is_asked_for,
    question::{ConnectionFilter, MOST_CONNECTIONS},
};
use crate::{
    clock::Clock,
    event::Frame,
    lifecycle::Connection,
    report::Open,
    session::{Session, SocketId},
};

/// Some of the connections that are not closed, oldest first.
#[derive(Clone, Debug, Serialize)]
pub struct Page<'s> {
    /// How many fit the question, on all pages.
    pub total: usize,
    /// How many are before this page.
    pub offset: u32,
    /// Those of this page.
    pub connections: Vec<Open<'s>>,
}

/// One connection, and where in its program it was opened.
#[derive(Clone, Debug, Serialize)]
pub struct Story<'s> {
    /// What is known of it.
    #[serde(flatten)]
    pub connection: Open<'s>,
    /// When it was made, or first met: milliseconds since 1970.
    pub opened_ms: i64,
    /// When it was accepted.
    pub accepted_ms: Option<i64>,
    /// The opener's stack, the innermost function first; empty where none was taken.
    pub frames: &'s [Frame],
}

impl<'s> Page<'s> {
    /// Picks those that fit. `now` is in nanoseconds since boot.
    #[must_use]
    pub fn new(session: &'s Session, now: u64, filter: &ConnectionFilter) -> Self {
        let fits = |&(socket, connection): &(SocketId, &Connection)| {
            connection.age(now) >= filter.older_than_ns
                && is_asked_for(filter.state.as_deref(), connection.state().name())
                && is_asked_for(filter.socket.as_deref(), &session.sockets()[socket.0].path)
                && is_asked_for(filter.program.as_deref(), session.program(connection.opener.group))
        };
        let mut fitting: Vec<_> = session.open().filter(fits).collect();
        fitting.sort_unstable_by_key(|(_, connection)| (connection.opened, connection.id));
        let limit = filter.limit.min(MOST_CONNECTIONS) as usize;
        let page = fitting.iter().skip(filter.offset as usize).take(limit);
        Self {
            total: fitting.len(),
            offset: filter.offset,
            connections: page
                .map(|(socket, connection)| Open::new(session, *socket, connection, now))
                .collect(),
        }
    }

    /// Command lines hold secrets.
    pub fn hide_argv(&mut self) {
        for connection in &mut self.connections {
            connection.opener.argv = None;
        }
    }
}

impl<'s> Story<'s> {
    /// That of a connection that is not closed. `now` is in nanoseconds since boot.
    #[must_use]
    pub fn new(session: &'s Session, now: u64, clock: &Clock, id: u64) -> Option<Self> {
        let (socket, connection) = session.open().find(|(_, connection)| connection.id == id)?;
        let milliseconds = |at: u64| clock.timestamp(at).as_millisecond();
        let accepted = connection.accepted.as_ref().and_then(|accepted| accepted.at);
        Some(Self {
            connection: Open::new(session, socket, connection, now),
            opened_ms: milliseconds(connection.opened),
            accepted_ms: accepted.map(milliseconds),
            frames: connection.stack.map_or(&[], |stack| session.frames(stack)),
        })
    }
}
