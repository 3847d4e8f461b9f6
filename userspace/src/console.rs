//! Messages on standard error: one line each, safe for a terminal, and no reason to fail if nobody can read them.

use std::{
    fmt,
    io::{self, Write},
};

use crate::report::escape::terminal;

/// Prints a message.
pub fn say(message: impl fmt::Display) {
    // Where standard error is closed or full there is nobody to tell.
    let _ = writeln!(io::stderr(), "sockleak: {}", terminal(&message.to_string()));
}

/// Where the log goes. Whatever names are in it, an entry is one line, and harmless.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log;

impl Write for Log {
    /// Takes an entry, with its end of line.
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(line(entry).as_bytes())?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn line(entry: &[u8]) -> String {
    let text = String::from_utf8_lossy(entry);
    format!("{}\n", terminal(text.strip_suffix('\n').unwrap_or(&text)))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::Level;

    use super::*;

    /// As [`Log`], but for where it goes.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<String>>);

    impl Write for Kept {
        fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nothing panics").push_str(&line(entry));
            Ok(entry.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_entry_is_a_line_whatever_is_in_it() {
        let kept = Kept::default();
        let writer = kept.clone();
        let log = tracing_subscriber::fmt().with_ansi(false).with_max_level(Level::WARN);
        let log = log.with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(log, || {
            tracing::warn!("/run/\u{1b}[2J\nFORGED\r\u{9b}31m\u{202e} {}", "has no\thistory");
            tracing::error!(name = "\u{7}\nFORGED", "a field");
        });
        let text = kept.0.lock().expect("nothing panics").clone();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text:?}");
        assert!(lines[0].contains("WARN") && lines[0].contains("history"), "{text:?}");
        let is_harmless = |c: char| !c.is_control() && c != '\u{202e}';
        assert!(lines.iter().all(|line| line.chars().all(is_harmless)), "{text:?}");
    }
}
