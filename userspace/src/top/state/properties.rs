//! Whatever happens, in whatever order.

use std::time::Duration;

use proptest::prelude::*;
use ratatui::{buffer::Buffer, layout::Rect, style::Color};
use sockleak_core::text::escape::is_unsafe;

use super::*;
use crate::top::{
    text::width,
    theme::Theme,
    view::{self, Drawn},
    world::World,
};

/// Anything that can happen.
#[derive(Clone, Debug)]
enum Any {
    Input(Input),
    Resize(u16, u16),
    Answer,
    Crowd(u64),
    Event,
    Trouble,
    Deaf,
    Tick(u64),
    /// Of another question than what is looked at now.
    Late(u32),
}

fn anything() -> impl Strategy<Value = Any> {
    use Input::{
        BackTab, Backspace, Down, End, Enter, Escape, Home, Left, Letter, PageDown, PageUp, Redraw, Right,
        Tab, Up,
    };

    let keys =
        [Up, Down, Left, Right, PageUp, PageDown, Home, End, Enter, Escape, Tab, BackTab, Backspace, Redraw];
    let letters =
        ['/', '1', '3', '5', '9', 's', 'S', 'f', '?', 'j', 'k', 'g', 'G', ' ', 'l', 'e', '\u{202e}', '日']
            .map(Letter);
    let inputs: Vec<Input> = keys.into_iter().chain(letters).collect();
    prop_oneof![
        12 => proptest::sample::select(inputs).prop_map(Any::Input),
        2 => (0..300_u16, 0..100_u16).prop_map(|(column, row)| Any::Input(Input::Click(column, row))),
        4 => (0..80_u16, 0..24_u16).prop_map(|(column, row)| Any::Input(Input::Click(column, row))),
        1 => prop_oneof![Just(Input::WheelUp), Just(Input::WheelDown)].prop_map(Any::Input),
        2 => (0..300_u16, 0..100_u16).prop_map(|(columns, rows)| Any::Resize(columns, rows)),
        1 => (0..20_u16, 0..10_u16).prop_map(|(columns, rows)| Any::Resize(columns, rows)),
        6 => Just(Any::Answer),
        1 => (0..300_u64).prop_map(Any::Crowd),
        1 => Just(Any::Event),
        1 => Just(Any::Trouble),
        1 => Just(Any::Deaf),
        1 => (0..1_000_000_u64).prop_map(Any::Tick),
        1 => any::<u32>().prop_map(Any::Late),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens in whatever order, the cursor is on a row, the row is in the window, and everything can be drawn.
    #[test]
    fn nothing_leads_astray(all in proptest::collection::vec(anything(), 0..120), ascii: bool, colour: bool) {
        let mut world = World::new();
        let mut state = State::new("here".to_owned(), Theme { ascii, colour }, LEAST, &Drawn);
        for one in all {
            match one {
                Any::Input(input) => drop(state.update(Message::Input(input))),
                Any::Resize(columns, rows) => drop(state.update(Message::Resized(columns, rows))),
                Any::Answer => world.answer_all(&mut state),
                Any::Crowd(connections) => world.crowd(connections),
                Any::Event => {
                    let told = world.event(3600);
                    state.update(Message::Heard(Heard::Told(told)));
                }
                Any::Trouble => drop(state.update(Message::Heard(Heard::Trouble("no".to_owned())))),
                Any::Deaf => drop(state.update(Message::Heard(Heard::Deaf("no".to_owned())))),
                Any::Tick(seconds) => drop(state.update(Message::Tick(Duration::from_secs(seconds)))),
                Any::Late(offset) => {
                    let filter = ConnectionFilter { offset, ..ConnectionFilter::default() };
                    state.update(Message::Heard(Heard::Page(filter, model::Page::default())));
                }
            }
            let page = state.page();
            if state.pane().is_some() {
                let (total, rows) = (state.listing().total, state.measure.rows(&state));
                let is_unknown = state.listing().is_unknown();
                prop_assert!(is_unknown || page.cursor < total.max(1), "{page:?} of {total}");
                prop_assert!(page.top <= page.cursor, "{page:?}");
                prop_assert!(rows == 0 || page.cursor < page.top + rows, "{page:?} in {rows}");
            }
            let (columns, rows) = state.size;
            let area = Rect::new(0, 0, columns, rows);
            let mut buffer = Buffer::empty(area);
            view::draw(&state, &mut buffer);
            for cell in &buffer.content {
                prop_assert!(!cell.symbol().contains(is_unsafe), "{:?}", cell.symbol());
                prop_assert!(!ascii || cell.symbol().is_ascii(), "{:?}", cell.symbol());
                prop_assert!(colour || cell.fg == Color::Reset, "{cell:?}");
                prop_assert!(width(cell.symbol()) <= 2);
            }
        }
    }
}
