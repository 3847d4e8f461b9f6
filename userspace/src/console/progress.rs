//! How far something is that takes a while: one line on standard error, which is rewritten and erased in the end.
//!
//! Nothing is written unless standard error is a terminal, nor within the first second.

use std::{
    env,
    io::{self, IsTerminal as _, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use sockleak_core::text::{count::grouped, escape::terminal};
use sockleak_report::elide;

/// Nothing is written before that.
const SILENT: Duration = Duration::from_secs(1);
/// How often the line is rewritten.
const EVERY: Duration = Duration::from_millis(200);
/// Back to the beginning of the line, which is emptied.
const ERASE: &str = "\r\x1b[K";
/// Columns of a terminal that does not tell them.
const USUAL_COLUMNS: usize = 80;

/// Shows how far the reading of a recording is, until it is dropped.
#[derive(Debug)]
pub struct Progress {
    records: Arc<AtomicU64>,
    name: Name,
    /// Of several recordings: how many there are, and how many were begun.
    several: Option<(usize, AtomicU64)>,
    /// Dropped to end the thread, which then erases the line.
    ended: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Progress {
    /// Begins to read so many recordings; [`Self::next`] says which it is.
    #[must_use]
    pub fn several(count: usize) -> Self {
        let mut progress = Self::reading("", Arc::default());
        progress.several = Some((count, AtomicU64::new(0)));
        progress
    }

    /// Of several recordings, another one is read now.
    pub fn next(&self, name: &str) {
        let Some((count, begun)) = &self.several else { return };
        let nth = begun.fetch_add(1, Ordering::Relaxed) + 1;
        let name = format!("{} of {}: {}", grouped(nth), grouped(*count as u64), terminal(name));
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }

    /// Begins to read a recording; `records` is counted up by whoever reads.
    #[must_use]
    pub fn reading(name: &str, records: Arc<AtomicU64>) -> Self {
        let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        if is_dumb || !io::stderr().is_terminal() {
            return Self { records, name: Name::default(), several: None, ended: None, thread: None };
        }
        Self::show(name, records, io::stderr(), columns)
    }

    /// Has a thread show it.
    fn show(
        name: &str,
        records: Arc<AtomicU64>,
        out: impl Write + Send + 'static,
        columns: impl Fn() -> usize + Send + 'static,
    ) -> Self {
        let (ended, wait) = mpsc::channel::<()>();
        let mut line = Line::new(name, out);
        let name = Arc::clone(&line.name);
        let counted = Arc::clone(&records);
        let began = Instant::now();
        let follow = move || {
            while wait.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                line.tick(began.elapsed(), counted.load(Ordering::Relaxed), columns());
            }
        };
        // Without a thread, nothing is shown.
        let thread = thread::Builder::new().name("progress".to_owned()).spawn(follow).ok();
        Self { records, name, several: None, ended: Some(ended), thread }
    }

    /// Counts a record that was read.
    pub fn count(&self) {
        self.records.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.ended = None;
        // The line is gone when this returns: a report may follow.
        self.thread.take().map(thread::JoinHandle::join);
    }
}

/// The recording's name, safe for a terminal. It changes if there are several.
type Name = Arc<Mutex<String>>;

/// The line.
struct Line<W: Write> {
    name: Name,
    out: W,
    is_shown: bool,
}

impl<W: Write> Line<W> {
    fn new(name: &str, out: W) -> Self {
        Self { name: Arc::new(Mutex::new(terminal(name).into_owned())), out, is_shown: false }
    }

    /// Rewrites it, once enough time has passed. It is narrower than the terminal: a line that wraps cannot be erased.
    fn tick(&mut self, elapsed: Duration, records: u64, columns: usize) {
        if elapsed < SILENT {
            return;
        }
        let name = self.name.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = format!("reading {name}: {} records, {} s", grouped(records), elapsed.as_secs());
        let text = elide::end(&text, columns.saturating_sub(1), "…");
        // If nobody can read it, it is not missed.
        let _ = write!(self.out, "{ERASE}{text}");
        let _ = self.out.flush();
        self.is_shown = true;
    }
}

impl<W: Write> Drop for Line<W> {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write!(self.out, "{ERASE}");
            let _ = self.out.flush();
        }
    }
}

/// Columns of the terminal now.
fn columns() -> usize {
    let size = terminal_size::terminal_size_of(io::stderr());
    size.map_or(USUAL_COLUMNS, |(terminal_size::Width(columns), _)| columns.into())
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use textwrap::core::display_width;

    use super::*;

    /// What is written, for who looks on.
    #[derive(Clone, Default)]
    struct Shown(Arc<Mutex<Vec<u8>>>);

    impl Shown {
        fn text(&self) -> String {
            String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
        }
    }

    impl Write for Shown {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_rewritten_and_erased() {
        let shown = Shown::default();
        let mut line = Line::new("ma.db", shown.clone());
        line.tick(Duration::from_millis(999), 5, 80);
        assert_eq!(shown.text(), "", "within the first second");
        line.tick(Duration::from_millis(1_000), 90_000, 80);
        line.tick(Duration::from_millis(12_400), 1_200_000, 80);
        drop(line);
        let expected = "\r\x1b[Kreading ma.db: 90,000 records, 1 s\r\x1b[Kreading ma.db: 1,200,000 records, 12 s\r\x1b[K";
        assert_eq!(shown.text(), expected);
    }

    #[test]
    fn what_is_short_says_nothing() {
        let shown = Shown::default();
        let progress = Progress::show("ma.db", Arc::default(), shown.clone(), || 80);
        progress.count();
        drop(progress);
        assert_eq!(shown.text(), "");
    }

    #[test]
    fn a_name_is_harmless_and_the_line_fits() {
        let shown = Shown::default();
        let mut line = Line::new("/srv/a-long-way/\x1b[2Jto/incident.db", shown.clone());
        line.tick(Duration::from_secs(3), 1_000, 80);
        assert!(shown.text().contains(r"\u{1b}[2Jto/incident.db: 1,000 records, 3 s"), "{}", shown.text());
        line.tick(Duration::from_secs(4), 2_000, 40);
        let text = shown.text();
        let last = text.rsplit(ERASE).next().unwrap_or_default();
        assert!(last.ends_with("/incident.db: 2,000 records, 4 s"), "{last}");
        assert!(display_width(last) < 40, "{last}");
    }

    #[test]
    fn of_several_the_line_says_which() {
        let shown = Shown::default();
        let mut line = Line::new("", shown.clone());
        let name = Arc::clone(&line.name);
        let several = Some((1_000, AtomicU64::new(0)));
        let progress = Progress { records: Arc::default(), name, several, ended: None, thread: None };
        progress.next("a.db");
        progress.next("b\x1b.db");
        line.tick(Duration::from_secs(3), 70, 80);
        assert!(
            shown.text().ends_with(r"reading 2 of 1,000: b\u{1b}.db: 70 records, 3 s"),
            "{}",
            shown.text()
        );
    }

    #[test]
    fn who_reads_counts() {
        let records = Arc::new(AtomicU64::new(0));
        let mut progress = Progress::several(3);
        progress.records = Arc::clone(&records);
        (0..3).for_each(|_| progress.count());
        assert_eq!(records.load(Ordering::Relaxed), 3);
    }
}
