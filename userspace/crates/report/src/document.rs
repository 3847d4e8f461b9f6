//! Reports of one recording or several in one document, in each of the forms.

use std::io::{self, Write};

pub use super::section::{CsvTable, Format, Section};
use super::{
    csv, html, json, markdown,
    text::{self, Layout},
};

/// Writes a document. `layout` is that of text and Markdown, and says whether a page
/// shows everything; `table` that of CSV. Lists that may be long, those of JSON and of CSV,
/// are never whole in memory.
///
/// # Errors
/// If it cannot be written.
pub fn write(
    sections: &[Section],
    format: Format,
    table: CsvTable,
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Text => out.write_all(text::render_all(sections, layout).as_bytes()),
        Format::Json => json_lines(sections, out),
        Format::Csv => csv::write(sections, table, out),
        Format::Markdown => out.write_all(markdown::render(sections, layout).as_bytes()),
        Format::Html => out.write_all(html::render(sections, layout.is_whole).as_bytes()),
    }
}

fn json_lines(sections: &[Section], out: &mut dyn Write) -> io::Result<()> {
    for Section { host, file, report, clock, .. } in sections {
        // A single one is the line that the capture ended with, byte for byte.
        let origin = (sections.len() > 1).then_some((host.as_str(), file.as_str()));
        json::report(report, clock, origin, out)?;
    }
    Ok(())
}
