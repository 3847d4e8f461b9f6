//! The report as a page: one file with pictures, which needs no script, no network and no second file.
//!
//! The pictures and cards are the service's page's too: what is drawn is given as plain figures.

mod axis;
mod bounds;
pub mod findings;
pub mod histogram;
pub mod lanes;
mod lifetimes;
pub mod parts;
pub mod plot;
mod slots;
pub mod stack;

use std::collections::{HashMap, HashSet};

use maud::{DOCTYPE, Markup, PreEscaped, html};
use sockleak_core::{
    assess::{Program, Report, findings::FindingReport},
    time::Clock,
    verdict::Verdict,
};

use super::{
    pictures::Picture,
    section::Section,
    tables, text,
    words::{all_is_well, filtered, headline, part, remarks, younger},
};
use bounds::Bounds;
use lanes::{Lane, Lanes};
use parts::{Text, code};
use plot::Ticks;

/// Nothing is loaded, nothing runs: not even if a name slipped through.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
/// What reports and the service's page look like.
pub const STYLE: &str = include_str!("style.css");

/// Renders a document.
pub(super) fn render(sections: &[Section], is_whole: bool) -> String {
    let title = match sections {
        [section] => format!("sockleak report: {}", section.host),
        _ => format!("sockleak report: {} recordings", sections.len()),
    };
    page(
        &title,
        &html! {
            @if sections.len() > 1 {
                h1 { (Text(&title)) }
                (text::summary(sections).html("Recordings"))
            }
            @for (nth, section) in sections.iter().enumerate() {
                (self::section(section, nth, (sections.len() == 1, is_whole)))
            }
        },
    )
}

/// A page that loads nothing, around its content.
pub(crate) fn page(title: &str, content: &Markup) -> String {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (Text(title)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (parts::patterns())
                main { (content) }
                footer {
                    "sockleak " (env!("CARGO_PKG_VERSION")) ". Nothing on this page is loaded from elsewhere."
                }
            }
        }
    };
    document.into_string() + "\n"
}

fn section(section: &Section, nth: usize, (is_only, is_whole): (bool, bool)) -> Markup {
    let Section { host, file, report, clock, .. } = section;
    let (parts, paths) = (Parts::of(section), tables::by_severity(report));
    let bounds = Bounds::new(is_whole, paths.len());
    html! {
        section class="report" {
            header {
                @if is_only { h1 { (Text(host)) } } @else { h2 { (Text(host)) } }
                p class="where" { (code(file)) " · " (window(report, clock)) (part(report)) }
                // Names are escaped as they are put into it.
                p { (PreEscaped(headline(report, |name| code(name).into_string()))) "." }
            }
            @if let Some(sentence) = filtered(report) { p class="remark" { (Text(&sentence)) " Pictures show everything." } }
            @if !report.complete { (incomplete(&report.incomplete_because)) }
            (findings(report, bounds))
            @if report.programs.is_empty() && report.filtered.is_none() {
                (parts::nothing(&format!("No {} connected, or tried to.", report.by.noun())))
            }
            h2 class="unseen" { "Sockets" }
            @for (index, path) in paths.iter().take(bounds.sockets).enumerate() {
                (socket(section, &parts, (path, &format!("r{nth}s{index}")), bounds))
            }
            @if let Some(sentence) = bounds.rest(paths.len().saturating_sub(bounds.sockets), "socket") {
                p class="remark" { (sentence) }
            }
            @for sentence in younger(report).into_iter().chain(remarks(report)) {
                p class="remark" { (Text(&sentence)) }
            }
        }
    }
}

/// From when to when was observed.
fn window(report: &Report, clock: &Clock) -> String {
    let started = report.now.saturating_sub((report.seconds * 1e9) as u64);
    let shown = |at| clock.timestamp(at).strftime("%Y-%m-%d %H:%M:%S").to_string();
    format!("{} to {} UTC", shown(started), shown(report.now))
}

/// That something is missing, and what.
pub fn incomplete(because: &[String]) -> Markup {
    html! {
        p class="banner incomplete" {
            strong { "◐ Incomplete" }
            @for sentence in because { " " (Text(sentence)) "." }
        }
    }
}

