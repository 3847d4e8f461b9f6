//! Sockets by their paths.

use std::cmp::Ordering;

use super::{Session, Timeline, slots::Learning};
use crate::{
    attribution::limits::{Limit, Source},
    event::{Listener, Queue},
};

/// A socket as people know it: a path (or abstract name) in a namespace. A server that restarts or reloads makes a new
/// listener under the same path; its connections count together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// What it goes by from the first record to the last: its path. One that comes while another of that path is listened on in
    /// another namespace has the namespace behind it, in parentheses.
    pub name: String,
    /// Path, `@name`, or for attempts without a listener the target.
    pub path: String,
    /// Device and inode of the folder that its file is in; None if it has none.
    directory: Option<(u64, u64)>,
    /// The namespace in which it was first; [`ANY_NAMESPACE`] if that is not known.
    home: u32,
    /// Listeners on it that are not closed.
    pub(super) listening: u32,
    /// It is looked for no more: what is open on it is followed to its end.
    pub is_retired: bool,
    /// Slots in use: accepted server ends that are open.
    pub slots: u64,
    /// How many there are, where that is known.
    pub limit: Option<Limit>,
    /// Backlog of the listener that was described last.
    pub backlog: Option<u32>,
    /// Its accept queue in the last round that found the listener.
    pub queue: Option<Queue>,
    /// When the last connection was accepted.
    pub last_accept: Option<u64>,
    /// When the youngest connection was made that the server has accepted and not turned away: nanoseconds since boot.
    pub youngest_served: Option<u64>,
    /// Both before the moment of the last accept: a connection that is closed at once was not served.
    pub(super) served_before: (Option<u64>, Option<u64>),
    /// Accepts of that moment that were not turned away; more than one only where several came at once.
    pub(super) accepted_then: u32,
    /// The longest that the server kept an end after its client had gone, and then closed it: nanoseconds. None if it has closed none.
    pub linger: Option<u64>,
    /// What shows how many slots there are.
    pub(super) learning: Learning,
    /// Slots in use over time.
    pub timeline: Timeline,
    /// Nothing of it is left, and its number waits for another socket.
    pub is_vacant: bool,
    /// When it was last asked for by its path.
    pub(super) touched: u64,
}

impl Socket {
    fn new(path: String, limit: Option<Limit>, started: u64) -> Self {
        Self {
            name: path.clone(),
            path,
            directory: None,
            home: ANY_NAMESPACE,
            listening: 0,
            is_retired: false,
            slots: 0,
            limit,
            backlog: None,
            queue: None,
            last_accept: None,
            linger: None,
            youngest_served: None,
            served_before: (None, None),
            accepted_then: 1,
            learning: Learning::default(),
            timeline: Timeline::new(started),
            is_vacant: false,
            touched: started,
        }
    }

    /// A connection was accepted that was made at `opened`; it is not counted yet. Nanoseconds since boot.
    pub(super) fn accepted(&mut self, opened: u64, at: u64) {
        self.learning.accepted(opened, at, self.slots.saturating_add(1));
        // Of several at one moment, or told late, it does not matter which was told first.
        match Some(at).cmp(&self.last_accept) {
            Ordering::Greater => {
                self.served_before = (self.last_accept, self.youngest_served);
                self.accepted_then = 1;
            }
            Ordering::Equal => self.accepted_then = self.accepted_then.saturating_add(1),
            Ordering::Less => {
                let (accept, youngest) = self.served_before;
                self.served_before = (accept.max(Some(at)), youngest.max(Some(opened)));
            }
        }
        self.last_accept = self.last_accept.max(Some(at));
        self.youngest_served = self.youngest_served.max(Some(opened));
        self.learn();
    }

    /// The server released an end at `at`, which is not counted any more; of one that it closed at once, `turned_away` says
    /// when it had accepted it.
    pub(super) fn released(&mut self, at: u64, turned_away: Option<u64>) {
        self.learning.released(at);
        if turned_away.is_some() {
            if self.last_accept == turned_away {
                self.accepted_then = self.accepted_then.saturating_sub(1);
            }
            if self.accepted_then == 0 {
                (self.last_accept, self.youngest_served) = self.served_before;
                self.accepted_then = 1;
            }
            self.learning.turned_away(self.slots);
        }
        self.learn();
    }

    /// What was told or is known from how the server was started counts more.
    fn learn(&mut self) {
        if self.limit.is_none_or(|limit| limit.is_inferred()) {
            self.limit = self.learning.slots().map(|slots| Limit { slots, source: Source::Observed });
        }
    }

    /// How many slots the server has, if its limit is configured or detected. An observed limit may be wrong.
    pub(super) fn sure_slots(&self) -> Option<u64> {
        self.limit.filter(|limit| !limit.is_inferred()).map(|limit| limit.slots)
    }

