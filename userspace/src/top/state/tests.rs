mod heard;

use super::*;
use crate::{
    service::link::question::Sort,
    top::{
        theme::Theme,
        view::Drawn,
        world::{CALM, FULL, LEAKY, TIDY, World},
    },
};

fn state() -> State {
    State::new("here".to_owned(), Theme::default(), (80, 24), &Drawn)
}

/// A state that has heard of a world.
fn informed(world: &World) -> State {
    let mut state = state();
    world.answer_all(&mut state);
    state
}

/// Presses keys, with answers in between. Capitals are themselves; of the rest: `>` enter, `<` escape, `t` tab, `b` back tab,
/// `d` down, `u` up, `(` left, `)` right, `E` end, `H` home.
fn press(state: &mut State, world: &World, keys: &str) {
    for key in keys.chars() {
        state.update(Message::Input(match key {
            '>' => Input::Enter,
            '<' => Input::Escape,
            't' => Input::Tab,
            'b' => Input::BackTab,
            'd' => Input::Down,
            'u' => Input::Up,
            '(' => Input::Left,
            ')' => Input::Right,
            'E' => Input::End,
            'H' => Input::Home,
            letter => Input::Letter(letter),
        }));
        world.answer_all(state);
    }
}

/// Names of the rows, or numbers of connections.
fn rows(state: &State) -> Vec<String> {
    let name = |item: &Item<'_>| match item {
        Item::Socket { socket, .. } => socket.path.clone(),
        Item::Program { program, .. } => program.program.clone(),
        Item::Connection(open) => open.connection.to_string(),
        Item::Finding(finding) => finding.verdict.to_string(),
        Item::Event { number, .. } => number.to_string(),
    };
    state.listing().rows.iter().map(name).collect()
}

/// Where one stands, in short.
fn place(state: &State) -> String {
    let page = state.page();
    match &page.what {
        What::List(Scope { socket, program }, pane) => {
            let names = [socket.as_deref(), program.as_deref()].into_iter().flatten();
            let names: String = names.map(|name| format!("{name} ")).collect();
            format!("{names}{pane:?} {}", page.cursor)
        }
        What::Story(id) => format!("story {id}"),
        What::Finding(key) => format!("{} of {}", key.verdict, key.program),
    }
}

#[test]
fn keys_lead_somewhere() {
    let world = World::new();
    for (keys, expected) in [
        ("", "Sockets 0"),
        ("d", "Sockets 1"),
        ("dd", "Sockets 1"),
        ("ddu", "Sockets 0"),
        ("E", "Sockets 1"),
        ("EH", "Sockets 0"),
        ("t", "Programs 0"),
        ("tttt", "Events 0"),
        ("ttttt", "Sockets 0"),
        ("b", "Events 0"),
        (">", "/run/full.sock Programs 0"),
        (")", "Programs 0"),
        (")(", "Sockets 0"),
        ("(", "Events 0"),
        ("5", "Events 0"),
        ("52", "Programs 0"),
        // It is that list already.
        ("d1", "Sockets 1"),
        ("d6", "Sockets 1"),
        ("d9", "Sockets 1"),
        (">3", "/run/full.sock Findings 0"),
        (">>1", "/run/full.sock /usr/bin/leaky Connections 0"),
        (">>)", "/run/full.sock /usr/bin/leaky Findings 0"),
        (">>4", "/run/full.sock /usr/bin/leaky Connections 0"),
        (">>>2", "story 1"),
        (">>>)", "story 1"),
        (">b", "/run/full.sock Events 0"),
        (">>", "/run/full.sock /usr/bin/leaky Connections 0"),
        (">>>", "story 1"),
        (">>d>", "story 2"),
        (">>>>", "story 1"),
        (">><", "/run/full.sock Programs 0"),
        (">><<<<", "Sockets 0"),
        (">>t", "/run/full.sock /usr/bin/leaky Findings 0"),
        (">>t>", "client-leak of /usr/bin/leaky"),
        (">>t><<d>", "/run/full.sock /usr/bin/tidy Connections 0"),
        // No connection of that program is open: there is nothing to go down to.
        (">d>>", "/run/full.sock /usr/bin/tidy Connections 0"),
        ("tt>", "story 1"),
        ("ttE>", "story 16"),
        ("?d", "Sockets 0"),
        ("?q", "Sockets 0"),
        ("/calm>", "Sockets 0"),
        ("/calm>>", "/run/calm.sock Programs 0"),
        // The cursor stays on what was found.
        ("/calm><>", "/run/calm.sock Programs 0"),
    ] {
        let mut state = informed(&world);
        press(&mut state, &world, keys);
        assert_eq!(place(&state), expected, "{keys}");
    }
}

