//! Sockets by their paths.

use std::collections::BTreeSet;

use super::{Session, Timeline};
use crate::{
    attribution::{container::Membership, limits::Limit},
    event::{Process, Queue},
};

/// A socket as people know it: a path (or abstract name) in a namespace. A server that restarts or reloads makes a new
/// listener under the same path; its connections count together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// What it goes by, and no other does: its path. Where sockets of several namespaces have that path, the container or unit
    /// that serves it follows in parentheses, and the namespace if that does not tell them apart.
    pub name: String,
    /// Path, `@name`, or for attempts without a listener the target.
    pub path: String,
    /// The namespace that its path is in; 0 if that is not known.
    pub(super) namespace: u32,
    /// The container or unit that serves it, empty if it is none. None as long as that is not known.
    place: Option<String>,
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
    /// Slots in use over time.
    pub timeline: Timeline,
    /// Nothing of it is left, and its number waits for another socket.
    pub is_vacant: bool,
    /// When it was last asked for by its path.
    pub(super) touched: u64,
}

impl Socket {
    pub(super) fn new(path: String, limit: Option<Limit>, started: u64) -> Self {
        Self {
            name: path.clone(),
            path,
            namespace: ANY_NAMESPACE,
            place: None,
            is_retired: false,
            slots: 0,
            limit,
            backlog: None,
            queue: None,
            last_accept: None,
            timeline: Timeline::new(started),
            is_vacant: false,
            touched: started,
        }
    }

    /// Of nothing, until another needs its number.
    pub(super) fn vacate(&mut self) {
        *self = Self { is_retired: true, is_vacant: true, ..Self::new(String::new(), None, 0) };
    }

    /// Its name among sockets of the same path. `is_enough`: the container or unit tells it from them.
    fn name_among_others(&self, is_enough: bool) -> String {
        let kind = if self.path.starts_with('@') { "network" } else { "mount" };
        let namespace = (!is_enough && self.namespace != ANY_NAMESPACE)
            .then(|| format!("{kind} namespace {}", self.namespace));
        let place = self.place.clone().filter(|place| !place.is_empty());
        let parts: Vec<String> = place.into_iter().chain(namespace).collect();
        if parts.is_empty() { self.path.clone() } else { format!("{} ({})", self.path, parts.join(", ")) }
    }
}

/// Index of a [`Socket`] in its session, for as long as something of it is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub usize);

/// No namespace has this inode number.
pub(super) const ANY_NAMESPACE: u32 = 0;

/// Anybody can try paths that do not exist: from this many sockets on, attempts at further ones count together.
pub(super) const MOST_SOCKETS: usize = 1024;
/// And under this name.
const OTHERS: &[u8] = b"(other paths)";

impl Session {
    /// The socket of a path. Attempts that found no listener know no namespace: they count with the socket of that path
    /// that is there or comes first.
    pub(super) fn socket(&mut self, path: &[u8], namespace: u32) -> SocketId {
        let fits = |its: u32| its == namespace || its == ANY_NAMESPACE || namespace == ANY_NAMESPACE;
        let of_path = self.by_name.range((path.to_vec(), 0)..=(path.to_vec(), u32::MAX));
        let known = of_path.filter(|((_, its), _)| fits(*its));
        let known = known.min_by_key(|(_, id)| **id);
        if let Some((key, &id)) = known {
            let key = key.clone();
            if key.1 == ANY_NAMESPACE && namespace != ANY_NAMESPACE {
                self.by_name.remove(&key);
                self.by_name.insert((key.0, namespace), id);
                self.books.sockets[id.0].namespace = namespace;
            }
            self.books.sockets[id.0].touched = self.books.moment;
            return id;
        }
        if namespace == ANY_NAMESPACE && path != OTHERS && self.by_name.len() >= MOST_SOCKETS {
            return self.other_paths();
        }
        let path_text = crate::event::name::shown(path);
        let given = self.books.settings.given_limit(&path_text);
        let socket = Socket { namespace, ..Socket::new(path_text, given, self.books.settings.started) };
        let id = self.books.add_socket(socket);
        self.by_name.insert((path.to_vec(), namespace), id);
        self.tell_apart(path);
        id
    }

    /// Notes where a socket is served, as soon as that is known.
    pub(super) fn learn_place(&mut self, socket: SocketId, path: &[u8], server: &Process) {
        if self.books.sockets[socket.0].place.is_some() {
            return;
        }
        let Some(Membership { unit, container }) = server.cgroup_path.as_deref().map(Membership::of) else {
            return;
        };
        // Who holds it for another that does not run yet is not who serves it.
        if unit.as_deref() == Some("init.scope") {
            return;
        }
        let place = container.map(|it| it.short()).or(unit).unwrap_or_default();
        self.books.sockets[socket.0].place = Some(place);
        self.tell_apart(path);
    }

    /// Names the sockets of a path, so that each is told from the others.
    fn tell_apart(&mut self, path: &[u8]) {
        let of_path = self.by_name.range((path.to_vec(), 0)..=(path.to_vec(), u32::MAX));
        let ids: Vec<usize> = of_path.map(|(_, id)| id.0).collect();
        if ids.len() < 2 {
            return;
        }
        let sockets = &mut self.books.sockets;
        let places: BTreeSet<&str> = ids.iter().filter_map(|&id| sockets[id].place.as_deref()).collect();
        let is_enough = places.len() == ids.len() && !places.contains("");
        for id in ids {
            sockets[id].name = sockets[id].name_among_others(is_enough);
        }
    }

    /// What has no socket of its own.
    pub(super) fn other_paths(&mut self) -> SocketId {
        self.socket(OTHERS, ANY_NAMESPACE)
    }
}
