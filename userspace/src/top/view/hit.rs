//! What is where on the screen.

use super::{HEAD, HEADINGS, chrome, columns::lay_out, columns_of, rows};
use crate::top::state::{Hit, State};

/// What is at a column and a row; None if nothing that can be clicked on.
pub(super) fn hit(state: &State, column: u16, row: u16) -> Option<Hit> {
    const LISTS: u16 = HEAD - 1;

    let pane = state.pane().filter(|_| !state.is_cramped())?;
    match row {
        LISTS => chrome::tab_at(state, column).map(Hit::List),
        HEAD => {
            let columns = columns_of(pane, state);
            let places = lay_out(&columns, state.size.0);
            let mut at = places.into_iter().filter(|&(_, x, width)| (x..x + width).contains(&column));
            columns[at.next()?.0].sorted.map(Hit::Heading)
        }
        _ => {
            let place = usize::from(row.checked_sub(HEAD + HEADINGS)?);
            let number = state.page().top.checked_add(place)?;
            (place < rows(state) && number < state.listing().total).then_some(Hit::Row(number))
        }
    }
}
