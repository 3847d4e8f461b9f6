//! The connections of a socket by the processes that hold them.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use sockleak_core::{
    lifecycle::State,
    text::{
        count::{agreeing, grouped},
        escape::terminal,
    },
};

use super::ListedSocket;

/// As many processes are named of those that hold connections.
const NAMED: usize = 5;

/// Processes that are named of those that share an end.
const SHARING: usize = 2;

/// Who holds the accepted connections and who waits, the most first: a line each. Nothing of a single connection.
pub(super) fn holders(socket: &ListedSocket) -> String {
    let mut out = String::new();
    if socket.connections.len() < 2 {
        return out;
    }
    for (is_waiting, what) in [(false, "held by"), (true, "waiting")] {
        let mut counts: BTreeMap<BTreeSet<(u32, String)>, u64> = BTreeMap::new();
        for connection in &socket.connections {
            let waits = matches!(connection.state, State::Queued | State::Abandoned);
            // An end that several hold is one connection: it is counted once, for all of them.
            let clients: BTreeSet<_> =
                connection.client.iter().flatten().map(|it| (it.pid, it.shown_program())).collect();
            if waits == is_waiting && !clients.is_empty() {
                *counts.entry(clients).or_default() += 1;
            }
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|&(_, count)| Reverse(count));
        let named = counts.iter().take(NAMED);
        let named: Vec<String> =
            named.map(|(parties, count)| format!("{}: {}", together(parties), grouped(*count))).collect();
        if !named.is_empty() {
            let more = counts.len().saturating_sub(NAMED) as u64;
            let more = if more > 0 {
                format!("; {} more {}", grouped(more), agreeing(more, "holder", "holders"))
            } else {
                String::new()
            };
            let _ = writeln!(out, "{}: {what} {}{more}", terminal(&socket.path), named.join("; "));
        }
    }
    out
}

/// The processes that hold the same ends.
fn together(parties: &BTreeSet<(u32, String)>) -> String {
    let named = parties.iter().take(SHARING);
    let named: Vec<String> = named.map(|(pid, program)| format!("{} {pid}", terminal(program))).collect();
    let more = parties.len().saturating_sub(SHARING) as u64;
    let more = if more > 0 { format!(" and {} more", grouped(more)) } else { String::new() };
    let same = if parties.len() > 1 { " (the same ends)" } else { "" };
    format!("{}{more}{same}", named.join(" and "))
}
