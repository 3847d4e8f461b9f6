//! Verdicts in a report: the evidence is put together here, judged by [`crate::verdict`], and named.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    containers::{self, InContainer},
    doubts::doubt,
    keepers::keepers,
    stacks::{self, OpenedAt},
};
use crate::{
    attribution::{limits, who::ProgramId},
    event::End,
    lifecycle::{Connection, EndState, Origin, State},
    session::{Session, SocketId},
    text::errno_name,
    verdict::{
        self, Case, Finding, HeldEnd, Keeper, Observation, OpenConnection, Parties, Record, SocketFacts,
        Usage, Verdict, judge,
    },
};

/// A verdict about a program on a socket, with what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingReport {
    /// The verdict.
    pub verdict: Verdict,
    /// The socket.
    pub path: String,
    /// The program, or the group that it was asked for instead.
    pub program: String,
    /// Connections that carry the verdict; of a starved program, failed connects and connections.
    pub count: u64,
    /// Of those, server ends that the program accepted and others hold: of `inherited` only.
    #[serde(default)]
    pub accepted: u64,
    /// The longest that one of them lasts, in nanoseconds.
    pub oldest_ns: Option<u64>,
    /// Connections that the program opened there, with those from before tracing.
    pub opened: u64,
    /// Of those, released at both ends.
    pub closed: u64,
    /// Half of the client ends that were released lived no longer than this, in nanoseconds.
    pub p50_ns: Option<u64>,
    /// And 99 % of them no longer than this.
    pub p99_ns: Option<u64>,
    /// Failed connects by error.
    pub failed: BTreeMap<String, u64>,
    /// By how many an hour the ends that are kept grow.
    pub growth_per_hour: Option<f64>,
    /// Slots in use on the socket, by everybody.
    pub slots_used: u64,
    /// How many there are.
    pub slots_limit: Option<u64>,
    /// How that is known.
    pub limit_source: Option<limits::Source>,
    /// Until all slots are used at this growth.
    pub seconds_until_full: Option<u64>,
    /// What a starved program suffers; or what an undecided one does, if the server is full as it seems.
    pub hardship: Option<HardshipReport>,
    /// The stacks that the program's old connections come from which are open at its end; most first. Empty where no stacks
    /// were taken.
    pub opened_at: Vec<OpenedAt>,
    /// The containers of those who have the program's connections open, those with the most connections first, at most 16. Of a leak
    /// at the server's end, of those who hold that. Empty where none of them is in a container.
    #[serde(default)]
    pub containers: Vec<InContainer>,
    /// Of an undecided program: the nanoseconds that have to be observed to decide, and those that were.
    #[serde(default)]
    pub needed_ns: Option<u64>,
    /// See `needed_ns`.
    #[serde(default)]
    pub observed_ns: Option<u64>,
    /// Processes that keep the connections; of leaks, pools and what is like them.
    #[serde(default)]
    pub processes: u64,
    /// Of the connections, those that are known to be unused.
    #[serde(default)]
    pub unused: u64,
    /// Why the verdict may be wrong, a sentence each.
    pub uncertain: Vec<String>,
    /// What to do about it.
    pub advice: String,
}

/// What a starved program suffers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HardshipReport {
    /// Failed connects.
    pub refused: u64,
    /// Connections that it gave up while they were queued.
    pub abandoned: u64,
    /// Connections that have been queued for longer than the leak age.
    pub waiting: u64,
    /// Connections that the server accepted and closed at once, while all slots were in use.
    #[serde(default)]
    pub turned_away: u64,
    /// It still gets nothing.
    pub goes_on: bool,
    /// Who holds the slots now, most first.
    pub holders: Vec<SlotHolder>,
    /// Slots whose clients have gone.
    pub held_by_server: u64,
}

/// A program and the slots that its connections take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotHolder {
    /// The program.
    pub program: String,
    /// How many.
    pub slots: u64,
}

