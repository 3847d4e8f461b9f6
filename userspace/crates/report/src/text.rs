//! The report as text.

use std::{collections::HashSet, fmt::Write as _};

use sockleak_core::{
    assess::{Report, findings::FindingReport},
    text::escape::terminal,
    verdict::Verdict,
};

use super::{
    containers,
    grid::{Cell, Grid, Kind},
    section::Section,
    stacks,
    style::{Meaning, Style},
    tables,
    words::{all_is_well, filtered, headline, missing, more, origin, remarks, statement, younger},
};

/// Columns of text that is not for a terminal, or for a narrow one.
pub const WIDTH: usize = 80;

/// How much is shown, and in how many columns.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Columns, where that can be.
    pub width: usize,
    /// Everything is listed. Otherwise the report is at most some 60 lines long, and says what it leaves out. The stacks of
    /// the first finding may add to that.
    pub is_whole: bool,
    /// Whether text has colours. The other forms have none.
    pub style: Style,
}

impl Layout {
    /// At most so many of a list.
    pub(super) const fn most(self, few: usize) -> usize {
        if self.is_whole { usize::MAX } else { few }
    }

    pub(super) const fn depth(self) -> stacks::Depth {
        if self.is_whole { stacks::Depth::WHOLE } else { stacks::Depth::BRIEF }
    }
}

/// Findings that are told whole, and those that are told in a line each.
const TOLD: [usize; 2] = [5, 5];
/// Lines that these two kinds take together, beside the first finding. At least [`AT_LEAST`] are told in a line each: among them
/// are victims.
const TOLD_LINES: [usize; 2] = [12, 21];
/// See [`TOLD_LINES`].
const AT_LEAST: usize = 2;
/// Rows of figures, and of connections.
const ROWS: [usize; 2] = [12, 10];
/// Lines of a table, with its heading: where a row takes several, there are fewer rows.
const TABLE_LINES: usize = 13;
/// From so many columns on, the figures name processes.
const WIDE: usize = 110;

/// Renders a report: where and when, what was found, and then the figures.
#[must_use]
pub fn render(section: &Section<'_>, layout: Layout) -> String {
    let report = &section.report;
    let mut out = String::new();
    let _ = writeln!(out, "{}", origin(section, quote));
    let _ = writeln!(out, "{}", headline(report, quote));
    if let Some(sentence) = filtered(report) {
        labelled(&terminal(&sentence), Meaning::Warning, layout.style, &mut out);
    }
    out.push('\n');
    findings(report, layout, &mut out);
    for sentence in missing(report) {
        labelled(&terminal(&sentence), Meaning::Warning, layout.style, &mut out);
    }
    if report.programs.is_empty() && report.filtered.is_none() {
        let _ = writeln!(out, "\nNo {} connected, or tried to.", report.by.noun());
    }
    figures(report, layout, &mut out);
    if let Some(sentence) = younger(report) {
        let _ = writeln!(out, "\n{sentence}");
    }
    let remarks = remarks(report);
    if !remarks.is_empty() {
        out.push('\n');
    }
    for sentence in remarks {
        prose(&terminal(&sentence), "", &mut out);
    }
    out
}

/// What each program did, and what is open.
fn figures(report: &Report, layout: Layout, out: &mut String) {
    let Layout { width, .. } = layout;
    let [few_rows, few_open] = ROWS;
    let (groups, rows) = (tables::groups(report), tables::ranked(report));
    let shown = &rows[..rows.len().min(layout.most(few_rows))];
    if !rows.is_empty() {
        let one_socket = rows.iter().all(|row| row.path == rows[0].path);
        let heading = if one_socket { terminal(&rows[0].path) } else { "All sockets".into() };
        let table = tables::programs(report, shown, Some(&groups), width >= WIDE);
        let (table, fit) = fitting(table, layout);
        let _ = write!(out, "\n{heading}\n{table}");
        more(rows.len() - fit, "row").into_iter().for_each(|sentence| prose(&sentence, "", out));
    }
    if report.open.is_empty() {
        return;
    }
    let paths: HashSet<&str> = groups.keys().map(|(path, _)| *path).collect();
    let table =
        tables::open(report.open.iter(), groups.len(), layout.most(few_open), paths.len() > 1, width >= WIDE);
    let (table, fit) = fitting(table, layout);
    let hidden = report.open.len() - fit;
    let which = match (paths.iter().next(), paths.len(), tables::paths(report).len()) {
        // Of several sockets, one has open connections.
        (Some(path), 1, 2..) => format!(" on {}", terminal(path)),
        _ => String::new(),
    };
    let _ = write!(out, "\nNot closed{which}\n{table}");
    more(hidden, "connection").into_iter().for_each(|sentence| prose(&sentence, "", out));
}

