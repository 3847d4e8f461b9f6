//! Messages on standard error: one line each, safe for a terminal, and no reason to fail if nobody can read them. While something
//! is drawn on the terminal they are kept.

mod progress;

use std::{
    fmt,
    io::{self, Write},
    mem,
    sync::{Mutex, PoisonError},
};

use sockleak_core::text::escape::terminal;

pub use progress::Progress;

/// Lines that are kept at most; the oldest go first.
const MOST: usize = 100;

/// Lines that are kept; None: they are printed.
static KEPT: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// Prints a message.
pub fn say(message: impl fmt::Display) {
    // Where standard error is closed or full there is nobody to tell.
    let _ = put(format!("sockleak: {}", terminal(&message.to_string())));
}

/// Prints a line, or keeps it.
fn put(line: String) -> io::Result<()> {
    match kept().as_mut() {
        None => io::stderr().write_all(format!("{}\n", fitted(line)).as_bytes()),
        Some(lines) => {
            lines.push(line);
            let surplus = lines.len().saturating_sub(MOST);
            lines.drain(..surplus);
            Ok(())
        }
    }
}

/// In lines of a terminal's width, if standard error is one: it would break them in the middle of a word.
fn fitted(line: String) -> String {
    let Some((terminal_size::Width(columns), _)) = terminal_size::terminal_size_of(io::stderr()) else {
        return line;
    };
    wrapped(&line, columns.into())
}

fn wrapped(line: &str, columns: usize) -> String {
    let options = textwrap::Options::new(columns.max(20))
        .subsequent_indent("  ")
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(line, options)
}

/// Keeps messages from now on, until what is returned is dropped: then they are printed.
#[must_use]
pub fn divert() -> Diverted {
    kept().get_or_insert_default();
    Diverted(Vec::new())
}

fn kept() -> std::sync::MutexGuard<'static, Option<Vec<String>>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Messages are kept as long as this lives.
#[derive(Debug)]
pub struct Diverted(Vec<String>);

impl Diverted {
    /// Those since this was asked last. They are printed in the end all the same.
    pub fn take(&mut self) -> Vec<String> {
        let new = kept().as_mut().map(mem::take).unwrap_or_default();
        self.0.extend(new.iter().cloned());
        let surplus = self.0.len().saturating_sub(MOST);
        self.0.drain(..surplus);
        new
    }
}

impl Drop for Diverted {
    fn drop(&mut self) {
        self.take();
        *kept() = None;
        for line in &self.0 {
            // As above.
            let _ = writeln!(io::stderr(), "{line}");
        }
    }
}

/// Where the log goes. Whatever names are in it, an entry is one line, and harmless.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log;

impl Write for Log {
    /// Takes an entry, with its end of line.
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        put(line(entry))?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn line(entry: &[u8]) -> String {
    let text = String::from_utf8_lossy(entry);
    terminal(text.strip_suffix('\n').unwrap_or(&text)).into_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::Level;

    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        let line = "sockleak: 127.0.0.1:9180 does not answer: Connection refused (os error 111); is the service running?";
        let told = wrapped(line, 72);
        assert_eq!(
            told,
            "sockleak: 127.0.0.1:9180 does not answer: Connection refused (os error\n  111); is the service running?"
        );
        assert_eq!(wrapped(line, 500), line);
    }

    /// As [`Log`], but for where it goes.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<String>>);

    impl Write for Kept {
        fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
            let text = format!("{}\n", line(entry));
            self.0.lock().expect("nothing panics").push_str(&text);
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

    /// There is one console, so this is one test.
    #[test]
    fn what_is_said_meanwhile_is_kept() {
        let mut diverted = divert();
        say("a\u{1b}[31mb");
        Log.write_all(b"time  WARN x\x1b\n").expect("memory takes it");
        assert_eq!(diverted.take(), [r"sockleak: a\u{1b}[31mb", r"time  WARN x\u{1b}"]);
        assert!(diverted.take().is_empty());
        for number in 0..300 {
            say(number);
        }
        let kept_lines = diverted.take();
        assert_eq!((kept_lines.len(), kept_lines[99].as_str()), (100, "sockleak: 299"));
        drop(diverted);
        assert!(kept().is_none());
    }
}