/// Judges every program on every socket; the most severe first.
#[must_use]
pub fn findings(session: &Session, now: u64, incomplete: bool) -> Vec<FindingReport> {
    findings_with(session, now, incomplete, &|connection| session.use_of(connection))
}

/// The same with other evidence of use: `usage` says how a connection is used, where that is known.
#[must_use]
pub fn findings_with(
    session: &Session,
    now: u64,
    incomplete: bool,
    usage: &dyn Fn(&Connection) -> Option<Usage>,
) -> Vec<FindingReport> {
    let settings = session.settings();
    let observation = Observation { started: settings.started, now, incomplete };
    let nothing = Record::new(settings.started, &settings.verdict());
    let tallies: Tallies<'_> =
        session.tallies().map(|(socket, program, tally)| ((socket, program), tally)).collect();
    let roles = roles(session);
    let strain = strain(session, now, &roles, &tallies);
    let mut stacks = stacks::opened_at(session, now);
    let mut containers = containers::containers(session);
    let all: BTreeSet<_> = tallies.keys().chain(roles.keys()).copied().collect();
    let mut findings = Vec::new();
    for key in all {
        let (socket, program) = key;
        let role = roles.get(&key);
        let open = role.map(|role| role.open(session, usage)).unwrap_or_default();
        let case = Case {
            program: program.0,
            record: tallies.get(&key).map_or(&nothing, |tally| &tally.record),
            open: &open,
            held: role.map_or(&[], |role| &role.held),
        };
        let facts = facts(session, socket, &tallies, strain.get(&socket).copied().unwrap_or_default());
        let judged = judge(&case, &facts, &observation, &settings.verdict());
        let opened_at = stacks.remove(&(socket, program.0)).unwrap_or_default();
        let [clients, servers] = [&mut containers.clients, &mut containers.servers]
            .map(|lists| lists.remove(&(socket, program.0)).unwrap_or_default());
        findings.extend(judged.into_iter().map(|finding| {
            // Those are the program's own ends, of which a leak at the server's says nothing.
            let is_server = finding.verdict == Verdict::ServerLeak;
            let opened_at = if is_server { Vec::new() } else { opened_at.clone() };
            let is_haproxy = role.is_some_and(|role| role.is_haproxy);
            let observed_ns =
                Some(now.saturating_sub(settings.started)).filter(|_| finding.verdict == Verdict::Undecided);
            let containers = if is_server { servers.clone() } else { clients.clone() };
            let bare = FindingReport::new(session, key, is_haproxy, finding);
            FindingReport { opened_at, containers, observed_ns, ..bare }
        }));
    }
    findings.sort_by(|a, b| {
        // Of one verdict, what fills a socket up comes first: others suffer from it now.
        let is_full = |it: &FindingReport| it.slots_limit.is_some_and(|limit| it.slots_used >= limit);
        let key = |it: &FindingReport| std::cmp::Reverse((it.verdict, is_full(it), it.count));
        key(a).cmp(&key(b)).then_with(|| (&a.path, &a.program).cmp(&(&b.path, &b.program)))
    });
    findings
}

/// What is open of a program's now, as a client and as a server.
#[derive(Default)]
struct Role<'s> {
    open: Vec<&'s Connection>,
    held: Vec<HeldEnd>,
    /// The server among them is HAProxy.
    is_haproxy: bool,
}

impl Role<'_> {
    /// What it has open as a client, as it is judged. It is large: to be made for one program at a time.
    fn open(&self, session: &Session, usage: &dyn Fn(&Connection) -> Option<Usage>) -> Vec<OpenConnection> {
        let open = self.open.iter().map(|it| OpenConnection { usage: usage(it), ..open(session, it) });
        let mut open: Vec<_> = open.collect();
        open.sort_unstable_by_key(|it| (it.opened, it.queued, it.inherited));
        open
    }
}

type Roles<'s> = BTreeMap<(SocketId, ProgramId), Role<'s>>;
type Tallies<'s> = BTreeMap<(SocketId, ProgramId), &'s crate::session::Tally>;

