//! From a state to what is on the screen: pure, into a buffer.

mod chrome;
mod columns;
mod connections;
mod events;
mod fact;
mod finding;
mod findings;
mod help;
mod hit;
mod programs;
mod said;
mod sockets;
mod story;
mod table;
mod when;

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Line};

use super::{
    state::{Hit, Item, LEAST, Measure, Overlay, Pane, Sorted, State, What},
    text::{Keep, wrap},
};
use columns::Column;
use fact::Facts;

/// Rows above a list or a text: the title, where one stands, and which lists there are.
const HEAD: u16 = 3;
/// The row of the keys, below everything.
const KEYS: u16 = 1;
/// Headings of a list.
const HEADINGS: u16 = 1;
/// What more there is to say of the row where the cursor is, and a line above that.
const DETAIL: u16 = 5;

/// A text in a table, raw as it came.
#[derive(Clone, Debug, Default, PartialEq)]
struct Cell {
    text: String,
    style: Style,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), style: Style::new() }
    }
}

impl Cell {
    fn styled(self, style: Style) -> Self {
        Self { style, ..self }
    }
}

/// What is drawn here.
#[derive(Debug)]
pub(super) struct Drawn;

impl Measure for Drawn {
    fn rows(&self, state: &State) -> usize {
        rows(state)
    }

    fn text_rows(&self, state: &State) -> usize {
        text_rows(state)
    }

    fn lines(&self, state: &State) -> usize {
        lines(state).len()
    }

    fn help_lines(&self, state: &State) -> usize {
        help::lines(state.theme, text_columns(state)).len()
    }

    fn hit(&self, state: &State, column: u16, row: u16) -> Option<Hit> {
        hit::hit(state, column, row)
    }

    fn sorts(&self, state: &State, pane: Pane) -> Vec<Sorted> {
        let columns = columns_of(pane, state);
        let shown = columns::lay_out(&columns, state.size.0);
        shown.into_iter().filter_map(|(index, ..)| columns[index].sorted).collect()
    }
}

/// Rows of a list that there is room for.
fn rows(state: &State) -> usize {
    state.size.1.saturating_sub(HEAD + HEADINGS + DETAIL + foot(state)).into()
}

/// Lines of a text that there is room for.
fn text_rows(state: &State) -> usize {
    state.size.1.saturating_sub(HEAD + foot(state)).into()
}

/// Rows below: what there is to say now, and the keys.
fn foot(state: &State) -> u16 {
    said::rows(state) + KEYS
}

/// Columns of a text: those of the terminal. In one that is too small nothing of it is drawn.
fn text_columns(state: &State) -> usize {
    state.size.0.max(LEAST.0).into()
}

/// The same of sentences: no more than what is read with ease.
fn prose_columns(state: &State) -> usize {
    text_columns(state).min(100)
}

/// Sentences, in lines of so many columns.
fn prose(state: &State, text: &str, columns: usize) -> Vec<Line<'static>> {
    /// What begins a line that goes on from the one before.
    const INDENT: &str = "  ";

    wrap(&state.theme.letters().safe(text), columns, INDENT).into_iter().map(Line::raw).collect()
}

/// The lines of a page that is a text.
fn lines(state: &State) -> Vec<Line<'static>> {
    match &state.page().what {
        What::List(..) => Vec::new(),
        What::Story(id) => story::lines(state, *id),
        What::Finding(key) => finding::lines(state, key),
    }
}

/// Draws everything.
pub(super) fn draw(state: &State, buffer: &mut Buffer) {
    let area = buffer.area;
    if state.is_cramped() {
        cramped(state, buffer);
        return;
    }
    chrome::head(state, buffer, Rect { height: HEAD, ..area });
    let foot = foot(state);
    let body = Rect { y: area.y + HEAD, height: area.height - HEAD - foot, ..area };
    match (state.overlay, &state.page().what) {
        (Overlay::Help(from), _) => text(&help::lines(state.theme, text_columns(state)), from, buffer, body),
        (_, What::List(_, pane)) => table::draw(state, *pane, buffer, body),
        (_, What::Story(_) | What::Finding(_)) => text(&lines(state), state.page().cursor, buffer, body),
    }
    chrome::foot(state, buffer, Rect { y: body.bottom(), height: foot, ..area });
}

/// A text from a line on.
fn text(lines: &[Line<'_>], from: usize, buffer: &mut Buffer, area: Rect) {
    for (line, y) in lines.iter().skip(from).zip(area.y..area.bottom()) {
        buffer.set_line(area.x, y, line, area.width);
    }
}

/// Says that the terminal is too small, as far as there is room for that.
fn cramped(state: &State, buffer: &mut Buffer) {
    let area = buffer.area;
    let (columns, rows) = LEAST;
    let said = [
        format!("{columns} x {rows} is needed;"),
        format!("this is {} x {}.", area.width, area.height),
        "Make it larger, or q.".to_owned(),
    ];
    let top = area.y + area.height.saturating_sub(said.len() as u16) / 2;
    for (line, y) in said.iter().zip(top..area.bottom()) {
        let text = state.theme.letters().fit(line, area.width.into(), Keep::Front);
        let x = area.x + (area.width - text.len().min(area.width.into()) as u16) / 2;
        buffer.set_stringn(x, y, text, area.width.into(), Style::new());
    }
}

fn columns_of(pane: Pane, state: &State) -> Vec<Column> {
    let What::List(scope, _) = &state.page().what else { return Vec::new() };
    let with_socket = scope.socket.is_none();
    match pane {
        Pane::Sockets => sockets::COLUMNS.to_vec(),
        Pane::Programs => programs::columns(with_socket),
        Pane::Connections => connections::columns(with_socket),
        Pane::Findings => findings::columns(with_socket),
        Pane::Events => events::columns(with_socket),
    }
}

/// What is in a row, in the order of all columns.
fn cells(item: &Item<'_>, state: &State, pane: Pane) -> Vec<Cell> {
    let with_socket = matches!(&state.page().what, What::List(scope, _) if scope.socket.is_none());
    let theme = state.theme;
    match *item {
        Item::Socket { socket, worst, rate } => sockets::cells(theme, socket, worst, rate),
        Item::Program { path, program, worst } => {
            programs::cells(theme, with_socket.then_some(path), program, worst)
        }
        Item::Connection(open) => connections::cells(theme, open, with_socket),
        Item::Finding(finding) => findings::cells(theme, finding, with_socket),
        Item::Event { event, .. } => {
            debug_assert_eq!(pane, Pane::Events);
            events::cells(theme, event, with_socket)
        }
    }
}

/// What more there is to say of a row, in lines of so many columns.
fn detail(item: &Item<'_>, state: &State, columns: usize) -> Vec<Line<'static>> {
    match *item {
        Item::Socket { socket, worst, .. } => sockets::detail(state, socket, worst, columns),
        Item::Program { program, worst, .. } => programs::detail(state, program, worst, columns),
        Item::Connection(open) => connections::detail(state, open),
        Item::Finding(found) => finding::statement(state, found, columns),
        Item::Event { event, .. } => events::detail(state, event),
    }
}

#[cfg(test)]
mod tests;