    /// How many it serves is not known, and it may be full since before it was first seen: it closes at once whoever comes.
    #[must_use]
    pub fn seems_full(&self) -> bool {
        self.limit.is_none() && self.learning.seems_full(self.slots)
    }

    /// Of nothing, until another needs its number.
    pub(super) fn vacate(&mut self) {
        *self = Self { is_retired: true, is_vacant: true, ..Self::new(String::new(), None, 0) };
    }
}

/// Index of a [`Socket`] in its session, for as long as something of it is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub usize);

/// No namespace has this inode number.
const ANY_NAMESPACE: u32 = 0;

/// Anybody can try paths that do not exist: from this many sockets on, attempts at further ones count together.
pub(super) const MOST_SOCKETS: usize = 1024;
/// And under this name.
const OTHERS: &[u8] = b"(other paths)";

impl Session {
    /// The socket of a path to which a connect failed that found no listener: the namespace is not known. It counts with the socket
    /// of that path that is listened on, else with the one that came first.
    pub(super) fn socket_of_path(&mut self, path: &[u8]) -> SocketId {
        let sockets = &self.books.sockets;
        let known = self.of_path(path).min_by_key(|(_, id)| (sockets[id.0].listening == 0, *id));
        if let Some((_, id)) = known {
            self.books.sockets[id.0].touched = self.books.moment;
            return id;
        }
        if path != OTHERS && self.by_name.len() >= MOST_SOCKETS {
            return self.other_paths();
        }
        self.add_socket(path, ANY_NAMESPACE, None)
    }

    /// The socket of a listener. A server that is restarted, or reloads itself, listens on the same socket again, though in another
    /// mount namespace, as each container and most units have one: the folder is the same, or nobody listens on that path meanwhile.
    pub(super) fn socket_of_listener_record(&mut self, listener: &Listener) -> SocketId {
        // An abstract name belongs to a network namespace, a path to a mount namespace.
        let is_abstract = listener.is_abstract;
        let namespace = if is_abstract { listener.network_namespace } else { listener.mount_namespace };
        let directory = (!is_abstract && listener.directory_inode != 0)
            .then_some((listener.device, listener.directory_inode));
        let path = &listener.path;
        let id = match self.by_name.get(&(path.clone(), namespace)) {
            Some(&id) => id,
            None => {
                let sockets = &self.books.sockets;
                let is_same = |id: &SocketId| {
                    let known = &sockets[id.0];
                    known.listening == 0 || directory.is_some() && known.directory == directory
                };
                let known = self.of_path(path).map(|(_, id)| id).filter(is_same);
                match known.min_by_key(|id| (sockets[id.0].directory != directory, *id)) {
                    Some(id) => {
                        self.move_to(path, namespace, id);
                        id
                    }
                    None => self.add_socket(path, namespace, Some(is_abstract)),
                }
            }
        };
        let socket = &mut self.books.sockets[id.0];
        socket.touched = self.books.moment;
        socket.directory = directory;
        id
    }

    fn of_path(&self, path: &[u8]) -> impl Iterator<Item = (u32, SocketId)> {
        let range = (path.to_vec(), 0)..=(path.to_vec(), u32::MAX);
        self.by_name.range(range).map(|((_, namespace), id)| (*namespace, *id))
    }

    /// A socket is found in another namespace from now on, and in that where it was first: those in between are nobody's.
    fn move_to(&mut self, path: &[u8], namespace: u32, id: SocketId) {
        let home = self.books.sockets[id.0].home;
        let left: Vec<u32> =
            self.of_path(path).filter(|&(its, of)| of == id && its != home).map(|(its, _)| its).collect();
        for its in left {
            self.by_name.remove(&(path.to_vec(), its));
        }
        if home == ANY_NAMESPACE {
            self.by_name.remove(&(path.to_vec(), home));
            self.books.sockets[id.0].home = namespace;
        }
        self.by_name.insert((path.to_vec(), namespace), id);
    }

    /// `is_abstract`: what kind of name a listener has.
    fn add_socket(&mut self, path: &[u8], namespace: u32, is_abstract: Option<bool>) -> SocketId {
        let path_text = crate::event::name::shown(path);
        let given = self.books.settings.given_limit(&path_text);
        let mut socket =
            Socket { home: namespace, ..Socket::new(path_text, given, self.books.settings.started) };
        if let (Some(is_abstract), Some(_)) = (is_abstract, self.of_path(path).next()) {
            let kind = if is_abstract { "network" } else { "mount" };
            socket.name = format!("{} ({kind} namespace {namespace})", socket.path);
        }
        let id = self.books.add_socket(socket);
        self.by_name.insert((path.to_vec(), namespace), id);
        id
    }

    /// What has no socket of its own.
    pub(super) fn other_paths(&mut self) -> SocketId {
        self.socket_of_path(OTHERS)
    }
}