fn roles(session: &Session) -> Roles<'_> {
    let mut roles = Roles::new();
    for (socket, connection) in session.open() {
        let opener = roles.entry((socket, connection.opener.group)).or_default();
        opener.open.push(connection);
        if let (State::ClientClosed, Some(accepted)) = (connection.state(), &connection.accepted) {
            for (who, keeper) in keepers(session, connection.id, accepted) {
                let role = roles.entry((socket, who.group)).or_default();
                role.held.push(HeldEnd { keeper, ..held(connection) });
                role.is_haproxy |= session.program(who.program).rsplit('/').next() == Some("haproxy");
            }
        }
    }
    // The table has no order, and a report must not depend on any.
    for role in roles.values_mut() {
        role.open.sort_unstable_by_key(|connection| connection.id);
        role.held.sort_by_key(|it| it.since);
    }
    roles
}

fn open(session: &Session, connection: &Connection) -> OpenConnection {
    let holders = session.holders(connection.id, End::Client).unwrap_or_default();
    let is_openers = holders.iter().any(|holder| holder.who.is_still(&connection.opener));
    OpenConnection {
        opened: connection.opened,
        before_trace: connection.origin == Origin::BeforeTrace,
        opener_seen: connection.origin == Origin::Seen,
        client: end(&connection.client),
        server: end(&connection.server),
        queued: matches!(connection.state(), State::Queued | State::Abandoned),
        inherited: !holders.is_empty() && !is_openers,
        process: connection.opener.process_number(),
        usage: None,
    }
}

fn held(connection: &Connection) -> HeldEnd {
    let since = match connection.client {
        EndState::Released { at, .. } => Some(at),
        EndState::ReleasedUnseen { known } => known,
        EndState::Open | EndState::Unknown => None,
    };
    HeldEnd {
        since: since.unwrap_or(connection.opened),
        before_trace: since.is_none(),
        keeper: Keeper::Itself,
    }
}

const fn end(end: &EndState) -> verdict::End {
    match end {
        EndState::Open => verdict::End::Open,
        EndState::Released { at, .. } => verdict::End::Released { at: Some(*at) },
        EndState::ReleasedUnseen { known } => verdict::End::Released { at: *known },
        EndState::Unknown => verdict::End::Unknown,
    }
}

/// How hard it is to be served on a socket.
#[derive(Clone, Copy, Default)]
struct Strain {
    /// Connections that are kept for longer than their program kept one that it closed itself.
    kept: u64,
    /// Somebody waits, or was refused or turned away.
    is_pressed: bool,
    /// Clients wait or fail, and nobody was accepted for longer than the leak age.
    is_stalled: bool,
}

/// A client that has waited for so long to be accepted, in nanoseconds, waits for a slot.
const WAITS: u64 = 1_000_000_000;

fn strain(
    session: &Session,
    now: u64,
    roles: &Roles<'_>,
    tallies: &Tallies<'_>,
) -> BTreeMap<SocketId, Strain> {
    let mut all: BTreeMap<SocketId, Strain> = BTreeMap::new();
    let leak_age = session.settings().leak_age;
    for (&(socket, program), role) in roles {
        let natural_age = tallies.get(&(socket, program)).map_or(leak_age, |it| it.record.natural_age());
        let strain = all.entry(socket).or_default();
        for connection in &role.open {
            let (age, is_queued) = (connection.age(now), connection.state() == State::Queued);
            strain.is_pressed |= is_queued && age >= WAITS;
            let last_accept = session.sockets()[socket.0].last_accept;
            let is_first = last_accept.is_none_or(|accept| accept < connection.opened);
            strain.is_stalled |= is_queued && age >= leak_age && is_first;
            strain.kept += u64::from(connection.client.is_open() && !is_queued && age >= natural_age);
        }
        strain.kept += role.held.iter().filter(|it| now.saturating_sub(it.since) >= leak_age).count() as u64;
    }
    for (&(socket, _), tally) in tallies {
        let known = &session.sockets()[socket.0];
        let strain = all.entry(socket).or_default();
        let is_sure = tally.slots > 0 || known.limit.is_some_and(|limit| !limit.is_inferred());
        strain.is_pressed |= tally.record.was_refused(known.limit.map(|limit| limit.slots), is_sure);
        strain.is_stalled |= tally.record.is_stalled(known.last_accept);
    }
    all
}

