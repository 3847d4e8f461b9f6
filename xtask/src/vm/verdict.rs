//! How a run ended, told from the guest's console and from how QEMU ended. Pure.

use std::fmt;
use std::time::Duration;

/// Begins the line by which init.sh reports the command's exit status.
const MARKER: &str = "vm: exit ";

/// How QEMU itself came to its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ending {
    /// The guest switched itself off, or QEMU stopped: success or not.
    Exited(bool),
    /// It was killed after that time.
    TimedOut(Duration),
    /// Ctrl-C, or nobody reads the output any more.
    Interrupted,
}

/// What became of a run.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// The command ended with this status.
    Status(u8),
    /// The guest's kernel gave up; its words.
    Panic(String),
    /// Time ran out; the limit, and the last line of the console.
    Hung(Duration, String),
    /// The run was broken off.
    Interrupted,
    /// The guest ended and said nothing; the last line of the console.
    Silent(String),
    /// QEMU failed before the guest said anything.
    NoStart,
}

/// Judges a run. A status counts whatever came after it; a panic explains a time-out, not the other way round.
pub(super) fn judge(console: &str, ending: Ending) -> Verdict {
    let lines = || console.lines().map(|line| line.trim_matches(|c: char| c.is_whitespace() || c == '\0'));
    let last = || lines().rev().find(|line| !line.is_empty()).unwrap_or_default().to_owned();
    if let Some(status) = lines().rev().find_map(|line| line.strip_prefix(MARKER)?.parse().ok()) {
        return Verdict::Status(status);
    }
    if let Some(words) = lines().find_map(|line| line.split_once("Kernel panic - not syncing: ")) {
        return Verdict::Panic(words.1.to_owned());
    }
    match ending {
        Ending::TimedOut(limit) => Verdict::Hung(limit, last()),
        Ending::Interrupted => Verdict::Interrupted,
        Ending::Exited(false) if last().is_empty() => Verdict::NoStart,
        Ending::Exited(_) => Verdict::Silent(last()),
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "the command ended with status {status}"),
            Self::Panic(words) => write!(f, "the guest's kernel panicked: {words}"),
            Self::Hung(limit, last) => {
                write!(f, "the guest was stopped after {} s without an end", limit.as_secs())?;
                quote_last(f, last)
            }
            Self::Interrupted => write!(f, "the run was interrupted"),
            Self::Silent(last) => {
                write!(f, "the guest ended without saying how its command ended")?;
                quote_last(f, last)
            }
            Self::NoStart => write!(f, "QEMU did not start the guest"),
        }
    }
}

fn quote_last(f: &mut fmt::Formatter<'_>, last: &str) -> fmt::Result {
    if last.is_empty() { Ok(()) } else { write!(f, " (its last words: {last:?})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);
    const PANIC: &str =
        "[    0.5] Kernel panic - not syncing: VFS: Unable to mount root fs\r\n[ 0.6] CPU: 0\r\n";

    #[test]
    fn every_way_to_end_has_its_verdict() {
        let exited = Ending::Exited(true);
        let late = Ending::TimedOut(LIMIT);
        let table: Vec<(&str, Ending, Verdict)> = vec![
            ("\r\nvm: exit 0\r\n", exited, Verdict::Status(0)),
            ("[1.0] noise\r\n\r\nvm: exit 7\r\n[2.0] reboot: Restarting\r\n", exited, Verdict::Status(7)),
            ("vm: exit 143\r\n", late, Verdict::Status(143)),
            ("vm: exit 1\nvm: exit 2\n", exited, Verdict::Status(2)),
            ("vm: exit 300\n", exited, Verdict::Silent("vm: exit 300".into())),
            ("vm: exit \n", exited, Verdict::Silent("vm: exit".into())),
            ("said vm: exit 0\n", exited, Verdict::Silent("said vm: exit 0".into())),
            (PANIC, exited, Verdict::Panic("VFS: Unable to mount root fs".into())),
            (PANIC, late, Verdict::Panic("VFS: Unable to mount root fs".into())),
            ("[0.1] booting\r\n\r\n", late, Verdict::Hung(LIMIT, "[0.1] booting".into())),
            ("", late, Verdict::Hung(LIMIT, String::new())),
            ("[0.1] booting\0\n", exited, Verdict::Silent("[0.1] booting".into())),
            ("", exited, Verdict::Silent(String::new())),
            ("", Ending::Exited(false), Verdict::NoStart),
            ("[0.1] booting", Ending::Interrupted, Verdict::Interrupted),
        ];
        for (console, ending, expected) in table {
            assert_eq!(judge(console, ending), expected, "{console:?} {ending:?}");
        }
    }

    #[test]
    fn verdicts_read_as_sentences() {
        assert_eq!(
            Verdict::Hung(LIMIT, "last".into()).to_string(),
            "the guest was stopped after 5 s without an end (its last words: \"last\")"
        );
        assert_eq!(
            Verdict::Silent(String::new()).to_string(),
            "the guest ended without saying how its command ended"
        );
    }
}
