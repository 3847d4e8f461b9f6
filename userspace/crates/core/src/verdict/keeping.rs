//! What a program keeps open as a client, and whether that is a leak.

use std::collections::BTreeMap;

use super::{
    evidence::Case,
    facts::{End, Observation, OpenConnection, SocketFacts},
    hardship,
    trend::Trend,
    usage::Use,
};

/// So many overdue connections make a leak where their use is not known.
const CERTAIN: usize = 10;
/// So many do of a program that was never seen to close one: it may be a pool that fills.
const CERTAIN_WHERE_NOTHING_CLOSES: usize = 24;
/// So many unused ones do.
const UNUSED: usize = 3;
/// A leak that pauses stays suspect for so many times as long as it went on.
const RECENT: u64 = 3;
/// A socket that is full so soon, in seconds, turns a suspicion into an accusation.
const SOON: f64 = 3600.0;

/// What the connections that a program keeps say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// They come on and on, and nothing ends them.
    Leak,
    /// They look like it, with less to show.
    Suspect {
        /// It was a leak while more came.
        paused: bool,
    },
    /// Neither.
    Calm,
}

/// The connections that a program keeps.
pub(super) struct Keeping<'a> {
    /// Client ends that it holds for longer than the leak age, and that the server serves or has served.
    pub(super) old: Vec<&'a OpenConnection>,
    /// Those of them that outlast all that the program ended itself, and are not known to be used.
    pub(super) overdue: Vec<&'a OpenConnection>,
    /// Of those, known to be unused.
    pub(super) unused: Vec<&'a OpenConnection>,
    /// Old ones are known to be used, all of them.
    pub(super) all_used: bool,
    /// Processes that opened the old ones.
    pub(super) processes: u64,
    /// Up to when more of them could have come: nanoseconds since boot.
    pub(super) end: u64,
    /// So few are overdue that a pool which fills would look the same.
    pub(super) is_few: bool,
    /// It is their holding all slots that makes them a leak, or suspect.
    pub(super) rests_on_slots: bool,
    /// None came lately, or none could: there is no growth to go on with.
    pub(super) stalled: bool,
    /// What they say.
    pub(super) judged: Judged,
    started: u64,
    leak_age: u64,
}

impl<'a> Keeping<'a> {
    pub(super) fn new(
        case: &'a Case<'a>,
        socket: &SocketFacts,
        observation: &Observation,
        leak_age: u64,
    ) -> Self {
        let now = observation.now;
        let ends = || case.open.iter().filter(|it| it.client == End::Open && !it.inherited);
        let age = natural_age(case, leak_age);
        let own: Vec<_> = ends().filter(|it| !hardship::is_waiting(it)).collect();
        let is_old = |it: &&&OpenConnection| now.saturating_sub(it.opened) >= leak_age;
        let old: Vec<_> = own.iter().filter(is_old).copied().collect();
        let mut by_process: BTreeMap<u64, u64> = BTreeMap::new();
        old.iter().for_each(|it| *by_process.entry(it.process).or_default() += 1);
        // One connection for each process is a question of how many processes there are.
        let is_single = |it: &OpenConnection| it.process != 0 && by_process.get(&it.process) == Some(&1);
        let usage =
            |it: &OpenConnection| it.usage.map_or(Use::Unknown, |usage| usage.judge(it.opened, now, age));
        let is_overdue = |it: &&&OpenConnection| now.saturating_sub(it.opened) >= age && !is_single(it);
        let overdue: Vec<_> =
            old.iter().filter(is_overdue).copied().filter(|it| usage(it) != Use::Used).collect();
        let unused_of = |kept: &[&'a OpenConnection]| -> Vec<_> {
            kept.iter().copied().filter(|it| usage(it) == Use::Unused).collect()
        };
        let unused = unused_of(&overdue);
        let mut keeping = Self {
            all_used: !old.is_empty() && old.iter().all(|it| usage(it) == Use::Used),
            processes: by_process.len() as u64,
            old,
            overdue,
            unused,
            end: now.saturating_sub(age),
            is_few: false,
            rests_on_slots: false,
            stalled: false,
            judged: Judged::Calm,
            started: observation.started,
            leak_age,
        };
        // Who closes more than it keeps is seen to end what it opens; one that was closed late says nothing of the others.
        let least = if case.record.endings.closed > keeping.old.len() as u64 { age } else { leak_age };
        // A connection from before tracing is older than was seen.
        let lasting = own.into_iter().filter(|it| it.before_trace || now.saturating_sub(it.opened) >= least);
        let holding: Vec<_> = lasting.filter(|it| usage(it) != Use::Used).collect();
        keeping.judge(case, socket);
        let holding_unused = unused_of(&holding);
        let are_unused = holding_unused.len() == holding.len();
        let holds_most = socket.is_held_by(case.program) && !holding.is_empty();
        // Of a pool that is used, one may be idle.
        let may_fill = socket.seems_full && are_unused && holding.len() as u64 * 2 > socket.used;
        if keeping.judged == Judged::Calm && holds_most && (may_fill || keeping.fills(socket, &holding)) {
            keeping.judged = Judged::Suspect { paused: false };
            keeping.rests_on_slots = true;
            keeping.unused = holding_unused;
            keeping.overdue = holding;
        }
        keeping
    }

