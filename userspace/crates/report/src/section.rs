//! The forms of a report, and what each is given.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sockleak_core::{
    assess::{Coverage, Report},
    choices,
    session::Session,
    time::Clock,
};

use super::pictures::{Picture, pictures};

/// A report and where it comes from.
#[derive(Clone, Debug)]
pub struct Section<'s> {
    /// The host that was traced.
    pub host: String,
    /// The recording.
    pub file: String,
    /// The report.
    pub report: Report<'s>,
    /// Turns its times into times of day.
    pub clock: Clock,
    /// What a page draws besides.
    pub pictures: Vec<Picture>,
}

impl<'s> Section<'s> {
    /// The report of a session, with what its form needs.
    #[must_use]
    pub fn new(
        session: &'s Session,
        coverage: Coverage,
        clock: Clock,
        (host, file): (String, String),
        format: Format,
    ) -> Self {
        let pictures = if format == Format::Html { pictures(session, coverage.now) } else { Vec::new() };
        Self { host, file, report: Report::new(session, coverage), clock, pictures }
    }
}

choices! {
    /// A form of a report.
    #[derive(Debug, Default, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Format {
        /// For a terminal or a mail.
        #[default]
        Text = "text",
        /// One JSON object a recording, in a line (described in docs/json.md).
        Json = "json",
        /// One table, for a spreadsheet.
        Csv = "csv",
        /// For a ticket.
        Markdown = "markdown",
        /// A page with pictures, in one file.
        Html = "html",
    }
}

impl Format {
    /// What HTTP calls it.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
        }
    }

    /// The form that a file's name ends with: `.txt`, `.json`, `.csv`, `.md` or `.html`. None if it ends with no such.
    #[must_use]
    pub fn of_file(path: &Path) -> Option<Self> {
        Some(match path.extension()?.to_str()? {
            "txt" => Self::Text,
            "json" => Self::Json,
            "csv" => Self::Csv,
            "md" => Self::Markdown,
            "html" => Self::Html,
            _ => return None,
        })
    }
}

choices! {
    /// The table of a CSV file.
    #[derive(Debug, Default, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum CsvTable {
        /// What each program did on each socket.
        #[default]
        Programs = "programs",
        /// The connections that are not closed.
        Open = "open",
        /// The verdicts.
        Findings = "findings",
    }
}
