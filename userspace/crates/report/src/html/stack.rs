//! Counts over time, stacked by whose they are.

use std::fmt::Write as _;

use maud::{Markup, html};
use sockleak_core::attribution::limits::Limit;

use super::{
    parts::{self, Key, Text},
    plot::{LEFT, Plot, Ticks},
};

const HEIGHT: f64 = 220.0;
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
        let stacked = |index: usize| self.layers.iter().filter_map(|it| it.values.get(index)).sum::<f64>();
        let piled = (0..self.stretches.len()).map(stacked).fold(0.0, f64::max).ceil() as u64;
        let highest = self.peak.1.iter().copied().max().unwrap_or_default().max(piled);
        let top = highest.max(self.limit.map_or(0, |limit| limit.slots)).max(1);
        // Some air above the highest line.
        let full = top as f64 * 1.08;
        let mut plot = Plot::new(id, (LEFT, HEIGHT), self.title, &self.description);
        plot.counts(top, full);
        plot.times(self.length, self.ticks);
        let keys = self.keys();
        let mut below = vec![0.0; self.stretches.len()];
        let mut letters = Vec::new();
        for (layer, key) in self.layers.iter().zip(&keys) {
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
            let y = plot.y(limit.slots as f64 / full);
            let ends = (plot.x(0.0), plot.x(1.0));
            plot.line("limit", (ends.0, y), (ends.1, y));
            let text = format!("limit {} ({})", limit.slots, limit.source.name());
            plot.text("limit-text", (ends.0 + 4.0, y - 5.0), &text);
        }
        let peak = Key { class: "peak-line", letter: None, name: self.peak.0.to_owned() };
        html! {
            (parts::legend(keys.into_iter().chain([peak])))
            (parts::scroll(self.title, &plot.finish()))
        }
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