#[test]
fn some_keys_are_left_to_others() {
    let world = World::new();
    let mut state = informed(&world);
    for (input, expected) in [
        (Input::Interrupt, Effect::Quit),
        (Input::Suspend, Effect::Suspend),
        (Input::Redraw, Effect::Redraw),
        (Input::Letter('q'), Effect::Quit),
        (Input::Letter('?'), Effect::None),
        // It leaves the help, and no more.
        (Input::Letter('q'), Effect::None),
        (Input::Letter('/'), Effect::None),
        // It is a letter of the filter.
        (Input::Letter('q'), Effect::None),
        (Input::Interrupt, Effect::Quit),
    ] {
        assert_eq!(state.update(Message::Input(input)), expected, "{input:?}");
    }
    assert_eq!(state.page().filter, "q");
}

#[test]
fn the_mouse_leads_where_keys_do() {
    use Input::{Click, WheelDown, WheelUp};

    let world = World::new();
    let mut state = informed(&world);
    for (input, expected) in [
        // Beside the rows, above them, below them.
        (Click(5, 6), "Sockets 0"),
        (Click(5, 0), "Sockets 0"),
        (Click(5, 23), "Sockets 0"),
        (Click(5, 5), "Sockets 1"),
        (WheelUp, "Sockets 0"),
        (WheelDown, "Sockets 1"),
        (Click(40, 5), "/run/calm.sock Programs 0"),
        // Between two names, and on the second.
        (Click(10, 2), "/run/calm.sock Programs 0"),
        (Click(13, 2), "/run/calm.sock Connections 0"),
        (Click(0, 4), "story 6"),
        (Click(0, 4), "story 6"),
    ] {
        state.update(Message::Input(input));
        world.answer_all(&mut state);
        // The number of a connection is not of interest.
        let place = place(&state);
        let place = if place.starts_with("story") { "story 6" } else { place.as_str() };
        assert_eq!(place, expected, "{input:?}");
    }
    press(&mut state, &world, "?");
    state.update(Message::Input(WheelDown));
    assert!(matches!(state.overlay, Overlay::Help(1..)), "{:?}", state.overlay);
    state.update(Message::Input(Click(0, 4)));
    assert_eq!(state.overlay, Overlay::None);
}

#[test]
fn a_heading_that_is_clicked_on_sorts() {
    let world = World::new();
    let mut state = informed(&world);
    for (column, expected) in [
        (1, (Sorted::Name, false)),
        (1, (Sorted::Name, true)),
        (1, (Sorted::Name, false)),
        // OPEN
        (47, (Sorted::Open, true)),
        (47, (Sorted::Open, false)),
    ] {
        state.update(Message::Input(Input::Click(column, 3)));
        let order = state.order(Pane::Sockets);
        assert_eq!((order.by, order.descending), expected, "{column}");
    }
    // Events are in order as they come.
    press(&mut state, &world, "5");
    let before = state.order(Pane::Events);
    state.update(Message::Input(Input::Click(1, 3)));
    assert_eq!(state.order(Pane::Events), before);
}

/// Their events are listened to from then on.
#[test]
fn a_list_that_a_digit_chose_is_filled() {
    let world = World::new();
    let mut state = informed(&world);
    press(&mut state, &world, "3");
    assert_eq!((rows(&state).len(), state.wants().events), (11, false));
    press(&mut state, &world, "5");
    assert!(state.wants().events);
    // In a filter it is a letter.
    press(&mut state, &world, "4/2");
    assert_eq!((place(&state).as_str(), state.page().filter.as_str()), ("Findings 0", "2"));
}

