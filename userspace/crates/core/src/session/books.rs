//! What programs did on sockets, and how crowded those are: kept up to date with every change of a connection.

use rustc_hash::FxHashMap;

use super::{Followed, Settings, Socket, SocketId, Timeline, slots::AT_ONCE};
use crate::{
    attribution::who::{ProgramId, Who},
    event::{Queue, Reason},
    lifecycle::{Connection, EndState, Origin, State},
    recent::Recent,
    verdict::{self, ClientRelease, Crowding, Ending, Reception, Record},
};

/// What a program, or another group, did on a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// What it did as a client, with those connections whose start was not seen.
    pub record: Record,
    /// How many those are: from before tracing, as good as always.
    pub before_trace: u64,
    /// Slots that its connections take, of those whose client end is open.
    pub slots: u64,
    /// The same over time.
    pub timeline: Timeline,
    /// When it was counted on last.
    pub(super) touched: u64,
}

impl Tally {
    pub(super) fn new(started: u64, settings: &verdict::Settings) -> Self {
        Self {
            record: Record::new(started, settings),
            before_trace: 0,
            slots: 0,
            timeline: Timeline::new(started),
            touched: 0,
        }
    }

    /// One of its connections takes a slot from now on, or takes none any more.
    fn step(&mut self, now: u64, up: bool) {
        step(&mut self.slots, up);
        self.timeline.set(now, self.slots);
    }

    /// Connections that it was seen to make.
    #[must_use]
    pub const fn opened(&self) -> u64 {
        self.record.opened().saturating_sub(self.before_trace)
    }
}

/// No record described a listener that another one names.
pub(super) struct Unknown;

/// What a connection takes from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    /// A slot, or a place in the queue.
    place: bool,
    /// A slot.
    slot: bool,
    /// A slot that its opener keeps.
    own_slot: bool,
    /// Its client end is not known to be released.
    client: bool,
}

impl Weight {
    pub(super) fn of(connection: &Connection) -> Self {
        let slot = connection.server.is_open() && connection.accepted.is_some();
        Self {
            place: connection.server.is_open(),
            slot,
            own_slot: slot && connection.client.is_open(),
            client: !connection.client.is_released(),
        }
    }
}

/// Listeners remembered, at least, that nobody asked for: the kernel side reports them no more, as a rule.
const IGNORED: usize = 65_536;

/// What is counted of sockets and programs.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) settings: Settings,
    /// Time of the last record that concerns a target: what a recording has too.
    pub(super) moment: u64,
    pub(super) sockets: Vec<Socket>,
    /// Numbers of sockets that wait for another, the smallest last.
    pub(super) vacant: Vec<SocketId>,
    /// An entry outlives its listener: connections do too.
    pub(super) listeners: FxHashMap<u64, Followed>,
    /// The listeners that nobody asked for.
    pub(super) ignored: Recent<u64, ()>,
    /// In no order; boxed, for most of them are larger than a table should move.
    pub(super) tallies: FxHashMap<(SocketId, ProgramId), Box<Tally>>,
}

