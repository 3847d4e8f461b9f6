//! The stacks from which connections were opened, in words.

use std::fmt::Write as _;

use sockleak_core::{
    assess::{
        findings::FindingReport,
        stacks::{SHOWN, StackReport},
    },
    attribution,
    event::Frame,
    text::{
        count::{agreeing, times},
        escape::terminal,
    },
};

/// How much is told of where connections were opened.
#[derive(Clone, Copy, Debug)]
pub struct Depth {
    /// Places in the program.
    pub places: usize,
    /// Functions of each, the innermost first.
    pub frames: usize,
}

impl Depth {
    /// Everything that says something: deeper functions tell little about who opened.
    pub const WHOLE: Self = Self { places: SHOWN, frames: 24 };
    /// The place with the most connections, and how the program came there.
    pub const BRIEF: Self = Self { places: 1, frames: 8 };
}

/// Where in its program the connections of a finding were opened: the places with the most connections, in words and with
/// their functions; and how many others there are.
pub fn places(
    stacks: &[StackReport],
    finding: &FindingReport,
    Depth { places, frames }: Depth,
) -> (Vec<(String, String)>, Option<String>) {
    let shown = finding.opened_at.iter().take(places).filter_map(|place| {
        let stack = stacks.iter().find(|stack| stack.id == place.stack)?;
        let site = site(&stack.frames).map_or_else(String::new, |site| format!(" in {site}"));
        let mut functions = String::new();
        lines(&stack.frames, frames, &mut functions);
        Some((format!("Opened {}{site}:", times(place.count)), functions))
    });
    let rest = finding.opened_at.get(places..).filter(|rest| !rest.is_empty()).map(|rest| {
        let count: u64 = rest.iter().map(|place| place.count).sum();
        let places = rest.len();
        let noun = agreeing(places as u64, "place", "places");
        format!("And {} at {places} other {noun}.", times(count))
    });
    (shown.collect(), rest)
}

/// A stack as indented lines: function, and where it is. What leads to `main` is left out.
pub fn lines(frames: &[Frame], most: usize, out: &mut String) {
    let is_main =
        |frame: &Frame| matches!(frame.function.as_deref(), Some("main" | "main.main" | "<module>"));
    let len = frames.iter().position(is_main).map_or(frames.len(), |main| main + 1);
    let names: Vec<String> = frames[..len].iter().take(most).map(name).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default().min(40);
    for (frame, name) in frames.iter().zip(names) {
        let place = place(frame);
        // Writing to a string does not fail.
        let _ = writeln!(out, "    {name:width$}  {place}");
    }
    if len > most {
        let _ = writeln!(out, "    and {} more", len - most);
    }
}

/// The innermost function that is the program's own, in words; None if none is known to be.
pub fn site(frames: &[Frame]) -> Option<String> {
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
        lines(&frames, 24, &mut text);
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
        lines(&["open", "main", "__libc_start_main", "_start"].map(frame), 24, &mut text);
        assert_eq!(text.lines().count(), 2, "{text}");
    }
}
