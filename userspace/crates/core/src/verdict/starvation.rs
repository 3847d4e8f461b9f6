//! Victims: programs that get no slot because others hold them.

use super::{
    Hardship,
    evidence::{Case, Crowding, End, OpenConnection, SocketFacts},
};

/// The server's queue is full, and the client does not wait.
const EAGAIN: i32 = 11;
/// A signal ends a wait for room in the queue, and perhaps the client.
const EINTR: i32 = 4;

/// What a program suffered on a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Starvation {
    /// Attempts that failed while others held all slots.
    refused: Option<Run>,
    /// Connections given up in the queue meanwhile.
    abandoned: Option<Run>,
    /// The failures since the last accept, where the number of slots is unknown.
    stall: Option<Run>,
    /// The longest run of such failures.
    longest: Option<Run>,
    /// Attempts that found no room in the accept queue, whoever held the slots.
    crammed: Option<Run>,
    /// Connections that the server closed at once, and how many others it served meanwhile.
    turned_away: Option<(u64, Run)>,
}

/// Events of a kind: how many, and the first and last moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    count: u64,
    first: u64,
    last: u64,
}

impl Run {
    fn with(run: Option<Self>, at: u64) -> Self {
        let Self { count, first, last } = run.unwrap_or(Self { count: 0, first: at, last: at });
        Self { count: count + 1, first: first.min(at), last: last.max(at) }
    }

    const fn length(&self) -> u64 {
        self.last.saturating_sub(self.first)
    }
}

impl Crowding {
    fn by_others(&self) -> bool {
        self.own.saturating_mul(2) <= self.used
    }

    fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.used >= limit)
    }
}

impl Starvation {
    /// An attempt failed.
    pub(super) fn refused(&mut self, at: u64, errno: i32, crowding: &Crowding) {
        if errno == EAGAIN && crowding.queue_full {
            self.crammed = Some(Run::with(self.crammed, at));
        }
        if !matches!(errno, EAGAIN | EINTR) || !crowding.by_others() {
            return;
        }
        if crowding.is_full() {
            self.refused = Some(Run::with(self.refused, at));
        } else if errno == EAGAIN && crowding.queue_full && crowding.limit.is_none() {
            // A burst outruns the queue of a healthy server too, but that server goes on accepting.
            let since_accept = |run: &Run| crowding.last_accept.is_none_or(|accept| accept < run.first);
            let run = Run::with(self.stall.filter(since_accept), at);
            self.stall = Some(run);
            if self
                .longest
                .is_none_or(|longest| longest.first == run.first || run.length() > longest.length())
            {
                self.longest = Some(run);
            }
        }
    }

    /// The server closed a connection at once, while it served `level` others.
    pub(super) fn turned_away(&mut self, at: u64, level: u64) {
        let same = self.turned_away.filter(|&(its, _)| its == level).map(|(_, run)| run);
        self.turned_away = Some((level, Run::with(same, at)));
    }

    /// Attempts have failed for longer than the leak age since the last accept.
    pub(super) fn is_stalled(&self, last_accept: Option<u64>, leak_age: u64) -> bool {
        let since =
            |run: Run| last_accept.is_none_or(|accept| accept < run.first) && run.length() >= leak_age;
        let gave_up = self.abandoned.is_some_and(|run| last_accept.is_none_or(|accept| accept < run.first));
        gave_up || self.stall.is_some_and(since)
    }

    /// It was refused or turned away while all slots were in use.
    pub(super) fn was_refused(&self, limit: Option<u64>) -> bool {
        let at_limit = self.turned_away.is_some_and(|(level, _)| limit == Some(level));
        self.refused.is_some() || self.abandoned.is_some() || at_limit
    }

    /// When it last got nothing: nanoseconds since boot.
    fn last_failure(&self) -> Option<u64> {
        let turned_away = self.turned_away.map(|(_, run)| run);
        let runs = [self.refused, self.abandoned, self.longest, turned_away];
        runs.into_iter().flatten().map(|run| run.last).max()
    }

    /// Attempts that found no room in the accept queue, and nanoseconds from the first to the last.
    pub(super) fn crammed(&self) -> Option<(u64, u64)> {
        self.crammed.map(|run| (run.count, run.length()))
    }

    /// A connection was given up in the queue.
    pub(super) fn abandoned(&mut self, opened: u64, at: u64, crowding: &Crowding, leak_age: u64) {
        let stalled = at.saturating_sub(opened) >= leak_age
            && crowding.last_accept.is_none_or(|accept| accept < opened);
        if crowding.by_others() && (crowding.is_full() || stalled) {
            self.abandoned = Some(Run::with(self.abandoned, at));
        }
    }
}

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
