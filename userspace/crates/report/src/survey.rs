//! Every unix stream socket of the host, the busiest first: what `sockleak list` without a target shows.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt::Write as _,
};

use serde::Serialize;
use sockleak_core::{
    attribution::{filter::Filter, limits::Limit},
    choices,
    event::Queue,
    text::{
        count::{counted, grouped},
        escape::terminal,
    },
};

mod changes;
mod descriptors;
mod facts;
mod share;

pub use changes::{Gone, Opens};
pub use descriptors::{Descriptors, MostUsed, OpenFiles, Side};
pub use facts::{Bound, End, Facts, Listener, Process};
pub use share::Share;

use crate::{
    grid::{Cell, Grid, Kind},
    style::{Meaning, Style},
};

/// What a row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowKind {
    /// A listening socket.
    Listening,
    /// Connections of a name on which nobody listens any more.
    NotListening,
    /// Pairs without a name, as socketpair(2) makes them.
    Unnamed,
    /// Ends whose other end is released: of which socket they are is not known.
    Released,
}

choices! {
    /// What rows are sorted by.
    #[derive(Debug, Default)]
    pub enum SortKey {
        /// The most open connections first.
        #[default]
        Open = "open",
        /// The most connections that wait to be accepted first.
        Queue = "queue",
        /// The greatest share of used slots first.
        Slots = "slots",
        /// By name.
        Path = "path",
    }
}

/// A socket.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What it stands for.
    pub kind: RowKind,
    /// Path, `@name`, or for sockets without a name what they are.
    pub path: String,
    /// Inode number of the listening socket.
    pub inode: Option<u64>,
    /// Who listens; empty if that is not known, or nobody does.
    pub listeners: Vec<Share>,
    /// Connections, those in the accept queue included.
    pub open: u64,
    /// Of these: server ends, each of which takes a slot.
    pub slots_used: u64,
    /// How many slots there are, where that is known.
    pub limit: Option<Limit>,
    /// The accept queue.
    pub queue: Option<Queue>,
    /// Age of the oldest connection; None: the kernel does not tell it.
    pub oldest_ns: Option<u64>,
    /// For how long the connection that was idle for longest has been idle; None: the kernel does not tell it.
    pub idle_ns: Option<u64>,
    /// The programs that hold client ends, the one with the most first.
    pub clients: Vec<Share>,
    /// How many connections more are open than in the look before; None if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<i64>,
    #[serde(skip)]
    namespace: u32,
}

/// All sockets.
#[derive(Clone, Debug, Serialize)]
pub struct Survey {
    /// Every process was looked at: what is not in here is not there.
    #[serde(skip)]
    pub sees_all: bool,
    /// Descriptors of the processes that --pid names.
    pub descriptors: Vec<Descriptors>,
    /// The sockets.
    pub sockets: Vec<Row>,
    /// How many rows were left out.
    pub not_shown: usize,
    /// The rows of the look before that are gone; None if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone: Option<Vec<Gone>>,
    /// What is missing, a sentence each.
    pub incomplete_because: Vec<String>,
}

/// Connections of one row while they are gathered.
#[derive(Default)]
struct Gathered {
    open: u64,
    slots: u64,
    clients: HashMap<String, Held>,
    is_wanted: bool,
}

/// Client ends that one program holds.
#[derive(Default)]
struct Held {
    pids: BTreeSet<u32>,
    count: u64,
    waiting: u64,
}

impl Gathered {
    /// Counts a connection if the filter wants one of its ends: those of the client and the server. `is_waiting`: nobody accepted it yet.
    fn add(&mut self, facts: &Facts, filter: &Filter, ends: [Option<u64>; 2], is_waiting: bool) {
        let [client, _] = ends;
        if !filter.is_empty() && !ends.iter().flatten().any(|&end| facts.matches(filter, end)) {
            return;
        }
        self.is_wanted = true;
        self.open += 1;
        let mut counted = BTreeSet::new();
        for &pid in facts.holders(client.unwrap_or(0)) {
            let name = facts.name(pid);
            let held = self.clients.entry(name.to_owned()).or_default();
            held.pids.insert(pid);
            // An end that several processes of a program share is one connection.
            let one = u64::from(counted.insert(name));
            held.count += one;
            held.waiting += one * u64::from(is_waiting);
        }
    }

    fn row(self, kind: RowKind, path: String) -> Row {
        let clients = self.clients.into_iter();
        let clients = clients.map(|(program, Held { pids, count, waiting })| Share {
            program,
            pids: pids.into_iter().collect(),
            count,
            waiting,
        });
        let mut clients: Vec<_> = clients.collect();
        // Who waits is turned away by those that are served, however often it tries.
        clients.sort_by(|a, b| {
            b.served().cmp(&a.served()).then(b.count.cmp(&a.count)).then_with(|| a.program.cmp(&b.program))
        });
        let (open, slots_used) = (self.open, self.slots);
        Row {
            kind,
            path,
            inode: None,
            listeners: Vec::new(),
            open,
            slots_used,
            limit: None,
            queue: None,
            oldest_ns: None,
            idle_ns: None,
            clients,
            change: None,
            namespace: 0,
        }
    }
}

