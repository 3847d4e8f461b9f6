//! Server-sent events, taken apart as they come.

use bytes::Bytes;

use super::{Told, Trouble};
use crate::service::model::Missed;

/// Bytes of an event at most: many times those of one with a long command line. Hundreds are remembered.
const LONGEST: usize = 64 << 10;

/// What of an event has come so far.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    kind: String,
    data: String,
}

impl Parser {
    /// Takes in what came, in pieces of any size, and gives what it completes.
    ///
    /// # Errors
    /// If an event is too long to be one.
    pub(crate) fn take(&mut self, piece: &Bytes) -> Result<Vec<Told>, Trouble> {
        let mut told = Vec::new();
        for &byte in piece {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            self.check()?;
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned();
            told.extend(self.end_of_line(&line));
        }
        self.check()?;
        Ok(told)
    }

    fn check(&self) -> Result<(), Trouble> {
        if self.line.len() + self.data.len() > LONGEST {
            return Err(Trouble::Unreadable("an event is too long".to_owned()));
        }
        Ok(())
    }

    fn end_of_line(&mut self, line: &str) -> Option<Told> {
        if line.is_empty() {
            return self.end_of_event();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.kind),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            // A comment, or what says how to go on.
            _ => {}
        }
        None
    }

    /// What makes no sense is passed over: a newer service may tell more.
    fn end_of_event(&mut self) -> Option<Told> {
        let (kind, data) = (std::mem::take(&mut self.kind), std::mem::take(&mut self.data));
        if kind == "missed" {
            return serde_json::from_str(&data).ok().map(|Missed { count }| Told::Missed(count));
        }
        serde_json::from_str(&data).ok().map(|event| Told::Event(Box::new(event)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "retry: 5000\n\n:\n\nid: 1\nevent: connect\ndata: {\"type\":\"moved\",\"time\":\"\",\"boot_ns\":1,\
                          \"path\":\"/a\",\"open\":3}\n\nevent: missed\r\ndata: {\"type\":\"missed\",\"count\":5}\r\n\r\n\
                          event: new\ndata: {}\n\ndata: no\n\n";

    fn told(told: &[Told]) -> Vec<String> {
        told.iter()
            .map(|told| match told {
                Told::Event(event) => format!("{} {}", event.path, event.open),
                Told::Missed(count) => format!("missed {count}"),
            })
            .collect()
    }

    #[test]
    fn events_come_in_pieces_of_any_size() {
        for size in 1..STREAM.len() {
            let mut parser = Parser::default();
            let mut all = Vec::new();
            for piece in STREAM.as_bytes().chunks(size) {
                all.extend(parser.take(&Bytes::copy_from_slice(piece)).unwrap());
            }
            assert_eq!(told(&all), ["/a 3", "missed 5"], "in pieces of {size}");
        }
    }

    #[test]
    fn what_never_ends_is_given_up() {
        let mut parser = Parser::default();
        let piece = Bytes::from(vec![b'x'; LONGEST / 2]);
        assert!(parser.take(&piece).is_ok() && parser.take(&piece).is_ok());
        assert!(parser.take(&piece).is_err());
        // Nor is what ends, but too late, or is cut into many lines.
        let whole = format!("data: {}\n\n", "x".repeat(LONGEST));
        assert!(Parser::default().take(&whole.into()).is_err());
        assert!(Parser::default().take(&"data: xxxx\n".repeat(LONGEST / 4).into()).is_err());
    }
}
