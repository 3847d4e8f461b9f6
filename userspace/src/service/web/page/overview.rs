//! All sockets: which one fills, who fills it, and since when.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use maud::{Markup, html};
use sockleak_report::{
    elide,
    html::{
        findings::{Shape, card, severity},
        healthy,
        parts::{self, Text, scroll},
    },
};

use super::{
    cells::{dash, moment, name, number, queue, slots, socket_address, some_duration, until_full},
    layout::{self, Frame},
    links::links,
    pages,
    tables::finding_figure,
};
use crate::service::model::{FindingReport, HookStatus, Snapshot, SocketSnapshot, Verdict};

/// Sockets of a page.
const ROWS: usize = 50;
/// Findings that are told here; each socket's page has all of its own.
const FINDINGS: usize = 12;

/// The page.
pub(super) fn page(snapshot: &Snapshot, offset: usize, frame: &Frame<'_>) -> Markup {
    let rows = rows(snapshot);
    let shown: Vec<&Row<'_>> = rows.iter().skip(offset).take(ROWS).collect();
    let told: Vec<_> = told(snapshot).collect();
    let main = html! {
        div data-source="/api/v1/snapshot" data-now=(snapshot.at_ms) {
            h1 { "Sockets on " (Text(&snapshot.host)) }
            p class="where" {
                (moment("/at_ms", snapshot.at_ms)) " · counted since " (moment("/started_ms", snapshot.started_ms))
                " · Linux " code { (Text(&snapshot.kernel)) }
            }
            (layout::doubts(snapshot))
            @if rows.is_empty() {
                (parts::nothing("No socket that was asked for is there, or was tried."))
            } @else {
                (table(&shown))
                (pages(rows.len(), offset, ROWS, "sockets", &|offset| format!("/?offset={offset}")))
            }
            section class="findings" aria-live="polite" aria-labelledby="findings" {
                h2 id="findings" { "Findings" }
                @if told.is_empty() { (well(snapshot)) }
                div class="cards" {
                    @for (index, finding) in told.iter().take(FINDINGS) {
                        (card(finding, &snapshot.stacks, snapshot.leak_age_ns, &Shape {
                            with_stacks: false,
                            figure: &|it| finding_figure(*index, finding, it),
                            links: links(finding, None),
                        }))
                    }
                }
                @if told.len() > FINDINGS {
                    p { "… and " (told.len() - FINDINGS) " more: each socket's page has its own." }
                }
            }
            (tracing(snapshot))
        }
    };
    layout::document(&format!("{} · sockleak", snapshot.host), frame, &main)
}

/// A socket, where it is in the answer, and its worst finding with as much of its program's path as tells it from others.
struct Row<'a> {
    index: usize,
    socket: &'a SocketSnapshot,
    worst: Option<(&'a FindingReport, &'a str)>,
    /// Somebody used it, and there is a verdict on that.
    is_judged: bool,
}

/// The fullest and worst first.
fn rows<'a>(snapshot: &'a Snapshot) -> Vec<Row<'a>> {
    let mut worst: HashMap<&str, &'a FindingReport> = HashMap::new();
    for (_, finding) in told(snapshot) {
        worst.entry(&finding.path).or_insert(finding);
    }
    let judged: HashSet<&str> = snapshot.findings.iter().map(|finding| finding.path.as_str()).collect();
    let names = elide::file_names(worst.values().map(|finding| finding.program.as_str()));
    let named = |finding: &&'a FindingReport| {
        (*finding, names.get(finding.program.as_str()).copied().unwrap_or_default())
    };
    let rows = snapshot.sockets.iter().enumerate();
    let mut rows: Vec<_> = rows
        .map(|(index, socket)| {
            let path = socket.path.as_str();
            Row { index, socket, worst: worst.get(path).map(named), is_judged: judged.contains(path) }
        })
        .collect();
    rows.sort_by_key(|row| {
        let share =
            row.socket.limit.map_or(0, |limit| row.socket.slots.saturating_mul(1000) / limit.slots.max(1));
        (
            Reverse(row.worst.map(|(it, _)| it.verdict)),
            Reverse(share),
            Reverse(row.socket.slots),
            &row.socket.path,
        )
    });
    rows
}

