//! What the state has to know of the screen.

use std::fmt::Debug;

use super::{Pane, Sorted, State};

/// What can be clicked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::top) enum Hit {
    /// The name of a list, by its place among them.
    List(usize),
    /// A row of a list, by its number.
    Row(usize),
    /// The heading of a column whose rows can be put in order by it.
    Heading(Sorted),
}

/// Measures a state as it is drawn: how far one can scroll, and what a click means. The view does that, and stands above the state;
/// so it is handed in.
pub(in crate::top) trait Measure: Debug {
    /// Rows of a list that there is room for.
    fn rows(&self, state: &State) -> usize;
    /// Lines of a text that there is room for.
    fn text_rows(&self, state: &State) -> usize;
    /// Lines of a page that is a text.
    fn lines(&self, state: &State) -> usize;
    /// Lines of the help.
    fn help_lines(&self, state: &State) -> usize;
    /// What is at a column and a row; None if nothing that can be clicked on.
    fn hit(&self, state: &State, column: u16, row: u16) -> Option<Hit>;
    /// What the rows of a list can be put in order by, as far as it is shown.
    fn sorts(&self, state: &State, pane: Pane) -> Vec<Sorted>;
}
