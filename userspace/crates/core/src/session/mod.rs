//! From records to what is known: attribution, lifecycle and the tally, in one pass and without I/O.
//!
//! Live capture and replay feed the same [`Session`]; only where the records come from and where the notices go
//! differs.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

mod books;
mod carry;
mod found;
mod holders;
mod notice;
mod pending;
mod room;
mod settings;
mod slots;
mod sockets;
mod timeline;
mod usage;
mod view;

use rustc_hash::FxHashMap;
use sockleak_abi::PROCESSOR_BITS;

pub use books::Tally;
pub use holders::Holder;
pub use notice::{ClosedConnection, FoundConnection, Notice, RecordEffect, Seen};
pub use settings::Settings;
pub use sockets::{Socket, SocketId};
pub use timeline::{Stretch, Timeline};
pub use usage::EndUse;

use crate::{
    attribution::{
        by::By,
        limits,
        processes::Processes,
        selection::Selection,
        stacks::{self, StackId, Stacks},
        who::Who,
    },
    event::{Event, Listener, ProcessId, Reason, Record, What},
    lifecycle::{Connection, Table},
};
use books::{Books, Unknown, Weight};
use holders::Holders;
use notice::Kind;
use pending::Pending;
use room::Many;

/// A listener that a target means.
#[derive(Clone, Debug)]
struct Followed {
    socket: SocketId,
    listener: Arc<Listener>,
    /// Connections whose server end is not released: they take a slot or a place in the queue.
    occupied: u64,
    /// When and why it was closed.
    closed: Option<(u64, Reason)>,
}

/// Everything that is known.
#[derive(Debug)]
pub struct Session {
    /// What the user asked for.
    selection: Selection,
    processes: Processes,
    /// In the order of the paths: those of one path lie side by side.
    by_name: BTreeMap<(Vec<u8>, u32), SocketId>,
    table: Table,
    books: Books,
    holders: Holders,
    stacks: Stacks,
    /// Connections that a round has found, and that are not counted yet.
    found: Pending,
    /// Time of the last record that has one.
    latest: u64,
    misfits: u64,
    unseen: u64,
    /// Connections that had an end without room on the kernel side, the oldest first.
    unfollowed: VecDeque<u64>,
    /// Those of them that made room for others.
    forgotten: u64,
    /// Found connections that may be one of these, each with how many of its ends will be released.
    strangers: FxHashMap<u64, u8>,
    /// The highest number that a connection had, without the processor's.
    highest: u64,
    /// When nothing was watched, and for how long in all, in nanoseconds.
    blind: (u64, u64),
    last: Option<(Event, Arc<Who>, SocketId)>,
    /// What the last record closed.
    closed: Option<(SocketId, Box<Connection>)>,
    last_listener: Option<Arc<Listener>>,
    many: Many,
    /// Since when it is noted when an end sends; None if it is not, or if what is known of it means nothing.
    use_noted: Option<u64>,
}

impl Session {
    /// An empty one.
    #[must_use]
    pub fn new(selection: Selection, settings: Settings) -> Self {
        Self {
            selection,
            processes: Processes::new(settings.by),
            by_name: BTreeMap::new(),
            table: Table::default(),
            books: Books::new(settings),
            holders: Holders::default(),
            stacks: Stacks::default(),
            found: Pending::default(),
            latest: 0,
            misfits: 0,
            unseen: 0,
            unfollowed: VecDeque::new(),
            forgotten: 0,
            strangers: FxHashMap::default(),
            highest: 0,
            blind: (0, 0),
            last: None,
            closed: None,
            last_listener: None,
            many: Many::default(),
            use_noted: None,
        }
    }

