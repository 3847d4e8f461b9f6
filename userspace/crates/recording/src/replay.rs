//! The tables of a recording, merged back into the order in which their rows were written.

use std::{fmt, ops::ControlFlow, sync::Arc};

use rusqlite::{Connection, OptionalExtension as _, Statement, types::ValueRef};
use rustc_hash::FxHashMap;
use serde::de::{Deserializer, SeqAccess, Visitor};
use sockleak_core::{
    event::{Comm, Frame, ProcessId, Record},
    recent::Recent,
};

use super::{
    bounds::Bounds,
    code,
    insert::REMEMBERED,
    rows::{self, Rare, RowError},
    scan::Scan,
    schema::{self, Columns},
};

/// After the last row.
const END: i64 = i64::MAX;

/// Stacks have at most some hundred frames.
const MOST_FRAMES: usize = 4096;

/// Feeds all records in their order until there are no more or none is wanted. None is later than `latest`.
pub(super) fn replay(
    connection: &Connection,
    columns: &Columns,
    bounds: &Bounds,
    latest: u64,
    mut feed: impl FnMut(Record) -> ControlFlow<()>,
) -> Result<(), RowError> {
    let select =
        |table, columns| Cursor::new(Scan::new(connection, &schema::select(table, columns))?, bounds);
    let mut processes = select("process", columns.process)?;
    let mut listeners = select("listener", columns.listener)?;
    let mut held = select("held", columns.held)?;
    let mut events = select("event", columns.event)?;
    let mut known = Known::new(connection, bounds)?;
    let mut stacks = Stacks::new(connection, bounds)?;
    let mut rare = RareColumns::new(connection, columns, bounds)?;
    loop {
        let next = processes.seq.min(listeners.seq).min(held.seq);
        let (record, cursor) = if events.seq < next {
            let seq = events.seq;
            let name = |id: &_| known.name(id, seq);
            (rows::event(&events.row, latest, name, || rare.read(seq), |id| stacks.frames(id))?, &mut events)
        } else if next == END {
            return Ok(());
        } else if processes.seq == next {
            let process = rows::process(&processes.row)?;
            known.names.put(process.id, process.comm);
            (Record::Process(process.into()), &mut processes)
        } else if listeners.seq == next {
            (Record::Listener(rows::listener(&listeners.row)?.into()), &mut listeners)
        } else {
            let record = rows::held(&held.row, latest, |id| known.name(id, held.seq))?;
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
    bounds: &'s Bounds,
}

impl<'s> Cursor<'s> {
    fn new(row: Scan<'s>, bounds: &'s Bounds) -> Result<Self, RowError> {
        let mut cursor = Self { row, seq: i64::MIN, bounds };
        cursor.advance()?;
        Ok(cursor)
    }

    fn advance(&mut self) -> Result<(), RowError> {
        self.bounds.read(self.row.taken())?;
        self.seq = match (self.row.advance()?, self.row.value(0)) {
            (false, _) => END,
            // In a damaged file, pages may lead to one another in a circle.
            (true, ValueRef::Integer(seq)) if seq > self.seq => seq,
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
    bounds: &'c Bounds,
}

impl<'c> Known<'c> {
    fn new(connection: &'c Connection, bounds: &'c Bounds) -> Result<Self, RowError> {
        let look_up = "SELECT comm FROM process WHERE pid = ? AND start = ? AND exec_id = ? AND seq < ? \
                       ORDER BY seq DESC LIMIT 1";
        Ok(Self { names: Recent::new(REMEMBERED.get()), look_up: connection.prepare(look_up)?, bounds })
    }

    /// As it was described last before `seq`.
    fn name(&mut self, id: &ProcessId, seq: i64) -> Result<Comm, RowError> {
        if let Some(comm) = self.names.get(id) {
            return Ok(comm);
        }
        let key = (id.pid, id.start.cast_signed(), id.exec_id, seq);
        let found = self.look_up.query_row(key, |row| {
            let comm = row.get_ref(0)?.as_bytes()?;
            self.bounds.read(comm.len() as u64)?;
            Ok(code::comm_of(comm))
        });
        let comm = found.optional()?.flatten().ok_or(RowError::Value("comm"))?;
        self.names.put(*id, comm);
        Ok(comm)
    }
}

/// Columns of `event` that few kinds have. Each column that is asked for takes its time in every row of millions.
struct RareColumns<'c> {
    look_up: Statement<'c>,
    bounds: &'c Bounds,
}

impl<'c> RareColumns<'c> {
    fn new(connection: &'c Connection, columns: &Columns, bounds: &'c Bounds) -> Result<Self, RowError> {
        let look_up = format!("SELECT {} FROM event WHERE seq = ?", columns.rare);
        Ok(Self { look_up: connection.prepare(&look_up)?, bounds })
    }

    fn read(&mut self, seq: i64) -> Result<Rare, RowError> {
        let bytes = |value: ValueRef<'_>| -> rusqlite::Result<_> {
            let bytes = value.as_bytes_or_null()?;
            self.bounds.read(bytes.map_or(0, |bytes| bytes.len() as u64))?;
            Ok(bytes.map(<[u8]>::to_vec))
        };
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
    bounds: &'c Bounds,
}

impl<'c> Stacks<'c> {
    fn new(connection: &'c Connection, bounds: &'c Bounds) -> Result<Self, RowError> {
        let look_up = connection.prepare("SELECT frames FROM stack WHERE id = ?")?;
        Ok(Self { known: FxHashMap::default(), look_up, bounds })
    }

    fn frames(&mut self, id: i64) -> Result<Arc<[Frame]>, RowError> {
        if let Some(frames) = self.known.get(&id) {
            return Ok(Arc::clone(frames));
        }
        let text: Option<String> = self.look_up.query_row([id], |row| row.get(0)).optional()?;
        self.bounds.read(text.as_ref().map_or(0, |text| text.len() as u64))?;
        let frames: Option<Frames> = text.and_then(|text| serde_json::from_str(&text).ok());
        let frames: Arc<[Frame]> = frames.ok_or(RowError::Value("frames"))?.0.into();
        self.known.insert(id, Arc::clone(&frames));
        Ok(frames)
    }
}

/// The frames of a stack: not more than there can be, for each takes more memory than its text.
struct Frames(Vec<Frame>);

impl<'de> serde::Deserialize<'de> for Frames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FramesVisitor)
    }
}

struct FramesVisitor;

impl<'de> Visitor<'de> for FramesVisitor {
    type Value = Frames;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MOST_FRAMES} frames")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Frames, A::Error> {
        let mut frames = Vec::new();
        while let Some(frame) = sequence.next_element()? {
            if frames.len() == MOST_FRAMES {
                return Err(serde::de::Error::invalid_length(MOST_FRAMES + 1, &self));
            }
            frames.push(frame);
        }
        Ok(Frames(frames))
    }
}
