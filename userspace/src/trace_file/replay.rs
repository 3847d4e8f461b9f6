//! The tables of a trace, merged back into the order in which their rows were written.

use std::{ops::ControlFlow, sync::Arc};

use rusqlite::{
    Connection, OptionalExtension as _, Row, Rows, Statement,
    fallible_streaming_iterator::FallibleStreamingIterator as _,
};
use rustc_hash::FxHashMap;

use super::{
    code,
    insert::REMEMBERED,
    rows::{self, RowError},
    schema::{self, Columns},
};
use crate::{
    event::{Comm, Frame, ProcessId, Record},
    recent::Recent,
};

/// After the last row.
const END: i64 = i64::MAX;

/// Feeds all records in their order until there are no more or none is wanted.
pub(super) fn replay(
    connection: &Connection,
    columns: &Columns,
    mut feed: impl FnMut(Record) -> ControlFlow<()>,
) -> Result<(), RowError> {
    let select = |table, columns| connection.prepare(&schema::select(table, columns));
    let mut statements = [
        select("process", columns.process)?,
        select("listener", columns.listener)?,
        select("held", columns.held)?,
        select("event", columns.event)?,
    ];
    let [process, listener, held, event] = &mut statements;
    let mut processes = Cursor::new(process.raw_query())?;
    let mut listeners = Cursor::new(listener.raw_query())?;
    let mut held = Cursor::new(held.raw_query())?;
    let mut events = Cursor::new(event.raw_query())?;
    let mut known = Known::new(connection)?;
    let mut stacks = Stacks::new(connection)?;
    loop {
        let rare = processes.seq.min(listeners.seq).min(held.seq);
        let (record, cursor) = if events.seq < rare {
            let name = |id: &_| known.name(id, events.seq);
            (rows::event(events.row()?, name, |id| stacks.frames(id))?, &mut events)
        } else if rare == END {
            return Ok(());
        } else if processes.seq == rare {
            let process = rows::process(processes.row()?)?;
            known.names.put(process.id, process.comm);
            (Record::Process(process.into()), &mut processes)
        } else if listeners.seq == rare {
            (Record::Listener(rows::listener(listeners.row()?)?.into()), &mut listeners)
        } else {
            let record = rows::held(held.row()?, |id| known.name(id, held.seq))?;
            (Record::Held(record), &mut held)
        };
        if feed(record).is_break() {
            return Ok(());
        }
        cursor.advance()?;
    }
}

/// A table, and the row where it stands.
struct Cursor<'s> {
    rows: Rows<'s>,
    seq: i64,
}

impl<'s> Cursor<'s> {
    fn new(rows: Rows<'s>) -> Result<Self, RowError> {
        let mut cursor = Self { rows, seq: 0 };
        cursor.advance()?;
        Ok(cursor)
    }

    fn advance(&mut self) -> Result<(), RowError> {
        self.rows.advance()?;
        self.seq = self.rows.get().map_or(Ok(END), |row| row.get(0))?;
        Ok(())
    }

    fn row(&self) -> Result<&Row<'s>, RowError> {
        self.rows.get().ok_or(RowError::Value("seq"))
    }
}

/// Names of processes, for threads that have the same.
struct Known<'c> {
    names: Recent<ProcessId, Comm>,
    /// For those that are remembered no more.
    look_up: Statement<'c>,
}

impl<'c> Known<'c> {
    fn new(connection: &'c Connection) -> Result<Self, RowError> {
        let look_up = "SELECT comm FROM process WHERE pid = ? AND start = ? AND exec_id = ? AND seq < ? \
                       ORDER BY seq DESC LIMIT 1";
        Ok(Self { names: Recent::new(REMEMBERED.get()), look_up: connection.prepare(look_up)? })
    }

    /// As it was described last before `seq`.
    fn name(&mut self, id: &ProcessId, seq: i64) -> Result<Comm, RowError> {
        if let Some(comm) = self.names.get(id) {
            return Ok(comm);
        }
        let key = (id.pid, id.start.cast_signed(), id.exec_id, seq);
        let found = self
            .look_up
            .query_row(key, |row| row.get_ref(0)?.as_bytes().map(code::comm_of).map_err(Into::into));
        let comm = found.optional()?.flatten().ok_or(RowError::Value("comm"))?;
        self.names.put(*id, comm);
        Ok(comm)
    }
}

/// The stacks, each read when it is first named.
struct Stacks<'c> {
    known: FxHashMap<i64, Arc<[Frame]>>,
    look_up: Statement<'c>,
}

impl<'c> Stacks<'c> {
    fn new(connection: &'c Connection) -> Result<Self, RowError> {
        let look_up = connection.prepare("SELECT frames FROM stack WHERE id = ?")?;
        Ok(Self { known: FxHashMap::default(), look_up })
    }

    fn frames(&mut self, id: i64) -> Result<Arc<[Frame]>, RowError> {
        if let Some(frames) = self.known.get(&id) {
            return Ok(Arc::clone(frames));
        }
        let text: Option<String> = self.look_up.query_row([id], |row| row.get(0)).optional()?;
        let frames: Option<Vec<Frame>> = text.and_then(|text| serde_json::from_str(&text).ok());
        let frames: Arc<[Frame]> = frames.ok_or(RowError::Value("frames"))?.into();
        self.known.insert(id, Arc::clone(&frames));
        Ok(frames)
    }
}
