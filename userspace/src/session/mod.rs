//! From records to what is known: attribution, lifecycle and the tally, in one pass and without I/O.
//!
//! Live capture and replay feed the same [`Session`]; only where the records come from and where the notices go
//! differs.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use rustc_hash::FxHashMap;

mod found;
mod holders;

pub use holders::Holder;

use crate::{
    attribution::{
        processes::Processes,
        selection::Selection,
        who::{ProgramId, Who},
    },
    event::{End, Event, Listener, ProcessId, Record, What},
    lifecycle::{Change, Connection, Table},
};
use holders::Holders;

/// A socket as people know it: a path (or abstract name) in a namespace. A server that restarts or reloads makes a new
/// listener under the same path; its connections count together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Path, `@name`, or for attempts without a listener the target.
    pub path: String,
}

/// A listener that a target means.
#[derive(Clone, Copy, Debug)]
struct Followed {
    socket: SocketId,
    /// Connections whose server end is not released: they take a slot or a place in the queue.
    occupied: u64,
}

/// Index of a [`Socket`] in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub usize);

/// What a program did on a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections made.
    pub opened: u64,
    /// Connections whose start was not seen: from before the trace, as good as always.
    pub before_trace: u64,
    /// Of both, released at both ends.
    pub closed: u64,
    /// Failed attempts by error number.
    pub failed: BTreeMap<i32, u64>,
}

/// An event names a listener that no record described.
struct Unknown;

/// No namespace has this inode number.
const ANY_NAMESPACE: u32 = 0;

/// Anybody can try paths that do not exist: from this many sockets on, attempts at further ones count together.
const MOST_SOCKETS: usize = 1024;
/// And under this name.
const OTHERS: &[u8] = b"(other paths)";

/// What a record led to.
#[derive(Debug)]
pub enum Notice<'a> {
    /// A listener that a target means.
    Listener(&'a Listener),
    /// A listener that no target means: the kernel need not report it any more.
    Ignored(u64),
    /// Something happened on a socket that is followed.
    Seen(Seen<'a>),
    /// A connection was found whose start was not seen; [`Session::found`] tells what is known of it. Later lines of the same
    /// round may add to that.
    Found(u64),
    /// An event on a followed socket did not fit what came before.
    Misfit,
}

/// A connection whose start was not seen.
#[derive(Clone, Copy, Debug)]
pub struct FoundConnection<'a> {
    /// On which socket.
    pub socket: &'a Socket,
    /// Its program's name.
    pub program: &'a str,
    /// Connections on the listener that take a slot or a place in the queue.
    pub open: u64,
    /// The connection.
    pub connection: &'a Connection,
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// When: nanoseconds since boot.
    pub at: u64,
    /// Who did it.
    pub who: &'a Who,
    /// The program's name.
    pub program: &'a str,
    /// What.
    pub what: &'a What,
    /// On which socket.
    pub socket: &'a Socket,
    /// Its id.
    pub socket_id: SocketId,
    /// Connections on the listener that take a slot or a place in the queue, after this.
    pub open: u64,
    /// The connection as it is now, for events of one.
    pub connection: Option<&'a Connection>,
}

/// Everything that is known.
#[derive(Debug)]
pub struct Session {
    /// What the user asked for.
    pub selection: Selection,
    processes: Processes,
    sockets: Vec<Socket>,
    by_name: HashMap<(Vec<u8>, u32), SocketId>,
    /// None for the listeners that nobody asked for. An entry outlives its listener: connections do too.
    listeners: FxHashMap<u64, Option<Followed>>,
    table: Table,
    tallies: BTreeMap<(SocketId, ProgramId), Tally>,
    holders: Holders,
    misfits: u64,
    last: Option<(Event, Who, SocketId, Option<Box<Connection>>)>,
    last_listener: Option<Arc<Listener>>,
}

