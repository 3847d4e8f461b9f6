//! Names and their numbers.

use std::collections::HashMap;

use rusqlite::{Connection, Result};

/// How exactly it is known when a name was used last: milliseconds.
pub(super) const HOUR: i64 = 3600 * 1000;

/// The names of a table.
#[derive(Debug, Default)]
pub(super) struct Names {
    table: &'static str,
    /// Number, and when it was used last, to an hour.
    known: HashMap<String, (i64, i64)>,
}

impl Names {
    /// Of a table without any.
    pub(super) fn none(table: &'static str) -> Self {
        Self { table, known: HashMap::new() }
    }

    pub(super) fn read(connection: &Connection, table: &'static str) -> Result<Self> {
        let mut statement = connection.prepare(&format!("SELECT name, id, seen FROM {table}"))?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
        Ok(Self { table, known: rows.collect::<Result<_>>()? })
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = i64> {
        self.known.values().map(|(id, _)| *id)
    }

    /// The number of a name that is used at a time (milliseconds since 1970).
    pub(super) fn id(&mut self, connection: &Connection, name: &str, at: i64) -> Result<i64> {
        match self.known.get_mut(name) {
            Some((id, seen)) => {
                if at >= seen.saturating_add(HOUR) {
                    let sql = format!("UPDATE {} SET seen = ? WHERE id = ?", self.table);
                    connection.execute(&sql, (at, *id))?;
                    *seen = at;
                }
                Ok(*id)
            }
            None => {
                let sql = format!("INSERT INTO {} (name, seen) VALUES (?, ?)", self.table);
                connection.execute(&sql, (name, at))?;
                let id = connection.last_insert_rowid();
                self.known.insert(name.to_owned(), (id, at));
                Ok(id)
            }
        }
    }
}
