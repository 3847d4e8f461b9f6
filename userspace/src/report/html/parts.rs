//! Small parts of a page.

use maud::{Escaper, Markup, Render, html};

use crate::report::{
    escape::terminal,
    grid::{Grid, Kind, lower},
};

/// Patterns that the pictures refer to.
pub(crate) fn patterns() -> Markup {
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
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl Render for Text<'_> {
    fn render_to(&self, out: &mut String) {
        use std::fmt::Write as _;

        // Writing to a string does not fail.
        let _ = Escaper::new(out).write_str(&terminal(self.0));
    }
}

/// A name from outside.
pub(crate) fn code(name: &str) -> Markup {
    html! { code { (Text(name)) } }
}

/// A place where there is nothing to see, and why.
pub(crate) fn nothing(sentence: &str) -> Markup {
    html! { p class="nothing" { (Text(sentence)) } }
}

/// A colour or a pattern, the letter that is beside it in the picture, and what it stands for.
pub(crate) struct Key {
    pub(crate) class: &'static str,
    pub(crate) letter: Option<char>,
    pub(crate) name: String,
}

/// What the colours mean.
pub(crate) fn legend(keys: impl IntoIterator<Item = Key>) -> Markup {
    html! {
        ul class="legend" {
            @for Key { class, letter, name } in keys {
                li {
                    span class={ "swatch " (class) } aria-hidden="true" {}
                    @if let Some(letter) = letter { b { (letter) } " " }
                    (Text(&name))
                }
            }
        }
    }
}

/// What may be wider than a small screen. It can be scrolled without a mouse.
pub(crate) fn scroll(label: &str, content: &Markup) -> Markup {
    html! { div class="scroll" tabindex="0" role="group" aria-label=(label) { (content) } }
}

/// A number as attributes have it.
pub(crate) fn decimal(number: f64) -> String {
    format!("{number:.1}")
}

impl Grid {
    /// As a table of HTML, with a caption that is read out.
    pub(in crate::report) fn html(&self, caption: &str) -> Markup {
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
