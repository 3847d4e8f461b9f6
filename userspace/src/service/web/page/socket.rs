//! One socket.

use maud::{Markup, html};
use sockleak_core::{text::count::counted, time::human};
use sockleak_report::html::{
    findings::{Shape, card},
    healthy,
    histogram::{Bar, Histogram},
    parts::{self, scroll},
    plot::Ticks,
};

use super::{
    cells::{figure, moment, name},
    connections,
    history::history,
    layout::{self, Frame},
    links::links,
    listing,
    range::RANGES,
    tables::{self, facts, failed, finding_figure, programs},
    view::{SocketView, Sources, ViewError},
};
use crate::service::{
    model::{FindingReport, Snapshot, SocketSnapshot, Verdict},
    snapshot::LIFETIME_BOUNDS,
};

/// Findings that are told.
const FINDINGS: usize = 30;

/// The page.
///
/// # Errors
/// If there is no such socket, or an answer cannot be read.
pub(super) fn page(view: &SocketView, sources: &Sources, frame: &Frame<'_>) -> Result<Markup, ViewError> {
    let snapshot = sources.snapshot()?;
    let found = snapshot.sockets.iter().enumerate().find(|(_, socket)| socket.path == view.path);
    let Some((index, socket)) = found else {
        return Err(ViewError::NoSocket(view.path.clone()));
    };
    let leaks =
        snapshot.findings.iter().filter(|it| it.path == view.path && it.verdict == Verdict::ClientLeak);
    let leaking: Vec<&str> = leaks.map(|it| it.program.as_str()).collect();
    let main = html! {
        nav class="crumbs" aria-label="Where you are" { a href="/" { "Sockets" } " › " span { "socket" } }
        div data-source="/api/v1/snapshot" {
            h1 { (name(&socket.path)) }
            p class="where" {
                (moment("/at_ms", snapshot.at_ms)) " · counted since " (moment("/started_ms", snapshot.started_ms))
            }
            (layout::doubts(&snapshot))
            (facts(index, socket))
        }
        section aria-labelledby="over-time" {
            h2 id="over-time" { "Over time" }
            (ranges(view))
            (history(view, &sources.series(), socket.limit, &leaking, ticks(view.series.from_ms, view.range.begin.is_some(), frame)))
        }
        div data-source="/api/v1/snapshot" { (findings(&snapshot, view)) }
        (connections::lanes(view, &sources.connections(1)?, &sources.connections(2)?, lane_ticks(view, frame)))
        (listing::table(view, &sources.connections(3)?))
        div data-source="/api/v1/snapshot" {
            section aria-labelledby="lifetimes" {
                h2 id="lifetimes" { "Lifetimes" }
                (lifetimes(index, socket, snapshot.leak_age_ns))
            }
            section aria-labelledby="programs" { h2 id="programs" { "Programs" } (programs(index, socket)) }
            section aria-labelledby="failed" { h2 id="failed" { "Failed connects" } (failed(index, socket)) }
        }
        section class="happens" id="happens" data-own hidden {
            h2 id="events" { "What happens" }
            p class="remark" id="event-count" { "Nothing since this page was loaded." }
            ol id="event-list" aria-labelledby="events" {}
        }
    };
    Ok(layout::document(&format!("{} · {} · sockleak", socket.path, snapshot.host), frame, &main))
}

/// The lanes alone, to be put in the place of older ones.
///
/// # Errors
/// If an answer cannot be read.
pub(super) fn lanes(view: &SocketView, sources: &Sources, frame: &Frame<'_>) -> Result<Markup, ViewError> {
    Ok(connections::lanes(view, &sources.connections(0)?, &sources.connections(1)?, lane_ticks(view, frame)))
}

/// What the axis of a picture says that begins then. In a recording, or of a time that was chosen, "ago" would be from no moment that
/// the reader knows.
const fn ticks(begin_ms: i64, is_chosen: bool, frame: &Frame<'_>) -> Ticks {
    if is_chosen || frame.replay.is_some() { Ticks::At(begin_ms) } else { Ticks::Ago }
}

