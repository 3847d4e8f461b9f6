//! The stacks from which connections that are still open were opened.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde::{Deserialize, Serialize};

use super::{
    count::{agreeing, times},
    escape::terminal,
    findings::FindingReport,
};
use crate::{
    attribution::{self, stacks::StackId},
    event::Frame,
    lifecycle::Connection,
    session::{Session, SocketId},
};

/// A stack that open connections come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackReport {
    /// Its number, which open connections and findings name.
    pub id: u32,
    /// The functions, the innermost first.
    pub frames: Vec<Frame>,
}

/// How many of a finding's program's connections that are old and open come from a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedAt {
    /// Number of the stack.
    pub stack: u32,
    /// How many connections.
    pub count: u64,
}

/// The stacks of all open connections, by number.
pub(super) fn stacks(session: &Session) -> Vec<StackReport> {
    let mut ids: Vec<StackId> = session.open().filter_map(|(_, connection)| connection.stack).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(|id| StackReport { id: id.0, frames: session.frames(id).to_vec() }).collect()
}

/// Which stacks the old connections of each program on each socket come from that are open at the client's end; most first.
pub(super) fn opened_at(session: &Session, now: u64) -> BTreeMap<(SocketId, u32), Vec<OpenedAt>> {
    let leak_age = session.settings().leak_age;
    let is_old =
        |connection: &Connection| !connection.client.is_released() && connection.age(now) >= leak_age;
    let mut counts: BTreeMap<_, BTreeMap<u32, u64>> = BTreeMap::new();
    for (socket, connection) in session.open().filter(|(_, connection)| is_old(connection)) {
        if let Some(stack) = connection.stack {
            let of_program = counts.entry((socket, connection.opener.group.0)).or_default();
            *of_program.entry(stack.0).or_default() += 1;
        }
    }
    let sorted = counts.into_iter().map(|(key, of_program)| {
        let mut places: Vec<_> =
            of_program.into_iter().map(|(stack, count)| OpenedAt { stack, count }).collect();
        places.sort_by_key(|place| (std::cmp::Reverse(place.count), place.stack));
        (key, places)
    });
    sorted.collect()
}

/// Stacks of a finding that are told whole.
pub(super) const SHOWN: usize = 3;

/// The stacks that findings mention, by number.
#[must_use]
pub fn mentioned(session: &Session, findings: &[FindingReport]) -> Vec<StackReport> {
    let places = findings.iter().flat_map(|finding| finding.opened_at.iter().take(SHOWN));
    let ids: BTreeSet<u32> = places.map(|place| place.stack).collect();
    ids.into_iter().map(|id| StackReport { id, frames: session.frames(StackId(id)).to_vec() }).collect()
}

/// Where in its program the connections of a finding were opened: the places with the most connections, in words and with
/// their functions; and how many others there are.
pub(crate) fn places(
    stacks: &[StackReport],
    finding: &FindingReport,
) -> (Vec<(String, String)>, Option<String>) {
    let shown = finding.opened_at.iter().take(SHOWN).filter_map(|place| {
        let stack = stacks.iter().find(|stack| stack.id == place.stack)?;
        let site = site(&stack.frames).map_or_else(String::new, |site| format!(" in {site}"));
        let mut functions = String::new();
        lines(&stack.frames, &mut functions);
        Some((format!("Opened {}{site}:", times(place.count)), functions))
    });
    let rest = finding.opened_at.get(SHOWN..).filter(|rest| !rest.is_empty()).map(|rest| {
        let count: u64 = rest.iter().map(|place| place.count).sum();
        let places = rest.len();
        let noun = agreeing(places as u64, "place", "places");
        format!("And {} at {places} other {noun}.", times(count))
    });
    (shown.collect(), rest)
}

/// A stack as indented lines: function, and where it is. What leads to `main` is left out.
pub(crate) fn lines(frames: &[Frame], out: &mut String) {
    /// Deeper ones say little about who opened.
    const SHOWN: usize = 24;
    let is_main =
        |frame: &Frame| matches!(frame.function.as_deref(), Some("main" | "main.main" | "<module>"));
    let len = frames.iter().position(is_main).map_or(frames.len(), |main| main + 1);
    let names: Vec<String> = frames[..len].iter().take(SHOWN).map(name).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default().min(40);
    for (frame, name) in frames.iter().zip(names) {
        let place = place(frame);
        // Writing to a string does not fail.
        let _ = writeln!(out, "    {name:width$}  {place}");
    }
    if len > SHOWN {
        let _ = writeln!(out, "    and {} more", len - SHOWN);
    }
}

/// The innermost function that is the program's own, in words; None if none is known to be.
pub(crate) fn site(frames: &[Frame]) -> Option<String> {
    attribution::stacks::site(frames).map(|site| terminal(&site).into_owned())
}

