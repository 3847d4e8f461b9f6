//! The connections of a socket that are not closed, as a table: one page of them, those and in the order that were asked for.

use maud::{Markup, html};
use sockleak_core::time::human;
use sockleak_report::{
    elide::file_name,
    html::{
        lanes::sign,
        parts::{self, Text, scroll},
    },
};

use super::{
    cells::{connection_address, duration, figure, name, number},
    connections::idle,
    pages,
    view::{Listing, ROWS, SocketView, address},
};
use crate::service::{
    link::question::{Sort, SortBy},
    model::{EndReport, Open, Page},
};

/// Where the table is on the page.
const PLACE: &str = "#not-closed";

/// The table, what chooses its rows, and links to more of them.
pub(super) fn table(view: &SocketView, page: &Page) -> Markup {
    let (total, offset) = (page.total, page.offset as usize);
    let this = view.address(&view.listing);
    let link = move |offset: usize| format!("{this}&offset={offset}{PLACE}");
    let order = view.listing.sort.map_or("-age", Sort::name);
    let table = html! {
        table class="connections" data-source=(address(&view.table())) {
            caption class="unseen" { "Connections that are not closed, in the order " (order) }
            thead { tr {
                th scope="col" { "Number" }
                (heading(view, "Age", SortBy::Age, true))
                th scope="col" class="number" { "Idle" }
                (heading(view, "PID", SortBy::Pid, true))
                (heading(view, "Program", SortBy::Program, false))
                (heading(view, "State", SortBy::State, false))
                th scope="col" { "Client end" }
                th scope="col" { "Server end" }
            } }
            tbody { @for (nth, open) in page.connections.iter().enumerate() { (row(nth, open)) } }
        }
    };
    html! {
        section aria-labelledby="not-closed" {
            h2 id="not-closed" { "Not closed" }
            (filter(view, total))
            @if page.connections.is_empty() && view.listing.is_filter() {
                (parts::nothing("No connection that is not closed is like that, or none is so far down the list."))
            } @else if page.connections.is_empty() {
                (parts::nothing("No connection is open, or none is so far down the list."))
            } @else {
                (scroll("Connections that are not closed", &table))
            }
            (pages(total, offset, ROWS as usize, "connections", &link))
        }
    }
}

/// A form that chooses the rows, by the address alone.
fn filter(view: &SocketView, total: usize) -> Markup {
    let Listing { program, contains, sort } = &view.listing;
    let all = Listing { sort: *sort, ..Listing::default() };
    html! {
        form class="filter" action={ "/socket" (PLACE) } role="search" aria-label="Connections in the table" {
            input type="hidden" name="path" value=(view.path);
            @match view.range.begin {
                None => { input type="hidden" name="range" value=(view.range.name); }
                Some(_) => {
                    input type="hidden" name="from" value=(view.series.from_ms);
                    input type="hidden" name="to" value=(view.series.to_ms);
                }
            }
            @if let Some(sort) = sort { input type="hidden" name="sort" value=(sort.name()); }
            @if let Some(program) = program { input type="hidden" name="program" value=(program); }
            label { "Program, process or PID " input type="search" name="contains" value=[contains.as_deref()]; }
            button { "Filter" }
        }
        @if view.listing.is_filter() {
            p class="remark" data-source=(address(&view.table())) {
                (number("/total", total as u64)) " shown"
                @if let Some(program) = program { ", opened by " (name(program)) }
                @if let Some(contains) = contains { ", with " (name(contains)) }
                ". " a href={ (view.address(&all)) (PLACE) } { "Show all" }
            }
        }
    }
}

/// The head of a column that can be put in order: numbers by the greatest first, and the other way round if they are already.
fn heading(view: &SocketView, words: &str, by: SortBy, is_number: bool) -> Markup {
    let current = view.listing.sort.unwrap_or(Sort { by: SortBy::Age, descending: true });
    let is_current = current.by == by;
    let descending = if is_current { !current.descending } else { is_number };
    let (direction, sign) = if current.descending { ("descending", " ▼") } else { ("ascending", " ▲") };
    let listing = Listing { sort: Some(Sort { by, descending }), ..view.listing.clone() };
    html! {
        th scope="col" class=[is_number.then_some("number")] aria-sort=[is_current.then_some(direction)] {
            a href={ (view.address(&listing)) (PLACE) } {
                (words)
                @if is_current { span aria-hidden="true" { (sign) } }
            }
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
