//! Reports of one recording or several in one document, in each of the forms.

use clap::ValueEnum;
use serde_json::{Value, json};

use super::{Report, csv, html, json, markdown, pictures::Picture, text};
use crate::clock::Clock;

/// A report and where it comes from.
#[derive(Clone, Debug)]
pub struct Section {
    /// The host that was traced.
    pub host: String,
    /// The recording.
    pub file: String,
    /// The report.
    pub report: Report,
    /// Turns its times into times of day.
    pub clock: Clock,
    /// What a page draws besides.
    pub pictures: Vec<Picture>,
}

/// A form of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal or a mail.
    #[default]
    Text,
    /// One JSON object a recording, in a line (described in docs/json.md).
    Json,
    /// One table, for a spreadsheet.
    Csv,
    /// For a ticket.
    Markdown,
    /// A page with pictures, in one file.
    Html,
}

/// The table of a CSV file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CsvTable {
    /// What each program did on each socket.
    #[default]
    Programs,
    /// The connections that are not closed.
    Open,
    /// The verdicts.
    Findings,
}

/// Renders a document. `width` is that of text in columns, `table` that of CSV.
///
/// # Errors
/// None in practice: a report holds nothing that a form cannot.
pub fn render(sections: &[Section], format: Format, table: CsvTable, width: usize) -> anyhow::Result<String> {
    Ok(match format {
        Format::Text => text::render_all(sections, width),
        Format::Json => json_lines(sections)?,
        Format::Csv => csv::render(sections, table)?,
        Format::Markdown => markdown::render(sections),
        Format::Html => html::render(sections),
    })
}

fn json_lines(sections: &[Section]) -> serde_json::Result<String> {
    let mut out = String::new();
    for Section { host, file, report, clock, .. } in sections {
        let mut line = json::report(report, clock)?;
        // A single one is the line that the capture ended with, byte for byte.
        if sections.len() > 1
            && let Value::Object(line) = &mut line
        {
            line.insert("host".to_owned(), json!(host));
            line.insert("file".to_owned(), json!(file));
        }
        out.push_str(&line.to_string());
        out.push('\n');
    }
    Ok(out)
}
