//! Counts over time, stacked by whose they are.

use std::fmt::Write as _;

use maud::{Markup, html};
use sockleak_core::attribution::limits::Limit;

use super::{
    parts::{self, Key, Text},
    plot::{LEFT, NARROW, Plot, TOP, Ticks, WIDTH},
};

const HEIGHT: f64 = 220.0;
/// Room for numbers on the left of a narrow picture.
const NARROW_LEFT: f64 = 36.0;
/// A limit of more than so many times the highest count is named, and not drawn.
const FAR: u64 = 4;
const MILLISECOND: u64 = 1_000_000;
/// Colours of those who are accused of nothing.
const CALM: [&str; 6] = ["c1", "c2", "c3", "c4", "c5", "c6"];

/// Whose counts they are, which says what colour they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Somebody who leaks.
    Leaking,
    /// Somebody else.
    Plain,
    /// All further ones.
    Others,
    /// The server's, whose clients have gone; or nobody's who is named.
    Server,
}

/// One of the areas that lie on each other.
#[derive(Clone, Debug)]
pub struct Layer {
    /// What it is called.
    pub name: String,
    /// Its colour or pattern.
    pub tone: Tone,
    /// Its count in each stretch.
    pub values: Vec<f64>,
}

/// What is drawn.
#[derive(Clone, Debug)]
pub struct Stacked {
    /// Heads the picture.
    pub title: &'static str,
    /// The picture in a sentence, to be read out.
    pub description: String,
    /// Nanoseconds from the left edge to the right one.
    pub length: u64,
    /// What the axis says.
    pub ticks: Ticks,
    /// Where each stretch begins and ends, nanoseconds from the left edge. Between two there may be a gap.
    pub stretches: Vec<(u64, u64)>,
    /// From the lowest to the highest.
    pub layers: Vec<Layer>,
    /// The highest count in each stretch, and what it is called.
    pub peak: (&'static str, Vec<u64>),
    /// How many slots there are.
    pub limit: Option<Limit>,
}

impl Stacked {
    /// The picture and its legend. `id` is unique on the page.
    pub fn draw(&self, id: &str) -> Markup {
        let keys = self.keys();
        let picture = self.picture(id, WIDTH, &keys);
        html! {
            (parts::legend(keys.into_iter().chain([self.peak_key()])))
            (parts::scroll(self.title, &picture))
        }
    }

    /// The same for a page with a script: once for a wide screen and once for a narrow one, with a line that the script moves
    /// to a moment, and the counts of each stretch at what the legend names.
    pub fn draw_to_be_read(&self, id: &str) -> Markup {
        let keys = self.keys();
        let starts: Vec<String> =
            self.stretches.iter().map(|(from, _)| (from / MILLISECOND).to_string()).collect();
        let (wide, narrow) =
            (self.picture(id, WIDTH, &keys), self.picture(&format!("{id}-narrow"), NARROW, &keys));
        let peak: Vec<f64> = self.peak.1.iter().map(|count| *count as f64).collect();
        let values = self.layers.iter().map(|layer| layer.values.as_slice()).chain([peak.as_slice()]);
        html! {
            ul class="legend" {
                @for (key, values) in keys.into_iter().chain([self.peak_key()]).zip(values) {
                    li data-values=(list(values)) {
                        (parts::sign_of(&key)) " "
                        span class="reading" data-own {}
                    }
                }
            }
            div class="plot" data-starts=(starts.join(" ")) data-length=(self.length / MILLISECOND) {
                div class="wide" { (wide) }
                div class="narrow" { (narrow) }
                div class="crosshair" hidden {}
                div class="selection" hidden {}
            }
        }
    }

    fn peak_key(&self) -> Key {
        Key { class: "peak-line", letter: None, name: self.peak.0.to_owned() }
    }

    /// The highest count that the axis has to reach, and the limit if it is drawn there. A limit that is far above all
    /// counts would leave nothing to see of them.
    fn top(&self) -> (u64, Option<Limit>) {
        let stacked = |index: usize| self.layers.iter().filter_map(|it| it.values.get(index)).sum::<f64>();
        let piled = (0..self.stretches.len()).map(stacked).fold(0.0, f64::max).ceil() as u64;
        let highest = self.peak.1.iter().copied().max().unwrap_or_default().max(piled).max(1);
        let drawn = self.limit.filter(|limit| limit.slots <= highest.saturating_mul(FAR));
        (highest.max(drawn.map_or(0, |limit| limit.slots)), drawn)
    }