/// The same for the lanes, which end now.
fn lane_ticks(view: &SocketView, frame: &Frame<'_>) -> Ticks {
    ticks(view.now.saturating_sub(view.reach()), view.range.begin.is_some(), frame)
}

fn findings(snapshot: &Snapshot, view: &SocketView) -> Markup {
    let is_told = |it: &FindingReport| it.path == view.path && it.verdict != Verdict::Healthy;
    let told: Vec<_> = snapshot.findings.iter().enumerate().filter(|(_, it)| is_told(it)).collect();
    html! {
        section class="findings" aria-live="polite" aria-labelledby="findings" {
            h2 id="findings" { "Findings" }
            @if told.is_empty() && snapshot.findings.iter().all(|it| it.path != view.path) {
                (parts::nothing("There is no verdict yet: nobody connected."))
            } @else if told.is_empty() {
                @let age = human(snapshot.leak_age_ns);
                (healthy(&format!("No end that is still open was kept for {age} or longer, and nobody was starved.")))
            }
            @for (index, finding) in told.iter().take(FINDINGS) {
                (card(finding, &snapshot.stacks, snapshot.leak_age_ns, &Shape {
                    with_stacks: true,
                    figure: &|it| finding_figure(*index, finding, it),
                    links: links(finding, Some(view.range)),
                }))
            }
            (tables::more(told.len(), FINDINGS, "findings"))
        }
    }
}

/// The times that can be looked at.
fn ranges(view: &SocketView) -> Markup {
    let link = |time: &str| view.address_in(time, &view.listing);
    html! {
        nav class="ranges" aria-label="Time that is shown" {
            @for range in RANGES {
                @let is_current = range == view.range;
                a href=(link(&range.parameters())) aria-current=[is_current.then_some("true")] {
                    (range.words)
                }
            }
            @if view.range.begin.is_some() { a href=(link(&view.range.parameters())) aria-current="true" { "chosen" } }
            @for (words, from, to) in view.range.beside(view.now) {
                // What is to come has no history.
                @if from < view.now { a class="beside" href=(link(&format!("from={from}&to={to}"))) { (words) } }
            }
        }
    }
}

/// How long client ends lived that were released.
fn lifetimes(index: usize, socket: &SocketSnapshot, leak_age: u64) -> Markup {
    // Each bucket of the answer counts all that lived no longer.
    let below =
        |nth: usize| nth.checked_sub(1).and_then(|nth| socket.lifetimes.get(nth)).copied().unwrap_or(0);
    let bars: Vec<Bar> = (0..socket.lifetimes.len())
        .map(|nth| Bar { closed: below(nth + 1).saturating_sub(below(nth)), open: 0 })
        .collect();
    let borders = LIFETIME_BOUNDS.map(|seconds| (seconds * 1e9) as u64);
    let all = socket.lifetimes.last().copied().unwrap_or_default();
    let description = format!("{} released.", counted(all, "client end"));
    let histogram =
        Histogram { bars: &bars, borders: &borders, leak_age, with_open: false, description: &description };
    let Some(drawn) = histogram.draw("lives") else {
        return parts::nothing("No client end was released whose start was seen.");
    };
    let table = html! {
        table {
            caption class="unseen" { "How many client ends lived no longer than that" }
            thead { tr { th scope="col" { "No longer than" } th scope="col" class="number" { "Client ends" } } }
            tbody {
                @for (nth, count) in socket.lifetimes.iter().enumerate() {
                    tr {
                        th scope="row" {
                            @match borders.get(nth) { Some(border) => (human(*border)), None => "any time" }
                        }
                        td class="number" { (figure(&format!("/sockets/{index}/lifetimes/{nth}"), count, count)) }
                    }
                }
            }
        }
    };
    html! {
        figure {
            (drawn)
            figcaption { "Client ends that were released, by how long they lived. Heights grow with the logarithm." }
            details { summary { "The same as a table" } (scroll("Lifetimes", &table)) }
        }
    }
}