/// Findings that say something, with their places in the answer.
fn told(snapshot: &Snapshot) -> impl Iterator<Item = (usize, &FindingReport)> {
    snapshot.findings.iter().enumerate().filter(|(_, it)| it.verdict != Verdict::Healthy)
}

/// Nothing is wrong; or nobody did anything that could be judged, which is not the same.
fn well(snapshot: &Snapshot) -> Markup {
    if snapshot.findings.is_empty() {
        return parts::nothing("There is no verdict yet: nobody connected.");
    }
    let age = sockleak_core::time::human(snapshot.leak_age_ns);
    healthy(&format!("No end that is still open was kept for {age} or longer, and nobody was starved."))
}

fn table(rows: &[&Row<'_>]) -> Markup {
    let table = html! {
        table class="sockets" {
            caption class="unseen" { "The sockets, the worst first" }
            thead {
                tr {
                    th scope="col" { "Socket" }
                    th scope="col" { "Slots in use" }
                    th scope="col" { "Open, last hour" }
                    th scope="col" class="number" { "Waiting" }
                    th scope="col" class="number" { "Full" }
                    th scope="col" class="number" { "Oldest" }
                    th scope="col" class="number" { "Opened" }
                    th scope="col" class="number" { "Failed" }
                    th scope="col" { "Worst finding" }
                }
            }
            tbody { @for row in rows { (self::row(row)) } }
        }
    };
    scroll("The sockets", &table)
}

fn row(row: &Row<'_>) -> Markup {
    let Row { index, socket, worst, is_judged } = row;
    let at = |field: &str| format!("/sockets/{index}/{field}");
    let opened = socket.programs.iter().map(|it| it.opened).sum();
    let failed = socket.programs.iter().flat_map(|it| it.failed.values()).sum();
    html! {
        tr data-key=(Text(&socket.path)) {
            th scope="row" { a href=(socket_address(&socket.path)) { (name(&socket.path)) } }
            td data-label="Slots" { (slots(&at("slots"), &at("limit/slots"), socket)) }
            // The script draws it.
            td data-label="Last hour" { span class="sparks" data-own data-spark=(socket.path) {} }
            td class="number" data-label="Waiting" { (queue(&at("queue"), socket)) }
            td class="number" data-label="Full" { (until_full(&at("seconds_until_full"), socket.seconds_until_full)) }
            td class="number" data-label="Oldest" { (some_duration(&at("oldest_ns"), socket.oldest_ns)) }
            td class="number" data-label="Opened" { (number(&at("programs/*/opened"), opened)) }
            td class="number" data-label="Failed" { (number(&at("programs/*/failed/*"), failed)) }
            td data-label="Finding" {
                @match worst {
                    Some((finding, program)) => {
                        @let (severity, sign) = severity(finding.verdict);
                        span class={ "verdict " (severity) } { (sign) " " (finding.verdict.name()) }
                        " " (name(program))
                    }
                    None if *is_judged => { span class="verdict well" { "✓ healthy" } }
                    None => { span class="soft" { "– no verdict yet" } }
                }
            }
        }
    }
}

/// How each hook came out.
fn tracing(snapshot: &Snapshot) -> Markup {
    let attached = |hook: &HookStatus| hook.status == crate::probe::status::Outcome::Attached;
    html! {
        section aria-labelledby="tracing" {
            h2 id="tracing" { "Tracing" }
            p {
                @if snapshot.complete { "✓ Nothing is known to be missing. " }
                "Targets: " @for target in &snapshot.targets { (name(target)) " " }
            }
            @let table = html! {
                table {
                    caption class="unseen" { "Hooks in the kernel" }
                    thead { tr {
                        th scope="col" { "Hook" } th scope="col" { "Function" } th scope="col" { "Kind" }
                        th scope="col" { "Status" } th scope="col" { "Remark" }
                    } }
                    tbody {
                        @for hook in &snapshot.hooks {
                            tr {
                                th scope="row" { (hook.hook.name()) }
                                td { (name(&hook.function)) }
                                td { @match hook.kind { Some(kind) => (kind), None => (dash()) } }
                                td { @if attached(hook) { "✓ attached" } @else { "✗ not attached" } }
                                td { (Text(hook.reason.as_deref().unwrap_or_default())) }
                            }
                        }
                    }
                }
            };
            (scroll("Hooks in the kernel", &table))
        }
    }
}
