//! The frame of a picture: where things are, and the elements that all pictures share.

use std::fmt::Write as _;

use super::axis;
use crate::report::escape::html;

/// Width of every picture.
pub(super) const WIDTH: f64 = 960.0;
/// Room for numbers on the left.
pub(super) const LEFT: f64 = 52.0;
/// Room on the right.
const RIGHT: f64 = 20.0;
/// Room above.
pub(super) const TOP: f64 = 18.0;
/// Room for the axis below.
pub(super) const BOTTOM: f64 = 34.0;

/// A picture under construction.
pub(super) struct Plot {
    pub(super) svg: String,
    pub(super) left: f64,
    height: f64,
}

impl Plot {
    /// One of a height that holds what is drawn, with a name and a description for those who cannot see it. `id` is unique
    /// on the page.
    pub(super) fn new(id: &str, (left, height): (f64, f64), title: &str, description: &str) -> Self {
        let full = TOP + height + BOTTOM;
        let mut svg = String::new();
        let _ = write!(
            svg,
            "<svg viewBox=\"0 0 {WIDTH} {full:.0}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
             <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>",
            html(title),
            html(description)
        );
        Self { svg, left, height }
    }

    /// The place of a part of the width, from 0 to 1.
    pub(super) fn x(&self, part: f64) -> f64 {
        self.left + part.clamp(0.0, 1.0) * (WIDTH - self.left - RIGHT)
    }

    /// The place of a part of the height, from 0 at the bottom to 1.
    pub(super) fn y(&self, part: f64) -> f64 {
        TOP + (1.0 - part.clamp(0.0, 1.0)) * self.height
    }

    pub(super) fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let _ = write!(
            self.svg,
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        );
    }

    /// A rectangle; what it says when it is pointed at is text from outside.
    pub(super) fn rectangle(
        &mut self,
        class: &str,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        says: &str,
    ) {
        let _ = write!(
            self.svg,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\">\
             <title>{}</title></rect>",
            html(says)
        );
    }

    /// A text, which may come from outside.
    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let _ = write!(self.svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", html(text));
    }

    /// An axis of time below, of so many nanoseconds.
    pub(super) fn times(&mut self, length: u64) {
        let bottom = self.y(0.0);
        for (at, label) in axis::times(length, 8) {
            let x = self.x(at as f64 / length.max(1) as f64);
            self.line("grid", (x, TOP), (x, bottom));
            self.text("tick mid", (x, bottom + 16.0), &label);
        }
        self.line("axis", (self.x(0.0), bottom), (self.x(1.0), bottom));
    }

    /// An axis of counts on the left.
    pub(super) fn counts(&mut self, highest: u64, full: f64) {
        for count in axis::counts(highest) {
            let y = self.y(count as f64 / full);
            self.line("grid", (self.x(0.0), y), (self.x(1.0), y));
            self.text("tick end", (self.left - 8.0, y + 4.0), &count.to_string());
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.svg.push_str("</svg>");
        self.svg
    }
}
