//! One line of text for each event, written into a buffer that is used again: a busy socket has thousands a second.

use std::io::Write as _;

use sockleak_core::{
    decode::abstract_name,
    event::{End, Reason, What},
    lifecycle::{Connection, State},
    session::{FoundConnection, Seen},
    text::{errno_name, escape::terminal},
    time::Clock,
};

/// The headings of the lines.
pub const HEADINGS: &str =
    "TIME                AGE      PID  PROGRAM                           EVENT                       SOCKET";

/// Width of the program column.
const PROGRAM_WIDTH: usize = 32;
/// Width of the event column.
const EVENT_WIDTH: usize = 26;

/// Writes lines; remembers what many of them share: the time of day of the last second, programs and sockets as they are
/// shown.
#[derive(Debug)]
pub struct Lines {
    clock: Clock,
    time_of_day: String,
    origin: u64,
    /// The time of the last line, as it is shown for a millisecond from `moment` on.
    time: Vec<u8>,
    moment: u64,
    programs: Vec<Vec<u8>>,
    sockets: Vec<Vec<u8>>,
}

impl Lines {
    /// For times of a clock.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            time_of_day: String::new(),
            origin: 0,
            time: Vec::new(),
            moment: 0,
            programs: Vec::new(),
            sockets: Vec::new(),
        }
    }

    /// Appends the line of an event.
    pub fn write(&mut self, seen: &Seen<'_>, out: &mut Vec<u8>) {
        self.time(seen.at, out);
        age(seen.connection.map(|connection| connection.age(seen.at)), out);
        pid(seen.who.actor.id.pid, out);
        remembered(&mut self.programs, seen.who.program.0 as usize, out, |out| program(seen.program, out));
        if let Some(text) = frequent(seen.what) {
            out.extend_from_slice(text);
        } else {
            let start = out.len();
            event(seen, out);
            pad(out, start, EVENT_WIDTH);
        }
        remembered(&mut self.sockets, seen.socket_id.0, out, |out| {
            out.extend_from_slice(b"  ");
            out.extend_from_slice(terminal(&seen.socket.name).as_bytes());
            out.extend_from_slice(b" (");
        });
        number(seen.open, out);
        out.extend_from_slice(b" open)");
        detail(seen, out);
        out.push(b'\n');
    }

    /// Appends the line of a connection whose start was not seen.
    pub fn found(&mut self, found: &FoundConnection<'_>, out: &mut Vec<u8>) {
        let connection = found.connection;
        self.time(connection.opened, out);
        age(None, out);
        pid(connection.opener.actor.id.pid, out);
        program(found.program, out);
        let start = out.len();
        out.extend_from_slice(b"found: ");
        out.extend_from_slice(connection.state().name().as_bytes());
        pad(out, start, EVENT_WIDTH);
        out.extend_from_slice(b"  ");
        out.extend_from_slice(terminal(&found.socket.name).as_bytes());
        out.extend_from_slice(b" (");
        number(found.open, out);
        out.extend_from_slice(b" open)\n");
    }

    fn time(&mut self, at: u64, out: &mut Vec<u8>) {
        const SECOND: u64 = 1_000_000_000;
        const MILLISECOND: u64 = 1_000_000;
        if !self.time.is_empty() && at.wrapping_sub(self.moment) < MILLISECOND {
            return out.extend_from_slice(&self.time);
        }
        // `origin` is a moment since boot at which a second of the day began.
        if self.time_of_day.is_empty() || at < self.origin || at - self.origin >= SECOND {
            let into = u64::from(self.clock.subsecond(at));
            self.origin = at.saturating_sub(into);
            self.time_of_day = self.clock.time_of_day(at);
        }
        let since = at - self.origin;
        self.moment = at - since % MILLISECOND;
        self.time.clear();
        self.time.extend_from_slice(self.time_of_day.as_bytes());
        self.time.push(b'.');
        self.time.extend_from_slice(&thousandths(since / MILLISECOND));
        out.extend_from_slice(&self.time);
    }
}

/// Appends what was written for an index before, or writes it. Nothing that is written is empty.
fn remembered(texts: &mut Vec<Vec<u8>>, index: usize, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    if texts.len() <= index {
        texts.resize(index + 1, Vec::new());
    }
    if texts[index].is_empty() {
        write(&mut texts[index]);
    }
    out.extend_from_slice(&texts[index]);
}

