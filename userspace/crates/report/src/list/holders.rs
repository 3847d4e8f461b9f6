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

/// As many connections are counted at a glance.
const FEW: usize = 10;
/// As many processes are named of those that hold connections.
const NAMED: usize = 5;

/// Who holds the accepted connections and who waits, the most first: a line each. Nothing of few connections, which are seen at a glance.
pub(super) fn holders(socket: &ListedSocket) -> String {
    let mut out = String::new();
    if socket.connections.len() <= FEW {
        return out;
    }
    for (is_waiting, what) in [(false, "held by"), (true, "waiting")] {
        let mut counts: BTreeMap<(u32, String), u64> = BTreeMap::new();
        for connection in &socket.connections {
            let waits = matches!(connection.state, State::Queued | State::Abandoned);
            // An end that several hold is counted for each of them, and once for each.
            let clients = connection.client.iter().flatten().map(|it| (it.pid, it.shown_program()));
            if waits == is_waiting {
                clients
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .for_each(|it| *counts.entry(it).or_default() += 1);
            }
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|&(_, count)| Reverse(count));
        let named = counts.iter().take(NAMED);
        let named: Vec<String> = named
            .map(|((pid, program), count)| format!("{} {pid}: {}", terminal(program), grouped(*count)))
            .collect();
        if !named.is_empty() {
            let more = counts.len().saturating_sub(NAMED) as u64;
            let more = if more > 0 {
                format!("; {} more {}", grouped(more), agreeing(more, "process", "processes"))
            } else {
                String::new()
            };
            let _ = writeln!(out, "{}: {what} {}{more}", terminal(&socket.path), named.join("; "));
        }
    }
    out
}
