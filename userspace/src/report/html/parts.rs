//! Small parts of a page.

use std::fmt::Write as _;

use crate::report::{
    escape::html,
    grid::{Grid, Kind, lower},
};

/// A name from outside.
pub(super) fn code(name: &str) -> String {
    format!("<code>{}</code>", html(name))
}

/// A place where there is nothing to see, and why.
pub(super) fn nothing(sentence: &str) -> String {
    format!("<p class=\"nothing\">{}</p>", html(sentence))
}

/// What the colours mean.
pub(super) fn legend(entries: impl Iterator<Item = (&'static str, String)>) -> String {
    let mut out = String::from("<ul class=\"legend\">");
    for (class, name) in entries {
        let _ = write!(out, "<li><span class=\"swatch {class}\"></span>{}</li>", html(&name));
    }
    out + "</ul>"
}

/// What may be wider than a small screen.
pub(super) fn scroll(content: &str) -> String {
    format!("<div class=\"scroll\">{content}</div>")
}

impl Grid {
    /// As a table of HTML.
    pub(in crate::report) fn html(&self) -> String {
        let mut out = String::from("<div class=\"scroll\"><table><thead><tr>");
        for column in &self.columns {
            let class = if column.kind == Kind::Number { " class=\"number\"" } else { "" };
            let _ = write!(out, "<th scope=\"col\"{class}>{}</th>", lower(column.heading));
        }
        out.push_str("</tr></thead><tbody>");
        for row in &self.rows {
            out.push_str("<tr>");
            for (column, cell) in self.columns.iter().zip(row) {
                let _ = match column.kind {
                    Kind::Number => write!(out, "<td class=\"number\">{}</td>", html(&cell.long)),
                    Kind::Name | Kind::Command => write!(out, "<td>{}</td>", code(&cell.long)),
                    Kind::Word | Kind::Prose => write!(out, "<td>{}</td>", html(&cell.long)),
                };
            }
            out.push_str("</tr>");
        }
        out + "</tbody></table></div>"
    }
}