impl Session {
    /// An empty one.
    #[must_use]
    pub fn new(selection: Selection) -> Self {
        Self {
            selection,
            processes: Processes::default(),
            sockets: Vec::new(),
            by_name: HashMap::new(),
            listeners: FxHashMap::default(),
            table: Table::default(),
            tallies: BTreeMap::new(),
            holders: Holders::default(),
            misfits: 0,
            last: None,
            last_listener: None,
        }
    }

    /// Takes in a record.
    pub fn feed(&mut self, record: Record) -> Option<Notice<'_>> {
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
                self.holders.end();
                None
            }
            Record::Gone { connection, end } => self.gone(connection, end),
        }
    }

    /// Is this process described?
    #[must_use]
    pub fn knows(&self, process: &ProcessId) -> bool {
        self.processes.knows(process)
    }

    fn listener(&mut self, listener: Arc<Listener>) -> Notice<'_> {
        if !self.selection.selects(&listener) {
            self.listeners.insert(listener.id, None);
            return Notice::Ignored(listener.id);
        }
        // An abstract name belongs to a network namespace, a path to a mount namespace.
        let namespace =
            if listener.is_abstract { listener.network_namespace } else { listener.mount_namespace };
        let socket = self.socket(&listener.path, namespace);
        self.listeners.insert(listener.id, Some(Followed { socket, occupied: 0 }));
        Notice::Listener(self.last_listener.insert(listener))
    }

    /// The socket of a path. Attempts that found no listener know no namespace: they count with the socket of that path
    /// that is there or comes first.
    fn socket(&mut self, path: &[u8], namespace: u32) -> SocketId {
        let fits = |its: u32| its == namespace || its == ANY_NAMESPACE || namespace == ANY_NAMESPACE;
        let known = self.by_name.iter().filter(|((known, its), _)| known == path && fits(*its));
        let known = known.min_by_key(|(_, id)| **id);
        if let Some((key, &id)) = known {
            let key = key.clone();
            if key.1 == ANY_NAMESPACE && namespace != ANY_NAMESPACE {
                self.by_name.remove(&key);
                self.by_name.insert((key.0, namespace), id);
            }
            return id;
        }
        if namespace == ANY_NAMESPACE && path != OTHERS && self.sockets.len() >= MOST_SOCKETS {
            return self.socket(OTHERS, namespace);
        }
        let id = SocketId(self.sockets.len());
        self.sockets.push(Socket { path: String::from_utf8_lossy(path).into_owned() });
        self.by_name.insert((path.to_vec(), namespace), id);
        id
    }

    fn event(&mut self, event: Event) -> Option<Notice<'_>> {
        let socket = match self.socket_of(&event) {
            Ok(socket) => socket?,
            Err(Unknown) => return Some(self.misfit()),
        };
        let who = self.processes.identify(event.actor);
        let change = self.table.apply(event.at, who.clone(), &event.what);
        let Ok(change) = change else { return Some(self.misfit()) };
        let closed = match change {
            Some(Change::Closed(connection)) => Some(connection),
            Some(Change::Live(_)) | None => None,
        };
        self.occupy(&event.what);
        self.count(socket, &event.what, &who, closed.as_deref());
        self.forget(closed.as_deref());
        self.last = Some((event, who, socket, closed));
        self.last_seen().map(Notice::Seen)
    }

    fn misfit(&mut self) -> Notice<'static> {
        self.misfits += 1;
        Notice::Misfit
    }

    /// Counts the slot, or place in the queue, that an event takes or frees.
    fn occupy(&mut self, what: &What) {
        let (listener, takes) = match *what {
            What::Connect { listener, server_untracked: false, .. } => (listener, true),
            What::Release { listener, end: End::Server, .. } => (listener, false),
            _ => return,
        };
        if let Some(followed) = self.listeners.get_mut(&listener).and_then(Option::as_mut) {
            let occupied = followed.occupied;
            followed.occupied = if takes { occupied + 1 } else { occupied.saturating_sub(1) };
        }
    }

    /// The socket that an event happened on; None if nobody asked for it. A release may follow its listener's.
    fn socket_of(&mut self, event: &Event) -> Result<Option<SocketId>, Unknown> {
        if let What::Attempt { listener: None, address, directory, place, .. } = &event.what {
            let place = place.clone().or_else(|| {
                let namespace = self.processes.mount_namespace(&event.actor.id);
                self.selection.by_address(address, directory.as_deref(), namespace)
            });
            return Ok(place.map(|place| self.socket(&place, ANY_NAMESPACE)));
        }
        let Some(listener) = listener_of(&event.what) else { return Ok(None) };
        let followed = self.listeners.get(&listener).ok_or(Unknown)?;
        Ok(followed.map(|followed| followed.socket))
    }

    fn count(&mut self, socket: SocketId, what: &What, who: &Who, closed: Option<&Connection>) {
        match what {
            What::Connect { .. } => self.tallies.entry((socket, who.program)).or_default().opened += 1,
            What::Attempt { errno, .. } => {
                let tally = self.tallies.entry((socket, who.program)).or_default();
                *tally.failed.entry(*errno).or_default() += 1;
            }
            What::Accept { .. } | What::Release { .. } | What::ListenerClosed { .. } => {}
        }
        if let Some(connection) = closed {
            self.tallies.entry((socket, connection.opener.program)).or_default().closed += 1;
        }
    }

    fn last_seen(&self) -> Option<Seen<'_>> {
        let (event, who, socket, closed) = self.last.as_ref()?;
        let connection =
            closed.as_deref().or_else(|| connection_of(&event.what).and_then(|id| self.table.get(id)));
        Some(Seen {
            at: event.at,
            who,
            program: self.processes.name(who.program),
            what: &event.what,
            socket: &self.sockets[socket.0],
            socket_id: *socket,
            open: listener_of(&event.what)
                .and_then(|listener| self.listeners.get(&listener).copied().flatten())
                .map_or(0, |followed| followed.occupied),
            connection,
        })
    }

    /// Who held an end in the last complete round; None if there was none.
    #[must_use]
    pub fn holders(&self, connection: u64, end: End) -> Option<&[Holder]> {
        self.holders.of((connection, end))
    }

    /// Who held a listener in the last complete round.
    pub fn listener_holders(&self) -> impl Iterator<Item = (u64, &Holder)> {
        self.holders.listeners()
    }

    /// A program's name.
    #[must_use]
    pub fn program(&self, program: ProgramId) -> &str {
        self.processes.name(program)
    }

    /// The sockets, in the order of their ids.
    #[must_use]
    pub fn sockets(&self) -> &[Socket] {
        &self.sockets
    }

    /// What each program did on each socket.
    pub fn tallies(&self) -> impl Iterator<Item = (SocketId, ProgramId, &Tally)> {
        self.tallies.iter().map(|(&(socket, program), tally)| (socket, program, tally))
    }

    /// The connections that are not released at both ends, each with its socket.
    pub fn open(&self) -> impl Iterator<Item = (SocketId, &Connection)> {
        self.table.iter().filter_map(|connection| {
            let followed = self.listeners.get(&connection.listener).copied().flatten()?;
            Some((followed.socket, connection))
        })
    }

    /// Records that did not fit what came before: something was lost in between.
    #[must_use]
    pub fn misfits(&self) -> u64 {
        self.misfits
    }
}

/// The connection that an event is about.
fn connection_of(what: &What) -> Option<u64> {
    match *what {
        What::Connect { connection, .. }
        | What::Accept { connection, .. }
        | What::Release { connection, .. } => Some(connection),
        What::ListenerClosed { .. } | What::Attempt { .. } => None,
    }
}

/// The listener that an event happened at; None for an attempt that found none.
fn listener_of(what: &What) -> Option<u64> {
    match *what {
        What::Attempt { listener, .. } => listener,
        What::Connect { listener, .. }
        | What::Accept { listener, .. }
        | What::Release { listener, .. }
        | What::ListenerClosed { listener, .. } => Some(listener),
    }
}

#[cfg(test)]
pub(crate) mod tests;
