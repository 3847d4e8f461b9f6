//! How long connections lived, and how old the open ones are.

use super::{
    axis, parts,
    plot::{LEFT, Plot},
};
use crate::{
    clock::human,
    report::{
        count::{agreeing, counted},
        grid::{Grid, Kind},
        pictures::Picture,
    },
};

const HEIGHT: f64 = 150.0;

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

/// Connections of a length.
#[derive(Clone, Copy, Default)]
struct Bar {
    closed: u64,
    open: u64,
}

/// The picture of a socket. The leak age is nanoseconds.
pub(super) fn lifetimes(picture: &Picture, leak_age: u64, id: &str) -> String {
    let Picture { lifetimes, ages, .. } = picture;
    let mut bars = [Bar::default(); BORDERS.len() + 1];
    let place = |duration: u64| BORDERS.partition_point(|&border| border <= duration);
    for (duration, count) in lifetimes.iter() {
        bars[place(duration)].closed += count;
    }
    for (age, count) in ages.iter() {
        bars[place(age)].open += count;
    }
    let is_any = |bar: &Bar| bar.closed + bar.open > 0;
    let (Some(first), Some(last)) = (bars.iter().position(is_any), bars.iter().rposition(is_any)) else {
        return parts::nothing("No client end was released whose start was seen, and none is open.");
    };
    // One more on either side: a lone bar would tell nothing.
    let (first, last) = (first.saturating_sub(1), (last + 1).min(BORDERS.len()));
    let shown = &bars[first..=last];
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
    let mut plot = Plot::new(id, (LEFT, HEIGHT), "How long client ends lived", &description);
    draw(&mut plot, shown, first);
    mark(&mut plot, leak_age, first, shown.len());
    let legend = [("c1", "released".to_owned()), ("leak", "still open, by age".to_owned())];
    format!(
        "<figure>{}{}<figcaption>{description} Heights grow with the logarithm.</figcaption>\
         <details><summary>Lifetimes as a table</summary>{}</details></figure>",
        parts::legend(legend.into_iter()),
        parts::scroll(&plot.finish()),
        table(shown, first).html()
    )
}

/// The bars, each pair with its counts, and the borders below.
fn draw(plot: &mut Plot, bars: &[Bar], first: usize) {
    let highest = bars.iter().map(|bar| bar.closed.max(bar.open)).max().unwrap_or(1);
    let height = |count: u64| (count as f64 + 1.0).ln() / (highest as f64 + 1.0).ln() * 0.88;
    let width = (plot.x(1.0) - plot.x(0.0)) / bars.len() as f64;
    for (nth, bar) in bars.iter().enumerate() {
        let left = plot.x(nth as f64 / bars.len() as f64);
        let kinds = [("c1", bar.closed, "released"), ("leak", bar.open, "open")];
        let shown: Vec<_> = kinds.into_iter().filter(|(_, count, _)| *count > 0).collect();
        let each = width * 0.8 / shown.len().max(1) as f64;
        for (index, (class, count, what)) in shown.into_iter().enumerate() {
            let (x, y) = (left + width * 0.1 + index as f64 * each, plot.y(height(count)));
            let says = format!("{count} {what}, {}", between(first + nth));
            plot.rectangle(&format!("bar {class}"), (x, y), (each - 1.0, plot.y(0.0) - y), &says);
            plot.text("count mid", (x + each / 2.0, y - 4.0), &count.to_string());
        }
        if nth > 0 {
            let bottom = plot.y(0.0);
            plot.line("axis", (left, bottom), (left, bottom + 4.0));
            plot.text("tick mid", (left, bottom + 17.0), &border(first + nth - 1));
        }
    }
    let bottom = plot.y(0.0);
    plot.line("axis", (plot.x(0.0), bottom), (plot.x(1.0), bottom));
}

/// Where what is old begins.
fn mark(plot: &mut Plot, leak_age: u64, first: usize, count: usize) {
    let place = BORDERS.partition_point(|&border| border < leak_age);
    // Between borders, by the logarithm.
    let low = place.checked_sub(1).and_then(|low| BORDERS.get(low)).copied().unwrap_or(leak_age / 3);
    let high = BORDERS.get(place).copied().unwrap_or_else(|| leak_age.saturating_mul(3));
    let ln = |value: u64| (value.max(1) as f64).ln();
    let within = (ln(leak_age) - ln(low)) / (ln(high) - ln(low)).max(f64::EPSILON);
    let at = (place as f64 + within - first as f64) / count as f64;
    if (0.0..=1.0).contains(&at) {
        let x = plot.x(at);
        plot.line("mark", (x, plot.y(1.0)), (x, plot.y(0.0)));
        plot.text("mark-text", (x + 5.0, plot.y(1.0) + 4.0), &format!("old from {} on", human(leak_age)));
    }
}

fn border(index: usize) -> String {
    BORDERS.get(index).map_or_else(String::new, |&border| axis::label(border as f64 / 1e9))
}

/// What a bar stands for.
fn between(place: usize) -> String {
    match place.checked_sub(1) {
        None => format!("less than {}", border(0)),
        Some(low) if place == BORDERS.len() => format!("{} or longer", border(low)),
        Some(low) => format!("{} to {}", border(low), border(place)),
    }
}

fn table(bars: &[Bar], first: usize) -> Grid {
    let mut grid =
        Grid::new(&[("LIFETIME", Kind::Word), ("RELEASED", Kind::Number), ("STILL OPEN", Kind::Number)]);
    for (nth, bar) in bars.iter().enumerate().filter(|(_, bar)| bar.closed + bar.open > 0) {
        grid.rows.push(vec![
            between(first + nth).into(),
            bar.closed.to_string().into(),
            bar.open.to_string().into(),
        ]);
    }
    grid
}
