//! How long connections of a recording lived, and how old the open ones are.

use maud::{Markup, html};
use sockleak_core::{
    text::count::{agreeing, counted},
    time::human,
};

use super::{
    histogram::{Bar, Histogram},
    parts,
};
use crate::{
    grid::{Grid, Kind},
    pictures::Picture,
};

/// Borders between the bars, in nanoseconds: 100 µs to 30 days.
const BORDERS: [u64; 20] = [
    100_000,
    300_000,
    1_000_000,
    3_000_000,
    10_000_000,
    30_000_000,
    100_000_000,
    300_000_000,
    1_000_000_000,
    3_000_000_000,
    10_000_000_000,
    30_000_000_000,
    60_000_000_000,
    300_000_000_000,
    900_000_000_000,
    3_600_000_000_000,
    10_800_000_000_000,
    43_200_000_000_000,
    86_400_000_000_000,
    2_592_000_000_000_000,
];

/// The picture of a socket. The leak age is nanoseconds.
pub(super) fn lifetimes(picture: &Picture, leak_age: u64, id: &str) -> Markup {
    let Picture { lifetimes, ages, .. } = picture;
    let mut bars = [Bar::default(); BORDERS.len() + 1];
    let place = |duration: u64| BORDERS.partition_point(|&border| border <= duration);
    for (duration, count) in lifetimes.iter() {
        bars[place(duration)].closed += count;
    }
    for (age, count) in ages.iter() {
        bars[place(age)].open += count;
    }
    let still = ages.count();
    let are = agreeing(still, "is", "are");
    let description = match (lifetimes.percentile(50), lifetimes.percentile(99)) {
        (Some(half), Some(most)) => format!(
            "{} {} released, half of them within {} and 99 % within {}; {still} {are} open.",
            counted(lifetimes.count(), "client end"),
            agreeing(lifetimes.count(), "was", "were"),
            human(half),
            human(most)
        ),
        _ => format!("No client end was released whose start was seen; {still} {are} open."),
    };
    let histogram =
        Histogram { bars: &bars, borders: &BORDERS, leak_age, with_open: true, description: &description };
    let Some(drawn) = histogram.draw(id) else {
        return parts::nothing("No client end was released whose start was seen, and none is open.");
    };
    html! {
        figure {
            (drawn)
            figcaption { (description) " Heights grow with the logarithm." }
            details {
                summary { "Lifetimes as a table" }
                (table(&histogram).html("Lifetimes"))
            }
        }
    }
}

fn table(histogram: &Histogram<'_>) -> Grid {
    let mut grid =
        Grid::new(&[("LIFETIME", Kind::Word), ("RELEASED", Kind::Number), ("STILL OPEN", Kind::Number)]);
    for (place, bar) in histogram.bars.iter().enumerate().filter(|(_, bar)| bar.closed + bar.open > 0) {
        grid.rows.push(vec![
            histogram.between(place).into(),
            bar.closed.to_string().into(),
            bar.open.to_string().into(),
        ]);
    }
    grid
}
