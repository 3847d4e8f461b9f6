//! Whether a file's tables are what sockleak makes: what has their names may be a view that never ends, or a column that is
//! worked out anew for each row.

use rusqlite::{Connection, Result};

use super::schema::Columns;

/// What is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// It lacks something.
    Lacks(String),
    /// It has something else in its place.
    Differs(String),
}

/// Looks at the tables that are read. None if they are as they should be.
///
/// # Errors
/// If the schema cannot be read.
pub(super) fn fault(connection: &Connection, columns: &Columns) -> Result<Option<Shape>> {
    let event = format!("{}, {}", columns.event, columns.rare);
    let tables: [(&str, &str, &str); 6] = [
        ("session", "id", columns.session),
        ("process", "seq", columns.process),
        ("listener", "seq", columns.listener),
        ("event", "seq", &event),
        ("held", "seq", columns.held),
        ("stack", "id", "frames"),
    ];
    let objects = objects(connection)?;
    if let Some(trigger) = objects.iter().find(|object| object.kind == "trigger") {
        return Ok(Some(Shape::Differs(format!("it has a trigger, {:?}", trigger.name))));
    }
    for (table, key, columns) in tables {
        let named: Vec<_> = objects.iter().filter(|object| object.name.eq_ignore_ascii_case(table)).collect();
        let fault = match named[..] {
            [] => Some(Shape::Lacks(format!("no such table: {table}"))),
            [object] if object.is_plain_table() => column_fault(connection, table, key, columns)?,
            _ => Some(Shape::Differs(format!("{table} is not a plain table"))),
        };
        if fault.is_some() {
            return Ok(fault);
        }
    }
    Ok(None)
}

/// A row of the schema.
struct Object {
    kind: String,
    name: String,
    /// Does it have pages of its own? Views and virtual tables have none.
    has_pages: bool,
    is_made_as_table: bool,
}

impl Object {
    fn is_plain_table(&self) -> bool {
        self.kind == "table" && self.has_pages && self.is_made_as_table
    }
}

fn objects(connection: &Connection) -> Result<Vec<Object>> {
    // What SQLite makes of a row, its statement says.
    let query = "SELECT type, name, rootpage > 0, sql LIKE 'CREATE TABLE %' FROM sqlite_schema";
    let mut statement = connection.prepare(query)?;
    let objects = statement.query_map([], |row| {
        Ok(Object {
            kind: row.get(0)?,
            name: row.get(1)?,
            has_pages: row.get::<_, Option<bool>>(2)?.unwrap_or(false),
            is_made_as_table: row.get::<_, Option<bool>>(3)?.unwrap_or(false),
        })
    })?;
    objects.collect()
}

/// Each column has to be stored, and the key to be the number of the row: then rows come in its order without being sorted.
fn column_fault(connection: &Connection, table: &str, key: &str, expected: &str) -> Result<Option<Shape>> {
    let mut statement = connection.prepare("SELECT name, type, pk, hidden FROM pragma_table_xinfo(?)")?;
    let rows = statement.query_map([table], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?))
    })?;
    let found = rows.collect::<Result<Vec<_>>>()?;
    if found.iter().any(|&(.., hidden)| hidden != 0) {
        return Ok(Some(Shape::Differs(format!("{table} has generated columns"))));
    }
    let is_there = |column: &str| found.iter().any(|(name, ..)| name.eq_ignore_ascii_case(column));
    let mut expected = expected.split(',').map(str::trim).filter(|&column| column != "NULL");
    if let Some(missing) = expected.find(|column| !is_there(column)) {
        return Ok(Some(Shape::Lacks(format!("no such column: {missing}"))));
    }
    let mut keys = found.iter().filter(|(_, _, place, _)| *place > 0);
    let is_key = keys.next().is_some_and(|(name, kind, ..)| {
        name.eq_ignore_ascii_case(key) && kind.eq_ignore_ascii_case("INTEGER") && keys.next().is_none()
    });
    // A key of its own is none of the row.
    let indexed = "SELECT count(*) FROM pragma_index_list(?) WHERE origin = 'pk'";
    let indexes: i64 = connection.query_row(indexed, [table], |row| row.get(0))?;
    let is_right = is_key && indexes == 0;
    Ok((!is_right).then(|| Shape::Differs(format!("{table} has another key"))))
}
