//! What answers and events lead to.

use std::time::Duration;

use super::*;

#[test]
fn what_is_frozen_stays() {
    let mut world = World::new();
    let mut state = informed(&world);
    press(&mut state, &world, "f");
    assert!(state.wants().frozen);
    world.crowd(5);
    state.update(Message::Heard(Heard::Snapshot(Box::new(world.snapshot()))));
    let open = |state: &State| state.data.snapshot.as_ref().unwrap().sockets[0].slots;
    assert_eq!(open(&state), 10);
    state.update(Message::Heard(Heard::Told(world.event(3580))));
    assert_eq!((state.data.events.len(), state.data.missed), (0, 1));
    press(&mut state, &world, "f");
    assert_eq!(open(&state), 14);
    state.update(Message::Heard(Heard::Told(world.event(3581))));
    assert_eq!((state.data.events.len(), state.data.missed), (1, 1));
    // Whoever counts may count too far.
    state.update(Message::Heard(Heard::Told(Told::Missed(u64::MAX))));
    assert_eq!(state.data.missed, u64::MAX);
}

#[test]
fn frozen_before_there_is_anything_the_first_answer_is_shown() {
    let world = World::new();
    let mut state = state();
    state.update(Message::Input(Input::Letter('f')));
    state.update(Message::Heard(Heard::Snapshot(Box::new(world.snapshot()))));
    assert_eq!(rows(&state), [FULL, CALM]);
}

#[test]
fn a_gap_between_events_is_counted() {
    let mut state = state();
    let mut hear = |heard| {
        state.update(Message::Heard(heard));
        state.data.gaps
    };
    let deaf = || Heard::Deaf("full".to_owned());
    // At first nothing is missing: nobody has listened yet.
    assert_eq!([hear(deaf()), hear(deaf()), hear(Heard::Listening)], [0, 0, 0]);
    assert_eq!([hear(deaf()), hear(deaf()), hear(Heard::Listening)], [0, 0, 1]);
    assert_eq!([hear(deaf()), hear(Heard::Listening)], [1, 2]);
}

/// Events that nobody looks at are kept, and move nothing.
#[test]
fn events_are_shown_to_those_who_look_at_them() {
    let mut world = World::new();
    let mut state = informed(&world);
    let told = Message::Heard(Heard::Told(world.event(3580)));
    assert!(!state.is_shown(&told));
    state.update(told);
    press(&mut state, &world, "b");
    assert_eq!((state.listing().total, state.page().cursor), (1, 0));
    // They are in order as they come.
    let told = Message::Heard(Heard::Told(world.event(3581)));
    assert!(state.is_shown(&told));
    state.update(told);
    press(&mut state, &world, "dsS");
    assert_eq!(
        (state.page().cursor, state.order(Pane::Events)),
        (1, Order { by: Sorted::Age, descending: true })
    );
}

#[test]
fn the_last_event_is_looked_at_until_one_looks_at_another() {
    let mut world = World::new();
    let mut state = informed(&world);
    assert!(!state.wants().events);
    press(&mut state, &world, "b");
    assert!(state.wants().events);
    for nth in 0..600 {
        state.update(Message::Heard(Heard::Told(world.event(3580 + nth))));
    }
    assert_eq!((state.data.events.len(), state.page().cursor, rows(&state)[0].as_str()), (500, 0, "600"));
    press(&mut state, &world, "d");
    state.update(Message::Heard(Heard::Told(world.event(4200))));
    assert_eq!((state.page().cursor, state.page().key.clone()), (2, Some(Key::Event(599))));
    press(&mut state, &world, ">");
    assert_eq!(place(&state), "story 615");
}

