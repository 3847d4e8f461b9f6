//! What keys do.

use super::{
    Hit, Overlay, Sorted, State,
    pages::{Key, Page, Pane, Scope, What},
};

/// Letters of a filter.
const LONGEST_FILTER: usize = 200;
/// Rows or lines that a notch of the wheel moves by.
const WHEEL: usize = 3;

/// A key, by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::top) enum Input {
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
    Tab,
    BackTab,
    Backspace,
    Letter(char),
    /// The left button of the mouse, at a column and a row.
    Click(u16, u16),
    /// The wheel of the mouse, away from the user.
    WheelUp,
    /// The wheel, towards the user.
    WheelDown,
    /// To the end of the program.
    Interrupt,
    /// To the shell, for a while.
    Suspend,
    /// Something else wrote on the terminal.
    Redraw,
}

/// What is left to be done for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::top) enum Effect {
    None,
    Quit,
    Suspend,
    Redraw,
}

impl State {
    pub(super) fn press(&mut self, input: Input) -> Effect {
        match (input, self.overlay) {
            (Input::Interrupt, _) => return Effect::Quit,
            (Input::Suspend, _) => return Effect::Suspend,
            (Input::Redraw, _) => return Effect::Redraw,
            (_, Overlay::Filter) => self.write_filter(input),
            (_, Overlay::Help(line)) => self.read_help(input, line),
            (Input::Letter('q'), Overlay::None) => return Effect::Quit,
            (_, Overlay::None) => self.walk(input),
        }
        Effect::None
    }

    fn write_filter(&mut self, input: Input) {
        match input {
            Input::Letter(letter) if !letter.is_control() && self.page().filter.len() < LONGEST_FILTER => {
                self.page_mut().filter.push(letter);
                self.go_to(0);
            }
            Input::Backspace => {
                self.page_mut().filter.pop();
                self.go_to(0);
            }
            Input::Enter => self.overlay = Overlay::None,
            Input::Escape => {
                self.show_all();
                self.overlay = Overlay::None;
            }
            // One may look about meanwhile.
            Input::Up
            | Input::Down
            | Input::PageUp
            | Input::PageDown
            | Input::Home
            | Input::End
            | Input::WheelUp
            | Input::WheelDown => self.step(input),
            _ => {}
        }
    }

    fn read_help(&mut self, input: Input, line: usize) {
        let last = self.measure.help_lines(self).saturating_sub(self.measure.text_rows(self));
        let page = self.measure.text_rows(self).max(1);
        let line = match input {
            Input::Up | Input::Letter('k') => line.saturating_sub(1),
            Input::Down | Input::Letter('j') => line + 1,
            Input::WheelUp => line.saturating_sub(WHEEL),
            Input::WheelDown => line + WHEEL,
            Input::PageUp => line.saturating_sub(page),
            Input::PageDown | Input::Letter(' ') => line + page,
            Input::Home | Input::Letter('g') => 0,
            Input::End | Input::Letter('G') => last,
            _ => {
                self.overlay = Overlay::None;
                return;
            }
        };
        self.overlay = Overlay::Help(line.min(last));
    }

    fn walk(&mut self, input: Input) {
        match input {
            Input::Enter => self.enter(),
            Input::Escape | Input::Backspace => self.back(),
            Input::Tab | Input::Right => self.turn(1),
            Input::BackTab | Input::Left => self.turn(-1),
            Input::Letter(digit @ '1'..='9') => self.choose(digit as usize - '1' as usize),
            Input::Click(column, row) => self.click(column, row),
            Input::Letter('/') if self.pane().is_some() => self.overlay = Overlay::Filter,
            Input::Letter('?') => self.overlay = Overlay::Help(0),
            Input::Letter('f') => self.frozen = !self.frozen,
            Input::Letter('s') => self.sort_by_next(),
            Input::Letter('S') => self.reverse(),
            _ => self.step(input),
        }
    }

    /// The kind of list that is looked at, if it is one.
    pub(in crate::top) fn pane(&self) -> Option<Pane> {
        match self.page().what {
            What::List(_, pane) => Some(pane),
            What::Story(_) | What::Finding(_) => None,
        }
    }

    /// Moves the cursor, or a text.
    fn step(&mut self, input: Input) {
        let (page, last) = match self.pane() {
            Some(_) => {
                let listing = self.listing();
                if listing.is_unknown() {
                    return;
                }
                (self.measure.rows(self), listing.total.saturating_sub(1))
            }
            None => (self.measure.text_rows(self), self.measure.lines(self)),
        };
        let cursor = self.page().cursor;
        let to = match input {
            Input::Up | Input::Letter('k') => cursor.saturating_sub(1),
            Input::Down | Input::Letter('j') => cursor.saturating_add(1),
            Input::WheelUp => cursor.saturating_sub(WHEEL),
            Input::WheelDown => cursor.saturating_add(WHEEL),
            Input::PageUp => cursor.saturating_sub(page.max(1)),
            Input::PageDown | Input::Letter(' ') => cursor.saturating_add(page.max(1)),
            Input::Home | Input::Letter('g') => 0,
            Input::End | Input::Letter('G') => last,
            _ => return,
        };
        self.go_to(to.min(last));
    }

