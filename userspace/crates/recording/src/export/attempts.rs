//! A row for each connect that failed, in the order in which they did.

use std::ops::ControlFlow;

use sockleak_core::{
    decode::abstract_name,
    event::{Cursor, Place, Queue, What, Window},
    session::{Notice, Seen},
    text::errno_name,
};

use super::{
    ExportError, Rows,
    column::{Cell, Column, Kind, Table, column},
    connections::session,
    party::{self, HasParty, Party},
};
use crate::Trace;

/// The table.
pub(super) struct Attempts;

/// An attempt.
pub(super) struct Attempt<'r> {
    seen: Seen<'r>,
    listener: Option<u64>,
    errno: i32,
    address: &'r [u8],
    queue: Option<Queue>,
}

impl<'r> Attempt<'r> {
    /// None if something else happened.
    pub(super) fn of(notice: Notice<'r>) -> Option<Self> {
        let Notice::Seen(seen) = notice else { return None };
        let What::Attempt { listener, errno, address, queue, .. } = seen.what else { return None };
        Some(Self { seen, listener: *listener, errno: *errno, address, queue: *queue })
    }
}

/// Writes all of them.
pub(super) fn export(trace: &Trace, window: Window, mut rows: Rows<'_, Attempts>) -> Result<(), ExportError> {
    let mut session = session(trace);
    let mut cursor = Cursor::new(window);
    let mut outcome = Ok(());
    trace.replay(|record| {
        let place = cursor.place(&record);
        if place == Place::After {
            return ControlFlow::Break(());
        }
        let attempt = session.feed(record).notice.and_then(Attempt::of).filter(|_| place == Place::Within);
        if let Some(attempt) = attempt {
            outcome = rows.write(&attempt);
        }
        if outcome.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    outcome.map_err(ExportError::Output)?;
    rows.finish()
}

impl HasParty for Attempts {
    fn party<'a>(row: &'a Attempt<'_>) -> Option<Party<'a>> {
        Some(Party { who: row.seen.who, program: row.seen.program })
    }
}

impl Table for Attempts {
    type Row<'r> = Attempt<'r>;

    fn columns() -> Vec<Column<Self>> {
        use Kind::{Number, Signed, Text, Time};
        let own: Vec<Column<Self>> = vec![
            column("time", Time, |it| Cell::Time(it.seen.at)),
            column("time_ns", Number, |it| Cell::Number(it.seen.at)),
            column("path", Text, |it| Cell::text(Some(it.seen.socket.path.as_str()))),
            column("error", Text, |it| Cell::text(Some(errno_name(it.errno)))),
            column("errno", Signed, |it| Cell::Signed(it.errno.into())),
            column("address", Text, |it| Cell::text(Some(name(it.address)))),
            column("listener", Number, |it| Cell::number(it.listener)),
            column("queue_length", Number, |it| Cell::number(it.queue.map(|queue| queue.length))),
            column("queue_max", Number, |it| Cell::number(it.queue.map(|queue| queue.max))),
        ];
        own.into_iter().chain(party::columns()).collect()
    }
}

/// An address as people write it.
pub(super) fn name(address: &[u8]) -> String {
    sockleak_core::event::name::shown(&abstract_name(address))
}
