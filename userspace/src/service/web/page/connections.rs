//! The connections of a socket: as lanes, and as a table.

use maud::{Markup, html};
use sockleak_core::time::human;
use sockleak_report::{
    elide::file_name,
    html::{
        lanes::{Bar, Lane, Lanes, sign},
        parts::{self, Text, scroll},
        plot::Ticks,
    },
};

use super::{
    cells::{connection_address, duration, encoded, figure, name, number, some_duration},
    pages,
    view::{ROWS, SocketView, address},
};
use crate::service::model::{EndReport, Open, Page};

/// The oldest that are open, and the last that were closed.
pub(super) fn lanes(view: &SocketView, open: &Page, closed: &Page, ticks: Ticks) -> Markup {
    let shown: Vec<Lane<'_>> = open.connections.iter().chain(&closed.connections).map(lane).collect();
    let rest = open.total.saturating_sub(open.connections.len());
    html! {
        section id="lanes" aria-labelledby="lanes-title" {
            h2 id="lanes-title" { "Connections" }
            p class="remark" data-source=(address(&view.oldest())) {
                (number("/total", open.total as u64)) " not closed. "
                @if !closed.connections.is_empty() { "Last come those that were closed a short time ago." }
            }
            @if shown.is_empty() {
                (parts::nothing("Nothing is open, and nothing was closed a short time ago."))
            } @else {
                @let more = (rest > 0).then(|| format!("… and {rest} more that are open, younger ones."));
                @let lanes = Lanes {
                    connections: &shown,
                    length: view.range.length() as u64 * 1_000_000,
                    ticks,
                    leak_age: None,
                    more,
                };
                (lanes.draw("lanes-picture"))
            }
        }
    }
}

fn bar(end: &EndReport) -> Bar<'_> {
    Bar { state: &end.state, reason: end.reason.as_deref(), released_ns_ago: end.released_ns_ago }
}

fn lane(open: &Open) -> Lane<'_> {
    Lane {
        argv: open.opener.argv.as_deref(),
        program: &open.opener.program,
        pid: open.opener.pid,
        age_ns: open.age_ns,
        before_trace: open.before_trace,
        state: open.state,
        client: bar(&open.client_end),
        server: bar(&open.server_end),
        link: Some(connection_address(open)),
    }
}

/// Those that are not closed, one page of them.
pub(super) fn table(view: &SocketView, page: &Page) -> Markup {
    let (total, offset) = (page.total, page.offset as usize);
    let path = encoded(&view.path);
    let range = view.range.name;
    let link = move |offset: usize| format!("/socket?path={path}&range={range}&offset={offset}#not-closed");
    let table = html! {
        table class="connections" data-source=(address(&view.table())) {
            caption class="unseen" { "Connections that are not closed, the oldest first" }
            thead { tr {
                th scope="col" { "Number" }
                th scope="col" class="number" { "Age" }
                th scope="col" class="number" { "Idle" }
                th scope="col" class="number" { "PID" }
                th scope="col" { "Program" }
                th scope="col" { "State" }
                th scope="col" { "Client end" }
                th scope="col" { "Server end" }
            } }
            tbody { @for (nth, open) in page.connections.iter().enumerate() { (row(nth, open)) } }
        }
    };
    html! {
        section aria-labelledby="not-closed" {
            h2 id="not-closed" { "Not closed" }
            @if page.connections.is_empty() {
                (parts::nothing("No connection is open, or none is so far down the list."))
            } @else {
                (scroll("Connections that are not closed", &table))
            }
            (pages(total, offset, ROWS as usize, "connections", &link))
        }
    }
}

fn row(nth: usize, open: &Open) -> Markup {
    let at = |field: &str| format!("/connections/{nth}/{field}");
    html! {
        tr data-key=(open.connection) {
            th scope="row" { a href=(connection_address(open)) { (number(&at("connection"), open.connection)) } }
            td class="number" {
                @if open.before_trace { "> " }
                (duration(&at("age_ns"), open.age_ns))
            }
            td class="number" { (idle(&at("idle/for_ns"), open)) }
            td class="number" { (number(&at("pid"), open.opener.pid.into())) }
            td {
                (name(&open.opener.program))
                @if let Some(argv) = open.opener.argv.as_ref().and_then(|argv| argv.get(1..)).filter(|it| !it.is_empty()) {
                    " " (name(&argv.join(" ")))
                }
            }
            td { (sign(open.state)) " " (open.state.name()) }
            td { (end(&at("client_end"), &open.client_end, Some(open.opener.pid))) }
            td { (server_end(&at("server_end"), &at("server/pid"), open)) }
        }
    }
}

/// For how long neither end has sent anything.
pub(super) fn idle(pointer: &str, open: &Open) -> Markup {
    html! {
        @if open.idle.is_some_and(|idle| idle.at_least) { "> " }
        (some_duration(pointer, open.idle.map(|idle| idle.for_ns)))
    }
}

fn server_end(pointer: &str, server_pid: &str, open: &Open) -> Markup {
    let server = open.server.as_ref();
    html! {
        (end(pointer, &open.server_end, server.map(|party| party.pid)))
        @match (server, open.server_inode) {
            (Some(party), _) if open.server_end.state == "open" => {
                ", " (name(file_name(&party.program))) " " (number(server_pid, party.pid.into()))
            }
            (None, None) => { ", not accepted" }
            _ => {}
        }
    }
}

/// An end in words. `owner` opened or accepted it; if others hold it now, they are named.
fn end(pointer: &str, end: &EndReport, owner: Option<u32>) -> Markup {
    if let (Some(reason), Some(ago)) = (&end.reason, end.released_ns_ago) {
        return html! {
            (Text(reason)) " " (figure(&format!("{pointer}/released_ns_ago"), ago, human(ago))) " ago"
        };
    }
    let holders = end.held_by.as_deref().unwrap_or_default();
    let is_owners = holders.iter().any(|holder| Some(holder.party.pid) == owner);
    html! {
        (Text(&end.state))
        @if let Some(first) = holders.first().filter(|_| !is_owners && owner.is_some()) {
            ", held by " (name(file_name(&first.party.program))) " "
            (number(&format!("{pointer}/held_by/0/pid"), first.party.pid.into()))
            @if holders.len() > 1 { " and others" }
        }
    }
}