/// Cards, the most severe first.
fn findings(report: &Report, bounds: Bounds) -> Markup {
    let told: Vec<_> = report.findings.iter().filter(|it| it.verdict != Verdict::Healthy).collect();
    let hidden = told.len().saturating_sub(bounds.findings);
    let shape =
        findings::Shape { with_stacks: true, figure: &|it| html! { (Text(&it.shown)) }, links: Vec::new() };
    html! {
        section class="findings" {
            h2 class="unseen" { "Findings" }
            @if let Some(sentence) = all_is_well(report) { (healthy(&sentence)) }
            @for finding in told.iter().take(bounds.findings) {
                (findings::card(finding, &report.stacks, report.leak_age_ns, &shape))
            }
            @if let Some(sentence) = bounds.rest(hidden, "finding") { p class="remark" { (sentence) } }
        }
    }
}

/// That all is well, in a sentence.
pub fn healthy(sentence: &str) -> Markup {
    html! {
        p class="banner healthy" { strong { "✓ Healthy" } " " (sentence.trim_start_matches("HEALTHY: ")) }
    }
}

/// What a section says of its sockets, by their paths.
struct Parts<'a> {
    figures: HashMap<&'a str, Vec<&'a Program>>,
    findings: HashMap<&'a str, Vec<&'a FindingReport>>,
    pictures: HashMap<&'a str, Vec<&'a Picture>>,
}

impl<'a> Parts<'a> {
    fn of(section: &'a Section) -> Self {
        let Section { report, pictures, .. } = section;
        let mut figures: HashMap<&'a str, Vec<&'a Program>> = HashMap::new();
        for program in tables::ranked(report) {
            figures.entry(&program.path).or_default().push(program);
        }
        Self {
            figures,
            findings: tables::by_path(&report.findings, |it| &it.path),
            pictures: tables::by_path(pictures, |it| &it.path),
        }
    }
}

/// What is known of a socket. `id` is unique on the page.
fn socket(section: &Section, parts: &Parts<'_>, (path, id): (&str, &str), bounds: Bounds) -> Markup {
    let report = &section.report;
    let findings = parts.findings.get(path).into_iter().flatten();
    let leaks = findings.filter(|it| it.verdict == Verdict::ClientLeak);
    let leaking: Vec<&str> = leaks.map(|it| it.program.as_str()).collect();
    let pictures = parts.pictures.get(path).into_iter().flatten().enumerate();
    let (open, hidden) = tables::open_on(report, path, bounds.rows);
    let programs = parts.figures.get(path).map_or(&[][..], Vec::as_slice);
    let shown = programs.get(..bounds.rows).unwrap_or(programs);
    let figures = tables::programs(report, shown, None, false);
    html! {
        section class="socket" {
            h3 { (code(path)) }
            @for (nth, picture) in pictures {
                h4 { "Slots in use" }
                (slots::slots(picture, &format!("{id}p{nth}slots"), &leaking))
                h4 { "Lifetimes" }
                (lifetimes::lifetimes(picture, report.leak_age_ns, &format!("{id}p{nth}lives")))
            }
            h4 { "Open connections" }
            (open_lanes(report, path, &format!("{id}lanes"), bounds))
            @if !open.rows.is_empty() {
                h4 { "Not closed" }
                (open.html("Connections that are not closed"))
            }
            @if let Some(sentence) = bounds.rest(hidden, "connection") { p class="remark" { (sentence) } }
            @if !figures.rows.is_empty() {
                h4 { "Figures" }
                (figures.html("What each did"))
            }
            @if let Some(sentence) = bounds.rest(programs.len() - shown.len(), "row") { p class="remark" { (sentence) } }
        }
    }
}

/// Open connections: the oldest of each program.
fn open_lanes(report: &Report, path: &str, id: &str, bounds: Bounds) -> Markup {
    let open = report.open.count_on(path);
    if open == 0 && report.younger_not_shown > 0 {
        return parts::nothing("No open connection is as old as was asked for.");
    }
    if open == 0 {
        return parts::nothing("Nothing is open: all connections are released at both ends.");
    }
    let groups: HashSet<&str> = report.open.on(path).map(|open| open.group).collect();
    let most = bounds.lanes;
    let shown = tables::shared(report.open.on(path), groups.len(), most).map(|open| Lane::from(&open));
    let shown: Vec<Lane<'_>> = shown.collect();
    let lanes = Lanes {
        connections: &shown,
        length: (report.seconds * 1e9) as u64,
        ticks: Ticks::Since,
        leak_age: Some(report.leak_age_ns),
        more: bounds.rest(open - shown.len(), "connection"),
    };
    lanes.draw(id)
}
