//! A recording as rows for other tools: connections, failed connects or events, as CSV, JSON lines or Parquet.
//!
//! Rows are told by the same [`Session`](sockleak_core::session::Session) that leads to the report, and written as they come: what is
//! kept in memory is what is open, whatever the length of the recording.

pub mod archive;
mod attempts;
mod column;
mod connections;
mod csv;
mod events;
mod findings;
mod jsonl;
mod parquet;
mod party;

use std::{
    io::{self, Write},
    path::Path,
};

use sockleak_core::{choices, event::Window, time::Clock};

pub use column::{Cell, Column, Field, Kind, Table};

use crate::{Trace, TraceError};

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The recording cannot be read.
    #[error(transparent)]
    Recording(#[from] TraceError),
    /// The rows cannot be written.
    #[error("the output cannot be written ({0})")]
    Output(#[source] io::Error),
}

choices! {
    /// What a row stands for.
    #[derive(Debug, Default)]
    pub enum What {
        /// A connection, closed or not.
        #[default]
        Connections = "connections",
        /// A record of the recording.
        Events = "events",
        /// A connect() that failed.
        Attempts = "attempts",
    }
}

choices! {
    /// How rows are written.
    #[derive(Debug, Default)]
    pub enum Format {
        /// Comma-separated values, with a line of names.
        #[default]
        Csv = "csv",
        /// One JSON object a line.
        Jsonl = "jsonl",
        /// Apache Parquet, with typed columns.
        Parquet = "parquet",
    }
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

/// Writes the rows of a recording: of events and attempts in this window, and of connections that were open at some moment of it.
/// What is said of a connection is what was known at the window's end.
///
/// # Errors
/// If the recording is damaged, or the output cannot be written: then what was written so far is of no use, unless it was lines.
pub fn export(
    trace: &Trace,
    what: What,
    window: Window,
    style: Style,
    out: impl Write + Send,
) -> Result<(), ExportError> {
    match what {
        What::Connections => connections::export(trace, window, rows(trace, style, out)?),
        What::Events => events::export(trace, window, rows(trace, style, out)?),
        What::Attempts => attempts::export(trace, window, rows(trace, style, out)?),
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
) -> Result<Rows<'w, T>, ExportError> {
    let columns = T::columns();
    let fields: Vec<Field> = columns.iter().map(|column| column.field).collect();
    let clock = Clock::utc(trace.header().boot_time);
    let sink: io::Result<Box<dyn Sink + 'w>> = match style.format {
        Format::Csv => csv::Csv::begin(out, &fields, clock, style.is_terminal).map(boxed),
        Format::Jsonl => Ok(boxed(jsonl::JsonLines::begin(out, &fields, clock))),
        Format::Parquet => {
            parquet::Parquet::begin(out, &fields, clock, &parquet::Layout::default()).map(boxed)
        }
    };
    Ok(Rows { columns, sink: sink.map_err(ExportError::Output)? })
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

    fn finish(self) -> Result<(), ExportError> {
        self.sink.finish().map_err(ExportError::Output)
    }
}