/// `+S.mmm` in a column of eleven; seconds that need more room take it.
fn age(age: Option<u64>, out: &mut Vec<u8>) {
    let Some(age) = age else {
        out.extend_from_slice(&[b' '; 11]);
        return;
    };
    let milliseconds = age / 1_000_000;
    let [first, second, third] = thousandths(milliseconds);
    if let seconds @ 0..10 = milliseconds / 1000 {
        let text = [b' ', b' ', b' ', b' ', b' ', b'+', b'0' + seconds as u8, b'.', first, second, third];
        return out.extend_from_slice(&text);
    }
    let mut text = *b"          .000";
    right(milliseconds / 1000, &mut text[..10]);
    text[11..].copy_from_slice(&[first, second, third]);
    if let Some(last_blank) = text.iter().rposition(|&byte| byte == b' ') {
        text[last_blank] = b'+';
    }
    out.extend_from_slice(if text[..3] == *b"   " { &text[3..] } else { &text });
}

/// The digits of a number of milliseconds behind the point of its seconds.
fn thousandths(milliseconds: u64) -> [u8; 3] {
    let rest = (milliseconds % 1000) as u16;
    [100, 10, 1].map(|unit| b'0' + (rest / unit % 10) as u8)
}

/// The column of a process's id, and the gap behind it.
fn pid(pid: u32, out: &mut Vec<u8>) {
    let mut column = [b' '; 11];
    right(pid.into(), &mut column[..9]);
    out.extend_from_slice(&column);
}

/// Writes a number at the right edge of a field; one that is too large loses its front, which no field here is too
/// narrow for.
fn right(mut value: u64, field: &mut [u8]) {
    for place in field.iter_mut().rev() {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return;
        }
    }
}

fn number(value: u64, out: &mut Vec<u8>) {
    let Some(digit) = u8::try_from(value).ok().filter(|value| *value < 10) else {
        let mut digits = [b' '; 20];
        right(value, &mut digits);
        return out.extend_from_slice(digits.trim_ascii_start());
    };
    out.push(b'0' + digit);
}

/// The end of a path says more than its front.
fn program(name: &str, out: &mut Vec<u8>) {
    let name = terminal(name);
    let start = out.len();
    let count = if name.is_ascii() { name.len() } else { name.chars().count() };
    if count > PROGRAM_WIDTH {
        out.extend_from_slice("…".as_bytes());
        let skipped = count - PROGRAM_WIDTH + 1;
        out.extend(name.chars().skip(skipped).collect::<String>().bytes());
        out.extend_from_slice(b"  ");
        return;
    }
    out.extend_from_slice(name.as_bytes());
    pad(out, start + (name.len() - count), PROGRAM_WIDTH);
    out.extend_from_slice(b"  ");
}

fn pad(out: &mut Vec<u8>, start: usize, width: usize) {
    let written = out.len() - start;
    if written < width {
        out.resize(start + width, b' ');
    }
}

/// The column of an event that is nearly every one.
const fn frequent(what: &What) -> Option<&'static [u8; EVENT_WIDTH]> {
    match what {
        What::Connect { .. } => Some(b"connect                   "),
        What::Accept { .. } => Some(b"accept                    "),
        What::Release { end: End::Client, reason: Reason::Close, .. } => Some(b"client end closed         "),
        What::Release { end: End::Server, reason: Reason::Close, .. } => Some(b"server end closed         "),
        _ => None,
    }
}

fn event(seen: &Seen<'_>, out: &mut Vec<u8>) {
    match seen.what {
        What::Connect { .. } => out.extend_from_slice(b"connect"),
        What::Accept { .. } => out.extend_from_slice(b"accept"),
        What::Release { end, reason, .. } => {
            out.extend_from_slice(match end {
                End::Client => b"client end ",
                End::Server => b"server end ",
            });
            how(*reason, out);
        }
        What::ListenerClosed { reason, .. } => {
            out.extend_from_slice(b"listener ");
            how(*reason, out);
        }
        What::Attempt { errno, .. } => {
            out.extend_from_slice(b"connect failed: ");
            out.extend_from_slice(errno_name(*errno).as_bytes());
        }
    }
}

