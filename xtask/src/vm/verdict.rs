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
pub(crate) enum Verdict {
    /// The command ended with this status.
    Status(u8),
    /// The guest's kernel gave up; its words.
    Panic(String),
    /// The emulator ran a breakpoint that was not there any more, and the guest's kernel gave up.
    StaleBreakpoint,
    /// Time ran out; the limit, and the last line of the console.
    Hung(Duration, String),
    /// The run was broken off.
    Interrupted,
    /// The guest ended and said nothing; the last line of the console.
    Silent(String),
    /// QEMU failed before the guest said anything.
    NoStart,
}

/// Begins the line by which a kernel says that it gives up.
const PANIC: &str = "Kernel panic - not syncing: ";
/// Some of these stand in the line that says why, a trace of calls before it.
const FAULTS: [&str; 6] =
    ["BUG: ", "kernel BUG at ", "Oops: ", "int3: ", "general protection fault", "[ cut here ]"];
/// A trace of calls with its registers takes some fifty lines.
const MOST_LINES: usize = 100;

/// What a kernel that gave up said of the cause, line by line: from its first complaint to the panic. Empty without a panic.
pub(super) fn last_words(console: &str) -> Vec<&str> {
    let lines: Vec<&str> = console.lines().map(str::trim_end).collect();
    let Some(panic) = lines.iter().position(|line| line.contains(PANIC)) else { return Vec::new() };
    let told = &lines[..=panic];
    let is_fault = |line: &&str| FAULTS.iter().any(|fault| line.contains(fault));
    let first = told.iter().position(is_fault).unwrap_or(panic);
    told[first..].iter().copied().take(MOST_LINES).collect()
}

/// Did a kernel give up at a breakpoint that its memory does not hold? It had put one there while it patched its code, and taken it
/// away; a processor that had it in its translated code ran it afterwards. The byte in front of the marked one, which would have
/// been the breakpoint, is in the oops. No such kernel's fault is the probes'.
fn is_stale_breakpoint(console: &str) -> bool {
    const BREAKPOINT: &str = "cc";
    let words = last_words(console);
    let Some(trap) = words.iter().position(|line| line.contains("int3: ")) else { return false };
    let code = words[trap..].iter().find_map(|line| line.split_once("Code: "));
    let before = code.and_then(|(_, bytes)| bytes.split_once(" <"));
    before.and_then(|(bytes, _)| bytes.split(' ').next_back()).is_some_and(|byte| byte != BREAKPOINT)
}

/// Judges a run. A status counts whatever came after it; a panic explains a time-out, not the other way round.
pub(super) fn judge(console: &str, ending: Ending) -> Verdict {
    let lines = || console.lines().map(|line| line.trim_matches(|c: char| c.is_whitespace() || c == '\0'));
    let last = || lines().rev().find(|line| !line.is_empty()).unwrap_or_default().to_owned();
    if let Some(status) = lines().rev().find_map(|line| line.strip_prefix(MARKER)?.parse().ok()) {
        return Verdict::Status(status);
    }
    if is_stale_breakpoint(console) {
        return Verdict::StaleBreakpoint;
    }
    if let Some(words) = lines().find_map(|line| line.split_once(PANIC)) {
        return Verdict::Panic(words.1.to_owned());
    }
    match ending {
        Ending::TimedOut(limit) => Verdict::Hung(limit, last()),
        Ending::Interrupted => Verdict::Interrupted,
        Ending::Exited(false) if last().is_empty() => Verdict::NoStart,
        Ending::Exited(_) => Verdict::Silent(last()),
    }
}

impl std::error::Error for Verdict {}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "the command ended with status {status}"),
            Self::StaleBreakpoint => {
                write!(
                    f,
                    "the emulator ran a breakpoint that the guest's kernel had removed, and it panicked"
                )
            }
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
    const NO_ROOT: &str =
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
            (NO_ROOT, exited, Verdict::Panic("VFS: Unable to mount root fs".into())),
            (NO_ROOT, late, Verdict::Panic("VFS: Unable to mount root fs".into())),
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
    fn a_panic_comes_with_what_led_to_it() {
        let oops = "[1.0] noise\n[1.1] int3: 0000 [#1] SMP\r\n[1.1] RIP: 0010:unix_accept+0x1/0x2\n";
        let panic = format!("{oops}[1.2] {PANIC}Fatal exception in interrupt\n[1.3] Rebooting");
        assert_eq!(
            last_words(&panic),
            [
                "[1.1] int3: 0000 [#1] SMP",
                "[1.1] RIP: 0010:unix_accept+0x1/0x2",
                "[1.2] Kernel panic - not syncing: Fatal exception in interrupt",
            ]
        );
        assert_eq!(last_words(NO_ROOT).len(), 1, "nothing led to it");
        assert_eq!(last_words(oops), [""; 0], "the kernel went on");
        let long = format!("[1.0] BUG: x\n{}[2.0] {PANIC}x\n", "trace\n".repeat(2 * MOST_LINES));
        assert_eq!(last_words(&long).len(), MOST_LINES);
    }

    #[test]
    fn a_breakpoint_that_was_removed_is_told_from_one_that_stands() {
        let oops = |code: &str| {
            format!(
                "[5.3] Oops: int3: 0000 [#1] SMP NOPTI\r\n[5.3] RIP: 0010:bpf_trampoline_6442555024+0x1e/0xb1\r\n\
                 [5.3] Code: {code}\r\n[5.3] {PANIC}Fatal exception in interrupt\r\n"
            )
        };
        let exited = Ending::Exited(true);
        let fatal = Verdict::Panic("Fatal exception in interrupt".into());
        for (code, expected) in [
            ("89 7d f0 48 89 75 f8 e9 <40> 00 00 00 31 ff", Verdict::StaleBreakpoint),
            ("89 7d f0 48 89 75 f8 cc <40> 00 00 00 31 ff", fatal),
            ("Unable to access opcode bytes at 0x5.", Verdict::Panic("Fatal exception in interrupt".into())),
        ] {
            assert_eq!(judge(&oops(code), exited), expected, "{code}");
        }
        let page_fault =
            oops("75 f8 e9 <40> 00").replace("Oops: int3: 0000", "BUG: unable to handle page fault");
        assert_ne!(judge(&page_fault, exited), Verdict::StaleBreakpoint);
        // The kernel went on: its command's status counts.
        assert_eq!(judge(&format!("{}vm: exit 0\n", oops("f8 e9 <40>")), exited), Verdict::Status(0));
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
