//! Small parts of a page.

use maud::{Escaper, Markup, Render, html};
use sockleak_core::text::escape::terminal;

use crate::grid::{Grid, Kind, lower};

/// Patterns that the pictures refer to.
pub fn patterns() -> Markup {
    html! {
        svg class="patterns" width="0" height="0" aria-hidden="true" {
            defs {
                pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect class="hatch-back" width="7" height="7" {}
                    rect class="hatch-line" width="3" height="7" {}
                }
            }
        }
    }
}

/// Text from outside: whatever could reorder or hide other text is shown in words, and markup is escaped.
pub struct Text<'a>(pub &'a str);

impl Render for Text<'_> {
    fn render_to(&self, out: &mut String) {
        use std::fmt::Write as _;

        // Writing to a string does not fail.
        let _ = Escaper::new(out).write_str(&terminal(self.0));
    }
}

/// A name from outside.
pub fn code(name: &str) -> Markup {
    html! { code { (Text(name)) } }
}

/// A place where there is nothing to see, and why.
pub fn nothing(sentence: &str) -> Markup {
    html! { p class="nothing" { (Text(sentence)) } }
}

/// A colour or a pattern, the letter that is beside it in the picture, and what it stands for.
pub struct Key {
    /// The class of its colour or pattern.
    pub class: &'static str,
    /// The letter beside it.
    pub letter: Option<char>,
    /// What it stands for.
    pub name: String,
}

/// What the colours mean.
pub fn legend(keys: impl IntoIterator<Item = Key>) -> Markup {
    html! {
        ul class="legend" {
            @for key in keys { li { (sign_of(&key)) } }
        }
    }
}

/// One of these colours, and what it means.
pub(crate) fn sign_of(Key { class, letter, name }: &Key) -> Markup {
    html! {
        span class={ "swatch " (class) } aria-hidden="true" {}
        @if let Some(letter) = letter { b { (letter) } " " }
        (Text(name))
    }
}

/// What may be wider than a small screen. It can be scrolled without a mouse.
pub fn scroll(label: &str, content: &Markup) -> Markup {
    html! { div class="scroll" tabindex="0" role="group" aria-label=(label) { (content) } }
}

/// A number as attributes have it.
pub(crate) fn decimal(number: f64) -> String {
    format!("{number:.1}")
}

impl Grid {
    /// As a table of HTML, with a caption that is read out.
    pub(crate) fn html(&self, caption: &str) -> Markup {
        let table = html! {
            table {
                caption class="unseen" { (caption) }
                thead {
                    tr {
                        @for column in &self.columns {
                            th scope="col" class=[number(column.kind)] { (lower(column.heading)) }
                        }
                    }
                }
                tbody {
                    @for row in &self.rows {
                        tr {
                            @for (column, cell) in self.columns.iter().zip(row) {
                                td class=[number(column.kind)] {
                                    @match column.kind {
                                        Kind::Name | Kind::Command => (code(&cell.long)),
                                        Kind::Number | Kind::Word | Kind::Prose => (Text(&cell.long)),
                                    }
                                }
                            }
                        }
                    }
                }
            }
        };
        scroll(caption, &table)
    }
}

fn number(kind: Kind) -> Option<&'static str> {
    (kind == Kind::Number).then_some("number")
}
