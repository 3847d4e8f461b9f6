//! Every view, in a small and in a larger terminal.

use crate::{Tmux, at_the_end, recorded};

/// Keys that lead to a view, its name, and a text that is on it and not on the one before.
type Step = (&'static [&'static str], &'static str, &'static str);

const STEPS: [Step; 20] = [
    (&[], "sockets", "[Sockets]"),
    (&["Down"], "second-socket", "STALE-CLIENT"),
    (&["Up", "Enter"], "programs", "[Programs]"),
    (&["Enter"], "connections", "[Connections]"),
    (&["End"], "last-connection", "8 of 8"),
    (&["Enter"], "story", "connection 369"),
    (&["End"], "end-of-story", "server inode"),
    (&["Escape", "Tab"], "findings-of-a-program", "[Findings 2]"),
    (&["Enter"], "finding", "What to do"),
    (&["Escape", "Tab"], "events", "[Events]"),
    (&["Escape", "Escape", "Tab"], "all-programs", "[Programs]"),
    (&["S"], "reversed", "VERDICT▲"),
    (&["Tab"], "all-connections", "[Connections]"),
    (&["/", "c", "e", "r", "t"], "filter", "/cert"),
    (&["Enter"], "filtered", "of 8 with"),
    (&["s", "s"], "sorted-by-pid", "PID▲"),
    (&["Escape", "S"], "all-by-pid", "of 15"),
    (&["Tab"], "findings", "[Findings 7]"),
    (&["?"], "help", "Words"),
    (&["q", "f"], "frozen", "FROZEN"),
];

/// The same in the smallest terminal, where a view may need more rows than there are.
const FEW_STEPS: [Step; 8] = [
    (&[], "sockets", "[Sockets]"),
    (&["Enter"], "programs", "[Programs]"),
    (&["Enter"], "connections", "[Connections]"),
    (&["Enter"], "story", "What happened"),
    (&["Escape", "Tab"], "findings-of-a-program", "[Findings 2]"),
    (&["Enter"], "finding", "What it rests on"),
    (&["?"], "help", "Keys"),
    (&["q", "f"], "frozen", "FROZEN"),
];

fn walk(terminal: &Tmux, size: &str, steps: &[Step]) {
    for (keys, name, text) in steps {
        terminal.keys(keys);
        terminal.expect(&format!("{size}/{name}"), text);
    }
    terminal.keys(&["q"]);
    terminal.wait("the shell", |screen| screen.trim_end().ends_with('$'));
}

#[test]
fn in_the_smallest_terminal() {
    let scratch = recorded();
    let terminal = Tmux::new(&scratch, (60, 20));
    terminal.run("sockleak top --replay leak.db --speed max");
    terminal.wait_for("cert-renewer opens");
    walk(&terminal, "60x20", &FEW_STEPS);
}

#[test]
fn in_the_usual_terminal() {
    let scratch = recorded();
    walk(&at_the_end(&scratch, (80, 24), ""), "80x24", &STEPS);
}

#[test]
fn in_a_larger_one() {
    let scratch = recorded();
    walk(&at_the_end(&scratch, (120, 40), ""), "120x40", &STEPS);
}

#[test]
fn without_unicode() {
    let scratch = recorded();
    for (more, locale) in [("--ascii", "C.UTF-8"), ("", "C")] {
        let terminal = Tmux::new(&scratch, (80, 24));
        terminal.run(&format!("export LANG={locale}"));
        terminal.run(&format!("sockleak top --replay leak.db --speed max {more}"));
        terminal.expect("80x24/ascii", "cert-renewer opens");
        assert!(terminal.screen().is_ascii());
    }
}

/// A part of the recording, in its middle.
#[test]
fn at_a_moment() {
    let scratch = recorded();
    let terminal = Tmux::new(&scratch, (80, 24));
    terminal.run("sockleak top --replay leak.db --speed max --to 20m");
    terminal.expect("80x24/after-20-minutes", "03:40:45 UTC");
}

/// What was heard stays, and the time with it.
#[test]
fn events_frozen() {
    let scratch = recorded();
    let terminal = Tmux::new(&scratch, (80, 24));
    // The first thing that this program does comes 20 s after the beginning: time enough to go and listen.
    terminal.run("sockleak top --replay leak.db --from 8m --to 8m25s");
    terminal.wait_for("/run/haproxy/ma.sock");
    terminal.keys(&["/", "m", "a", ".", "Enter"]);
    terminal.wait_for("1 of 1 with");
    terminal.keys(&["Enter"]);
    terminal.wait_for("[Programs]");
    terminal.keys(&["/", "c", "e", "r", "t", "Enter"]);
    terminal.wait_for("1 of 1 with");
    terminal.keys(&["Enter"]);
    terminal.wait_for("[Connections]");
    terminal.keys(&["BTab"]);
    terminal.wait_for("What the executable of this name does from now on is shown here.");
    terminal.wait_for("03:29:10 UTC");
    terminal.keys(&["f"]);
    terminal.expect("80x24/events-frozen", "FROZEN");
}

/// Of colours: what they are asked for with.
fn coloured(styled: &str) -> bool {
    let sequences = styled.split('\u{1b}').skip(1).filter_map(|it| it.strip_prefix('['));
    let codes = sequences.filter_map(|it| it.split_once('m')).flat_map(|(codes, _)| codes.split(';'));
    codes.filter_map(|code| code.parse::<u32>().ok()).any(|code| matches!(code, 30..=38 | 40..=48 | 90..=107))
}

#[test]
fn colours_are_left_out_where_nobody_wants_them() {
    let scratch = recorded();
    let with = at_the_end(&scratch, (80, 24), "");
    assert!(coloured(&with.styled()));
    let without = Tmux::new(&scratch, (80, 24));
    without.run("export NO_COLOR=1");
    without.run("sockleak top --replay leak.db --speed max");
    without.expect("80x24/sockets", "[Sockets]");
    let styled = without.styled();
    assert!(!coloured(&styled), "{styled:?}");
    // The title and the cursor show all the same.
    assert!(styled.contains("\u{1b}[7m"), "{styled:?}");
}
