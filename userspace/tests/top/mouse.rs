//! The mouse.

use crate::{at_the_end, recorded};

#[test]
fn it_chooses_what_it_is_pressed_on() {
    let scratch = recorded();
    let terminal = at_the_end(&scratch, (80, 24), "");
    // The second row, which a second press opens; then the list of all programs, and a heading twice.
    terminal.click(10, 5);
    terminal.expect("80x24/second-socket", "STALE-CLIENT");
    terminal.wheel_up();
    terminal.expect("80x24/sockets", "[Sockets]");
    terminal.click(14, 2);
    terminal.expect("80x24/all-programs", "[Programs]");
    terminal.click(70, 3);
    terminal.expect("80x24/reversed", "VERDICT▲");
    terminal.click(2, 4);
    terminal.wait_for("[Connections]");
}

#[test]
fn it_is_left_to_the_terminal_if_asked() {
    let scratch = recorded();
    let terminal = at_the_end(&scratch, (80, 24), "--no-mouse");
    assert_eq!(
        (terminal.property("alternate_on"), terminal.property("mouse_any_flag")),
        ("1".to_owned(), "0".to_owned())
    );
}
