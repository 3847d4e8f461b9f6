//! Other sizes, one after another.

use std::{thread, time::Duration};

use crate::{at_the_end, recorded};

#[test]
fn a_storm_of_sizes_passes() {
    let scratch = recorded();
    let terminal = at_the_end(&scratch, (80, 24), "");
    let mut random = fastrand::Rng::with_seed(7);
    for nth in 0..50 {
        terminal.resize(random.u16(2..220), random.u16(2..70));
        if nth % 5 == 0 {
            terminal.keys(&[["Down", "Tab", "Enter", "Escape", "?"][nth / 5 % 5]]);
        }
        // Some come one right after the other.
        thread::sleep(Duration::from_millis(random.u64(0..60)));
    }
    terminal.resize(59, 20);
    terminal.wait_for("60 x 20 is needed;");
    terminal.resize(120, 40);
    // A list or a text, or the help.
    terminal
        .wait("all of it", |screen| ["q quit", "any other key back"].iter().any(|end| screen.contains(end)));
    terminal.resize(80, 24);
    // Back to where it began, whatever the keys led to.
    terminal.keys(&["x"]);
    let mut screen = terminal.wait("no help", |screen| screen.contains("q quit"));
    while !screen.contains("All sockets\n") {
        terminal.keys(&["Escape"]);
        screen = terminal.wait("what it came from", |now| now != screen);
    }
    let lists = ["[Sockets]", "[Programs]", "[Connections]", "[Findings", "[Events]"];
    while !screen.contains(lists[0]) {
        let here = lists.iter().position(|list| screen.contains(list)).expect("it is a list");
        terminal.keys(&["Tab"]);
        screen = terminal.wait("the next list", |screen| screen.contains(lists[(here + 1) % 5]));
    }
    terminal.keys(&["Home"]);
    terminal.expect("80x24/sockets", "[Sockets]");
    terminal.keys(&["q"]);
    terminal.wait("the shell", |screen| screen.trim_end().ends_with('$'));
    assert_eq!(terminal.property("alternate_on"), "0");
}
