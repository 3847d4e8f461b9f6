//! Reading: minutes put together to so many points as can be shown.

use rusqlite::{Connection, Result, Row, named_params};

/// Milliseconds.
const MINUTE: i64 = 60_000;
/// Points of a series at most.
const MOST_POINTS: i64 = 1000;
/// Rows that are read for a series at most, the last ones: who reads keeps whatever else the service does waiting.
pub(super) const MOST_ROWS: u32 = 600_000;

/// Some minutes of a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Point {
    /// Where the step begins: milliseconds since 1970, UTC.
    #[serde(rename = "at_ms")]
    pub at: i64,
    /// Slots in use at most.
    pub slots_max: u64,
    /// And in the last minute.
    pub slots_last: u64,
    /// How many there were then, where that is known.
    pub slots_limit: Option<u64>,
    /// Connections in the accept queue at most.
    pub queue_max: Option<u64>,
    /// Connections made.
    pub opened: u64,
    /// Connections closed.
    pub closed: u64,
    /// Failed connects.
    pub failed: u64,
    /// Connections that were not closed in the last minute.
    pub open_last: u64,
}

/// Some minutes of a program on a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProgramPoint {
    /// Where the step begins: milliseconds since 1970, UTC.
    #[serde(rename = "at_ms")]
    pub at: i64,
    /// Its name.
    pub program: String,
    /// Its connections that were not closed in the last minute in which it is named.
    pub open_last: u64,
    /// Those that it made.
    pub opened: u64,
}

/// Milliseconds of a step.
fn width(from: i64, to: i64, step: u64) -> i64 {
    let wanted = i64::try_from(step.saturating_mul(1000)).unwrap_or(i64::MAX);
    let least = to.saturating_sub(from) / MOST_POINTS + 1;
    let minutes = wanted.max(least).max(MINUTE).saturating_add(MINUTE - 1) / MINUTE;
    minutes.saturating_mul(MINUTE)
}

/// See [`super::History::series`].
pub(super) fn read(
    connection: &Connection,
    socket: &str,
    from: i64,
    to: i64,
    step: u64,
    rows: u32,
) -> Result<Vec<Point>> {
    let sql = "SELECT steps.at, steps.slots_max, last.slots_last, last.slots_limit, steps.queue_max, steps.opened, \
               steps.closed, steps.failed, last.open_last \
               FROM (SELECT :from + (m.at - :from) / :step * :step AS at, max(m.at) AS last, max(slots_max) AS slots_max, \
               max(queue_max) AS queue_max, sum(opened) AS opened, sum(closed) AS closed, sum(failed) AS failed \
               FROM (SELECT * FROM minute WHERE socket = (SELECT id FROM socket WHERE name = :socket) \
               AND at >= :from AND at < :to ORDER BY at DESC LIMIT :rows) m GROUP BY 1) steps \
               JOIN minute last ON last.socket = (SELECT id FROM socket WHERE name = :socket) AND last.at = steps.last \
               ORDER BY 1";
    let mut statement = connection.prepare(sql)?;
    let step = width(from, to, step);
    let named = named_params! {":socket": socket, ":from": from, ":to": to, ":step": step, ":rows": rows};
    let rows = statement.query_map(named, |row| {
        Ok(Point {
            at: row.get(0)?,
            slots_max: count(row, 1)?,
            slots_last: count(row, 2)?,
            slots_limit: optional(row, 3)?,
            queue_max: optional(row, 4)?,
            opened: count(row, 5)?,
            closed: count(row, 6)?,
            failed: count(row, 7)?,
            open_last: count(row, 8)?,
        })
    })?;
    rows.collect()
}

/// See [`super::History::programs`].
pub(super) fn read_programs(
    connection: &Connection,
    socket: &str,
    from: i64,
    to: i64,
    step: u64,
    rows: u32,
) -> Result<Vec<ProgramPoint>> {
    // Of a single max() SQLite gives the other columns from the row that has it.
    let sql = "SELECT :from + (m.at - :from) / :step * :step, p.name, m.open_last, sum(m.opened), max(m.at) \
               FROM (SELECT * FROM program_minute WHERE socket = (SELECT id FROM socket WHERE name = :socket) \
               AND at >= :from AND at < :to ORDER BY at DESC LIMIT :rows) m JOIN program p ON p.id = m.program \
               GROUP BY 1, m.program ORDER BY 1, p.name";
    let mut statement = connection.prepare(sql)?;
    let step = width(from, to, step);
    let named = named_params! {":socket": socket, ":from": from, ":to": to, ":step": step, ":rows": rows};
    let rows = statement.query_map(named, |row| {
        Ok(ProgramPoint {
            at: row.get(0)?,
            program: row.get(1)?,
            open_last: count(row, 2)?,
            opened: count(row, 3)?,
        })
    })?;
    rows.collect()
}

fn count(row: &Row<'_>, column: usize) -> Result<u64> {
    row.get::<_, i64>(column).map(|value| u64::try_from(value).unwrap_or(0))
}

fn optional(row: &Row<'_>, column: usize) -> Result<Option<u64>> {
    let value = row.get::<_, Option<i64>>(column)?;
    Ok(value.and_then(|value| u64::try_from(value).ok()))
}