impl Survey {
    /// Puts the facts into rows: those with a connection or a listener that the filter wants. Takes time in proportion to the number
    /// of sockets.
    #[must_use]
    pub fn new(facts: &Facts, filter: &Filter, incomplete_because: Vec<String>) -> Self {
        let by_bound: HashMap<&Bound, usize> =
            facts.listeners.iter().enumerate().map(|(index, it)| (&it.bound, index)).collect();
        let mut listening: Vec<Gathered> = facts.listeners.iter().map(|_| Gathered::default()).collect();
        let mut others: BTreeMap<(u8, String), Gathered> = BTreeMap::new();
        let mut done: HashSet<u64> = HashSet::new();
        for (listener, row) in facts.listeners.iter().zip(&mut listening) {
            for &client in &listener.waiting {
                done.insert(client);
                let client = Some(client).filter(|&inode| inode != 0);
                row.add(facts, filter, [client, Some(listener.inode)], true);
            }
        }
        let ends: HashMap<u64, &End> = facts.ends.iter().map(|end| (end.inode, end)).collect();
        // Server ends first: a client may be bound to a name of its own.
        for end in &facts.ends {
            let Some(&index) = end.bound.as_ref().and_then(|(bound, _)| by_bound.get(bound)) else {
                continue;
            };
            done.insert(end.inode);
            done.extend(end.peer);
            listening[index].slots += 1;
            listening[index].add(facts, filter, [end.peer, Some(end.inode)], false);
        }
        for end in &facts.ends {
            if done.contains(&end.inode) {
                continue;
            }
            let peer = end.peer.and_then(|peer| ends.get(&peer));
            done.insert(end.inode);
            done.extend(end.peer);
            let named = [Some(end), peer.copied()].into_iter().flatten();
            let name = named.filter_map(|it| it.bound.as_ref()).map(|(_, name)| name.clone()).next();
            let owner = || facts.holders(end.inode).first().map_or("[nobody]", |&pid| facts.name(pid));
            let key = match (name, end.peer) {
                (Some(name), _) => (0, name),
                (None, Some(_)) => (1, owner().to_owned()),
                (None, None) => (2, owner().to_owned()),
            };
            others.entry(key).or_default().add(facts, filter, [Some(end.inode), end.peer], false);
        }
        let mut sockets: Vec<Row> = Vec::new();
        for (listener, gathered) in facts.listeners.iter().zip(listening) {
            if filter.is_empty() || gathered.is_wanted || facts.matches(filter, listener.inode) {
                sockets.push(listening_row(facts, listener, gathered));
            }
        }
        let others = others.into_iter().filter(|(_, gathered)| gathered.is_wanted);
        sockets.extend(others.map(|((kind, name), gathered)| match kind {
            0 => gathered.row(RowKind::NotListening, name),
            1 => gathered.row(RowKind::Unnamed, "(socketpair)".to_owned()),
            _ => gathered.row(RowKind::Released, "(other end released)".to_owned()),
        }));
        tell_apart(&mut sockets);
        Self {
            sees_all: true,
            descriptors: Vec::new(),
            sockets,
            not_shown: 0,
            gone: None,
            incomplete_because,
        }
    }

