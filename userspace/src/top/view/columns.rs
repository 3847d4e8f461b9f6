//! Columns of a table: which of them there is room for, and how wide each is. Pure.

use super::super::text::Keep;
use crate::top::state::Sorted;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::top) struct Column {
    pub(in crate::top) title: &'static str,
    pub(in crate::top) width: Width,
    /// Numbers are at the right.
    pub(in crate::top) right: bool,
    /// Which part of a text stays that is too long.
    pub(in crate::top) keep: Keep,
    /// By what its rows can be put in order.
    pub(in crate::top) sorted: Option<Sorted>,
    /// Where there is no room for all, those of the greatest rank go first. 0: it never goes.
    pub(in crate::top) rank: u8,
}

/// How wide a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::top) enum Width {
    /// So wide.
    Fixed(u16),
    /// At least so wide; what is left is shared out among those.
    Least(u16),
}

/// Between two columns.
const GAP: u16 = 1;

impl Column {
    pub(in crate::top) const fn number(title: &'static str, width: u16, sorted: Sorted) -> Self {
        Self {
            title,
            width: Width::Fixed(width),
            right: true,
            keep: Keep::Front,
            sorted: Some(sorted),
            rank: 0,
        }
    }

    pub(in crate::top) const fn word(title: &'static str, width: u16, sorted: Sorted) -> Self {
        Self { right: false, ..Self::number(title, width, sorted) }
    }

    pub(in crate::top) const fn name(title: &'static str, least: u16, sorted: Sorted) -> Self {
        Self { width: Width::Least(least), keep: Keep::End, ..Self::word(title, 0, sorted) }
    }

    pub(in crate::top) const fn rank(self, rank: u8) -> Self {
        Self { rank, ..self }
    }

    pub(in crate::top) const fn unsorted(self) -> Self {
        Self { sorted: None, ..self }
    }

    const fn least(&self) -> u16 {
        match self.width {
            Width::Fixed(width) | Width::Least(width) => width,
        }
    }
}

/// The columns that are shown in so much room: the index of each, where it begins and how wide it is.
pub(in crate::top) fn lay_out(columns: &[Column], room: u16) -> Vec<(usize, u16, u16)> {
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let needed = |shown: &[usize]| -> u16 {
        let widths: u16 = shown.iter().map(|&index| columns[index].least()).sum();
        widths + GAP * (shown.len() as u16).saturating_sub(1)
    };
    while needed(&shown) > room {
        let last = shown.iter().enumerate().max_by_key(|&(_, &index)| columns[index].rank);
        let Some((place, &index)) = last else { break };
        if columns[index].rank == 0 {
            break;
        }
        shown.remove(place);
    }
    let mut spare = room.saturating_sub(needed(&shown));
    let mut growing =
        shown.iter().filter(|&&index| matches!(columns[index].width, Width::Least(_))).count() as u16;
    let mut at = 0;
    let mut places = Vec::new();
    for index in shown {
        let mut width = columns[index].least();
        if matches!(columns[index].width, Width::Least(_)) {
            let share = spare.div_ceil(growing);
            width += share;
            spare -= share;
            growing -= 1;
        }
        // What does not fit at all is cut.
        let width = width.min(room.saturating_sub(at));
        places.push((index, at, width));
        at = at.saturating_add(width + GAP);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column::name("SOCKET", 10, Sorted::Name),
        Column::number("OPEN", 5, Sorted::Open),
        Column::word("WORST", 12, Sorted::Worst).rank(1),
        Column::name("WHO", 8, Sorted::Name).rank(2),
    ];

    #[test]
    fn columns_share_the_room() {
        for (room, expected) in [
            // All of them, and what is left is shared out.
            (38, &[(0, 0, 10), (1, 11, 5), (2, 17, 12), (3, 30, 8)][..]),
            (41, &[(0, 0, 12), (1, 13, 5), (2, 19, 12), (3, 32, 9)]),
            // The last to be needed go first.
            (37, &[(0, 0, 18), (1, 19, 5), (2, 25, 12)]),
            (29, &[(0, 0, 10), (1, 11, 5), (2, 17, 12)]),
            (28, &[(0, 0, 22), (1, 23, 5)]),
            (16, &[(0, 0, 10), (1, 11, 5)]),
            // And then there is too little for those that never go.
            (13, &[(0, 0, 10), (1, 11, 2)]),
            (4, &[(0, 0, 4), (1, 5, 0)]),
            (0, &[(0, 0, 0), (1, 1, 0)]),
        ] {
            assert_eq!(lay_out(&COLUMNS, room), expected, "{room}");
        }
        assert_eq!(lay_out(&[], 10), []);
    }
}
