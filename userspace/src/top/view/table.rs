//! A list: headings, rows, and what more there is to say of one.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Line};
use sockleak_report::elide;

use super::{
    Cell, DETAIL, HEADINGS, cells,
    columns::{Column, lay_out},
    columns_of, detail,
};
use crate::top::{
    state::{Hearing, Listing, Order, Pane, State, What},
    text::{Keep, width},
    theme::Theme,
};

/// Draws it.
pub(super) fn draw(state: &State, pane: Pane, buffer: &mut Buffer, area: Rect) {
    let columns = columns_of(pane, state);
    let places = lay_out(&columns, area.width);
    let listing = state.listing();
    headings(state, pane, &columns, &places, buffer, area);
    let rows = Rect { y: area.y + HEADINGS, height: area.height - HEADINGS - DETAIL, ..area };
    draw_rows(state, pane, &listing, &columns, &places, buffer, rows);
    let below = Rect { y: rows.bottom(), height: DETAIL, ..area };
    draw_detail(state, &listing, buffer, below);
}

type Places = [(usize, u16, u16)];

fn headings(state: &State, pane: Pane, columns: &[Column], places: &Places, buffer: &mut Buffer, area: Rect) {
    let Order { by, descending } = state.order(pane);
    for &(index, x, room) in places {
        let column = &columns[index];
        let mut title = column.title.to_owned();
        if column.sorted == Some(by) {
            // The mark is shown in any case.
            title.truncate(usize::from(room).saturating_sub(1));
            title.push_str(state.theme.order(descending));
        }
        put(
            state.theme,
            &Cell::from(title).styled(state.theme.strong()),
            column,
            (area.x + x, area.y, room),
            buffer,
        );
    }
}

fn draw_rows(
    state: &State,
    pane: Pane,
    listing: &Listing<'_>,
    columns: &[Column],
    places: &Places,
    buffer: &mut Buffer,
    area: Rect,
) {
    let page = state.page();
    if listing.total == 0 {
        let said = state.theme.letters().fit(&nothing(state, pane, listing), area.width.into(), Keep::Front);
        buffer.set_stringn(area.x, area.y, said, area.width.into(), state.theme.faint());
    }
    let numbers = (area.y..area.bottom()).zip(page.top..listing.total);
    let mut rows: Vec<(u16, usize, Option<Vec<Cell>>)> = numbers
        .map(|(y, number)| (y, number, listing.row(number).map(|item| cells(item, state, pane))))
        .collect();
    for &(index, _, room) in places.iter().filter(|(index, ..)| columns[*index].keep == Keep::End) {
        let column = rows.iter_mut().filter_map(|(.., cells)| cells.as_mut()?.get_mut(index));
        tell_apart(state.theme, column.map(|cell| &mut cell.text).collect(), room.into());
    }
    for (y, number, cells) in rows {
        match cells {
            Some(cells) => {
                for &(index, x, room) in places {
                    put(state.theme, &cells[index], &columns[index], (area.x + x, y, room), buffer);
                }
            }
            None => {
                let ellipsis = state.theme.letters().ellipsis();
                buffer.set_stringn(area.x, y, ellipsis, area.width.into(), Style::new());
            }
        }
        if number == page.cursor {
            buffer.set_style(Rect { y, height: 1, ..area }, state.theme.cursor());
        }
    }
}

/// Cuts the names of a column that are on the screen so that they differ, if that can be.
fn tell_apart(theme: Theme, mut names: Vec<&mut String>, room: usize) {
    /// Of a longer one only the end is looked at.
    const MOST: usize = 256;

    let letters = theme.letters();
    let safe: Vec<String> = names.iter().map(|name| letters.fit(name, MOST, Keep::End)).collect();
    let all: Vec<&str> = safe.iter().map(String::as_str).collect();
    let Some(fitting) = elide::apart(&all, room, letters.ellipsis()) else { return };
    for (name, text) in names.iter_mut().zip(fitting) {
        **name = text;
    }
}

/// Puts a cell where its column is.
fn put(theme: Theme, cell: &Cell, column: &Column, (x, y, room): (u16, u16, u16), buffer: &mut Buffer) {
    let text = theme.letters().fit(&cell.text, room.into(), column.keep);
    let free = usize::from(room) - width(&text).min(room.into());
    let x = if column.right { x + free as u16 } else { x };
    buffer.set_stringn(x, y, text, room.into(), cell.style);
}

/// Why there are no rows.
fn nothing(state: &State, pane: Pane, listing: &Listing<'_>) -> String {
    if listing.is_asked {
        return "Waiting for an answer.".to_owned();
    }
    let filter = &state.page().filter;
    if !filter.is_empty() && listing.unfiltered != Some(0) {
        return format!("Nothing here has {filter:?} in its name.");
    }
    let What::List(scope, _) = &state.page().what else { return String::new() };
    let (whole, is_of_one) = (scope.socket.is_none(), scope.program.is_some());
    match pane {
        Pane::Sockets => "No socket that is meant has been met yet.",
        Pane::Programs => "Nobody has connected yet, or tried to.",
        Pane::Connections => "No connection is open.",
        Pane::Findings if whole => "Nothing is wrong anywhere, as far as can be seen.",
        Pane::Findings => "Nothing is wrong here, as far as can be seen.",
        Pane::Events if matches!(state.data.hearing, Hearing::Deaf { .. }) => {
            "Nobody can be listened to now; it is tried again."
        }
        Pane::Events if is_of_one => "What the executable of this name does from now on is shown here.",
        Pane::Events => "What happens from now on is shown here.",
    }
    .to_owned()
}

fn draw_detail(state: &State, listing: &Listing<'_>, buffer: &mut Buffer, area: Rect) {
    let rule = state.theme.rule().repeat(area.width.into());
    buffer.set_stringn(area.x, area.y, rule, area.width.into(), state.theme.faint());
    let Some(item) = listing.row(state.page().cursor) else { return };
    let mut lines = detail(item, state, area.width.into());
    let room = usize::from(area.height.saturating_sub(1));
    if let (Some(last), true) = (room.checked_sub(1), lines.len() > room) {
        // It is all there one step down.
        let (letters, ellipsis) = (state.theme.letters(), state.theme.letters().ellipsis());
        let room = usize::from(area.width).saturating_sub(width(ellipsis) + 1);
        lines[last] = Line::raw(letters.fit(&lines[last].to_string(), room, Keep::Front) + " " + ellipsis);
    }
    for (line, y) in lines.iter().zip(area.y + 1..area.bottom()) {
        buffer.set_line(area.x, y, line, area.width);
    }
}
