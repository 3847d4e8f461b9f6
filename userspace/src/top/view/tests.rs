use std::time::Duration;

use ratatui::style::{Color, Modifier};

use super::*;
use crate::{
    service::model::Verdict,
    top::{
        state::{Heard, Input, Message},
        theme::Theme,
        world::World,
    },
};

/// What is on the screen, and its lines without the blanks at their ends.
fn screen(state: &State) -> (Buffer, Vec<String>) {
    let (columns, rows) = state.size;
    let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
    draw(state, &mut buffer);
    let line = |y: u16| {
        let mut text = String::new();
        let mut x = 0;
        while x < columns {
            let symbol = buffer[(x, y)].symbol();
            text.push_str(symbol);
            // What is two columns wide covers the next one.
            x += (crate::top::text::width(symbol) as u16).max(1);
        }
        text.trim_end().to_owned()
    };
    let lines = (0..rows).map(line).collect();
    (buffer, lines)
}

fn state_of(theme: Theme, size: (u16, u16), keys: &[Input]) -> State {
    let world = World::new();
    let mut state = State::new("http://127.0.0.1:9436".to_owned(), theme, size, &Drawn);
    world.answer_all(&mut state);
    for key in keys {
        state.update(Message::Input(*key));
        world.answer_all(&mut state);
    }
    state
}

const PLAIN: Theme = Theme { colour: false, ascii: false };
const COLOURS: Theme = Theme { colour: true, ascii: false };
const ASCII: Theme = Theme { colour: true, ascii: true };

#[test]
fn the_first_picture_tells_which_socket_is_full() {
    let (_, lines) = screen(&state_of(PLAIN, (80, 24), &[]));
    assert_eq!(lines[1], "All sockets");
    assert_eq!(lines[2], "[Sockets]  Programs   Connections   Findings 3   Events");
    assert_eq!(lines[3], "SOCKET                 SLOTS            QUEUE  OPEN  NEW/s  FULL IN WORST▼");
    assert_eq!(lines[4], "/run/full.sock         ████████ 10/10       -    10      - full now client-leak");
    assert_eq!(lines[5], "/run/calm.sock         1                    -     1      -        - pool");
    assert!(
        lines[17..22]
            .iter()
            .any(|line| line.starts_with("CLIENT-LEAK: /usr/bin/leaky opens connections to /run/full.sock")),
        "{lines:#?}"
    );
    assert_eq!(lines[22], "1 of 2");
    let now = jiff::Timestamp::from_second(1_767_323_045).unwrap();
    let zone = now.to_zoned(jiff::tz::TimeZone::system()).strftime("%Z").to_string();
    assert!(lines[0].contains("db1  2026-01-0") && lines[0].ends_with(&zone), "{}", lines[0]);
    assert!(lines[23].starts_with("Enter open  Esc back") && lines[23].ends_with("q quit"), "{}", lines[23]);
}

#[test]
fn a_wider_terminal_shows_more() {
    let (_, lines) = screen(&state_of(PLAIN, (140, 30), &[]));
    assert!(
        lines[3].contains("CLOSED/s") && lines[3].contains("OLDEST") && lines[3].contains("CLIENT GONE"),
        "{}",
        lines[3]
    );
}

