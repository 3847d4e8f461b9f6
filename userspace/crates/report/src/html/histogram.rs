//! How long connections lived, as bars.

use maud::{Markup, html};
use sockleak_core::time::human;

use super::{
    axis,
    parts::{self, Key},
    plot::{LEFT, Plot},
};

const HEIGHT: f64 = 150.0;

/// Connections of a length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bar {
    /// Connections that are closed.
    pub closed: u64,
    /// Connections that are open.
    pub open: u64,
}

/// Bars, and the lengths that are between them.
pub struct Histogram<'a> {
    /// One more than borders.
    pub bars: &'a [Bar],
    /// In nanoseconds.
    pub borders: &'a [u64],
    /// From here on connections are old, in nanoseconds.
    pub leak_age: u64,
    /// Those that are open are among the bars.
    pub with_open: bool,
    /// The picture in a sentence, to be read out.
    pub description: &'a str,
}

impl Histogram<'_> {
    /// The picture and its legend; None without any connection. `id` is unique on the page.
    pub fn draw(&self, id: &str) -> Option<Markup> {
        let (first, last) = self.shown()?;
        let shown = self.bars.get(first..=last)?;
        let title = "How long client ends lived";
        let mut plot = Plot::new(id, (LEFT, HEIGHT), title, self.description);
        self.bars(&mut plot, shown, first);
        self.mark(&mut plot, first, shown.len());
        let key = |class, name: &str| Key { class, letter: None, name: name.to_owned() };
        let open = self.with_open.then(|| key("hollow", "still open, by age"));
        Some(html! {
            (parts::legend([key("c1", "released")].into_iter().chain(open)))
            (parts::scroll(title, &plot.finish()))
        })
    }

    /// The first and the last bar that are drawn: one more on either side, since a lone bar would tell nothing.
    pub fn shown(&self) -> Option<(usize, usize)> {
        let is_any = |bar: &Bar| bar.closed + bar.open > 0;
        let (first, last) = (self.bars.iter().position(is_any)?, self.bars.iter().rposition(is_any)?);
        Some((first.saturating_sub(1), (last + 1).min(self.borders.len())))
    }

    /// Each pair with its counts, and the borders below.
    fn bars(&self, plot: &mut Plot, bars: &[Bar], first: usize) {
        let highest = bars.iter().map(|bar| bar.closed.max(bar.open)).max().unwrap_or(1);
        let height = |count: u64| (count as f64 + 1.0).ln() / (highest as f64 + 1.0).ln() * 0.88;
        let width = (plot.x(1.0) - plot.x(0.0)) / bars.len() as f64;
        for (nth, bar) in bars.iter().enumerate() {
            let left = plot.x(nth as f64 / bars.len() as f64);
            let kinds = [("c1", bar.closed, "released"), ("hollow", bar.open, "open")];
            let shown: Vec<_> = kinds.into_iter().filter(|(_, count, _)| *count > 0).collect();
            // A bar is as wide as if there were three: broad ones look like more.
            let each = (width * 0.8 / shown.len().max(1) as f64).min(64.0);
            let begin = left + (width - each * shown.len() as f64) / 2.0;
            for (index, (class, count, what)) in shown.into_iter().enumerate() {
                let (x, y) = (begin + index as f64 * each, plot.y(height(count)));
                let says = format!("{count} {what}, {}", self.between(first + nth));
                plot.rectangle(&format!("bar {class}"), (x + 1.0, y), (each - 2.0, plot.y(0.0) - y), &says);
                plot.text("count mid", (x + each / 2.0, y - 4.0), &count.to_string());
            }
            if nth > 0 {
                let bottom = plot.y(0.0);
                plot.line("axis", (left, bottom), (left, bottom + 4.0));
                plot.text("tick mid", (left, bottom + 17.0), &self.border(first + nth - 1));
            }
        }
        let bottom = plot.y(0.0);
        plot.line("axis", (plot.x(0.0), bottom), (plot.x(1.0), bottom));
    }

    /// Where what is old begins.
    fn mark(&self, plot: &mut Plot, first: usize, count: usize) {
        let leak_age = self.leak_age;
        let place = self.borders.partition_point(|&border| border < leak_age);
        // Between borders, by the logarithm.
        let low = place.checked_sub(1).and_then(|low| self.borders.get(low)).copied().unwrap_or(leak_age / 3);
        let high = self.borders.get(place).copied().unwrap_or_else(|| leak_age.saturating_mul(3));
        let ln = |value: u64| (value.max(1) as f64).ln();
        let within = (ln(leak_age) - ln(low)) / (ln(high) - ln(low)).max(f64::EPSILON);
        let at = (place as f64 + within - first as f64) / count as f64;
        if (0.0..=1.0).contains(&at) {
            let x = plot.x(at);
            plot.line("mark", (x, plot.y(1.0)), (x, plot.y(0.0)));
            // Where there is room for it.
            let (class, aside) = if at > 0.8 { ("mark-text end", -5.0) } else { ("mark-text", 5.0) };
            plot.text(class, (x + aside, plot.y(1.0) + 4.0), &format!("old from {} on", human(leak_age)));
        }
    }

    fn border(&self, index: usize) -> String {
        self.borders.get(index).map_or_else(String::new, |&border| axis::label(border as f64 / 1e9))
    }

    /// What a bar stands for.
    pub fn between(&self, place: usize) -> String {
        match place.checked_sub(1) {
            None => format!("less than {}", self.border(0)),
            Some(low) if place == self.borders.len() => format!("{} or longer", self.border(low)),
            Some(low) => format!("{} to {}", self.border(low), self.border(place)),
        }
    }
}
