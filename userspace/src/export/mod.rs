//! A recording as rows for other tools: connections, failed attempts or events, as CSV, JSON lines or Parquet.
//!
//! Rows are told by the same [`Session`](crate::session::Session) that leads to the report, and written as they come: what is
//! kept in memory is what is open, whatever the length of the recording.

mod attempts;
mod column;
mod connections;
mod csv;
mod events;
mod jsonl;
mod parquet;
mod party;

use std::{
    io::{self, Write},
    path::Path,
};

pub use column::{Cell, Column, Field, Kind, Table};

use crate::{clock::Clock, failure::Failure, trace_file::Trace};

/// What a row stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum What {
    /// A connection, closed or not.
    #[default]
    Connections,
    /// A record of the trace.
    Events,
    /// A connect() that failed.
    Attempts,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Comma-separated values, with a line of names.
    #[default]
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// Apache Parquet, with typed columns.
    Parquet,
}

impl Format {
    /// The format that a file's name ends with: `.csv`, `.jsonl` or `.parquet`. None if it ends with no such.
    #[must_use]
    pub fn of_file(path: &Path) -> Option<Self> {
        Some(match path.extension()?.to_str()? {
            "csv" => Self::Csv,
            "jsonl" => Self::Jsonl,
            "parquet" => Self::Parquet,
            _ => return None,
        })
    }
}

/// How rows are shown.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// The format.
    pub format: Format,
    /// The output is a terminal: names are escaped in CSV, which has no escapes of its own.
    pub is_terminal: bool,
}

/// Takes in rows, cell by cell.
trait Sink {
    /// The next cell of a row, in the order of the fields.
    fn cell(&mut self, cell: Cell<'_>) -> io::Result<()>;
    /// The row is complete.
    fn end_row(&mut self) -> io::Result<()>;
    /// There are no more rows.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Writes the rows of a trace.
///
/// # Errors
/// If the trace is damaged, or the output cannot be written: then what was written so far is of no use, unless it was lines.
pub fn export(trace: &Trace, what: What, style: Style, out: impl Write + Send) -> Result<(), Failure> {
    match what {
        What::Connections => connections::export(trace, rows(trace, style, out)?),
        What::Events => events::export(trace, rows(trace, style, out)?),
        What::Attempts => attempts::export(trace, rows(trace, style, out)?),
    }
}

/// The fields of a kind of row, in their order.
#[must_use]
pub fn fields(what: What) -> Vec<Field> {
    match what {
        What::Connections => fields_of::<connections::Connections>(),
        What::Events => fields_of::<events::Events>(),
        What::Attempts => fields_of::<attempts::Attempts>(),
    }
}

fn fields_of<T: Table>() -> Vec<Field> {
    T::columns().iter().map(|column| column.field).collect()
}

/// Writes rows of a table.
struct Rows<'w, T: Table> {
    columns: Vec<Column<T>>,
    sink: Box<dyn Sink + 'w>,
}

fn rows<'w, T: Table>(
    trace: &Trace,
    style: Style,
    out: impl Write + Send + 'w,
) -> Result<Rows<'w, T>, Failure> {
    let columns = T::columns();
    let fields: Vec<Field> = columns.iter().map(|column| column.field).collect();
    let clock = Clock::booted_at(trace.header().boot_time);
    let sink: io::Result<Box<dyn Sink + 'w>> = match style.format {
        Format::Csv => csv::Csv::begin(out, &fields, clock, style.is_terminal).map(boxed),
        Format::Jsonl => Ok(boxed(jsonl::JsonLines::begin(out, &fields, clock))),
        Format::Parquet => parquet::Parquet::begin(out, &fields, clock).map(boxed),
    };
    Ok(Rows { columns, sink: sink.map_err(Failure::Output)? })
}

fn boxed<'w>(sink: impl Sink + 'w) -> Box<dyn Sink + 'w> {
    Box::new(sink)
}

impl<T: Table> Rows<'_, T> {
    fn write(&mut self, row: &T::Row<'_>) -> io::Result<()> {
        for column in &self.columns {
            self.sink.cell((column.cell)(row))?;
        }
        self.sink.end_row()
    }

    fn finish(self) -> Result<(), Failure> {
        self.sink.finish().map_err(Failure::Output)
    }
}
