//! The report as text.

use std::{collections::HashSet, fmt::Write as _};

use sockleak_core::{
    assess::{Report, findings::FindingReport},
    text::{count::counted, escape::terminal},
    verdict::Verdict,
};

use super::{
    containers,
    grid::{Cell, Grid, Kind},
    section::Section,
    stacks,
    style::{Meaning, Style},
    tables,
    words::{all_is_well, claim, filtered, headline, missing, more, needs, origin, remarks, younger},
};

/// Columns of text that is not for a terminal, or for a narrow one.
pub const WIDTH: usize = 80;

/// How much is shown, and in how many columns.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Columns, where that can be.
    pub width: usize,
    /// Everything is listed. Otherwise the report is at most 60 lines long, and says what it leaves out. Only the stacks of the
    /// first finding, and much that is missing, may add to that.
    pub is_whole: bool,
    /// Whether text has colours. The other forms have none.
    pub style: Style,
}

impl Layout {
    /// At most so many of a list.
    pub(super) const fn most(self, few: usize) -> usize {
        if self.is_whole { usize::MAX } else { few }
    }

    /// Columns of sentences.
    fn prose(self) -> usize {
        self.width.min(WIDTH)
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
/// Lines of a report.
const LINES: usize = 60;
/// Lines of a table, with its heading: where a row takes several, or sentences many, there are fewer rows. At most, and at
/// least.
const TABLE_LINES: [usize; 2] = [13, 6];
/// Lines beside two tables: an empty one and a title before each, and what it leaves out after it.
const BESIDE_TABLES: usize = 6;
/// From so many columns on, the figures name processes.
const WIDE: usize = 110;

/// Renders a report: where and when, what was found, and then the figures.
#[must_use]
pub fn render(section: &Section<'_>, layout: Layout) -> String {
    let report = &section.report;
    let columns = layout.prose();
    let mut out = String::new();
    // Scripts look for these two: they are a line each, unless the terminal is narrow.
    let head = if layout.width < WIDTH { columns } else { usize::MAX };
    wrapped(&origin(section, quote), "", head, &mut out);
    wrapped(&headline(report, quote), "", head, &mut out);
    if let Some(sentence) = filtered(report) {
        labelled(&terminal(&sentence), Meaning::Warning, layout, &mut out);
    }
    out.push('\n');
    findings(report, layout, &mut out);
    for sentence in missing(report) {
        labelled(&terminal(&sentence), Meaning::Warning, layout, &mut out);
    }
    if report.programs.is_empty() && report.filtered.is_none() {
        let _ = writeln!(out, "\nNo {} connected, or tried to.", report.by.noun());
    }
    let end = ending(report, columns);
    let used = out.lines().count() + end.lines().count();
    figures(report, layout, LINES.saturating_sub(used), &mut out);
    out + &end
}

/// What a reader has to know about the figures.
fn ending(report: &Report, columns: usize) -> String {
    let mut out = String::new();
    if let Some(sentence) = younger(report) {
        out.push('\n');
        wrapped(&sentence, "", columns, &mut out);
    }
    let remarks = remarks(report);
    if !remarks.is_empty() {
        out.push('\n');
    }
    for sentence in remarks {
        wrapped(&terminal(&sentence), "", columns, &mut out);
    }
    out
}

/// What each program did, and what is open, in so many lines.
fn figures(report: &Report, layout: Layout, lines: usize, out: &mut String) {
    let Layout { width, .. } = layout;
    let [few_rows, few_open] = ROWS;
    let [most, least] = TABLE_LINES;
    let lines = (lines.saturating_sub(BESIDE_TABLES) / 2).clamp(least, most);
    let columns = layout.prose();
    let (groups, rows) = (tables::groups(report), tables::ranked(report));
    let shown = &rows[..rows.len().min(layout.most(few_rows))];
    if !rows.is_empty() {
        let one_socket = rows.iter().all(|row| row.path == rows[0].path);
        let heading = if one_socket { terminal(&rows[0].path) } else { "All sockets".into() };
        let table = tables::programs(report, shown, Some(&groups), width >= WIDE);
        let (table, fit) = fitting(table, layout, lines);
        let _ = write!(out, "\n{heading}\n{table}");
        more(rows.len() - fit, "row").into_iter().for_each(|it| wrapped(&it, "", columns, out));
    }
    if report.open.is_empty() {
        return;
    }
    let paths: HashSet<&str> = groups.keys().map(|(path, _)| *path).collect();
    let table =
        tables::open(report.open.iter(), groups.len(), layout.most(few_open), paths.len() > 1, width >= WIDE);
    let (table, fit) = fitting(table, layout, lines);
    let hidden = report.open.len() - fit;
    let which = match (paths.iter().next(), paths.len(), tables::paths(report).len()) {
        // Of several sockets, one has open connections.
        (Some(path), 1, 2..) => format!(" on {}", terminal(path)),
        _ => String::new(),
    };
    let _ = write!(out, "\nNot closed{which}\n{table}");
    more(hidden, "connection").into_iter().for_each(|it| wrapped(&it, "", columns, out));
}

/// The first rows of a table, as many as fit into so many lines; and how many these are.
fn fitting(mut table: Grid, layout: Layout, lines: usize) -> (String, usize) {
    loop {
        let text = table.text(layout.width);
        if layout.is_whole || table.rows.len() < 2 || text.lines().count() <= lines {
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
    let (mut needed, mut advised) = (HashSet::new(), HashSet::new());
    let (mut told, mut used) = (0, 0);
    for finding in accusing.iter().take(whole) {
        let (mut text, mut needs_too, mut given) = (String::new(), needed.clone(), advised.clone());
        state(report, finding, layout, &mut text);
        needs(finding, report.leak_age_ns)
            .filter(|it| needs_too.insert(it.clone()))
            .into_iter()
            .for_each(|it| wrapped(&it, "  ", layout.prose(), &mut text));
        explain(report, finding, layout, &mut given, &mut text);
        // The first is told whatever it takes.
        let taken = if told == 0 { 0 } else { text.lines().count() };
        if used + taken > room {
            break;
        }
        (needed, advised, used, told) = (needs_too, given, used + taken, told + 1);
        out.push_str(&text);
    }
    let rest: Vec<_> = accusing.iter().skip(told).chain(&calm).collect();
    let mut stated = 0;
    for finding in rest.iter().take(lines) {
        let mut text = String::new();
        state(report, finding, layout, &mut text);
        if let Some((doubt, more)) = finding.uncertain.split_first()
            && !tables::is_calm(finding.verdict)
        {
            let more = match more.len() {
                0 => String::new(),
                more => format!(" ({} with --all)", counted(more as u64, "more reason")),
            };
            wrapped(&format!("Uncertain: {doubt}{more}."), "  ", layout.prose(), &mut text);
        }
        used += text.lines().count();
        if stated >= AT_LEAST && used > room_for_all {
            break;
        }
        stated += 1;
        out.push_str(&text);
    }
    more(rest.len() - stated, "finding").into_iter().for_each(|it| wrapped(&it, "", layout.prose(), out));
    if let Some(sentence) = all_is_well(report) {
        labelled(&sentence, Meaning::Well, layout, out);
    }
}

fn state(report: &Report, finding: &FindingReport, layout: Layout, out: &mut String) {
    let verdict = finding.verdict.name().to_uppercase();
    let said = format!("{verdict}: {}", claim(finding, report.leak_age_ns, quote));
    labelled(&said, Meaning::of(finding.verdict), layout, out);
}

/// A sentence that begins with a label and a colon.
fn labelled(sentence: &str, meaning: Meaning, layout: Layout, out: &mut String) {
    let (label, rest) = sentence.split_once(':').unwrap_or((sentence, ""));
    wrapped(&format!("{}:{rest}", layout.style.label(label, meaning)), "", layout.prose(), out);
}

/// Its containers and doubts, where connections were opened, and what to do; each advice is given once.
fn explain<'r>(
    report: &Report,
    finding: &'r FindingReport,
    layout: Layout,
    advised: &mut HashSet<&'r str>,
    out: &mut String,
) {
    let say = |sentence: &str, out: &mut String| wrapped(sentence, "  ", layout.prose(), out);
    containers::sentence(finding, quote).into_iter().for_each(|sentence| say(&sentence, out));
    for doubt in &finding.uncertain {
        say(&format!("Uncertain: {doubt}."), out);
    }
    let (places, rest) = stacks::places(&report.stacks, finding, layout.depth());
    for (place, functions) in places {
        say(&place, out);
        out.push_str(&functions);
    }
    rest.into_iter().for_each(|sentence| say(&sentence, out));
    if advised.insert(&finding.advice) {
        say(&finding.advice, out);
    }
}

/// Text in lines of 80 columns: longer ones are hard to read.
pub fn prose(text: &str, indent: &str, out: &mut String) {
    wrapped(text, indent, WIDTH, out);
}

/// Text in lines of so many columns.
fn wrapped(text: &str, indent: &str, columns: usize, out: &mut String) {
    let options = textwrap::Options::new(columns)
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
