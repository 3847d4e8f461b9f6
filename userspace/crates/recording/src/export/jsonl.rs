//! One JSON object a line. What is unknown is null.

use std::io::{self, Write};

use sockleak_core::{text::escape::json, time::Clock};

use super::{
    Sink,
    column::{Cell, Field},
};

/// Written when this much has gathered.
const CHUNK: usize = 64 << 10;

/// Writes them.
pub(super) struct JsonLines<W: Write> {
    out: W,
    /// What stands before each cell: brace or comma, name, colon.
    names: Vec<String>,
    clock: Clock,
    buffer: Vec<u8>,
    column: usize,
}

impl<W: Write> JsonLines<W> {
    /// Writes nothing yet.
    pub(super) fn begin(out: W, fields: &[Field], clock: Clock) -> Self {
        let name = |(index, field): (usize, &Field)| {
            format!("{}\"{}\":", if index == 0 { '{' } else { ',' }, field.name)
        };
        let names = fields.iter().enumerate().map(name).collect();
        Self { out, names, clock, buffer: Vec::with_capacity(2 * CHUNK), column: 0 }
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.out.write_all(&self.buffer);
        self.buffer.clear();
        written
    }
}

impl<W: Write> Sink for JsonLines<W> {
    fn cell(&mut self, cell: Cell<'_>) -> io::Result<()> {
        let buffer = &mut self.buffer;
        buffer.extend_from_slice(self.names.get(self.column).map_or(&[], String::as_bytes));
        self.column += 1;
        match cell {
            Cell::Null => buffer.extend_from_slice(b"null"),
            Cell::Number(number) => write!(buffer, "{number}")?,
            Cell::Signed(number) => write!(buffer, "{number}")?,
            Cell::Flag(flag) => write!(buffer, "{flag}")?,
            Cell::Time(at) => write!(buffer, "\"{:.9}\"", self.clock.timestamp(at))?,
            Cell::Text(text) => json(&mut *buffer, &*text)?,
            Cell::Texts(texts) => {
                for (index, text) in texts.iter().enumerate() {
                    buffer.push(if index == 0 { b'[' } else { b',' });
                    json(&mut *buffer, text)?;
                }
                buffer.extend_from_slice(if texts.is_empty() { b"[]" } else { b"]" });
            }
        }
        Ok(())
    }

    fn end_row(&mut self) -> io::Result<()> {
        self.buffer.extend_from_slice(b"}\n");
        self.column = 0;
        if self.buffer.len() < CHUNK { Ok(()) } else { self.flush() }
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.flush()?;
        self.out.flush()
    }
}
