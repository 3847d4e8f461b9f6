//! Comma-separated values (RFC 4180), with a line of names. What is unknown is empty.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use sockleak_core::{
    text::escape::{is_like_formula, terminal},
    time::Clock,
};

use super::{
    Sink,
    column::{Cell, Field},
};

/// Writes them.
pub(super) struct Csv<W: Write> {
    writer: csv::Writer<W>,
    clock: Clock,
    is_terminal: bool,
}

impl<W: Write> Csv<W> {
    /// Writes the names.
    pub(super) fn begin(out: W, fields: &[Field], clock: Clock, is_terminal: bool) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(fields.iter().map(|field| field.name)).map_err(output)?;
        Ok(Self { writer, clock, is_terminal })
    }

    fn field(&mut self, field: impl AsRef<[u8]>) -> io::Result<()> {
        self.writer.write_field(field).map_err(output)
    }

    fn foreign(&mut self, text: &str) -> io::Result<()> {
        let text = if self.is_terminal { terminal(text) } else { Cow::Borrowed(text) };
        self.field(harmless(&text).as_bytes())
    }
}

impl<W: Write> Sink for Csv<W> {
    fn cell(&mut self, cell: Cell<'_>) -> io::Result<()> {
        match cell {
            Cell::Null => self.field(b""),
            Cell::Number(number) => self.field(number.to_string()),
            Cell::Signed(number) => self.field(number.to_string()),
            Cell::Flag(flag) => self.field(if flag { "true" } else { "false" }),
            Cell::Time(at) => self.field(self.clock.rfc3339(at)),
            Cell::Text(text) => self.foreign(&text),
            Cell::Texts(texts) => self.foreign(&serde_json::to_string(texts)?),
        }
    }

    fn end_row(&mut self) -> io::Result<()> {
        self.writer.write_record(None::<&[u8]>).map_err(output)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.writer.flush()
    }
}

/// A text that a spreadsheet does not take for a formula: a program may call itself anything. An apostrophe in front of it
/// says so; to be able to take it away again, one that begins with an apostrophe gets another.
fn harmless(text: &str) -> Cow<'_, str> {
    if is_like_formula(text) || text.starts_with('\'') {
        return Cow::Owned(format!("'{text}"));
    }
    Cow::Borrowed(text)
}

/// The error of the output itself.
fn output(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_a_formula() {
        for (text, expected) in [
            ("=1+1", "'=1+1"),
            ("@abstract", "'@abstract"),
            ("\tx", "'\tx"),
            ("'=1", "''=1"),
            ("＝1", "'＝1"),
            ("[sh]", "[sh]"),
            ("/bin/=", "/bin/="),
            ("", ""),
        ] {
            assert_eq!(harmless(text), expected);
        }
    }
}