fn name(frame: &Frame) -> String {
    let name = frame.function.as_deref().map_or_else(|| "?".to_owned(), |name| terminal(name).into_owned());
    if frame.inlined { format!("{name} (inlined)") } else { name }
}

/// Where a function is: in the source if that is known, else in its file.
fn place(frame: &Frame) -> String {
    match (&frame.file, frame.line, &frame.module) {
        (Some(file), Some(line), _) => format!("{}:{line}", terminal(file)),
        (Some(file), None, _) => terminal(file).into_owned(),
        (None, _, Some(module)) => {
            let build = frame.build_id.as_deref().filter(|_| frame.function.is_none());
            let build = build.map_or_else(String::new, |id| format!(" (build id {})", terminal(id)));
            let why = why(frame);
            format!("{}+{:#x}{build}{why}", terminal(module), frame.offset.unwrap_or_default())
        }
        (None, _, None) => format!("{:#x}{}", frame.offset.unwrap_or_default(), why(frame)),
    }
}

/// Why there is no name, where that is known.
fn why(frame: &Frame) -> String {
    frame.unnamed.as_deref().map_or_else(String::new, |why| format!(" (not read: {})", terminal(why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_is_told_with_its_place() {
        let frame = |function: Option<&str>, file: Option<&str>, module: Option<&str>| Frame {
            function: function.map(Into::into),
            file: file.map(Into::into),
            line: file.map(|_| 7),
            module: module.map(Into::into),
            build_id: Some("abcd".into()),
            offset: Some(0x10),
            inlined: false,
            unnamed: None,
        };
        let mut text = String::new();
        let frames = [
            frame(Some("connect"), None, Some("/lib/libc.so.6")),
            Frame { inlined: true, ..frame(Some("open\u{1b}[2J"), Some("a.c"), Some("/bin/a")) },
            frame(None, None, Some("/bin/a")),
            frame(None, None, None),
            Frame { unnamed: Some("it is too large\u{1b}".into()), ..frame(None, None, Some("/bin/b")) },
        ];
        lines(&frames, &mut text);
        let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
        assert_eq!(lines[0], ["connect", "/lib/libc.so.6+0x10"]);
        assert!(lines[1].ends_with(&["(inlined)", "a.c:7"]), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        assert_eq!(lines[2], ["?", "/bin/a+0x10", "(build", "id", "abcd)"]);
        assert_eq!(lines[3], ["?", "0x10"]);
        assert!(text.contains("/bin/b+0x10 (build id abcd) (not read: it is too large"), "{text}");
    }

    #[test]
    fn the_program_s_own_function_is_pointed_out() {
        let frame = |function: &str, file: Option<&str>, module: &str| Frame {
            function: Some(function.into()),
            file: file.map(Into::into),
            line: file.map(|_| 3),
            module: Some(module.into()),
            ..Frame::default()
        };
        let c = [frame("connect", None, "/lib/libc.so.6"), frame("query", Some("/a/leak.c"), "/bin/leak")];
        assert_eq!(site(&c).as_deref(), Some("query (/a/leak.c:3)"));
        let go = [
            frame("syscall.connect", Some("/go/zsyscall.go"), "/bin/agent"),
            frame("runtime/internal/syscall.Syscall6", Some("/go/asm.s"), "/bin/agent"),
            frame("net.(*Dialer).Dial", Some("/go/dial.go"), "/bin/agent"),
            frame(
                "github.com/haproxytech/client-native/v6/runtime.(*SingleRuntime).readFromSocket",
                Some("r.go"),
                "/bin/agent",
            ),
        ];
        assert!(site(&go).is_some_and(|site| site.starts_with("github.com/")), "{:?}", site(&go));
        let main = [frame("net.Dial", Some("dial.go"), "x"), frame("main.run", Some("main.go"), "x")];
        assert_eq!(site(&main).as_deref(), Some("main.run (main.go:3)"));
        let python = [
            frame("create_connection", Some("/usr/lib/python3.11/socket.py"), "/usr/bin/python3.11"),
            frame("Client.open", Some("/usr/lib/python3/dist-packages/x.py"), "/usr/bin/python3.11"),
        ];
        assert!(site(&python).is_some_and(|site| site.starts_with("Client.open")));
        assert_eq!(site(&c[..1]), None);
    }

    #[test]
    fn what_leads_to_main_is_left_out() {
        let frame = |function: &str| Frame { function: Some(function.into()), ..Frame::default() };
        let mut text = String::new();
        lines(&["open", "main", "__libc_start_main", "_start"].map(frame), &mut text);
        assert_eq!(text.lines().count(), 2, "{text}");
    }
}
