//! The frame of a picture: where things are, and the elements that all pictures share.

use maud::{Markup, PreEscaped, Render, html};

use super::{
    axis,
    parts::{Text, decimal},
};

/// Width of a picture.
pub const WIDTH: f64 = 960.0;
/// Width of a picture for a phone, in which letters are as large as around it.
pub(crate) const NARROW: f64 = 360.0;
/// Room for numbers on the left.
pub const LEFT: f64 = 52.0;
/// Room on the right.
const RIGHT: f64 = 20.0;
/// Room above.
pub const TOP: f64 = 18.0;
/// Room for the axis below.
pub(crate) const BOTTOM: f64 = 34.0;

/// What the ticks of an axis of time count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ticks {
    /// The time since the beginning.
    Since,
    /// The time until now.
    Ago,
    /// Moments in UTC, from this one at the left edge: milliseconds since 1970. A script may show them in another zone.
    At(i64),
}

/// A picture under construction.
pub(crate) struct Plot {
    svg: String,
    title: String,
    description: String,
    id: String,
    pub(super) left: f64,
    width: f64,
    height: f64,
    /// It has links: then it is more than an image.
    is_used: bool,
}

impl Plot {
    /// One of a height that holds what is drawn, with a name and a description for those who cannot see it. `id` is unique
    /// on the page.
    pub(crate) fn new(id: &str, (left, height): (f64, f64), title: &str, description: &str) -> Self {
        Self {
            svg: String::new(),
            title: title.to_owned(),
            description: description.to_owned(),
            id: id.to_owned(),
            left,
            width: WIDTH,
            height,
            is_used: false,
        }
    }

    /// Makes it as wide as this.
    pub(crate) const fn wide(mut self, width: f64) -> Self {
        self.width = width;
        self
    }

    /// Says that there are links in it.
    pub(crate) const fn is_used(&mut self) {
        self.is_used = true;
    }

    /// Adds elements.
    pub(crate) fn add(&mut self, elements: &Markup) {
        elements.render_to(&mut self.svg);
    }

    /// The place of a part of the width, from 0 to 1.
    pub(crate) fn x(&self, part: f64) -> f64 {
        self.left + part.clamp(0.0, 1.0) * (self.width - self.left - RIGHT)
    }

    /// The place of a part of the height, from 0 at the bottom to 1.
    pub(crate) fn y(&self, part: f64) -> f64 {
        TOP + (1.0 - part.clamp(0.0, 1.0)) * self.height
    }

    /// A line.
    pub(crate) fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.add(&html! {
            line class=(class) x1=(decimal(x1)) y1=(decimal(y1)) x2=(decimal(x2)) y2=(decimal(y2)) {}
        });
    }

    /// A rectangle, and what it says when it is pointed at.
    pub(crate) fn rectangle(
        &mut self,
        class: &str,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        says: &str,
    ) {
        self.add(&html! {
            rect class=(class) x=(decimal(x)) y=(decimal(y)) width=(decimal(width)) height=(decimal(height)) {
                title { (Text(says)) }
            }
        });
    }

    /// A text, which may come from outside.
    pub(crate) fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        self.add(&html! { text class=(class) x=(decimal(x)) y=(decimal(y)) { (Text(text)) } });
    }

    /// An axis of time below, of so many nanoseconds.
    pub(crate) fn times(&mut self, length: u64, ticks: Ticks) {
        let bottom = self.y(0.0);
        // Room for a label each.
        let most = if self.width < WIDTH { 3 } else { 8 };
        if let Ticks::At(begin) = ticks {
            self.moments(begin, length, most);
        } else {
            for (at, label) in axis::times(length, most) {
                let part = at as f64 / length.max(1) as f64;
                let (x, label) = match ticks {
                    Ticks::Ago if at == 0 => (self.x(1.0), "now".to_owned()),
                    Ticks::Ago => (self.x(1.0 - part), format!("−{label}")),
                    Ticks::Since | Ticks::At(_) => (self.x(part), label),
                };
                self.line("grid", (x, TOP), (x, bottom));
                let class = if ticks == Ticks::Ago && at == 0 { "tick end" } else { "tick mid" };
                self.text(class, (x, bottom + 16.0), &label);
            }
        }
        self.line("axis", (self.x(0.0), bottom), (self.x(1.0), bottom));
    }

    fn moments(&mut self, begin: i64, length: u64, most: u32) {
        let bottom = self.y(0.0);
        let length = i64::try_from(length / 1_000_000).unwrap_or(i64::MAX).max(1);
        for axis::Moment { at, form, label } in axis::moments(begin, length, most) {
            let x = self.x((at - begin) as f64 / length as f64);
            self.line("grid", (x, TOP), (x, bottom));
            let (x, y) = (decimal(x), decimal(bottom + 16.0));
            self.add(&html! { text class="tick mid" x=(x) y=(y) data-at=(at) data-form=(form) { (label) } });
        }
    }

    /// An axis of counts on the left.
    pub(crate) fn counts(&mut self, highest: u64, full: f64) {
        for count in axis::counts(highest) {
            let y = self.y(count as f64 / full);
            self.line("grid", (self.x(0.0), y), (self.x(1.0), y));
            self.text("tick end", (self.left - 8.0, y + 4.0), &count.to_string());
        }
    }

    /// The picture.
    #[must_use]
    pub(crate) fn finish(self) -> Markup {
        let Self { svg, title, description, id, width, height, is_used, .. } = self;
        let role = if is_used { "group" } else { "img" };
        let (of_title, of_description) = (format!("{id}-t"), format!("{id}-d"));
        let view = format!("0 0 {width} {:.0}", TOP + height + BOTTOM);
        html! {
            svg viewBox=(view) role=(role) aria-labelledby=(format!("{of_title} {of_description}")) {
                title id=(of_title) { (Text(&title)) }
                desc id=(of_description) { (Text(&description)) }
                (PreEscaped(svg))
            }
        }
    }
}
