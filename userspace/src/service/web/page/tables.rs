//! Tables of a socket: what each program did, and what failed.

use std::collections::BTreeSet;

use maud::{Markup, html};
use sockleak_report::html::{
    findings::Figure,
    parts::{self, Text, scroll},
};

use super::cells::{dash, duration, figure, name, number, token};
use crate::service::model::{FindingReport, ProgramSnapshot, SocketSnapshot};

/// Programs that are told.
const PROGRAMS: usize = 50;

/// A figure of a finding, with where it comes from. `index` is the finding's place in the answer.
pub(super) fn finding_figure(index: usize, finding: &FindingReport, it: &Figure) -> Markup {
    let at = |field: &str| format!("/findings/{index}/{field}");
    let slots = |limit| html! { (number(&at("slots_used"), finding.slots_used)) " of " (number(&at("slots_limit"), limit)) };
    match (it.field, finding.slots_limit) {
        ("slots_used", Some(limit)) => slots(limit),
        ("failed", _) => html! {
            @for (nth, (errno, count)) in finding.failed.iter().enumerate() {
                @if nth > 0 { ", " }
                (errno) " " (number(&at(&format!("failed/{}", token(errno))), *count))
            }
        },
        (field, _) => figure(&at(field), value(finding, field), it.shown.as_str()),
    }
}

/// The number in a field.
fn value(finding: &FindingReport, field: &str) -> String {
    let of = |number: Option<u64>| number.map(|number| number.to_string());
    let value = match field {
        "count" => of(Some(finding.count)),
        "oldest_ns" => of(finding.oldest_ns),
        "opened" => of(Some(finding.opened)),
        "closed" => of(Some(finding.closed)),
        "p50_ns" => of(finding.p50_ns),
        "p99_ns" => of(finding.p99_ns),
        "growth_per_hour" => finding.growth_per_hour.map(|growth| growth.to_string()),
        "slots_used" => of(Some(finding.slots_used)),
        "seconds_until_full" => of(finding.seconds_until_full),
        _ => None,
    };
    value.unwrap_or_default()
}

/// What each program did. `index` is the socket's place in the answer.
pub(super) fn programs(index: usize, socket: &SocketSnapshot) -> Markup {
    if socket.programs.is_empty() {
        return parts::nothing("Nobody connected, or tried to.");
    }
    let table = html! {
        table {
            caption class="unseen" { "What each program did" }
            thead { tr {
                th scope="col" { "Program" }
                th scope="col" class="number" { "Opened" }
                th scope="col" class="number" { "Before" }
                th scope="col" class="number" { "Closed" }
                th scope="col" class="number" { "Client ends" }
                th scope="col" class="number" { "Old" }
                th scope="col" class="number" { "Server ends" }
            } }
            tbody {
                @for (nth, program) in socket.programs.iter().enumerate().take(PROGRAMS) {
                    @let at = |field: &str| format!("/sockets/{index}/programs/{nth}/{field}");
                    tr data-key=(Text(&program.program)) {
                        th scope="row" { (name(&program.program)) }
                        td class="number" { (number(&at("opened"), program.opened)) }
                        td class="number" { (number(&at("before_trace"), program.before_trace)) }
                        td class="number" { (number(&at("closed"), program.closed)) }
                        td class="number" { (number(&at("open_client"), program.open_client)) }
                        td class="number" { (number(&at("old_client"), program.old_client)) }
                        td class="number" { (number(&at("open_server"), program.open_server)) }
                    }
                }
            }
        }
    };
    html! {
        (scroll("What each program did", &table))
        (more(socket.programs.len(), PROGRAMS, "programs"))
    }
}

/// Failed connects: a row for each program, a column for each error.
pub(super) fn failed(index: usize, socket: &SocketSnapshot) -> Markup {
    let rows: Vec<(usize, &ProgramSnapshot)> =
        socket.programs.iter().enumerate().filter(|(_, program)| !program.failed.is_empty()).collect();
    if rows.is_empty() {
        return parts::nothing("No connect failed.");
    }
    let errors: BTreeSet<&String> = rows.iter().flat_map(|(_, program)| program.failed.keys()).collect();
    let table = html! {
        table {
            caption class="unseen" { "Failed connects by program and error" }
            thead { tr {
                th scope="col" { "Program" }
                @for error in &errors { th scope="col" class="number" { (error) } }
            } }
            tbody {
                @for (nth, program) in rows.iter().take(PROGRAMS) {
                    tr data-key=(Text(&program.program)) {
                        th scope="row" { (name(&program.program)) }
                        @for error in &errors {
                            td class="number" {
                                @match program.failed.get(*error) {
                                    Some(count) => {
                                        (number(&format!("/sockets/{index}/programs/{nth}/failed/{}", token(error)), *count))
                                    }
                                    None => (dash()),
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    html! {
        (scroll("Failed connects by program and error", &table))
        (more(rows.len(), PROGRAMS, "programs"))
    }
}

/// The key figures of a socket.
pub(super) fn facts(index: usize, socket: &SocketSnapshot) -> Markup {
    let at = |field: &str| format!("/sockets/{index}/{field}");
    let sum = |figure: fn(&ProgramSnapshot) -> u64| socket.programs.iter().map(figure).sum::<u64>();
    html! {
        dl class="facts" {
            div { dt { "slots in use" } dd { (super::cells::slots(&at("slots"), &at("limit/slots"), socket)) } }
            div { dt { "waiting to be accepted" } dd { (super::cells::queue(&at("queue"), socket)) } }
            div { dt { "full" } dd { (super::cells::until_full(&at("seconds_until_full"), socket.seconds_until_full)) } }
            div { dt { "oldest" } dd { (super::cells::some_duration(&at("oldest_ns"), socket.oldest_ns)) } }
            div { dt { "last accept" } dd {
                @match socket.since_accept_ns {
                    Some(ago) => { (duration(&at("since_accept_ns"), ago)) " ago" }
                    None => (dash()),
                }
            } }
            @for (state, count) in &socket.states {
                div { dt { (state.name()) } dd { (number(&at(&format!("states/{}", state.name())), *count)) } }
            }
            div { dt { "opened" } dd { (number(&at("programs/*/opened"), sum(|it| it.opened))) } }
            div { dt { "closed" } dd { (number(&at("programs/*/closed"), sum(|it| it.closed))) } }
            div { dt { "failed" } dd { (number(&at("programs/*/failed/*"), sum(|it| it.failed.values().sum()))) } }
        }
    }
}

/// That there are more than are told.
pub(super) fn more(count: usize, shown: usize, what: &str) -> Markup {
    html! { @if count > shown { p class="remark" { "… and " (count - shown) " more " (what) "." } } }
}
