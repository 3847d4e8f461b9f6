//! The report as text.

use std::{collections::BTreeMap, fmt::Write as _};

use comfy_table::{CellAlignment, Table, presets};

use super::words::statement;
use super::{EndReport, Open, Program, Report, escape::terminal, findings::FindingReport, stacks};
use crate::{attribution::by::By, clock::human, verdict::Verdict};

/// Lists at most this many open connections of a program; the rest is counted.
const SHOWN: usize = 20;

/// Renders a report.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    let opened: u64 = report.programs.iter().map(|program| program.opened).sum();
    let before: u64 = report.programs.iter().map(|program| program.before_trace).sum();
    let before = if before > 0 { format!(" and {before} there before") } else { String::new() };
    let targets = report.targets.iter().map(|target| terminal(target)).collect::<Vec<_>>().join(" ");
    let _ = writeln!(
        out,
        "{:.1} s on {targets}: {} opened{before}, {} of them not closed at both ends",
        report.seconds,
        connections_in_words(opened),
        report.not_closed()
    );
    if report.programs.is_empty() {
        out.push_str("\nNo program connected, or tried to.\n");
    }
    let mut paths: Vec<&str> = Vec::new();
    for program in &report.programs {
        if !paths.contains(&program.path.as_str()) {
            paths.push(&program.path);
        }
    }
    for path in paths {
        let rows = report.programs.iter().filter(|program| program.path == path);
        let _ = write!(out, "\n{}\n{}", terminal(path), lines(&programs(report.by, rows)));
    }
    if !report.open.is_empty() {
        let _ = write!(out, "\nNot closed\n{}", lines(&connections(&report.open)));
    }
    if report.younger_not_shown > 0 {
        let hidden = report.younger_not_shown;
        let ones = if hidden == 1 { "one is" } else { "ones are" };
        let _ = writeln!(out, "\n{hidden} younger {ones} not shown.");
    }
    out.push('\n');
    findings(report, &mut out);
    if report.open.iter().any(|open| open.before_trace) {
        out.push_str(
            "Connections from before the trace are older than shown here: their start was not seen.\n",
        );
    }
    if report.skipped_runs > 0 {
        let skipped = report.skipped_runs;
        let _ = writeln!(
            out,
            "At most {skipped} failed attempts may be missing: the kernel skipped that many runs."
        );
    }
    if report.unseen_releases > 0 {
        let unseen = report.unseen_releases;
        let ends = if unseen == 1 { "end is" } else { "ends are" };
        let _ = writeln!(out, "{unseen} {ends} released, but it was not seen when and by whom.");
    }
    for sentence in &report.incomplete_because {
        let _ = writeln!(out, "INCOMPLETE: {sentence}.");
    }
    out
}

/// A table without the blanks that fill its last column.
pub(super) fn lines(table: &Table) -> String {
    table.lines().fold(String::new(), |mut text, line| {
        text.push_str(line.trim_end());
        text.push('\n');
        text
    })
}

fn programs<'a>(by: By, rows: impl Iterator<Item = &'a Program> + Clone) -> Table {
    let with_before = rows.clone().any(|row| row.before_trace > 0);
    let mut headings = vec![by.heading(), "OPENED"];
    headings.extend(with_before.then_some("BEFORE"));
    headings.extend(["CLOSED", "CLIENT END OPEN", "SERVER END OPEN", "OLDEST", "FAILED"]);
    let mut table = table(&headings);
    for row in rows {
        let failed = row.failed.iter().map(|(error, count)| format!("{error} {count}")).collect::<Vec<_>>();
        let mut cells = vec![terminal(&row.program).into_owned(), row.opened.to_string()];
        cells.extend(with_before.then(|| row.before_trace.to_string()));
        cells.extend([
            row.closed.to_string(),
            row.open_client.to_string(),
            row.open_server.to_string(),
            row.oldest_ns.map_or_else(|| "-".to_owned(), human),
            if failed.is_empty() { "-".to_owned() } else { failed.join(", ") },
        ]);
        table.add_row(cells);
    }
    for column in 1..headings.len() - 1 {
        align_right(&mut table, column);
    }
    table
}

