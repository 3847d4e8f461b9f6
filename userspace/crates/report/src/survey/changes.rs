//! What changed between two looks, for `sockleak list --watch`.

use std::{collections::HashMap, fmt::Write as _};

use serde::Serialize;
use sockleak_core::text::{
    count::{counted, grouped},
    escape::terminal,
};

use super::{Row, RowKind, Survey};
use crate::{grid::Cell, style::Meaning};

/// Rows that are gone are named, at most so many.
const NAMED: usize = 3;

/// How many connections were open in each row of a look.
#[derive(Clone, Debug, Default)]
pub struct Opens(HashMap<Key, u64>);

/// A row of the look before that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gone {
    /// Its name.
    pub path: String,
    /// How many connections were open.
    pub open: u64,
}

/// What makes a row the same in two looks.
type Key = (RowKind, String, String);

fn key(row: &Row) -> Key {
    // Without a name there is a row for each program.
    let owner = match row.kind {
        RowKind::Unnamed | RowKind::Released => row.clients.first().map(|it| it.program.clone()),
        RowKind::Listening | RowKind::NotListening => None,
    };
    (row.kind, row.path.clone(), owner.unwrap_or_default())
}

impl Survey {
    /// Marks what changed since the look before, if there was one. Returns what the next one is to be compared with. To be called
    /// before rows are cut.
    pub fn compare(&mut self, before: Option<&Opens>) -> Opens {
        let now: HashMap<Key, u64> = self.sockets.iter().map(|row| (key(row), row.open)).collect();
        if let Some(Opens(before)) = before {
            for row in &mut self.sockets {
                let was = before.get(&key(row)).copied().unwrap_or(0);
                row.change = Some(row.open.cast_signed().saturating_sub(was.cast_signed()));
            }
            let gone = before.iter().filter(|(key, _)| !now.contains_key(*key));
            let mut gone: Vec<_> =
                gone.map(|((_, path, _), &open)| Gone { path: path.clone(), open }).collect();
            gone.sort_by(|a, b| b.open.cmp(&a.open).then_with(|| a.path.cmp(&b.path)));
            self.gone = Some(gone);
        }
        Opens(now)
    }
}

/// `+3`, `-2`, or `-` where nothing changed.
pub(super) fn cell(change: Option<i64>) -> Cell {
    let change = change.unwrap_or(0);
    let number = grouped(change.unsigned_abs());
    match change {
        0 => "-".into(),
        1.. => Cell::from(format!("+{number}")).with(Some(Meaning::Warning)),
        _ => Cell::from(format!("-{number}")).with(Some(Meaning::Well)),
    }
}

/// The rows that are gone, in a line each.
pub(super) fn gone(gone: &[Gone]) -> String {
    let mut out = String::new();
    for it in gone.iter().take(NAMED) {
        let _ = writeln!(out, "gone: {} ({} open before)", terminal(&it.path), grouped(it.open));
    }
    if let Some(more) = gone.len().checked_sub(NAMED).filter(|&more| more > 0) {
        let _ = writeln!(out, "gone: {}", counted(more as u64, "more row"));
    }
    out
}