#[test]
fn rows_are_in_the_order_that_is_asked_for() {
    let world = World::new();
    let mut state = informed(&world);
    assert_eq!(rows(&state), [FULL, CALM], "the worst first");
    assert_eq!(state.data.paths(), [FULL, CALM]);
    press(&mut state, &world, "S");
    assert_eq!(rows(&state), [CALM, FULL]);
    // The next column after the last is the first: names, from a to z.
    press(&mut state, &world, "s");
    assert_eq!((state.order(Pane::Sockets).by, state.order(Pane::Sockets).descending), (Sorted::Name, false));
    assert_eq!(rows(&state), [CALM, FULL]);
    press(&mut state, &world, "ss");
    // Of one it is not known how long its queue is, nor of the other.
    assert_eq!(state.order(Pane::Sockets).by, Sorted::Queue);
    press(&mut state, &world, "s");
    assert_eq!(
        (state.order(Pane::Sockets).by, rows(&state)),
        (Sorted::Open, vec![FULL.to_owned(), CALM.to_owned()])
    );
    // Another list has an order of its own, and keeps it.
    press(&mut state, &world, ">ss");
    assert_eq!(
        (state.order(Pane::Programs).by, rows(&state)),
        (Sorted::Opened, vec![LEAKY.to_owned(), TIDY.to_owned()])
    );
    press(&mut state, &world, "S");
    assert_eq!(rows(&state), [TIDY, LEAKY]);
    press(&mut state, &world, "<");
    assert_eq!(state.order(Pane::Sockets).by, Sorted::Open);
}

#[test]
fn what_is_not_known_comes_last() {
    let world = World::new();
    let mut state = informed(&world);
    // Only the full socket has a forecast.
    while state.order(Pane::Sockets).by != Sorted::FullIn {
        press(&mut state, &world, "s");
    }
    assert_eq!(rows(&state), [FULL, CALM]);
    press(&mut state, &world, "S");
    assert_eq!(rows(&state), [FULL, CALM]);
}

#[test]
fn connections_are_sorted_and_filtered_by_who_has_them() {
    let mut world = World::new();
    world.scan(&[(1, 3500), (3, 3000)]);
    let mut state = informed(&world);
    press(&mut state, &world, "tt");
    let filter = |state: &State| match state.wants().detail {
        Some(Detail::Page(filter)) => filter,
        other => panic!("{other:?}"),
    };
    assert_eq!(rows(&state).len(), 11);
    assert_eq!((filter(&state).sort, filter(&state).limit), (None, 100));
    press(&mut state, &world, "S");
    assert_eq!((filter(&state).sort, rows(&state)[0].as_str()), (Sort::named("age"), "16"));
    press(&mut state, &world, "s");
    assert_eq!(
        (filter(&state).sort, &rows(&state)[..3]),
        (Sort::named("-idle"), &["3", "1", "2"].map(str::to_owned)[..])
    );
    press(&mut state, &world, "S");
    assert_eq!(
        (filter(&state).sort, &rows(&state)[..3]),
        (Sort::named("idle"), &["1", "3", "2"].map(str::to_owned)[..])
    );
    press(&mut state, &world, "s");
    assert_eq!((filter(&state).sort, rows(&state)[0].as_str()), (Sort::named("pid"), "1"));
    press(&mut state, &world, "/sr/>");
    assert_eq!(filter(&state).contains.as_deref(), Some("sr/"));
    press(&mut state, &world, "<S/leak>");
    assert_eq!((filter(&state).sort, rows(&state).len()), (Sort::named("-pid"), 10));
}

