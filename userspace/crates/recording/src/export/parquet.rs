//! Apache Parquet: a typed column for each field, in groups of rows, compressed with Snappy.

use std::{
    io::{self, Write},
    sync::Arc,
};

use parquet::{
    basic::Compression,
    column::writer::ColumnWriter,
    data_type::ByteArray,
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
        writer::SerializedFileWriter,
    },
    schema::parser::parse_message_type,
};
use rustc_hash::FxHashMap;
use sockleak_core::time::Clock;

use super::{
    Sink,
    column::{Cell, Field, Kind},
};

/// Rows that are gathered before they are written. Readers work through such a group at a time.
const GROUP: usize = 1 << 16;
/// Different texts that are kept once however often they come.
const TEXTS: usize = 1 << 14;

/// How a file is laid out.
pub(super) struct Layout<'a> {
    /// Rows of a group.
    pub(super) group: usize,
    /// Times of day to the microsecond alone, which every engine reads. Nanoseconds are in columns of their own.
    pub(super) is_coarse: bool,
    /// What is said of the file as a whole: names and values.
    pub(super) about: &'a [(&'static str, String)],
}

impl Default for Layout<'_> {
    fn default() -> Self {
        Self { group: GROUP, is_coarse: false, about: &[] }
    }
}

/// Writes it.
pub(super) struct Parquet<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    clock: Clock,
    columns: Vec<Values>,
    texts: FxHashMap<Box<str>, ByteArray>,
    column: usize,
    rows: usize,
    /// Rows of a group.
    group: usize,
    /// Nanoseconds of a unit of time.
    unit: i64,
}

/// The values of a column that are known, and how each cell is made of them.
#[derive(Default)]
struct Values {
    is_list: bool,
    /// 0: null; otherwise 1, and of lists 1 if empty and 2 for an element.
    definitions: Vec<i16>,
    /// Of lists: 0 for the first element, and where there is none, 1 for further ones.
    repetitions: Vec<i16>,
    numbers: Vec<i64>,
    flags: Vec<bool>,
    texts: Vec<ByteArray>,
}

impl<W: Write + Send> Parquet<W> {
    /// Writes the beginning.
    pub(super) fn begin(out: W, fields: &[Field], clock: Clock, layout: &Layout<'_>) -> io::Result<Self> {
        let &Layout { group, is_coarse, about } = layout;
        let (name, unit) = if is_coarse { ("MICROS", 1000) } else { ("NANOS", 1) };
        let about = about.iter().map(|(name, value)| KeyValue::new((*name).to_owned(), value.clone()));
        let schema = parse_message_type(&schema(fields, name)).map_err(output)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_key_value_metadata(Some(about.collect::<Vec<_>>()).filter(|it| !it.is_empty()))
            .set_created_by(format!("sockleak {}", env!("CARGO_PKG_VERSION")))
            .build();
        let writer =
            SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties)).map_err(output)?;
        let values = |field: &Field| Values { is_list: field.kind == Kind::Texts, ..Values::default() };
        let columns = fields.iter().map(values).collect();
        Ok(Self { writer, clock, columns, texts: FxHashMap::default(), column: 0, rows: 0, group, unit })
    }

    /// Writes the rows that were gathered as a group.
    fn flush(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for values in &mut self.columns {
            let Some(mut column) = group.next_column()? else { break };
            let definitions = Some(values.definitions.as_slice());
            match column.untyped() {
                ColumnWriter::Int64ColumnWriter(writer) => {
                    writer.write_batch(&values.numbers, definitions, None)?
                }
                ColumnWriter::BoolColumnWriter(writer) => {
                    writer.write_batch(&values.flags, definitions, None)?
                }
                ColumnWriter::ByteArrayColumnWriter(writer) => {
                    let repetitions = Some(values.repetitions.as_slice()).filter(|levels| !levels.is_empty());
                    writer.write_batch(&values.texts, definitions, repetitions)?
                }
                _ => return Err(ParquetError::General("a column has no known type".to_owned())),
            };
            column.close()?;
            values.clear();
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl<W: Write + Send> Sink for Parquet<W> {
    fn cell(&mut self, cell: Cell<'_>) -> io::Result<()> {
        let Some(values) = self.columns.get_mut(self.column) else { return Ok(()) };
        self.column += 1;
        match cell {
            Cell::Null => values.define(0),
            Cell::Number(number) => values.number(number.cast_signed()),
            Cell::Signed(number) => values.number(number),
            Cell::Time(at) => match i64::try_from(self.clock.timestamp(at).as_nanosecond()) {
                Ok(nanoseconds) => values.number(nanoseconds.div_euclid(self.unit)),
                // Beyond the year 2262: not to be had in nanoseconds.
                Err(_) => values.define(0),
            },
            Cell::Flag(flag) => {
                values.flags.push(flag);
                values.define(1);
            }
            Cell::Text(text) => {
                values.texts.push(shared(&mut self.texts, &text));
                values.define(1);
            }
            Cell::Texts(texts) => values.list(texts, &mut self.texts),
        }
        Ok(())
    }

    fn end_row(&mut self) -> io::Result<()> {
        self.column = 0;
        self.rows += 1;
        if self.rows < self.group { Ok(()) } else { self.flush().map_err(output) }
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.flush().map_err(output)?;
        self.writer.finish().map_err(output)?;
        self.writer.inner_mut().flush()
    }
}

impl Values {
    fn define(&mut self, level: i16) {
        self.definitions.push(level);
        if self.is_list {
            self.repetitions.push(0);
        }
    }

    fn number(&mut self, number: i64) {
        self.numbers.push(number);
        self.define(1);
    }

    fn list(&mut self, texts: &[String], known: &mut FxHashMap<Box<str>, ByteArray>) {
        if texts.is_empty() {
            return self.define(1);
        }
        for (index, text) in texts.iter().enumerate() {
            self.texts.push(shared(known, text));
            self.definitions.push(2);
            self.repetitions.push(i16::from(index > 0));
        }
    }

    fn clear(&mut self) {
        self.definitions.clear();
        self.repetitions.clear();
        self.numbers.clear();
        self.flags.clear();
        self.texts.clear();
    }
}

/// A text as bytes, of which there are many copies but one in memory.
fn shared(known: &mut FxHashMap<Box<str>, ByteArray>, text: &str) -> ByteArray {
    if let Some(bytes) = known.get(text) {
        return bytes.clone();
    }
    if known.len() >= TEXTS {
        known.clear();
    }
    let bytes = ByteArray::from(text.as_bytes().to_vec());
    known.insert(text.into(), bytes.clone());
    bytes
}

/// In Parquet's own words.
fn schema(fields: &[Field], unit: &str) -> String {
    let columns = fields.iter().map(|Field { name, kind }| match kind {
        Kind::Number => format!("optional int64 {name} (INTEGER(64,false));"),
        Kind::Signed => format!("optional int64 {name} (INTEGER(64,true));"),
        Kind::Text => format!("optional binary {name} (STRING);"),
        Kind::Time => format!("optional int64 {name} (TIMESTAMP({unit},true));"),
        Kind::Flag => format!("optional boolean {name};"),
        Kind::Texts => format!(
            "optional group {name} (LIST) {{ repeated group list {{ required binary element (STRING); }} }}"
        ),
    });
    format!("message sockleak {{ {} }}", columns.collect::<Vec<_>>().join(" "))
}

/// The error of the output where it is one.
fn output(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(cause) => io::Error::other(cause),
        },
        error => io::Error::other(error),
    }
}
