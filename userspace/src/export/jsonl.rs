//! One JSON object a line. What is unknown is null.

use std::io::{self, Write};

use super::{
    Sink,
    column::{Cell, Field},
};
use crate::{clock::Clock, report::escape::is_unsafe};

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
            Cell::Text(text) => string(buffer, &text)?,
            Cell::Texts(texts) => {
                for (index, text) in texts.iter().enumerate() {
                    buffer.push(if index == 0 { b'[' } else { b',' });
                    string(buffer, text)?;
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

/// A string in which nothing moves the cursor of a terminal or hides text: such characters are written as `\u....`, which
/// means the same.
fn string(buffer: &mut Vec<u8>, text: &str) -> io::Result<()> {
    let start = buffer.len();
    serde_json::to_writer(&mut *buffer, text)?;
    let written = buffer.get(start..).unwrap_or_default();
    if written.iter().all(|byte| (b' '..0x7f).contains(byte)) {
        return Ok(());
    }
    let written = String::from_utf8_lossy(written).into_owned();
    buffer.truncate(start);
    for c in written.chars() {
        if is_unsafe(c) {
            // All of them lie in the basic plane: one unit each.
            write!(buffer, "\\u{:04x}", u32::from(c))?;
        } else {
            buffer.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_keep_their_meaning_and_move_no_cursor() {
        for text in ["", "käse", "a\"b\\", "\x1b[2J\u{7f}\u{9b}31m\u{202e}x\n", "\u{1f980}"] {
            let mut buffer = Vec::new();
            string(&mut buffer, text).expect("it can be written");
            let shown = String::from_utf8(buffer).expect("it is UTF-8");
            assert!(!shown.chars().any(is_unsafe), "{shown:?}");
            assert_eq!(serde_json::from_str::<String>(&shown).expect("it is a string"), text);
        }
    }
}
