//! The report as a page: one file with pictures, which needs no script, no network and no second file.

mod axis;
mod findings;
mod lanes;
mod lifetimes;
mod parts;
mod plot;
mod slots;

use std::fmt::Write as _;

use super::{
    Report,
    document::Section,
    escape::html,
    tables, text,
    words::{headline, more, remarks, younger},
};
use crate::{clock::Clock, verdict::Verdict};
use parts::code;

/// Nothing is loaded, nothing runs: not even if a name slipped through.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
const STYLE: &str = include_str!("style.css");
/// Patterns that the pictures refer to.
const PATTERNS: &str = "<svg class=\"patterns\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>\
    <pattern id=\"hatch\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
    <rect class=\"hatch-back\" width=\"7\" height=\"7\"/><rect class=\"hatch-line\" width=\"3\" height=\"7\"/>\
    </pattern></defs></svg>";

/// Renders a document.
pub(super) fn render(sections: &[Section]) -> String {
    let title = match sections {
        [section] => format!("sockleak report: {}", section.host),
        _ => format!("sockleak report: {} recordings", sections.len()),
    };
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n{PATTERNS}\n<main>\n",
        html(&title)
    );
    if sections.len() > 1 {
        let _ = writeln!(out, "<h1>{}</h1>\n{}", html(&title), text::summary(sections).html());
    }
    for (nth, section) in sections.iter().enumerate() {
        self::section(section, nth, sections.len() == 1, &mut out);
    }
    let _ = writeln!(
        out,
        "</main>\n<footer>sockleak {}. Nothing on this page is loaded from elsewhere.</footer>\n</body>\n</html>",
        env!("CARGO_PKG_VERSION")
    );
    out
}

fn section(section: &Section, nth: usize, is_only: bool, out: &mut String) {
    let Section { host, file, report, clock, .. } = section;
    let level = if is_only { "h1" } else { "h2" };
    let _ = writeln!(
        out,
        "<section class=\"report\">\n<header>\n<{level}>{}</{level}>\n<p class=\"where\">{} · {}</p>\n<p>{}.</p>\n</header>",
        html(host),
        code(file),
        html(&window(report, clock)),
        headline(report, code)
    );
    if !report.complete {
        let _ = writeln!(
            out,
            "<p class=\"banner incomplete\"><strong>◐ Incomplete</strong> {}</p>",
            html(&missing(report))
        );
    }
    out.push_str(&findings::findings(report));
    if report.programs.is_empty() {
        let sentence = format!("No {} connected, or tried to.", report.by.noun());
        let _ = writeln!(out, "{}", parts::nothing(&sentence));
    }
    for (index, path) in tables::by_severity(report).into_iter().enumerate() {
        socket(section, path, &format!("r{nth}s{index}"), out);
    }
    for sentence in younger(report).into_iter().chain(remarks(report)) {
        let _ = writeln!(out, "<p class=\"remark\">{}</p>", html(&sentence));
    }
    out.push_str("</section>\n");
}

/// From when to when was observed.
fn window(report: &Report, clock: &Clock) -> String {
    let started = report.now.saturating_sub((report.seconds * 1e9) as u64);
    let shown = |at| clock.timestamp(at).strftime("%Y-%m-%d %H:%M:%S").to_string();
    format!("{} to {} UTC", shown(started), shown(report.now))
}

fn missing(report: &Report) -> String {
    report.incomplete_because.iter().map(|sentence| format!("{sentence}.")).collect::<Vec<_>>().join(" ")
}

/// What is known of a socket. `id` is unique on the page.
fn socket(section: &Section, path: &str, id: &str, out: &mut String) {
    let report = &section.report;
    let _ = writeln!(out, "<section class=\"socket\">\n<h3>{}</h3>", code(path));
    let leaking: Vec<&str> = report
        .findings
        .iter()
        .filter(|it| it.path == path && it.verdict == Verdict::ClientLeak)
        .map(|it| it.program.as_str())
        .collect();
    let length = (report.seconds * 1e9) as u64;
    for (nth, picture) in section.pictures.iter().filter(|it| it.path == path).enumerate() {
        let _ = writeln!(
            out,
            "<h4>Slots in use</h4>\n{}\n<h4>Lifetimes</h4>\n{}",
            slots::slots(picture, &format!("{id}p{nth}slots"), &leaking),
            lifetimes::lifetimes(picture, report.leak_age_ns, &format!("{id}p{nth}lives"))
        );
    }
    let _ = writeln!(
        out,
        "<h4>Open connections</h4>\n{}",
        lanes::lanes(report, path, length, &format!("{id}lanes"))
    );
    let (table, hidden) = tables::open(report.open.on(path));
    if !table.rows.is_empty() {
        let _ = writeln!(out, "<h4>Not closed</h4>\n{}", table.html());
    }
    if let Some(sentence) = more(hidden) {
        let _ = writeln!(out, "<p class=\"remark\">{}</p>", html(&sentence));
    }
    let figures = tables::programs(report, path);
    if !figures.rows.is_empty() {
        let _ = writeln!(out, "<h4>Figures</h4>\n{}", figures.html());
    }
    out.push_str("</section>\n");
}
