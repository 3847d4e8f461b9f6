//! The report as text.

use std::fmt::Write as _;

use sockleak_core::{assess::Report, text::escape::terminal, verdict::Verdict};

use super::{
    document::Section,
    grid::{Grid, Kind},
    stacks, tables,
    words::{all_is_well, headline, missing, more, remarks, statement, younger},
};

/// Columns of text that is not for a terminal, or for a narrow one.
pub const WIDTH: usize = 80;

/// Renders a report in so many columns, where that can be.
#[must_use]
pub fn render(report: &Report, width: usize) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", headline(report, quote));
    if report.programs.is_empty() {
        let _ = writeln!(out, "\nNo {} connected, or tried to.", report.by.noun());
    }
    let (paths, figures) = (tables::paths(report), tables::figures(report));
    for path in &paths {
        let _ = write!(out, "\n{}\n{}", terminal(path), tables::programs(report, &figures[path]).text(width));
    }
    let with_open: Vec<&str> = paths.into_iter().filter(|path| report.open.count_on(path) > 0).collect();
    for path in &with_open {
        let (table, hidden) = tables::open(report.open.on(path));
        let which = if with_open.len() > 1 { format!(" on {}", terminal(path)) } else { String::new() };
        let _ = write!(out, "\nNot closed{which}\n{}", table.text(width));
        more(hidden).into_iter().for_each(|sentence| prose(&sentence, "", &mut out));
    }
    if let Some(sentence) = younger(report) {
        let _ = writeln!(out, "\n{sentence}");
    }
    out.push('\n');
    findings(report, &mut out);
    for sentence in remarks(report).into_iter().chain(missing(report)) {
        prose(&terminal(&sentence), "", &mut out);
    }
    out
}

/// Renders several, with a table of them in front.
#[must_use]
pub fn render_all(sections: &[Section], width: usize) -> String {
    let [section] = sections else {
        let mut out = summary(sections).text(width);
        for Section { host, file, report, .. } in sections {
            let title = format!("{host}: {file}");
            let _ = write!(out, "\n{}\n\n{}", terminal(&title), render(report, width));
        }
        return out;
    };
    render(&section.report, width)
}

/// What comes out of each.
pub(super) fn summary(sections: &[Section]) -> Grid {
    let mut grid = Grid::new(&[
        ("HOST", Kind::Name),
        ("FILE", Kind::Name),
        ("WORST VERDICT", Kind::Word),
        ("WHO", Kind::Name),
        ("OPEN", Kind::Number),
    ]);
    for Section { host, file, report, .. } in sections {
        // The most severe comes first.
        let worst = report.findings.first();
        let verdict = worst.map_or("-", |finding| finding.verdict.name());
        let told = worst.filter(|finding| finding.verdict != Verdict::Healthy);
        let program = told.map_or("-", |finding| finding.program.as_str());
        let verdict = if report.complete { verdict.to_owned() } else { format!("{verdict}, incomplete") };
        grid.rows.push(vec![
            host.as_str().into(),
            file.as_str().into(),
            verdict.into(),
            program.into(),
            report.not_closed().to_string().into(),
        ]);
    }
    grid
}

fn quote(name: &str) -> String {
    terminal(name).into_owned()
}

/// What was found, with its doubts and what to do about it.
fn findings(report: &Report, out: &mut String) {
    for finding in report.findings.iter().filter(|finding| finding.verdict != Verdict::Healthy) {
        let verdict = finding.verdict.name().to_uppercase();
        prose(&format!("{verdict}: {}", statement(finding, report.leak_age_ns, quote)), "", out);
        for doubt in &finding.uncertain {
            prose(&format!("Uncertain: {doubt}."), "  ", out);
        }
        let (places, rest) = stacks::places(&report.stacks, finding);
        for (place, functions) in places {
            prose(&place, "  ", out);
            out.push_str(&functions);
        }
        rest.into_iter().for_each(|sentence| prose(&sentence, "  ", out));
        prose(&finding.advice, "  ", out);
    }
    all_is_well(report).into_iter().for_each(|sentence| prose(&sentence, "", out));
}

/// Text in lines of 80 columns: longer ones are hard to read.
fn prose(text: &str, indent: &str, out: &mut String) {
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(indent)
        .subsequent_indent("  ")
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    for line in textwrap::wrap(text, options) {
        out.push_str(&line);
        out.push('\n');
    }
}

#[cfg(test)]
mod tests;