impl Books {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            moment: 0,
            sockets: Vec::new(),
            vacant: Vec::new(),
            listeners: FxHashMap::default(),
            ignored: Recent::new(IGNORED),
            tallies: FxHashMap::default(),
        }
    }

    /// A listener that is followed.
    pub(super) fn followed(&self, listener: u64) -> Option<&Followed> {
        self.listeners.get(&listener)
    }

    /// The socket of a listener; None if nobody asked for it.
    pub(super) fn socket_of(&mut self, listener: u64) -> Result<Option<SocketId>, Unknown> {
        match self.listeners.get(&listener) {
            Some(followed) => Ok(Some(followed.socket)),
            None => self.ignored.get(&listener).map(|()| None).ok_or(Unknown),
        }
    }

    /// Enters a socket under a number that none has.
    pub(super) fn add_socket(&mut self, socket: Socket) -> SocketId {
        let Some(id) = self.vacant.pop() else {
            self.sockets.push(socket);
            return SocketId(self.sockets.len() - 1);
        };
        self.sockets[id.0] = socket;
        id
    }

    /// The tally of a program on a socket.
    pub(super) fn tally(&mut self, socket: SocketId, program: ProgramId) -> &mut Tally {
        let (started, settings) = (self.settings.started, self.settings.verdict());
        let tally =
            self.tallies.entry((socket, program)).or_insert_with(|| Box::new(Tally::new(started, &settings)));
        tally.touched = self.moment;
        tally
    }

    /// Weighs a connection after a change. `before` is nothing for a new one.
    pub(super) fn weigh(&mut self, socket: SocketId, connection: &Connection, before: Weight) {
        let after = Weight::of(connection);
        self.give_place(socket, connection, before, after);
        if before.slot && !after.slot {
            self.let_go(socket, connection);
        }
        let program = connection.opener.group;
        if before.client && !after.client {
            self.release(socket, connection);
        }
        if connection.state() == State::Closed {
            self.tally(socket, program).record.close();
        }
    }

    /// Counts the places that a connection takes, and took before.
    fn give_place(&mut self, socket: SocketId, connection: &Connection, before: Weight, after: Weight) {
        if before.place != after.place
            && let Some(followed) = self.listeners.get_mut(&connection.listener)
        {
            step(&mut followed.occupied, after.place);
        }
        if before.slot != after.slot {
            let socket = &mut self.sockets[socket.0];
            step(&mut socket.slots, after.slot);
            socket.timeline.set(self.moment, socket.slots);
        }
        if before.own_slot != after.own_slot {
            let now = self.moment;
            self.tally(socket, connection.opener.group).step(now, after.own_slot);
        }
    }

    /// A connection is lost from sight for good: it takes no place that is known of, and is not closed.
    pub(super) fn lose(&mut self, socket: SocketId, connection: &Connection) {
        self.give_place(socket, connection, Weight::of(connection), Weight::default());
    }

    /// Counts a connection that is new.
    pub(super) fn enter(&mut self, socket: SocketId, connection: &Connection) {
        let tally = self.tally(socket, connection.opener.group);
        tally.record.open();
        tally.before_trace += u64::from(connection.origin != Origin::Seen);
        // One whose client end was gone at first sight is not released now.
        let client = Weight::of(connection).client;
        self.weigh(socket, connection, Weight { client, ..Weight::default() });
    }

    /// Counts a connection for its opener, who has become known, and no more for `old`. Its client end is open.
    pub(super) fn rename(&mut self, socket: SocketId, connection: &Connection, old: ProgramId) {
        let own_slot = Weight::of(connection).own_slot;
        let moment = self.moment;
        let was = self.tally(socket, old);
        was.record.disown();
        was.before_trace = was.before_trace.saturating_sub(1);
        if own_slot {
            was.step(moment, false);
        }
        if was.record.opened() == 0 && was.record.failed().is_empty() {
            self.tallies.remove(&(socket, old));
        }
        let now = self.tally(socket, connection.opener.group);
        now.record.open();
        now.before_trace += 1;
        if own_slot {
            now.step(moment, true);
        }
    }

    /// The server has released an end that it had accepted.
    fn let_go(&mut self, socket: SocketId, connection: &Connection) {
        let EndState::Released { at, reason, .. } = connection.server else { return };
        let is_client_there = connection.client.is_open();
        // A server with a process for each client exits when it turns one away, and the client may be the first to close.
        // Who keeps most of the slots has kept all before.
        let own = self.tallies.get(&(socket, connection.opener.group)).map_or(0, |tally| tally.slots);
        let known = &self.sockets[socket.0];
        let is_keeper = own.saturating_mul(2) > known.slots;
        // Where slots are known, nobody is served beyond them: a client that is told so may be the first to close.
        let is_full = known.sure_slots().is_some_and(|slots| known.slots >= slots);
        let is_refusal = is_client_there || is_full || (is_keeper && matches!(reason, Reason::Exit(_)));
        let turned_away = closed_at_once(connection).filter(|_| is_refusal);
        let known = &mut self.sockets[socket.0];
        known.released(at, turned_away);
        if let (EndState::Released { at: left, .. }, Reason::Close) = (&connection.client, reason) {
            known.linger = known.linger.max(Some(at.saturating_sub(*left)));
        }
        if turned_away.is_some() && (is_client_there || is_full) {
            let level = known.slots;
            self.tally(socket, connection.opener.group).record.turn_away(at, level);
        }
    }

    fn release(&mut self, socket: SocketId, connection: &Connection) {
        let (at, ending) = match &connection.client {
            EndState::Released { at, by, reason } => (*at, ending(&connection.opener, by, *reason)),
            EndState::ReleasedUnseen { known } => (known.unwrap_or(connection.opened), Ending::Unseen),
            EndState::Open | EndState::Unknown => return,
        };
        let program = connection.opener.group;
        let reception = if connection.state() == State::Abandoned {
            Reception::Queued(self.crowding(socket, program, None))
        } else {
            reception(connection)
        };
        self.tally(socket, program).record.release(&ClientRelease {
            opened: connection.opened,
            before_trace: connection.origin == Origin::BeforeTrace,
            at,
            ending,
            process: connection.opener.process_number(),
            reception,
        });
    }

    /// How crowded a socket is, as a program meets it.
    pub(super) fn crowding(&self, socket: SocketId, program: ProgramId, queue: Option<Queue>) -> Crowding {
        let known = &self.sockets[socket.0];
        Crowding {
            used: known.slots,
            own: self.tallies.get(&(socket, program)).map_or(0, |tally| tally.slots),
            // What is inferred is not sure enough to call a pause in front of the server a want of slots.
            limit: known.sure_slots(),
            queue_full: queue.is_some_and(|queue| queue.length > queue.max),
            last_accept: known.last_accept,
        }
    }
}

fn step(count: &mut u64, up: bool) {
    *count = if up { *count + 1 } else { count.saturating_sub(1) };
}

/// What the server did with a connection that it accepted, and whose client end is released now.
fn reception(connection: &Connection) -> Reception {
    if closed_at_once(connection).is_some() { Reception::ClosedAtOnce } else { Reception::Served }
}

/// When the server accepted a connection, if it has closed it at once.
fn closed_at_once(connection: &Connection) -> Option<u64> {
    let EndState::Released { at, .. } = connection.server else { return None };
    let accepted = connection.accepted.as_ref()?.at?;
    (at.saturating_sub(accepted) < AT_ONCE).then_some(accepted)
}

/// How a client end went, as its opener's habit shows in it.
fn ending(opener: &Who, by: &Who, reason: Reason) -> Ending {
    let id = |who: &Who| (who.actor.id.pid, who.actor.id.start);
    // What exec drops is the doing of the program that calls it, though another runs by then.
    let is_opener = id(opener) == id(by) && (reason == Reason::Exec || by.is_still(opener));
    if !is_opener {
        return Ending::ByAnother;
    }
    match reason {
        Reason::Close | Reason::Exec => Ending::Closed,
        Reason::Exit(_) | Reason::Killed(_) => Ending::Ended,
        Reason::ListenerClosed | Reason::Collected | Reason::Unseen => Ending::ByAnother,
    }
}