#[test]
fn ten_thousand_connections_are_asked_for_page_by_page() {
    let mut world = World::new();
    world.crowd(10_000);
    let mut state = informed(&world);
    press(&mut state, &world, ">>");
    let wanted = |state: &State| match state.wants().detail {
        Some(Detail::Page(filter)) => (filter.offset, filter.limit),
        other => panic!("{other:?}"),
    };
    let listing = |state: &State| (state.listing().total, state.listing().first, state.listing().rows.len());
    assert_eq!((wanted(&state), listing(&state)), ((0, 100), (10_009, 0, 100)));
    // A step within what is there asks for nothing else.
    press(&mut state, &world, "dddddddddddddddddddddd");
    assert_eq!((state.page().cursor, wanted(&state)), (22, (0, 100)));
    state.update(Message::Input(Input::End));
    assert_eq!((state.page().cursor, wanted(&state)), (10_008, (9900, 200)));
    assert!(state.listing().row(10_008).is_none(), "that is not there yet");
    world.answer_all(&mut state);
    assert_eq!(listing(&state), (10_009, 9900, 109));
    assert!(state.listing().row(10_008).is_some());
    // What is shown across a border is asked for in one.
    for _ in 0..4 {
        state.update(Message::Input(Input::PageUp));
    }
    world.answer_all(&mut state);
    let page = state.page();
    assert!((page.top..page.top + state.measure.rows(&state)).all(|row| state.listing().row(row).is_some()));
    state.update(Message::Input(Input::Home));
    world.answer_all(&mut state);
    assert_eq!((state.page().cursor, wanted(&state)), (0, (0, 100)));
}

#[test]
fn the_cursor_stays_with_what_it_is_on() {
    let mut world = World::new();
    let mut state = informed(&world);
    press(&mut state, &world, ">>dd");
    let on = |state: &State| state.listing().row(state.page().cursor).map(Item::key);
    assert_eq!((state.page().cursor, on(&state)), (2, Some(Key::Connection(3))));
    // The first of them is closed: those below move up, and it with them.
    world.crowd(1);
    world.answer_all(&mut state);
    assert_eq!((state.page().cursor, on(&state)), (1, Some(Key::Connection(3))));
    // It is closed itself: what comes next takes its place.
    world.close(3570, 70, 1, 3);
    world.answer_all(&mut state);
    assert_eq!((state.page().cursor, on(&state)), (1, Some(Key::Connection(4))));
    // Its story can be told all the same.
    press(&mut state, &world, ">");
    world.close(3571, 70, 1, 4);
    world.answer_all(&mut state);
    let story = state.data.story(4).story().expect("it was closed a short time ago");
    assert_eq!(story.connection.state, model::State::Closed);
}

/// Out of a filter it is only in the answer where the connection is among all.
#[test]
fn the_cursor_stays_with_what_was_found() {
    let world = World::new();
    let mut state = informed(&world);
    press(&mut state, &world, "tt/90>");
    let on = |state: &State| (state.page().cursor, state.listing().key(state.page().cursor));
    assert_eq!(on(&state), (0, Some(Key::Connection(16))));
    state.update(Message::Input(Input::Escape));
    assert!(state.listing().is_unknown());
    // Nothing is there to go to yet, and what happens meanwhile changes nothing either.
    for input in [Input::Down, Input::End, Input::Home] {
        state.update(Message::Input(input));
    }
    state.update(Message::Resized(100, 30));
    assert_eq!(state.page().key, Some(Key::Connection(16)));
    world.answer_all(&mut state);
    assert_eq!((state.listing().total, on(&state)), (11, (10, Some(Key::Connection(16)))));
}

/// What is worst is found by socket and by program, and what is healthy is no finding.
#[test]
fn the_worst_is_known_of_each() {
    let world = World::new();
    let state = informed(&world);
    let of = |path, program| state.data.worst(path, program).map(|finding| finding.verdict);
    for (path, program) in
        [(FULL, None), (FULL, Some(LEAKY)), (FULL, Some(TIDY)), (CALM, None), (CALM, Some(TIDY))]
    {
        let is_meant = |it: &&model::FindingReport| {
            it.path == path && program.is_none_or(|program| it.program == program)
        };
        assert_eq!(of(path, program), state.data.findings().find(is_meant).map(|it| it.verdict));
    }
    assert_eq!(of(FULL, None), Some(model::Verdict::ClientLeak));
    assert_eq!((of("/elsewhere", None), of(CALM, Some(LEAKY))), (None, None));
}