/// The first rows of a table, as many as fit into its lines; and how many these are.
fn fitting(mut table: Grid, layout: Layout) -> (String, usize) {
    loop {
        let text = table.text(layout.width);
        if layout.is_whole || table.rows.len() < 2 || text.lines().count() <= TABLE_LINES {
            return (text, table.rows.len());
        }
        table.rows.pop();
    }
}

/// Renders several, with a table of them in front.
#[must_use]
pub fn render_all(sections: &[Section<'_>], layout: Layout) -> String {
    let [section] = sections else {
        let mut out = summary(sections).styled(layout.width, layout.style);
        for section in sections {
            let title = format!("{}: {}", section.host, section.file);
            let _ = write!(out, "\n{}\n\n{}", terminal(&title), render(section, layout));
        }
        return out;
    };
    render(section, layout)
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
            Cell::from(verdict).with(worst.map(|finding| Meaning::of(finding.verdict))),
            program.into(),
            report.not_closed().to_string().into(),
        ]);
    }
    grid
}

fn quote(name: &str) -> String {
    terminal(name).into_owned()
}

/// What was found: what there is to do something about, with its doubts and what that is, and then the rest.
fn findings(report: &Report, layout: Layout, out: &mut String) {
    let (calm, accusing): (Vec<_>, Vec<_>) = report
        .findings
        .iter()
        .filter(|finding| finding.verdict != Verdict::Healthy)
        .partition(|finding| tables::is_calm(finding.verdict));
    let [whole, lines] = TOLD.map(|few| layout.most(few));
    let [room, room_for_all] = TOLD_LINES.map(|few| layout.most(few));
    let mut advised = HashSet::new();
    let (mut told, mut used) = (0, 0);
    for finding in accusing.iter().take(whole) {
        let (mut text, mut given) = (String::new(), advised.clone());
        state(report, finding, layout.style, &mut text);
        explain(report, finding, layout, &mut given, &mut text);
        // The first is told whatever it takes.
        let taken = if told == 0 { 0 } else { text.lines().count() };
        if used + taken > room {
            break;
        }
        (advised, used, told) = (given, used + taken, told + 1);
        out.push_str(&text);
    }
    let rest: Vec<_> = accusing.iter().skip(told).chain(&calm).collect();
    let mut stated = 0;
    for finding in rest.iter().take(lines) {
        let mut text = String::new();
        state(report, finding, layout.style, &mut text);
        if !finding.uncertain.is_empty() && !tables::is_calm(finding.verdict) {
            prose("Uncertain: --all says why.", "  ", &mut text);
        }
        used += text.lines().count();
        if stated >= AT_LEAST && used > room_for_all {
            break;
        }
        stated += 1;
        out.push_str(&text);
    }
    more(rest.len() - stated, "finding").into_iter().for_each(|sentence| prose(&sentence, "", out));
    if let Some(sentence) = all_is_well(report) {
        labelled(&sentence, Meaning::Well, layout.style, out);
    }
}

fn state(report: &Report, finding: &FindingReport, style: Style, out: &mut String) {
    let verdict = finding.verdict.name().to_uppercase();
    let said = format!("{verdict}: {}", statement(finding, report.leak_age_ns, quote));
    labelled(&said, Meaning::of(finding.verdict), style, out);
}

/// A sentence that begins with a label and a colon.
fn labelled(sentence: &str, meaning: Meaning, style: Style, out: &mut String) {
    let (label, rest) = sentence.split_once(':').unwrap_or((sentence, ""));
    prose(&format!("{}:{rest}", style.label(label, meaning)), "", out);
}

/// Its containers and doubts, where connections were opened, and what to do; each advice is given once.
fn explain<'r>(
    report: &Report,
    finding: &'r FindingReport,
    layout: Layout,
    advised: &mut HashSet<&'r str>,
    out: &mut String,
) {
    containers::sentence(finding, quote).into_iter().for_each(|sentence| prose(&sentence, "  ", out));
    for doubt in &finding.uncertain {
        prose(&format!("Uncertain: {doubt}."), "  ", out);
    }
    let (places, rest) = stacks::places(&report.stacks, finding, layout.depth());
    for (place, functions) in places {
        prose(&place, "  ", out);
        out.push_str(&functions);
    }
    rest.into_iter().for_each(|sentence| prose(&sentence, "  ", out));
    if advised.insert(&finding.advice) {
        prose(&finding.advice, "  ", out);
    }
}

/// Text in lines of 80 columns: longer ones are hard to read.
pub fn prose(text: &str, indent: &str, out: &mut String) {
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