    /// No slot is free, others want one, and the program that holds most of them has not gone without more when it could have had one.
    fn fills(&self, socket: &SocketFacts, holding: &[&OpenConnection]) -> bool {
        let is_pressed = socket.is_pressed || socket.is_stalled;
        socket.is_exhausted() && is_pressed && !self.had_its_chance(&self.began(holding), socket)
    }

    fn judge(&mut self, case: &Case<'_>, socket: &SocketFacts) {
        let began = self.began(&self.overdue);
        let fills =
            socket.is_exhausted() && socket.is_held_by(case.program) && !self.had_its_chance(&began, socket);
        if let Some(&last) = began.last().filter(|_| fills) {
            self.end = last;
        }
        let trend = |began| Trend { began, end: self.end, stretch: self.leak_age };
        let unused = self.began(&self.unused);
        let is_leak = trend(&began).is_leak();
        // What is known to be unused stays leaked when no more comes.
        let was_unused = |last: &u64| Trend { end: *last, ..trend(&unused) }.is_leak();
        let goes_on = trend(&unused).is_leak();
        let is_unused = unused.len() >= UNUSED && (goes_on || unused.last().is_some_and(was_unused));
        self.stalled = !(is_leak || goes_on);
        let enough = if case.record.endings.closed > 0 { CERTAIN } else { CERTAIN_WHERE_NOTHING_CLOSES };
        self.is_few = began.len() < enough && unused.is_empty();
        let is_certain = began.len() >= enough || fills || self.fills_soon(&began, socket);
        self.rests_on_slots = fills && began.len() < enough && !is_unused;
        self.judged = if is_unused || (is_leak && is_certain) {
            Judged::Leak
        } else if is_leak {
            Judged::Suspect { paused: false }
        } else if self.was_leak(&began, case) {
            Judged::Suspect { paused: true }
        } else {
            Judged::Calm
        };
    }

    /// When connections began, ascending. Of those from before tracing it is not known: they count as one moment.
    pub(super) fn began(&self, connections: &[&OpenConnection]) -> Vec<u64> {
        let of = |it: &&OpenConnection| if it.before_trace { self.started } else { it.opened };
        let mut began: Vec<_> = connections.iter().map(of).collect();
        began.sort_unstable();
        began
    }

    /// They were a leak when the last one came, in a program that closes more than it keeps; or that was not long ago.
    fn was_leak(&self, began: &[u64], case: &Case<'_>) -> bool {
        let closes = case.record.endings.closed > began.len() as u64;
        let (first, end) =
            (began.first().copied().unwrap_or_default(), began.last().copied().unwrap_or_default());
        let is_recent = self.end.saturating_sub(end) <= end.saturating_sub(first).saturating_mul(RECENT);
        (closes || is_recent)
            && began.len() >= CERTAIN
            && Trend { began, end, stretch: self.leak_age }.is_leak()
    }

    /// No slot is left within the hour, if it goes on like this.
    fn fills_soon(&self, began: &[u64], socket: &SocketFacts) -> bool {
        let limit = socket.limit.filter(|_| !socket.limit_is_inferred);
        let free = limit.map(|limit| limit.saturating_sub(socket.used));
        let (Some(free), Some(&first)) = (free, began.first()) else { return false };
        let seconds = self.end.saturating_sub(first) as f64 / 1e9;
        seconds / began.len() as f64 * free as f64 <= SOON
    }

    /// Was a connection served that was made when the next one of this program was due? Then it had no need of more.
    fn had_its_chance(&self, began: &[u64], socket: &SocketFacts) -> bool {
        let (Some(&first), Some(&last)) = (began.first(), began.last()) else { return false };
        let gap = last.saturating_sub(first) / (began.len() as u64).saturating_sub(1).max(1);
        let pause = gap.saturating_mul(3).max(self.leak_age.saturating_mul(2));
        socket.youngest_served.is_some_and(|served| served > last.saturating_add(pause))
    }
}

/// The age from which a connection of this program has outlasted all that it ended itself.
pub(super) fn natural_age(case: &Case<'_>, leak_age: u64) -> u64 {
    let is_present =
        |process| case.open.iter().any(|it| it.client == End::Open && it.process == process && !it.inherited);
    case.record.lasting.natural_age(leak_age, case.record.endings.closed > 0, is_present)
}