    fn picture(&self, id: &str, width: f64, keys: &[Key]) -> Markup {
        let (top, drawn) = self.top();
        // Some air above the highest line.
        let full = top as f64 * 1.08;
        let left = if width < WIDTH { NARROW_LEFT } else { LEFT };
        let mut plot = Plot::new(id, (left, HEIGHT), self.title, &self.description).wide(width);
        plot.counts(top, full);
        plot.times(self.length, self.ticks);
        let mut below = vec![0.0; self.stretches.len()];
        let mut letters = Vec::new();
        for (layer, key) in self.layers.iter().zip(keys) {
            let above: Vec<f64> = below.iter().zip(&layer.values).map(|(below, own)| below + own).collect();
            let path = self.area(&plot, &below, &above, full);
            plot.add(&html! {
                path class={ "area " (key.class) } d=(path) { title { (Text(&layer.name)) } }
            });
            letters.extend(key.letter.and_then(|letter| self.place(&plot, layer, &below, full, letter)));
            below = above;
        }
        for line in self.peak_lines(&plot, full) {
            plot.add(&html! { polyline class="peak" points=(line) {} });
        }
        for (letter, at) in letters {
            plot.text("letter mid", at, &letter.to_string());
        }
        if let Some(limit) = self.limit {
            let text = format!("limit {} ({})", limit.slots, limit.source.name());
            let ends = (plot.x(0.0), plot.x(1.0));
            if drawn.is_some() {
                let y = plot.y(limit.slots as f64 / full);
                plot.line("limit", (ends.0, y), (ends.1, y));
                plot.text("limit-text", (ends.0 + 4.0, y - 5.0), &text);
            } else {
                plot.text("limit-text", (ends.0 + 4.0, TOP - 6.0), &format!("↑ {text}, far above"));
            }
        }
        plot.finish()
    }

    /// Colours and letters: some colours are kept for who leaks, and a pattern for what the server keeps.
    fn keys(&self) -> Vec<Key> {
        let (mut leaks, mut calm) = (["leak", "leak-2"].into_iter(), CALM.into_iter());
        let mut letters = 'A'..='Z';
        let key = |layer: &Layer| {
            let class = match layer.tone {
                Tone::Leaking => leaks.next().or_else(|| calm.next()).unwrap_or("others"),
                Tone::Plain => calm.next().unwrap_or("others"),
                Tone::Others => "others",
                Tone::Server => "server",
            };
            Key { class, letter: letters.next(), name: layer.name.clone() }
        };
        self.layers.iter().map(key).collect()
    }

    fn x(&self, plot: &Plot, at: u64) -> f64 {
        plot.x(at as f64 / self.length.max(1) as f64)
    }

    /// Stretches that follow each other without a gap, by their indices.
    fn runs(&self) -> Vec<std::ops::Range<usize>> {
        let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
        for (index, (from, _)) in self.stretches.iter().enumerate() {
            let goes_on = index > 0 && self.stretches[index - 1].1 == *from;
            match runs.last_mut().filter(|_| goes_on) {
                Some(run) => run.end = index + 1,
                None => runs.push(index..index + 1),
            }
        }
        runs
    }

    /// The points of a line that stays for each stretch and then steps.
    fn steps(&self, plot: &Plot, run: &std::ops::Range<usize>, value: impl Fn(usize) -> f64) -> Vec<String> {
        let points = run.clone().flat_map(|index| {
            let (y, (from, to)) = (plot.y(value(index)), self.stretches[index]);
            [from, to].map(|at| format!("{:.1},{y:.1}", self.x(plot, at)))
        });
        let mut points: Vec<String> = points.collect();
        points.dedup();
        points
    }

