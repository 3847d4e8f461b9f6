//! Victims: programs that get no slot because others hold them.

use super::{
    Hardship,
    evidence::Case,
    facts::{End, OpenConnection, SocketFacts},
    starvation::{Run, Starvation},
};

/// What the program suffers; None if it is no victim.
pub(super) fn hardship(case: &Case<'_>, socket: &SocketFacts, now: u64, leak_age: u64) -> Option<Hardship> {
    let by_itself = socket.is_held_by(case.program);
    if by_itself && socket.is_full() {
        return None;
    }
    let waits = |it: &&OpenConnection| waits_long(it, socket, now, leak_age);
    let waiting = if by_itself { 0 } else { case.open.iter().filter(waits).count() as u64 };
    let Starvation { refused, abandoned, longest, turned_away, .. } = &case.record.starvation;
    let served = case.open.iter().filter(|it| !it.queued && !it.before_trace).map(|it| it.opened).max();
    let served = served.max(case.record.last_served);
    // Whoever holds most of the slots is turned away by itself; where it is not sure how many there are, who was never served may be
    // answered like that always.
    let is_sure = served.is_some() || !socket.limit_is_inferred;
    let is_refusal = |level| !by_itself && is_sure && socket.limit == Some(level);
    let turned_away = turned_away.filter(|&(level, _)| is_refusal(level));
    let turned_away = turned_away.map_or(0, |(_, run)| run.count);
    let stall = longest.filter(|run| run.length() >= leak_age);
    let count = |run: &Option<Run>| run.map_or(0, |run| run.count);
    let (refused, abandoned) = (count(refused) + count(&stall), count(abandoned));
    if refused + abandoned + waiting + turned_away == 0 {
        return None;
    }
    let nobody_accepts =
        |run: Run| socket.limit.is_none() && socket.last_accept.is_none_or(|accept| accept < run.first);
    let last_failure = case.record.starvation.last_failure();
    let was_served_since = served > last_failure;
    let is_refused = socket.is_full() && !was_served_since;
    let goes_on = is_refused || waiting > 0 || stall.is_some_and(nobody_accepts);
    let hardship = Hardship { refused, abandoned, waiting, turned_away, goes_on, ..Hardship::default() };
    Some(if goes_on { with_holders(hardship, case, socket) } else { hardship })
}

/// What the program suffers if the server is full, as it seems; None if the server did not close its connections at once.
pub(super) fn perhaps_turned_away(case: &Case<'_>, socket: &SocketFacts) -> Option<Hardship> {
    let (_, run) = case.record.starvation.turned_away.filter(|&(level, _)| level == socket.used)?;
    let hardship = Hardship { turned_away: run.count, goes_on: true, ..Hardship::default() };
    (socket.seems_full && !socket.is_held_by(case.program)).then(|| with_holders(hardship, case, socket))
}

/// Adds who holds the slots.
fn with_holders(mut hardship: Hardship, case: &Case<'_>, socket: &SocketFacts) -> Hardship {
    let of_clients: u64 = socket.holders.iter().map(|holder| holder.slots).sum();
    hardship.held_by_server = socket.used.saturating_sub(of_clients);
    hardship.holders = socket.holders.clone();
    hardship.holders.retain(|holder| holder.program != case.program && holder.slots > 0);
    hardship.holders.sort_by_key(|holder| (std::cmp::Reverse(holder.slots), holder.program));
    hardship
}

/// It has been queued for long, and there is no slot for it, or the server has accepted nobody since.
pub(super) fn waits_long(connection: &OpenConnection, socket: &SocketFacts, now: u64, leak_age: u64) -> bool {
    let is_long = now.saturating_sub(connection.opened) >= leak_age;
    let is_stalled = || socket.last_accept.is_none_or(|accept| accept < connection.opened);
    is_waiting(connection) && is_long && (socket.is_full() || is_stalled())
}

/// The client waits for the server to accept.
pub(super) fn is_waiting(connection: &OpenConnection) -> bool {
    connection.queued && connection.client == End::Open && !matches!(connection.server, End::Released { .. })
}