    /// Takes in a record. The answer holds everything that it led to.
    pub fn feed(&mut self, record: Record) -> RecordEffect<'_> {
        self.closed = None;
        let kind = self.take_in(record);
        let session: &Self = self;
        let notice = kind.and_then(|kind| match kind {
            Kind::Listener => session.last_listener.as_deref().map(Notice::Listener),
            Kind::Ignored(listener) => Some(Notice::Ignored(listener)),
            Kind::Seen => session.last_seen().map(Notice::Seen),
            Kind::Found(id) => session.look_up(id).map(Notice::Found),
            Kind::Misfit => Some(Notice::Misfit),
            Kind::Stranger => Some(Notice::Stranger),
        });
        let closed = session.closed.as_ref();
        let closed =
            closed.map(|(socket, connection)| ClosedConnection { session, socket: *socket, connection });
        RecordEffect { notice, closed }
    }

    fn take_in(&mut self, record: Record) -> Option<Kind> {
        if self.is_crowded() {
            self.make_room();
        }
        match record {
            Record::Process(process) => {
                self.processes.insert(process);
                None
            }
            Record::Listener(listener) => Some(self.listener(listener)),
            Record::Event(event) => self.event(event),
            Record::Held(held) => self.held(&held),
            Record::RoundBegins => {
                self.holders.begin();
                None
            }
            Record::RoundEnds => {
                self.enter_known();
                self.holders.end();
                None
            }
            Record::Stack(stack) => {
                self.stacks.insert(&stack);
                None
            }
            Record::RawStack(_) => None,
            Record::Gone { connection, end } => self.gone(connection, end),
            Record::Unwatched { since, until } => {
                self.unwatched(since, until);
                None
            }
            Record::UseNoted { at, is_reliable } => {
                self.use_noted = is_reliable.then_some(at);
                None
            }
            Record::Carried(carried) => {
                self.carried(&carried);
                None
            }
        }
    }

    /// Time of the last record that has one: nanoseconds since boot.
    #[must_use]
    pub const fn latest(&self) -> u64 {
        self.latest
    }

    /// Is this listener one that a target means?
    #[must_use]
    pub fn follows(&self, listener: u64) -> bool {
        self.books.followed(listener).is_some()
    }

    /// Is this process described?
    #[must_use]
    pub fn knows(&self, process: &ProcessId) -> bool {
        self.processes.knows(process)
    }

    fn listener(&mut self, listener: Arc<Listener>) -> Kind {
        if !self.selection.selects(&listener) {
            self.books.ignored.put(listener.id, ());
            return Kind::Ignored(listener.id);
        }
        let socket = self.socket_of_listener_record(&listener);
        self.books.sockets[socket.0].is_retired = false;
        self.books.sockets[socket.0].backlog = Some(listener.backlog);
        let known = self.books.followed(listener.id);
        // One may be described again: first by its server ends, then by itself.
        let before = known.filter(|known| known.closed.is_none()).map(|known| known.socket);
        let (occupied, closed) = known.map_or((0, None), |known| (known.occupied, known.closed));
        if let Some(before) = before {
            let listening = &mut self.books.sockets[before.0].listening;
            *listening = listening.saturating_sub(1);
        }
        self.books.sockets[socket.0].listening += u32::from(closed.is_none());
        let followed = Followed { socket, listener: Arc::clone(&listener), occupied, closed };
        self.books.listeners.insert(listener.id, followed);
        self.last_listener = Some(listener);
        Kind::Listener
    }

    fn event(&mut self, event: Event) -> Option<Kind> {
        self.latest = event.at;
        let socket = match self.socket_of(&event) {
            Ok(socket) => socket?,
            Err(Unknown) => return Some(self.misfit()),
        };
        self.books.moment = event.at;
        let mut who = self.identify(&event);
        let stack = self.stack_of(&event.what, &mut who);
        let id = event.what.connection();
        if let What::Connect { connection, client_untracked, server_untracked, .. } = event.what {
            self.highest = self.highest.max(connection >> PROCESSOR_BITS);
            self.unfollowed.extend((client_untracked || server_untracked).then_some(connection));
        }
        let mut before = Weight::default();
        if let Some(id) = id {
            if self.is_pending(id) {
                self.enter_found();
            }
            before = self.table.get(id).map(Weight::of).unwrap_or_default();
        }
        let Ok(change) = self.table.apply(event.at, Arc::clone(&who), &event.what) else {
            return Some(if self.is_strangers(&event.what) { Kind::Stranger } else { self.misfit() });
        };
        if let Some((connection, stack)) = stack {
            self.table.tell_stack(connection, stack);
        }
        if let What::Release { reason: Reason::Unseen, .. } = event.what {
            self.unseen += 1;
        }
        self.note(socket, &event, &who);
        if let Some(change) = change {
            self.changed(socket, before, change, matches!(event.what, What::Connect { .. }));
        }
        self.last = Some((event, who, socket));
        Some(Kind::Seen)
    }

    /// Who did something. Whoever opened or accepted a connection is known as long as that is open, if only by it.
    fn identify(&mut self, event: &Event) -> Arc<Who> {
        let who = self.processes.identify(event.actor);
        if who.process.is_some() {
            return who;
        }
        let connection = event.what.connection().and_then(|id| self.table.get(id));
        let parties =
            connection.map(|it| [Some(&it.opener), it.accepted.as_ref().and_then(|it| it.by.as_ref())]);
        let party = parties.into_iter().flatten().flatten().find(|party| party.actor.id == event.actor.id);
        let Some(process) = party.and_then(|party| party.process.clone()) else { return who };
        self.processes.insert(process);
        self.processes.identify(event.actor)
    }

    /// The stack that a connection comes with; by that its opener may be grouped.
    fn stack_of(&mut self, what: &What, who: &mut Arc<Who>) -> Option<(u64, StackId)> {
        let What::Connect { connection, .. } = *what else { return None };
        let stack = self.stacks.take(connection)?;
        if self.books.settings.by == By::Stack {
            let place = stacks::site(self.stacks.frames(stack));
            let place = place.as_deref().unwrap_or("[a place without a name]");
            let group = self.processes.place(who.program, place).unwrap_or(who.group);
            Arc::make_mut(who).group = group;
        }
        Some((connection, stack))
    }

    /// What an event tells beyond the state of a connection.
    fn note(&mut self, socket: SocketId, event: &Event, who: &Who) {
        match &event.what {
            What::Accept { listener, connection, .. } => {
                let opened = self.table.get(*connection).map_or(event.at, |it| it.opened);
                self.books.sockets[socket.0].accepted(opened, event.at);
                self.learn_limit(*listener, who);
            }
            What::Attempt { errno, queue, .. } => {
                let crowding = self.books.crowding(socket, who.group, *queue);
                self.books.tally(socket, who.group).record.fail(event.at, *errno, &crowding);
            }
            What::ListenerClosed { listener, reason } => {
                if let Some(followed) = self.books.listeners.get_mut(listener) {
                    let listening = &mut self.books.sockets[followed.socket.0].listening;
                    *listening = listening.saturating_sub(followed.closed.is_none().into());
                    followed.closed = Some((event.at, *reason));
                }
            }
            What::Connect { .. } | What::Release { .. } => {}
        }
    }

    /// The number of slots, if it can be told from who serves a listener.
    fn learn_limit(&mut self, listener: u64, server: &Who) {
        let (Some(followed), Some(process)) = (self.books.followed(listener), &server.process) else {
            return;
        };
        let socket = followed.socket.0;
        if self.books.sockets[socket].limit.is_none() {
            self.books.sockets[socket].limit = limits::assumed(&followed.listener, process);
        }
    }

    /// Weighs a connection that is still in the table.
    fn weigh_live(&mut self, socket: SocketId, id: u64, before: Weight, is_new: bool) {
        let Some(connection) = self.table.get(id) else { return };
        if is_new {
            self.books.enter(socket, connection);
        } else {
            self.books.weigh(socket, connection, before);
        }
    }

    fn misfit(&mut self) -> Kind {
        self.misfits += 1;
        Kind::Misfit
    }

    /// The socket that an event happened on; None if nobody asked for it. A release may follow its listener's.
    fn socket_of(&mut self, event: &Event) -> Result<Option<SocketId>, Unknown> {
        if let What::Attempt { listener: None, address, directory, place, .. } = &event.what {
            let place = place.clone().or_else(|| {
                let namespace = self.processes.mount_namespace(&event.actor.id);
                self.selection.by_address(address, directory.as_deref(), namespace)
            });
            return Ok(place.map(|place| self.socket_of_path(&place)));
        }
        let Some(listener) = event.what.listener() else { return Ok(None) };
        self.books.socket_of(listener)
    }

    fn last_seen(&self) -> Option<Seen<'_>> {
        let (event, who, socket) = self.last.as_ref()?;
        let closed = self.closed.as_ref().map(|(_, connection)| connection.as_ref());
        let connection = closed.or_else(|| event.what.connection().and_then(|id| self.table.get(id)));
        Some(Seen {
            at: event.at,
            who,
            program: self.processes.name(who.program),
            what: &event.what,
            socket: &self.books.sockets[socket.0],
            socket_id: *socket,
            open: event
                .what
                .listener()
                .and_then(|listener| self.books.followed(listener))
                .map_or(0, |followed| followed.occupied),
            connection,
        })
    }
}

#[cfg(test)]
mod tests;