    fn area(&self, plot: &Plot, below: &[f64], above: &[f64], full: f64) -> String {
        let mut path = String::new();
        for run in self.runs() {
            let edge = |values: &[f64]| {
                self.steps(plot, &run, |index| values.get(index).copied().unwrap_or_default() / full)
            };
            let back: Vec<String> = edge(below).into_iter().rev().collect();
            // Writing to a string does not fail.
            let _ = write!(path, "M{} L{}Z", edge(above).join(" L"), back.join(" L"));
        }
        path
    }

    fn peak_lines(&self, plot: &Plot, full: f64) -> Vec<String> {
        let value = |index: usize| self.peak.1.get(index).copied().unwrap_or_default() as f64 / full;
        self.runs().iter().map(|run| self.steps(plot, run, value).join(" ")).collect()
    }

    /// Where a layer's letter has room: in the middle of its thickest stretch.
    fn place(
        &self,
        plot: &Plot,
        layer: &Layer,
        below: &[f64],
        full: f64,
        letter: char,
    ) -> Option<(char, (f64, f64))> {
        /// Of a letter.
        const ROOM: f64 = 13.0;
        let height = |value: f64| plot.y(0.0) - plot.y(value / full);
        let value = layer.values.iter().copied().fold(0.0, f64::max);
        let index = layer.values.iter().position(|&it| it >= value).filter(|_| height(value) >= ROOM)?;
        // As long as it is as thick.
        let last =
            layer.values[index..].iter().take_while(|other| **other >= value * 0.98).count() + index - 1;
        let (from, to) = (self.stretches.get(index)?.0, self.stretches.get(last)?.1);
        let x = (self.x(plot, from) + self.x(plot, to)) / 2.0;
        let y = plot.y((below.get(index)? + value / 2.0) / full) + 4.0;
        Some((letter, (x.clamp(plot.left + 6.0, plot.x(1.0) - 6.0), y)))
    }
}

/// Counts, as an attribute has them.
fn list(values: &[f64]) -> String {
    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
    values.join(" ")
}

#[cfg(test)]
mod tests {
    use sockleak_core::attribution::limits::{Limit, Source};

    use super::*;

    fn stacked(counts: &[u64], limit: Option<u64>) -> Stacked {
        let stretches = (0..counts.len() as u64).map(|nth| (nth * 1_000_000_000, (nth + 1) * 1_000_000_000));
        Stacked {
            title: "Slots",
            description: String::new(),
            length: counts.len() as u64 * 1_000_000_000,
            ticks: Ticks::At(1_767_323_445_000),
            stretches: stretches.collect(),
            layers: vec![Layer {
                name: "<b>".to_owned(),
                tone: Tone::Plain,
                values: counts.iter().map(|&count| count as f64).collect(),
            }],
            peak: ("most", counts.to_vec()),
            limit: limit.map(|slots| Limit { slots, source: Source::Given }),
        }
    }

    #[test]
    fn the_axis_reaches_what_was_seen_and_a_limit_that_is_near() {
        for (limit, top, is_drawn) in
            [(None, 10, false), (Some(12), 12, true), (Some(40), 40, true), (Some(41), 10, false)]
        {
            let stacked = stacked(&[3, 10], limit);
            assert_eq!((stacked.top().0, stacked.top().1.is_some()), (top, is_drawn), "{limit:?}");
            let drawn = stacked.draw("x").into_string();
            assert_eq!(drawn.contains("class=\"limit\""), is_drawn, "{limit:?}");
            // It is told in any case.
            assert_eq!(drawn.contains("↑ limit 41 ("), limit == Some(41), "{drawn}");
        }
        assert_eq!(stacked(&[0, 0], None).top().0, 1);
    }

    #[test]
    fn each_stretch_can_be_read() {
        let drawn = stacked(&[3, 10], None).draw_to_be_read("x").into_string();
        assert!(drawn.contains("data-starts=\"0 1000\" data-length=\"2000\""), "{drawn}");
        assert_eq!(drawn.matches("data-values=\"3 10\"").count(), 2, "{drawn}");
        assert!(drawn.contains("data-at=\"1767323445000\" data-form=\"clock\">03:10:45<"), "{drawn}");
        assert!(drawn.contains("viewBox=\"0 0 360 ") && drawn.contains("viewBox=\"0 0 960 "), "{drawn}");
        assert!(!drawn.contains("<b>A</b> <b>"), "{drawn}");
    }
}