    fn go_to(&mut self, cursor: usize) {
        let page = self.page_mut();
        page.cursor = cursor;
        page.key = None;
    }

    /// Down to what the cursor is on.
    fn enter(&mut self) {
        let Some(key) = self.listing().key(self.page().cursor) else { return };
        let within = |socket: String, program: Option<String>| Scope { socket: Some(socket), program };
        let what = match key {
            Key::Socket(path) => What::List(within(path, None), Pane::Programs),
            Key::Program(path, program) => What::List(within(path, Some(program)), Pane::Connections),
            Key::Connection(id) => What::Story(id),
            Key::Finding(key) => What::Finding(key),
            Key::Event(number) => match self.connection_of(number) {
                Some(id) => What::Story(id),
                None => return,
            },
        };
        self.pages.push(Page::new(what));
    }

    /// The connection that an event is about.
    fn connection_of(&self, number: u64) -> Option<u64> {
        use crate::service::model::What::{Accept, Attempt, Connect, ListenerClosed, Other, Release};

        let (_, event) = self.data.events.iter().find(|(its, _)| *its == number)?;
        match event.what {
            Connect { connection, .. } | Accept { connection, .. } | Release { connection, .. } => {
                Some(connection)
            }
            ListenerClosed { .. } | Attempt { .. } | Other => None,
        }
    }

    /// Back to where one came from; first out of a filter.
    fn back(&mut self) {
        if !self.page().filter.is_empty() {
            self.show_all();
        } else if self.pages.len() > 1 {
            self.pages.pop();
        }
    }

    /// Out of a filter, with the cursor on what was found, wherever that is among all.
    fn show_all(&mut self) {
        let found = self.listing().key(self.page().cursor);
        let page = self.page_mut();
        page.filter.clear();
        page.key = found;
    }

    /// To another list of the same scope: so many further.
    fn turn(&mut self, by: isize) {
        let What::List(scope, pane) = &self.page().what else { return };
        let panes = scope.panes();
        let place = panes.iter().position(|its| its == pane).unwrap_or(0);
        self.choose((place as isize + by).rem_euclid(panes.len() as isize) as usize);
    }

    /// To a list of the same scope, by its place among them. If it is the one that is shown, nothing changes.
    fn choose(&mut self, place: usize) {
        let What::List(scope, shown) = &self.page().what else { return };
        let Some(&pane) = scope.panes().get(place).filter(|pane| *pane != shown) else { return };
        let scope = scope.clone();
        self.listens |= pane == Pane::Events;
        *self.page_mut() = Page::new(What::List(scope, pane));
    }

    /// What is clicked on a second time is opened, or put in order the other way round.
    fn click(&mut self, column: u16, row: u16) {
        match self.measure.hit(self, column, row) {
            Some(Hit::List(place)) => self.choose(place),
            Some(Hit::Row(number)) if number == self.page().cursor => self.enter(),
            Some(Hit::Row(number)) => self.go_to(number),
            Some(Hit::Heading(by)) => self.sort_by(by),
            None => {}
        }
    }

    fn sort_by(&mut self, by: Sorted) {
        let Some(pane) = self.pane() else { return };
        let order = self.orders.of_mut(pane);
        let is_reversed = order.by == by && order.descending == by.begins_descending();
        (order.by, order.descending) = (by, by.begins_descending() != is_reversed);
        self.go_to(0);
    }

    fn sort_by_next(&mut self) {
        // Events are in order as they come.
        let Some(pane) = self.pane().filter(|pane| *pane != Pane::Events) else { return };
        let all: Vec<_> = self.measure.sorts(self, pane);
        let order = self.orders.of_mut(pane);
        let place = all.iter().position(|by| *by == order.by);
        let next = place.map_or(0, |place| (place + 1) % all.len().max(1));
        if let Some(&by) = all.get(next) {
            (order.by, order.descending) = (by, by.begins_descending());
        }
        self.go_to(0);
    }

    fn reverse(&mut self) {
        if let Some(pane) = self.pane().filter(|pane| *pane != Pane::Events) {
            let order = self.orders.of_mut(pane);
            order.descending = !order.descending;
            self.go_to(0);
        }
    }
}
