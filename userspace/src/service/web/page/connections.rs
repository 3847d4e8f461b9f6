//! The connections of a socket as lanes.

use maud::{Markup, html};
use sockleak_report::html::{
    lanes::{Bar, Lane, Lanes},
    parts,
    plot::Ticks,
};

use super::{
    cells::{connection_address, number, some_duration},
    view::{SocketView, address},
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
                    length: view.reach() as u64 * 1_000_000,
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

/// For how long neither end has sent anything.
pub(super) fn idle(pointer: &str, open: &Open) -> Markup {
    html! {
        @if open.idle.is_some_and(|idle| idle.at_least) { "> " }
        (some_duration(pointer, open.idle.map(|idle| idle.for_ns)))
    }
}
