//! Rows of one kind, cut into files of a bounded size.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use sockleak_core::time::Clock;

use super::{Kind, Options, SCHEMA};
use crate::{
    Trace,
    export::{
        Sink as _,
        column::{self, Cell, Column, Field, Table},
        parquet::{Layout, Parquet},
    },
};

/// Rows of a file at most,
const ROWS: u64 = 1 << 18;
/// and bytes from which on it is ended.
const BYTES: usize = 16 << 20;
/// Rows of a group: fewer than in other exports, since several kinds of rows are gathered at once.
const GROUP: usize = 1 << 14;
/// The column that is left empty unless it is asked for.
const ARGV: &str = "argv";

/// A complete file.
#[derive(Debug)]
pub struct Part {
    /// What its rows stand for.
    pub kind: Kind,
    /// Its number among those of its kind in this segment, from 0 on.
    pub number: u32,
    /// How many rows it has.
    pub rows: u64,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// Writes the rows of one kind.
pub(super) struct Parts<T: Table> {
    kind: Kind,
    options: Options,
    clock: Clock,
    columns: Vec<Column<T>>,
    fields: Vec<Field>,
    /// The last cells of each row.
    common: Vec<Cell<'static>>,
    about: Vec<(&'static str, String)>,
    number: u32,
    current: Option<Current>,
}

/// The file that is being written.
struct Current {
    bytes: Bytes,
    file: Box<Parquet<Bytes>>,
    rows: u64,
}

/// What was written so far, for who writes it and who asks how much it is.
#[derive(Clone, Default)]
struct Bytes(Arc<Mutex<Vec<u8>>>);

impl Bytes {
    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<T: Table> Parts<T> {
    pub(super) fn new(kind: Kind, trace: &Trace, options: Options) -> Self {
        let header = trace.header();
        let columns = T::columns();
        let common = [
            ("boot_id", column::Kind::Text, Cell::text(Some(header.boot_id.clone()))),
            ("kernel", column::Kind::Text, Cell::text(Some(header.kernel.clone()))),
            ("sockleak", column::Kind::Text, Cell::text(Some(header.version.clone()))),
            ("schema", column::Kind::Number, Cell::Number(SCHEMA)),
        ];
        let own = columns.iter().map(|column| column.field);
        let fields = own.chain(common.iter().map(|&(name, kind, _)| Field { name, kind })).collect();
        let about = vec![
            ("sockleak.schema", SCHEMA.to_string()),
            ("sockleak.kind", kind.to_string()),
            ("sockleak.host", header.host.clone()),
        ];
        Self {
            kind,
            options,
            clock: Clock::utc(header.boot_time),
            columns,
            fields,
            common: common.into_iter().map(|(.., cell)| cell).collect(),
            about,
            number: 0,
            current: None,
        }
    }

    /// Adds a row, and hands over the file if it is full then.
    pub(super) fn write(
        &mut self,
        row: &T::Row<'_>,
        take: &mut dyn FnMut(Part) -> io::Result<()>,
    ) -> io::Result<()> {
        let current = match &mut self.current {
            Some(current) => current,
            none => {
                let bytes = Bytes::default();
                let layout = Layout { group: GROUP, is_coarse: true, about: &self.about };
                let file = Parquet::begin(bytes.clone(), &self.fields, self.clock.clone(), &layout)?;
                none.insert(Current { bytes, file: Box::new(file), rows: 0 })
            }
        };
        for column in &self.columns {
            let is_hidden = column.field.name == ARGV && !self.options.command_lines;
            current.file.cell(if is_hidden { Cell::Null } else { (column.cell)(row) })?;
        }
        self.common.iter().try_for_each(|cell| current.file.cell(cell.clone()))?;
        current.file.end_row()?;
        current.rows += 1;
        let most = if self.options.rows == 0 { ROWS } else { self.options.rows };
        if current.rows >= most || current.bytes.len() >= BYTES { self.end(take) } else { Ok(()) }
    }

    /// Hands over the last file.
    pub(super) fn finish(mut self, take: &mut dyn FnMut(Part) -> io::Result<()>) -> io::Result<()> {
        self.end(take)
    }

    fn end(&mut self, take: &mut dyn FnMut(Part) -> io::Result<()>) -> io::Result<()> {
        let Some(Current { bytes, file, rows }) = self.current.take() else { return Ok(()) };
        file.finish()?;
        let number = self.number;
        self.number += 1;
        take(Part { kind: self.kind, number, rows, bytes: bytes.take() })
    }
}