    /// The listening sockets in the order of the rows, by names that can be typed as they are, and how many connections each has.
    pub fn targets(&self) -> impl Iterator<Item = (&str, u64)> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-@:+".contains(c);
        let listening = self.sockets.iter().filter(|row| row.kind == RowKind::Listening);
        listening.map(|row| (&*row.path, row.open)).filter(move |(path, _)| path.chars().all(is_plain))
    }

    /// Sorts the rows and keeps the first ones.
    pub fn sort_and_cut(&mut self, key: SortKey, most: Option<usize>) {
        let share = |row: &Row| row.limit.map_or(0, |limit| row.slots_used * 1000 / limit.slots.max(1));
        let queue = |row: &Row| row.queue.map_or(0, |queue| queue.length);
        self.sockets.sort_by(|a, b| {
            let order = match key {
                SortKey::Open => b.open.cmp(&a.open),
                SortKey::Queue => queue(b).cmp(&queue(a)),
                SortKey::Slots => share(b).cmp(&share(a)),
                SortKey::Path => a.path.cmp(&b.path),
            };
            order.then(b.open.cmp(&a.open)).then_with(|| a.path.cmp(&b.path)).then(a.inode.cmp(&b.inode))
        });
        if let Some(most) = most {
            self.not_shown = self.sockets.len().saturating_sub(most);
            self.sockets.truncate(most);
        }
    }

    /// As text, in so many columns where that can be.
    #[must_use]
    pub fn text(&self, width: usize, style: Style) -> String {
        let is_watched = self.gone.is_some();
        let mut headings = vec![("SOCKET", Kind::Name), ("OPEN", Kind::Number)];
        headings.extend(is_watched.then_some(("CHANGE", Kind::Number)));
        headings.extend([
            ("SLOTS", Kind::Number),
            ("QUEUE", Kind::Number),
            ("MOST OPEN BY", Kind::Prose),
            ("LISTENS", Kind::Prose),
        ]);
        let mut table = Grid::new(&headings);
        for row in &self.sockets {
            let slots = row.limit.map(|limit| format!("{}/{}", row.slots_used, limit.slots));
            let queue = row.queue.map(|it| format!("{}/{}", it.length, u64::from(it.max) + 1));
            let [slots, queue] = [slots, queue].map(|it| Cell::from(it.unwrap_or_else(|| "-".to_owned())));
            let has_no_slot = row.limit.is_some_and(|limit| row.slots_used >= limit.slots);
            let has_no_place = row.queue.is_some_and(|queue| queue.length > queue.max);
            let nobody = if row.kind == RowKind::NotListening { "nobody" } else { "-" };
            let mut cells = vec![row.path.as_str().into(), grouped(row.open).into()];
            cells.extend(is_watched.then(|| changes::cell(row.change)));
            cells.extend([
                slots.with(has_no_slot.then_some(Meaning::Warning)),
                queue.with(has_no_place.then_some(Meaning::Warning)),
                row.clients.first().map_or_else(|| "-".into(), |it| it.cell(true)),
                row.listeners.first().map_or_else(|| nobody.into(), |it| it.cell(false)),
            ]);
            table.rows.push(cells);
        }
        let mut out: String = self.descriptors.iter().map(|it| it.text() + "\n").collect();
        if !self.sockets.is_empty() {
            out.push_str(if out.is_empty() { "" } else { "\n" });
            out.push_str(&table.styled(width, style));
        }
        if self.not_shown > 0 {
            let _ = writeln!(out, "… {} more (--all)", counted(self.not_shown as u64, "row"));
        }
        out.push_str(&changes::gone(self.gone.as_deref().unwrap_or_default()));
        if !self.sockets.is_empty() && !is_watched {
            out.push_str(
                "The kernel does not tell how old connections are: sockleak capture SOCKET shows it.\n",
            );
        }
        for sentence in &self.incomplete_because {
            let label = style.label("INCOMPLETE", Meaning::Warning);
            let _ = writeln!(out, "{label}: {}.", terminal(sentence));
        }
        out
    }
}

fn listening_row(facts: &Facts, listener: &Listener, gathered: Gathered) -> Row {
    let mut listeners: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for &pid in facts.holders(listener.inode) {
        listeners.entry(facts.name(pid)).or_default().insert(pid);
    }
    let listeners = listeners.into_iter().map(|(program, pids)| Share {
        program: program.to_owned(),
        count: pids.len() as u64,
        waiting: 0,
        pids: pids.into_iter().collect(),
    });
    Row {
        inode: Some(listener.inode),
        listeners: listeners.collect(),
        limit: listener.limit,
        queue: Some(listener.queue),
        namespace: listener.namespace,
        ..gathered.row(RowKind::Listening, listener.path.clone())
    }
}

/// Adds to names that several listeners have what tells them apart.
fn tell_apart(rows: &mut [Row]) {
    let mut seen: HashMap<String, BTreeSet<u32>> = HashMap::new();
    let mut count: HashMap<String, usize> = HashMap::new();
    for row in rows.iter().filter(|row| row.kind == RowKind::Listening) {
        seen.entry(row.path.clone()).or_default().insert(row.namespace);
        *count.entry(row.path.clone()).or_default() += 1;
    }
    for row in rows.iter_mut().filter(|row| row.kind == RowKind::Listening) {
        let all = count.get(&row.path).copied().unwrap_or(0);
        if all < 2 {
            continue;
        }
        let namespaces = seen.get(&row.path).map_or(0, BTreeSet::len);
        let kind = if row.path.starts_with('@') { "network" } else { "mount" };
        let addition = match row.inode {
            Some(inode) if namespaces < all || row.namespace == 0 => format!(" (socket {inode})"),
            _ => format!(" ({kind} namespace {})", row.namespace),
        };
        row.path.push_str(&addition);
    }
}

#[cfg(test)]
mod tests;