/// How an end went, as a participle.
fn how(reason: Reason, out: &mut Vec<u8>) {
    let text: &[u8] = match reason {
        Reason::Close => b"closed",
        Reason::Exec => b"closed by exec",
        Reason::ListenerClosed => b"refused",
        Reason::Collected => b"collected",
        Reason::Unseen => b"released, unseen",
        Reason::Exit(status) => {
            out.extend_from_slice(b"left at exit ");
            return number(status.into(), out);
        }
        Reason::Killed(signal) => {
            out.extend_from_slice(b"killed by ");
            let name = nix::sys::signal::Signal::try_from(i32::from(signal));
            return match name {
                Ok(name) => out.extend_from_slice(name.as_str().as_bytes()),
                Err(_) => {
                    out.extend_from_slice(b"signal ");
                    number(signal.into(), out);
                }
            };
        }
    };
    out.extend_from_slice(text);
}

/// What the columns do not say: whether the other end is still held, the address of a failed connect, a queue.
fn detail(seen: &Seen<'_>, out: &mut Vec<u8>) {
    let state = seen.connection.map(Connection::state);
    let held: &[u8] = match state {
        Some(State::ClientClosed) => b", server end still open",
        Some(State::ServerClosed) => b", client end still open",
        Some(State::Abandoned) => b", still in the accept queue",
        _ => b"",
    };
    match seen.what {
        What::Release { .. } => out.extend_from_slice(held),
        What::Attempt { queue: Some(queue), .. } => {
            // Writing to a vector does not fail.
            let _ = write!(out, ", queue {} of {}", queue.length, queue.max.saturating_add(1));
        }
        What::Attempt { address, .. } => {
            let address = sockleak_core::event::name::shown(&abstract_name(address));
            if address != seen.socket.path {
                let _ = write!(out, ", as {}", terminal(&address));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn ages_keep_their_column() {
        for (nanoseconds, expected) in [
            (None, "           "),
            (Some(0), "     +0.000"),
            (Some(1_234_567_890), "     +1.234"),
            (Some(9_999_999_999), "     +9.999"),
            (Some(10_000_000_000), "    +10.000"),
            (Some(99_999_000_000_000), " +99999.000"),
            (Some(12_345_678_000_000_000), "  +12345678.000"),
        ] {
            let text = shown(|out| age(nanoseconds, out));
            assert_eq!(text.trim_start(), expected.trim_start(), "{nanoseconds:?}");
            assert!(text.len() == 11 || expected.len() > 11, "{text:?}");
        }
    }

    #[test]
    fn numbers_have_no_blanks() {
        for value in [0, 7, 9, 10, 255, 256, 12_345, u64::MAX] {
            assert_eq!(shown(|out| number(value, out)), value.to_string());
        }
        assert_eq!(shown(|out| pid(4_194_304, out)), "  4194304  ");
    }

    #[test]
    fn times_change_with_each_millisecond() {
        let mut lines = Lines::new(Clock::utc(0));
        let origin = 1_000_000_000_000 - u64::from(lines.clock.subsecond(1_000_000_000_000));
        let mut at = |nanoseconds: u64| {
            let text = shown(|out| lines.time(origin + nanoseconds, out));
            (text.len(), text[8..].to_owned())
        };
        for (nanoseconds, expected) in [
            (0, ".000"),
            (999_999, ".000"),
            (1_000_000, ".001"),
            (999_999_999, ".999"),
            (1_000_000_000, ".000"),
            (500_000_000, ".500"),
        ] {
            assert_eq!(at(nanoseconds), (12, expected.to_owned()), "{nanoseconds}");
        }
    }

    #[test]
    fn long_programs_keep_their_end() {
        let long = format!("/opt/{}/bin/agent", "x".repeat(60));
        let text = shown(|out| program(&long, out));
        assert!(text.starts_with('…') && text.ends_with("/bin/agent  "), "{text}");
        assert_eq!(text.chars().count(), PROGRAM_WIDTH + 2);
        assert_eq!(shown(|out| program("ä", out)).chars().count(), PROGRAM_WIDTH + 2);
    }

    #[test]
    fn reasons_read_as_sentences() {
        for (reason, expected) in [
            (Reason::Close, "closed"),
            (Reason::Exit(3), "left at exit 3"),
            (Reason::Killed(9), "killed by SIGKILL"),
            (Reason::Killed(64), "killed by signal 64"),
        ] {
            assert_eq!(shown(|out| how(reason, out)), expected);
        }
    }
}