fn facts(session: &Session, socket: SocketId, tallies: &Tallies<'_>, strain: Strain) -> SocketFacts {
    let known = &session.sockets()[socket.0];
    let of_socket = tallies.range((socket, ProgramId(0))..=(socket, ProgramId(u32::MAX)));
    SocketFacts {
        limit: known.limit.map(|limit| limit.slots),
        limit_is_inferred: known.limit.is_some_and(|limit| limit.is_inferred()),
        seems_full: known.seems_full(),
        used: known.slots,
        holders: of_socket
            .filter(|(_, tally)| tally.slots > 0)
            .map(|((_, program), tally)| verdict::Holder { program: program.0, slots: tally.slots })
            .collect(),
        last_accept: known.last_accept,
        youngest_served: known.youngest_served,
        is_pressed: strain.is_pressed,
        is_stalled: strain.is_stalled,
        kept: strain.kept,
        linger: known.linger,
    }
}

impl FindingReport {
    fn new(
        session: &Session,
        (socket, program): (SocketId, ProgramId),
        is_haproxy: bool,
        finding: Finding,
    ) -> Self {
        let known = &session.sockets()[socket.0];
        let name = session.program(program);
        let parties = Parties {
            is_haproxy,
            // Of no other socket the limit is known without being given.
            at_haproxy_master: known.limit.is_some_and(|limit| limit.source == limits::Source::Assumed),
        };
        let advice = verdict::advice(&finding, parties);
        let figures = finding.figures;
        Self {
            verdict: finding.verdict,
            path: known.name.clone(),
            program: name.to_owned(),
            count: finding.count,
            accepted: finding.accepted,
            oldest_ns: figures.oldest_ns,
            opened: figures.opened,
            closed: figures.closed,
            p50_ns: figures.p50_ns,
            p99_ns: figures.p99_ns,
            failed: figures.failed.into_iter().map(|(errno, count)| (errno_name(errno), count)).collect(),
            growth_per_hour: figures.growth_per_hour,
            slots_used: figures.slots_used,
            slots_limit: figures.slots_limit,
            limit_source: known.limit.map(|limit| limit.source),
            seconds_until_full: figures.seconds_until_full,
            hardship: finding.hardship.map(|hardship| HardshipReport {
                refused: hardship.refused,
                abandoned: hardship.abandoned,
                waiting: hardship.waiting,
                turned_away: hardship.turned_away,
                goes_on: hardship.goes_on,
                holders: hardship
                    .holders
                    .iter()
                    .map(|holder| SlotHolder {
                        program: session.program(ProgramId(holder.program)).to_owned(),
                        slots: holder.slots,
                    })
                    .collect(),
                held_by_server: hardship.held_by_server,
            }),
            opened_at: Vec::new(),
            containers: Vec::new(),
            needed_ns: figures.needed_ns,
            observed_ns: None,
            processes: figures.processes,
            unused: figures.unused,
            uncertain: finding.uncertain.iter().map(doubt).collect(),
            advice,
        }
    }

    /// Was it so, and is not any more? What a program suffered stays found for good.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.hardship.as_ref().is_some_and(|hardship| !hardship.goes_on)
    }

    /// Numbers of the stacks that most of its connections come from, the most first: those that are shown whole.
    pub fn shown_stacks(&self) -> impl Iterator<Item = u32> {
        self.opened_at.iter().take(stacks::SHOWN).map(|place| place.stack)
    }
}

#[cfg(test)]
mod tests;
