//! What a program suffers on a socket while others hold the slots, as it happens.

use super::facts::Crowding;

/// The server's queue is full, and the client does not wait.
const EAGAIN: i32 = 11;
/// A signal ends a wait for room in the queue, and perhaps the client.
const EINTR: i32 = 4;

/// What a program suffered on a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Starvation {
    /// Failed connects while others held all slots.
    pub(super) refused: Option<Run>,
    /// Connections given up in the queue meanwhile.
    pub(super) abandoned: Option<Run>,
    /// The failures since the last accept, where the number of slots is unknown.
    stall: Option<Run>,
    /// The longest run of such failures.
    pub(super) longest: Option<Run>,
    /// Attempts that found no room in the accept queue, whoever held the slots.
    crammed: Option<Run>,
    /// Connections that the server closed at once, and how many others it served meanwhile.
    pub(super) turned_away: Option<(u64, Run)>,
}

/// Events of a kind: how many, and the first and last moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) count: u64,
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Run {
    fn with(run: Option<Self>, at: u64) -> Self {
        let Self { count, first, last } = run.unwrap_or(Self { count: 0, first: at, last: at });
        Self { count: count + 1, first: first.min(at), last: last.max(at) }
    }

    pub(super) const fn length(&self) -> u64 {
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
    /// A connect failed.
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
    pub(super) fn last_failure(&self) -> Option<u64> {
        let turned_away = self.turned_away.map(|(_, run)| run);
        let runs = [self.refused, self.abandoned, self.longest, turned_away];
        runs.into_iter().flatten().map(|run| run.last).max()
    }

    /// Attempts that found no room in the accept queue.
    pub(super) const fn crammed(&self) -> Option<Run> {
        self.crammed
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