#[test]
fn trouble_lasts_until_there_is_an_answer() {
    let world = World::new();
    let mut state = informed(&world);
    let trouble = |state: &mut State, second, sentence: &str| {
        state.update(Message::Tick(Duration::from_secs(second)));
        state.update(Message::Heard(Heard::Trouble(sentence.to_owned())));
    };
    trouble(&mut state, 7, "refused");
    trouble(&mut state, 9, "no answer");
    assert_eq!(state.trouble, Some((Duration::from_secs(7), "no answer".to_owned())));
    world.answer_all(&mut state);
    assert_eq!(state.trouble, None);
    // Any answer will do: what is frozen asks for few.
    for keys in ["tt", ">"] {
        press(&mut state, &world, keys);
        trouble(&mut state, 10, "refused");
        let answer = match state.wants().detail {
            Some(Detail::Page(filter)) => Heard::Page(filter, model::Page::default()),
            Some(Detail::Story(id)) => Heard::Story(id, None),
            None => panic!("a detail is wanted"),
        };
        state.update(Message::Heard(answer));
        assert_eq!(state.trouble, None, "{keys}");
        world.answer_all(&mut state);
    }
    state.update(Message::Heard(Heard::Note("by the way".to_owned())));
    assert_eq!(state.note(), Some("by the way"));
    state.update(Message::Tick(Duration::from_secs(60)));
    assert_eq!(state.note(), None);
}

#[test]
fn a_story_that_nobody_knows_is_told_as_such() {
    let world = World::new();
    let mut state = informed(&world);
    press(&mut state, &world, ">>>");
    assert!(matches!(state.data.story(1), Known::Told(_)));
    assert!(matches!(state.data.story(2), Known::Asked));
    state.update(Message::Heard(Heard::Story(1, None)));
    assert!(matches!(state.data.story(1), Known::Gone(Some(_))), "what was known last is kept");
}

#[test]
fn rates_are_of_the_last_seconds() {
    let mut world = World::new();
    let mut state = state();
    let mut at = |state: &mut State, seconds: u64, opens: u64| {
        world.now = (3600 + seconds) * 1_000_000_000;
        for _ in 0..opens {
            let connection = world.open(3600 + seconds, 80, 2);
            world.close(3600 + seconds, 80, 2, connection);
        }
        world.answer_all(state);
        state.data.rate(CALM).map(|rate| (rate.opened, rate.closed))
    };
    // Seconds, connections made by then, and how many a second that is.
    for (seconds, opens, expected) in [
        (0, 5, None),
        (0, 0, None),
        (2, 4, Some(2.0)),
        (4, 0, Some(1.0)),
        (14, 0, Some(0.0)),
        (24, 30, Some(3.0)),
        (25, 0, Some(30.0 / 11.0)),
        (34, 0, Some(0.0)),
    ] {
        assert_eq!(at(&mut state, seconds, opens), expected.map(|rate| (rate, rate)), "at {seconds} s");
    }
    assert_eq!(state.data.rate("/elsewhere"), None);
}

/// However often is asked, and whatever the time is said to be.
#[test]
fn rates_cover_the_window() {
    let world = World::new();
    let mut state = state();
    let mut at = |at_ms: i64, opened: u64| {
        let mut snapshot = world.snapshot();
        snapshot.at_ms = at_ms;
        snapshot.sockets.iter_mut().for_each(|socket| socket.programs.truncate(1));
        snapshot.sockets.iter_mut().flat_map(|socket| &mut socket.programs).for_each(|it| it.opened = opened);
        state.update(Message::Heard(Heard::Snapshot(Box::new(snapshot))));
        state.data.rate(CALM).map(|rate| rate.opened)
    };
    for nth in 0..200 {
        at(nth * 100, if nth < 110 { 0 } else { 50 });
    }
    // The first 50 were made 9 s ago.
    assert!(at(20_000, 50).is_some_and(|rate| (rate - 5.0).abs() < 0.3), "{:?}", at(20_000, 50));
    assert_eq!(at(i64::MIN, u64::MAX), None);
    assert_eq!(at(i64::MAX, u64::MAX), Some(0.0));
}