#[test]
fn colours_are_never_the_only_sign() {
    let plain = screen(&state_of(PLAIN, (80, 24), &[]));
    let coloured = screen(&state_of(COLOURS, (80, 24), &[]));
    assert_eq!(plain.1, coloured.1, "the words are the same");
    assert!(plain.0.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    assert!(coloured.0.content.iter().any(|cell| cell.fg == Color::Red));
    // Where the cursor is shows without them.
    assert!(plain.0[(0, 4)].modifier.contains(Modifier::REVERSED));
    assert!(!plain.0[(0, 5)].modifier.contains(Modifier::REVERSED));
}

#[test]
fn without_unicode_everything_is_ascii() {
    use Input::{Enter, Letter, Tab};

    for keys in
        [&[][..], &[Enter], &[Tab, Tab], &[Enter, Enter, Enter], &[Tab, Tab, Tab, Enter], &[Letter('?')]]
    {
        let (_, lines) = screen(&state_of(ASCII, (100, 30), keys));
        assert!(lines.iter().all(|line| line.is_ascii()), "{lines:#?}");
    }
    let (_, lines) = screen(&state_of(ASCII, (80, 24), &[]));
    assert!(lines[4].contains("######## 10/10") && lines[3].ends_with("WORSTv"), "{lines:#?}");
}

#[test]
fn hostile_names_are_shown_in_words() {
    use Input::{Enter, Tab};

    for keys in [&[Tab][..], &[Tab, Tab, Input::End], &[Tab, Tab, Input::End, Enter]] {
        let (buffer, lines) = screen(&state_of(PLAIN, (100, 50), keys));
        assert!(lines.iter().any(|line| line.contains(r"\u{7}e\u{301}")), "{keys:?} {lines:#?}");
        assert!(!buffer.content.iter().any(|cell| cell.symbol().contains(char::is_control)));
    }
}

#[test]
fn a_story_tells_everything() {
    use Input::{End, Enter, Tab};

    let (_, lines) = screen(&state_of(PLAIN, (100, 50), &[Tab, Tab, Enter]));
    let text = lines.join("\n");
    for part in [
        "/run/full.sock › /usr/bin/leaky › connection 1",
        "Connection 1: open at both ends, 59 min 50 s old",
        "opened by /usr/bin/leaky 70",
        "accepted by /usr/sbin/server 1",
        "the client's end is open",
        "process       70",
        "command       /usr/bin/leaky -v",
        "open; it is not known who holds it",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let (_, lines) = screen(&state_of(PLAIN, (100, 50), &[Tab, Tab, End, Enter]));
    assert!(lines.iter().any(|line| line == "Where it was opened"), "{lines:#?}");
}

/// A recording may be of many days.
#[test]
fn what_happened_has_a_date() {
    use Input::{BackTab, Enter, Tab};

    let (_, lines) = screen(&state_of(PLAIN, (80, 24), &[Tab, Tab, Enter]));
    let opened = lines.iter().find(|line| line.contains("opened by /usr/bin/leaky")).unwrap();
    assert!(opened.starts_with("  2026-01-0"), "{opened}");
    let mut state = state_of(PLAIN, (80, 24), &[BackTab]);
    let told = World::new().event(3600);
    state.update(Message::Heard(Heard::Told(told)));
    let (_, lines) = screen(&state);
    assert!(
        lines[4].starts_with("01-0") && lines[4].contains(".000 ") && lines[4].contains("connect"),
        "{lines:#?}"
    );
}

#[test]
fn a_finding_tells_its_evidence_and_what_to_do() {
    use Input::{Enter, Tab};

    let (_, lines) = screen(&state_of(PLAIN, (80, 40), &[Tab, Tab, Tab, Enter]));
    let text = lines.join("\n");
    for part in ["CLIENT-LEAK: /usr/bin/leaky", "slots in use      10 of 10", "What to do", "Close each one"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

/// A text is laid out for the smallest terminal then, and not drawn.
#[test]
fn a_finding_survives_any_size() {
    use Input::{Enter, Tab};

    let leaks = [Verdict::ClientLeak, Verdict::ServerLeak];
    for verdict in leaks {
        let mut state = state_of(PLAIN, (80, 40), &[Tab, Tab, Tab, Enter]);
        let mut snapshot = World::new().snapshot();
        snapshot.findings[0].verdict = verdict;
        state.update(Message::Heard(Heard::Snapshot(Box::new(snapshot))));
        state.update(Message::Input(Input::Escape));
        state.update(Message::Input(Enter));
        let name = verdict.name().to_uppercase();
        assert!(screen(&state).1[3].starts_with(&format!("{name}: ")), "{name}");
        for size in [(5, 5), (0, 0), (11, 60), (80, 24)] {
            state.update(Message::Resized(size.0, size.1));
            screen(&state);
        }
        for columns in 0..20 {
            let finding = state.data.findings().next().unwrap();
            let lines = finding::statement(&state, finding, columns);
            let text: String = lines.iter().map(|line| line.to_string().trim().to_owned()).collect();
            assert!(text.starts_with(&name), "{columns}: {text}");
        }
    }
}

#[test]
fn what_goes_wrong_is_said_above_the_keys() {
    let world = World::new();
    let mut state = state_of(PLAIN, (80, 24), &[]);
    state.update(Message::Heard(Heard::Trouble("no answer within 5 s".to_owned())));
    state.update(Message::Tick(Duration::from_secs(7)));
    let (_, lines) = screen(&state);
    assert_eq!(lines[22], "! No answer for 7s: no answer within 5 s");
    assert!(lines[0].ends_with("STALE"), "{}", lines[0]);
    world.answer_all(&mut state);
    assert_eq!(screen(&state).1[22], "1 of 2");
    let mut incomplete = World::new();
    incomplete.gaps = vec!["the accept hook is not attached".to_owned(), "more".to_owned()];
    incomplete.answer_all(&mut state);
    let (_, lines) = screen(&state);
    assert_eq!(lines[22], "Incomplete: the accept hook is not attached (and 1 more)");
    assert!(lines[0].ends_with("INCOMPLETE"), "{}", lines[0]);
    state.update(Message::Input(Input::Letter('/')));
    state.update(Message::Input(Input::Letter('x')));
    let (_, lines) = screen(&state);
    assert_eq!((lines[22].as_str(), lines[4].as_str()), ("/x", r#"Nothing here has "x" in its name."#));
}

/// In whole words, on as many lines as it takes; the list gives way.
#[test]
fn a_long_sentence_goes_over_several_lines() {
    let refusal = "too many connections to this service are open already; it answers at most 64 at a time, and the ones that wait \
                   longest are closed first: close some, or raise max_connections in the configuration (status 503)";
    let mut state = state_of(PLAIN, (80, 24), &[Input::Enter, Input::Enter, Input::End]);
    let rows_before = rows(&state);
    state.update(Message::Heard(Heard::Trouble(refusal.to_owned())));
    let (_, lines) = screen(&state);
    assert_eq!(rows(&state), rows_before - 2);
    let said: Vec<&str> = lines[20..23].iter().map(|line| line.trim_start()).collect();
    assert_eq!(said.join(" "), format!("! No answer for 0ms: {refusal}"));
    assert!(lines[23].starts_with("Enter open"), "{lines:#?}");
    // The cursor's row is still shown.
    let cursor = state.page().cursor;
    assert!((state.page().top..state.page().top + rows(&state)).contains(&cursor), "{:?}", state.page());
    // What does not fit even so ends with a whole word.
    let words = "nobody answers there ".repeat(40);
    state.update(Message::Heard(Heard::Trouble(words)));
    let (_, lines) = screen(&state);
    assert!(lines[19].starts_with("! No answer") && !lines[18].contains("answers"), "{lines:#?}");
    assert!(["nobody …", "answers …", "there …"].iter().any(|end| lines[22].ends_with(end)), "{}", lines[22]);
    // One word that is longer than a line is not left out.
    state.update(Message::Heard(Heard::Trouble("x".repeat(400))));
    assert!(screen(&state).1[22].ends_with("xxx"));
    World::new().answer_all(&mut state);
    assert_eq!(rows(&state), rows_before);
}

/// How many more there are is not cut either.
#[test]
fn what_is_incomplete_is_told_with_how_much_more_there_is() {
    let mut world = World::new();
    world.gaps =
        vec!["one thing or another was not seen ".repeat(20), "more".to_owned(), "and more".to_owned()];
    let mut state = state_of(PLAIN, (80, 24), &[]);
    world.answer_all(&mut state);
    let (_, lines) = screen(&state);
    assert!(lines[19].starts_with("Incomplete: one thing"), "{lines:#?}");
    assert!(lines[19..23].join("").ends_with(" … (and 2 more)"), "{lines:#?}");
}

#[test]
fn what_is_not_there_is_said_in_words() {
    let mut state = State::new("x".to_owned(), PLAIN, (80, 24), &Drawn);
    assert_eq!(screen(&state).1[4], "Waiting for an answer.");
    state.update(Message::Input(Input::BackTab));
    assert_eq!(screen(&state).1[4], "Waiting for an answer.");
    let mut state = state_of(PLAIN, (80, 24), &[Input::BackTab]);
    assert_eq!(screen(&state).1[4], "What happens from now on is shown here.");
    state.update(Message::Heard(Heard::Deaf("too many listen already (status 503)".to_owned())));
    let (_, lines) = screen(&state);
    assert_eq!(lines[4], "Nobody can be listened to now; it is tried again.");
    assert_eq!(lines[22], "! No events come: too many listen already (status 503)");
    state.update(Message::Heard(Heard::Listening));
    assert_eq!(screen(&state).1[22], "0 of 0; what happened in a gap is missing");
    let state = state_of(PLAIN, (80, 24), &[Input::Enter, Input::Enter, Input::BackTab]);
    assert_eq!(screen(&state).1[4], "What the executable of this name does from now on is shown here.");
}

/// What tells the least goes, and nothing that is left is cut.
#[test]
fn the_smallest_terminal_shows_what_matters() {
    use Input::{BackTab, Enter, Tab};

    for (keys, expected) in [
        (&[][..], "SOCKET SLOTS OPEN FULL IN WORST▼"),
        (&[Tab], "PROGRAM SOCKET OPEN FAILED VERDICT▼"),
        (&[Enter], "PROGRAM OPENED OPEN OLD FAILED VERDICT▼"),
        (&[Tab, Tab], "AGE▼ IDLE PID PROGRAM STATE"),
        (&[Tab, Tab, Tab], "VERDICT▼ PROGRAM SOCKET COUNT FULL IN"),
        (&[BackTab], "TIME PID PROGRAM EVENT"),
    ] {
        let (_, lines) = screen(&state_of(PLAIN, (60, 20), keys));
        let headings: Vec<&str> = lines[3].split_whitespace().collect();
        assert_eq!(headings.join(" "), expected, "{keys:?}");
    }
    let mut world = World::new();
    world.gaps = vec!["the accept hook is not attached".to_owned()];
    let mut state = state_of(PLAIN, (60, 20), &[]);
    world.answer_all(&mut state);
    state.update(Message::Input(Input::Letter('f')));
    state.update(Message::Heard(Heard::Trouble("no answer within 5 s".to_owned())));
    let (_, lines) = screen(&state);
    assert!(lines[0].ends_with("INCOMPLETE  STALE  FROZEN"), "{}", lines[0]);
    assert_eq!(lines[2], "[Sockets]  Programs   Connections   Findings 3   Events");
    assert_eq!(lines[19], "Enter open  Esc back  Tab next  / filter  ? help  q quit");
}

/// Sockets whose names end alike.
#[test]
fn names_in_the_smallest_terminal_differ() {
    let mut state = state_of(PLAIN, (60, 20), &[]);
    let mut snapshot = World::new().snapshot();
    snapshot.sockets[0].path = "/var/lib/containers/aaaa-1/run/service/daemon.sock".to_owned();
    snapshot.sockets[1].path = "/var/lib/containers/bbbb-2/run/service/daemon.sock".to_owned();
    state.update(Message::Heard(Heard::Snapshot(Box::new(snapshot))));
    let (_, lines) = screen(&state);
    assert!(
        lines[4].starts_with("…tainers/aaaa-1…") && lines[5].starts_with("…tainers/bbbb-2…"),
        "{lines:#?}"
    );
}

#[test]
fn a_terminal_that_is_too_small_is_told_so() {
    for (size, expected) in [
        ((59, 24), "60 x 20 is needed;"),
        ((80, 19), "this is 80 x 19."),
        ((10, 3), "60 x 20 i…"),
        ((1, 1), "…"),
    ] {
        let (_, lines) = screen(&state_of(PLAIN, size, &[]));
        assert!(lines.iter().any(|line| line.trim() == expected), "{size:?} {lines:#?}");
    }
    screen(&state_of(PLAIN, (0, 0), &[]));
}