fn connections(open: &[Open]) -> Table {
    let mut table = table(&["AGE", "PID", "PROGRAM", "STATE", "CLIENT END", "SERVER END"]);
    let mut shown: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut hidden = 0;
    for connection in open {
        let count = shown.entry((&connection.path, &connection.group)).or_default();
        *count += 1;
        if *count > SHOWN {
            hidden += 1;
            continue;
        }
        let server = connection.server.as_ref();
        let accepted = match (server, connection.server_inode) {
            (Some(party), _) => format!("accepted by {} {}", party.program, party.pid),
            (None, Some(_)) => "accepted".to_owned(),
            (None, None) => "not accepted".to_owned(),
        };
        let opener = &connection.opener;
        table.add_row([
            if connection.before_trace {
                format!("> {}", human(connection.age_ns))
            } else {
                human(connection.age_ns)
            },
            opener.pid.to_string(),
            terminal(&command(opener.argv.as_deref(), &opener.program)).into_owned(),
            connection.state.name().to_owned(),
            end(
                &connection.client_end,
                Some(opener.pid),
                &format!("socket:[{}]", connection.client_inode.unwrap_or(0)),
            ),
            end(&connection.server_end, server.map(|party| party.pid), &terminal(&accepted)),
        ]);
    }
    align_right(&mut table, 0);
    align_right(&mut table, 1);
    if hidden > 0 {
        table.add_row(["…".to_owned(), String::new(), format!("and {hidden} more, younger ones of theirs")]);
    }
    table
}

/// The program with its arguments, cut to a line.
fn command(argv: Option<&[String]>, program: &str) -> String {
    const WIDTH: usize = 48;
    let arguments = argv.and_then(|argv| argv.get(1..)).unwrap_or_default().join(" ");
    let text = if arguments.is_empty() { program.to_owned() } else { format!("{program} {arguments}") };
    if text.chars().count() <= WIDTH {
        return text;
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}

/// An end in a cell. `owner` opened or accepted it; if others hold it now, they are named.
fn end(end: &EndReport, owner: Option<u32>, detail: &str) -> String {
    if let (Some(reason), Some(ago)) = (end.reason, end.released_ns_ago) {
        return format!("{reason} {} ago", human(ago));
    }
    let holders = end.held_by.as_deref().unwrap_or_default();
    let is_owners = holders.iter().any(|holder| Some(holder.party.pid) == owner);
    match (end.state, holders) {
        ("unknown", _) => "not followed".to_owned(),
        ("released", _) => "released, not seen when".to_owned(),
        (_, [first, rest @ ..]) if !is_owners && owner.is_some() => {
            let others = rest.iter().filter(|holder| holder.party.pid != first.party.pid).count();
            let others = if others > 0 { format!(" and {others} more") } else { String::new() };
            format!("open (held by {} {}{others})", terminal(&first.party.program), first.party.pid)
        }
        _ => format!("open ({detail})"),
    }
}

/// What was found, with its doubts and what to do about it.
fn findings(report: &Report, out: &mut String) {
    let told = report.findings.iter().filter(|finding| finding.verdict != Verdict::Healthy);
    let mut none = true;
    for finding in told {
        none = false;
        let verdict = finding.verdict.name().to_uppercase();
        prose(&format!("{verdict}: {}", statement(finding, report.leak_age_ns)), "", out);
        for doubt in &finding.uncertain {
            prose(&format!("Uncertain: {doubt}."), "  ", out);
        }
        opened_at(report, finding, out);
        prose(&finding.advice, "  ", out);
    }
    if none {
        let age = human(report.leak_age_ns);
        let _ = writeln!(out, "HEALTHY: no end has been kept for {age} or longer, and nobody was starved.");
    }
}

/// Where in its program the connections of a finding were opened.
fn opened_at(report: &Report, finding: &FindingReport, out: &mut String) {
    /// The places with the most connections.
    const SHOWN: usize = 3;
    for place in finding.opened_at.iter().take(SHOWN) {
        let Some(stack) = report.stacks.iter().find(|stack| stack.id == place.stack) else { continue };
        let site = stacks::site(&stack.frames).map_or_else(String::new, |site| format!(" in {site}"));
        let _ = writeln!(out, "  Opened {}{site}:", times(place.count));
        stacks::lines(&stack.frames, out);
    }
    if let Some(rest) = finding.opened_at.get(SHOWN..).filter(|rest| !rest.is_empty()) {
        let count: u64 = rest.iter().map(|place| place.count).sum();
        let _ = writeln!(out, "  And {} at {} other places.", times(count), rest.len());
    }
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// Text in lines of 80 columns.
fn prose(text: &str, indent: &str, out: &mut String) {
    const WIDTH: usize = 80;
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

fn connections_in_words(count: u64) -> String {
    format!("{count} connection{}", if count == 1 { "" } else { "s" })
}

pub(super) fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(headings);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

pub(super) fn align_right(table: &mut Table, column: usize) {
    if let Some(column) = table.column_mut(column) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

#[cfg(test)]
mod tests;
