//! Standard output: lines in batches, a reader that left, a disk that is full.

use std::{
    env,
    ffi::OsStr,
    io::{self, IsTerminal as _, Write},
    os::fd::AsFd as _,
    sync::atomic::{AtomicBool, Ordering},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;
use sockleak_core::text::escape;
use sockleak_report::{style::Style, text};

use crate::{cli::ColorWhen, failure::Failure};

/// Written when this much has gathered, and at the end of each batch.
const CHUNK: usize = 64 << 10;

/// Nobody gave this process a standard output: `>&-`. Rust's runtime opens `/dev/null` in its place before main begins, which
/// would take everything, so this is found out before.
static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

// SAFETY: the section holds pointers to functions that the C runtime calls before main. This one needs nothing that main sets up.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = note_closed;

extern "C" fn note_closed() {
    // SAFETY: it takes no memory, and only asks about the descriptor.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
    WAS_CLOSED.store(flags < 0, Ordering::Relaxed);
}

/// Standard output, which fails if it was closed from the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if WAS_CLOSED.load(Ordering::Relaxed) {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        io::stdout().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

/// Columns below which a terminal's own wrapping does less harm.
const NARROWEST: usize = 40;

/// Columns of the terminal that standard output is; None if it is none.
pub(super) fn terminal_width() -> Option<usize> {
    let (terminal_size::Width(width), _) = terminal_size::terminal_size_of(io::stdout())?;
    Some(usize::from(width).max(NARROWEST))
}

/// Columns and rows of the terminal that standard output is; those of an old one if they are not known.
pub(super) fn terminal_size() -> (usize, usize) {
    const USUAL_ROWS: usize = 24;
    let rows = terminal_size::terminal_size_of(io::stdout()).map(|(_, rows)| usize::from(rows.0));
    (terminal_width().unwrap_or(text::WIDTH), rows.unwrap_or(USUAL_ROWS))
}

/// Whether text has colours that goes to standard output, or to a file.
pub(super) fn style(when: ColorWhen, to_file: bool) -> Style {
    let is_terminal = !to_file && io::stdout().is_terminal();
    let (no_color, term) = (env::var_os("NO_COLOR"), env::var_os("TERM"));
    style_for(when, is_terminal, no_color.as_deref(), term.as_deref())
}

/// The rule of no-color.org: the variable counts if it is not empty.
fn style_for(when: ColorWhen, is_terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> Style {
    let refuses = no_color.is_some_and(|it| !it.is_empty()) || term.is_some_and(|it| it == "dumb");
    match when {
        ColorWhen::Always => Style::Coloured,
        ColorWhen::Auto if is_terminal && !refuses => Style::Coloured,
        ColorWhen::Auto | ColorWhen::Never => Style::Plain,
    }
}

/// Gathers lines and writes them.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// Lines are appended here.
    pub(super) buffer: Vec<u8>,
    is_closed: bool,
}

impl Output {
    /// Appends a JSON value as a line.
    pub(super) fn json<T: Serialize>(&mut self, value: &T) {
        // Writing to a vector does not fail.
        let _ = escape::json(&mut self.buffer, value);
        self.buffer.push(b'\n');
    }

    /// Writes if much has gathered.
    ///
    /// # Errors
    /// As for [`Output::flush`].
    pub(super) fn relieve(&mut self) -> Result<(), Failure> {
        if self.buffer.len() < CHUNK { Ok(()) } else { self.flush() }
    }

    /// Writes everything.
    ///
    /// # Errors
    /// If it cannot be written. A reader that left is no error: see [`Output::is_closed`].
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.put().map_err(Failure::Output)
    }

    /// To be written to, for what is too long to be gathered. Once the reader has left, nothing more is written.
    pub(super) fn sink(&mut self) -> impl Write {
        Sink(self)
    }

    fn put(&mut self) -> io::Result<()> {
        if self.is_closed || self.buffer.is_empty() {
            self.buffer.clear();
            return Ok(());
        }
        let mut out = Stdout;
        let written = out.write_all(&self.buffer).and_then(|()| out.flush());
        self.buffer.clear();
        match written {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Has the reader of a pipe left?
    pub(super) fn is_closed(&mut self) -> bool {
        let stdout = io::stdout();
        let mut polled = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
        let asked = poll(&mut polled, PollTimeout::ZERO);
        let gone = polled[0].revents().is_some_and(|events| events.contains(PollFlags::POLLERR));
        self.is_closed |= asked.is_ok() && gone;
        self.is_closed
    }
}

struct Sink<'o>(&'o mut Output);

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.buffer.extend_from_slice(bytes);
        if self.0.buffer.len() >= CHUNK {
            self.0.put()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.put()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        let auto = |is_terminal, no_color: Option<&str>, term: Option<&str>| {
            style_for(ColorWhen::Auto, is_terminal, no_color.map(OsStr::new), term.map(OsStr::new))
        };
        assert_eq!(auto(true, None, Some("xterm-256color")), Style::Coloured);
        assert_eq!(auto(true, Some(""), Some("linux")), Style::Coloured);
        for (is_terminal, no_color, term) in
            [(false, None, Some("xterm")), (true, Some("1"), Some("xterm")), (true, None, Some("dumb"))]
        {
            assert_eq!(
                auto(is_terminal, no_color, term),
                Style::Plain,
                "{is_terminal} {no_color:?} {term:?}"
            );
        }
        let dumb = Some(OsStr::new("dumb"));
        assert_eq!(style_for(ColorWhen::Always, false, dumb, dumb), Style::Coloured);
        assert_eq!(style_for(ColorWhen::Never, true, None, None), Style::Plain);
    }
}
