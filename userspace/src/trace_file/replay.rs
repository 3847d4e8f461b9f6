//! The tables of a trace, merged back into the order in which their rows were written.

use std::{ops::ControlFlow, sync::Arc};

use rusqlite::{Connection, OptionalExtension as _, Statement, types::ValueRef};
use rustc_hash::FxHashMap;

use super::{
    code,
    insert::REMEMBERED,
    rows::{self, Rare, RowError},
    scan::Scan,
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
    let select = |table, columns| Cursor::new(Scan::new(connection, &schema::select(table, columns))?);
    let mut processes = select("process", columns.process)?;
    let mut listeners = select("listener", columns.listener)?;
    let mut held = select("held", columns.held)?;
    let mut events = select("event", columns.event)?;
    let mut known = Known::new(connection)?;
    let mut stacks = Stacks::new(connection)?;
    let mut rare = RareColumns::new(connection, columns)?;
    loop {
        let next = processes.seq.min(listeners.seq).min(held.seq);
        let (record, cursor) = if events.seq < next {
            let seq = events.seq;
            let name = |id: &_| known.name(id, seq);
            (rows::event(&events.row, name, || rare.read(seq), |id| stacks.frames(id))?, &mut events)
        } else if next == END {
            return Ok(());
        } else if processes.seq == next {
            let process = rows::process(&processes.row)?;
            known.names.put(process.id, process.comm);
            (Record::Process(process.into()), &mut processes)
        } else if listeners.seq == next {
            (Record::Listener(rows::listener(&listeners.row)?.into()), &mut listeners)
        } else {
            let record = rows::held(&held.row, |id| known.name(id, held.seq))?;
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
    row: Scan<'s>,
    seq: i64,
}

impl<'s> Cursor<'s> {
    fn new(row: Scan<'s>) -> Result<Self, RowError> {
        let mut cursor = Self { row, seq: 0 };
        cursor.advance()?;
        Ok(cursor)
    }

    fn advance(&mut self) -> Result<(), RowError> {
        self.seq = match (self.row.advance()?, self.row.value(0)) {
            (false, _) => END,
            (true, ValueRef::Integer(seq)) => seq,
            (true, _) => return Err(RowError::Value("seq")),
        };
        Ok(())
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

/// Columns of `event` that few kinds have. Each column that is asked for takes its time in every row of millions.
struct RareColumns<'c> {
    look_up: Statement<'c>,
}

impl<'c> RareColumns<'c> {
    fn new(connection: &'c Connection, columns: &Columns) -> Result<Self, RowError> {
        let look_up = format!("SELECT {} FROM event WHERE seq = ?", columns.rare);
        Ok(Self { look_up: connection.prepare(&look_up)? })
    }

    fn read(&mut self, seq: i64) -> Result<Rare, RowError> {
        let bytes = |value: ValueRef<'_>| value.as_bytes_or_null().map(|bytes| bytes.map(<[u8]>::to_vec));
        Ok(self.look_up.query_row([seq], |row| {
            Ok(Rare {
                errno: row.get(0)?,
                address: bytes(row.get_ref(1)?)?,
                place: bytes(row.get_ref(2)?)?,
                stack: row.get(3)?,
            })
        })?)
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
