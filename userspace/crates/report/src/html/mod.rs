//! The report as a page: one file with pictures, which needs no script, no network and no second file.
//!
//! The pictures and cards are the service's page's too: what is drawn is given as plain figures.

mod axis;
pub mod findings;
pub mod histogram;
pub mod lanes;
mod lifetimes;
pub mod parts;
pub mod plot;
mod slots;
pub mod stack;

use std::collections::HashMap;

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
    words::{all_is_well, headline, more_of_same, remarks, younger},
};
use lanes::{LANES, Lane, Lanes};
use parts::{Text, code};
use plot::Ticks;

/// Connections that are listed for a socket.
const OPEN: usize = 50;
/// Nothing is loaded, nothing runs: not even if a name slipped through.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
/// What reports and the service's page look like.
pub const STYLE: &str = include_str!("style.css");

/// Renders a document.
pub(super) fn render(sections: &[Section]) -> String {
    let title = match sections {
        [section] => format!("sockleak report: {}", section.host),
        _ => format!("sockleak report: {} recordings", sections.len()),
    };
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (Text(&title)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (parts::patterns())
                main {
                    @if sections.len() > 1 {
                        h1 { (Text(&title)) }
                        (text::summary(sections).html("Recordings"))
                    }
                    @for (nth, section) in sections.iter().enumerate() {
                        (self::section(section, nth, sections.len() == 1))
                    }
                }
                footer {
                    "sockleak " (env!("CARGO_PKG_VERSION")) ". Nothing on this page is loaded from elsewhere."
                }
            }
        }
    };
    document.into_string() + "\n"
}

fn section(section: &Section, nth: usize, is_only: bool) -> Markup {
    let Section { host, file, report, clock, .. } = section;
    let parts = Parts::of(section);
    html! {
        section class="report" {
            header {
                @if is_only { h1 { (Text(host)) } } @else { h2 { (Text(host)) } }
                p class="where" { (code(file)) " · " (window(report, clock)) }
                // Names are escaped as they are put into it.
                p { (PreEscaped(headline(report, |name| code(name).into_string()))) "." }
            }
            @if !report.complete { (incomplete(&report.incomplete_because)) }
            (findings(report))
            @if report.programs.is_empty() {
                (parts::nothing(&format!("No {} connected, or tried to.", report.by.noun())))
            }
            h2 class="unseen" { "Sockets" }
            @for (index, path) in tables::by_severity(report).into_iter().enumerate() {
                (socket(section, &parts, path, &format!("r{nth}s{index}")))
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
fn findings(report: &Report) -> Markup {
    let told = report.findings.iter().filter(|it| it.verdict != Verdict::Healthy);
    html! {
        section class="findings" {
            h2 class="unseen" { "Findings" }
            @if let Some(sentence) = all_is_well(report) { (healthy(&sentence)) }
            @for finding in told {
                (findings::card(finding, &report.stacks, report.leak_age_ns, true, &|it| html! { (Text(&it.shown)) }))
            }
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
        Self {
            figures: tables::figures(report),
            findings: tables::by_path(&report.findings, |it| &it.path),
            pictures: tables::by_path(pictures, |it| &it.path),
        }
    }
}

/// What is known of a socket. `id` is unique on the page.
fn socket(section: &Section, parts: &Parts<'_>, path: &str, id: &str) -> Markup {
    let report = &section.report;
    let findings = parts.findings.get(path).into_iter().flatten();
    let leaks = findings.filter(|it| it.verdict == Verdict::ClientLeak);
    let leaking: Vec<&str> = leaks.map(|it| it.program.as_str()).collect();
    let pictures = parts.pictures.get(path).into_iter().flatten().enumerate();
    let (open, hidden) = tables::open_on(report, path, OPEN);
    let figures = tables::programs(report, parts.figures.get(path).map_or(&[], Vec::as_slice), None, false);
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
            (open_lanes(report, path, &format!("{id}lanes")))
            @if !open.rows.is_empty() {
                h4 { "Not closed" }
                (open.html("Connections that are not closed"))
            }
            @if let Some(sentence) = more_of_same(hidden) { p class="remark" { (sentence) } }
            @if !figures.rows.is_empty() {
                h4 { "Figures" }
                (figures.html("What each did"))
            }
        }
    }
}

/// The oldest of the open connections.
fn open_lanes(report: &Report, path: &str, id: &str) -> Markup {
    let open = report.open.count_on(path);
    if open == 0 && report.younger_not_shown > 0 {
        return parts::nothing("No open connection is as old as was asked for.");
    }
    if open == 0 {
        return parts::nothing("Nothing is open: all connections are released at both ends.");
    }
    let shown: Vec<Lane<'_>> = report.open.on(path).take(LANES).map(|open| Lane::from(&open)).collect();
    let lanes = Lanes {
        connections: &shown,
        length: (report.seconds * 1e9) as u64,
        ticks: Ticks::Since,
        leak_age: Some(report.leak_age_ns),
        more: more_of_same(open - shown.len()),
    };
    lanes.draw(id)
}
