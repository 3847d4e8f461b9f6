//! What the descriptors of a process are, against how many it may have.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use sockleak_core::text::{
    count::{agreeing, grouped},
    escape::terminal,
};

use super::facts::{Bound, Facts};

/// The open descriptors of one process, as /proc shows them.
#[derive(Clone, Debug, Default)]
pub struct OpenFiles {
    /// The process.
    pub pid: u32,
    /// Its program.
    pub program: String,
    /// What each descriptor refers to: a path, `socket:[17]`, `pipe:[18]`, `anon_inode:[eventpoll]`.
    pub targets: Vec<String>,
    /// How many it may have (the soft RLIMIT_NOFILE); None if that is not known or not limited.
    pub limit: Option<u64>,
}

/// Which end of a connection a process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// It connected.
    Client,
    /// It accepted.
    Server,
}

/// The unix socket that most descriptors of a process are connections of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MostUsed {
    /// Its path or `@name`.
    pub path: String,
    /// Which ends the process has.
    pub side: Side,
    /// How many descriptors.
    pub count: u64,
}

/// Descriptors of a process by kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Descriptors {
    /// The process.
    pub pid: u32,
    /// Its program.
    pub program: String,
    /// How many are open.
    pub open: u64,
    /// How many it may have; null if that is not known or not limited.
    pub limit: Option<u64>,
    /// Sockets of every family.
    pub sockets: u64,
    /// Files, directories and devices.
    pub files: u64,
    /// Pipes.
    pub pipes: u64,
    /// Everything else: epoll, eventfd, timers.
    pub other: u64,
    /// The socket that most of them are connections of; null if none is a connection of a unix socket with a name.
    pub most_used: Option<MostUsed>,
}

impl Descriptors {
    /// Counts them.
    #[must_use]
    pub fn new(open: &OpenFiles, facts: &Facts) -> Self {
        let names = names(facts);
        let mut found = Self {
            pid: open.pid,
            program: open.program.clone(),
            open: open.targets.len() as u64,
            limit: open.limit,
            sockets: 0,
            files: 0,
            pipes: 0,
            other: 0,
            most_used: None,
        };
        let mut by_socket: BTreeMap<(&str, Side), u64> = BTreeMap::new();
        for target in &open.targets {
            if let Some(inode) = target.strip_prefix("socket:[") {
                found.sockets += 1;
                let inode = inode.strip_suffix(']').and_then(|inode| inode.parse().ok()).unwrap_or(0);
                if let Some(&socket) = names.get(&inode) {
                    *by_socket.entry(socket).or_default() += 1;
                }
            } else if target.starts_with("pipe:[") {
                found.pipes += 1;
            } else if target.starts_with('/') {
                found.files += 1;
            } else {
                found.other += 1;
            }
        }
        // Of several with as many, the first by name.
        let most = by_socket.into_iter().rev().max_by_key(|&(_, count)| count);
        found.most_used = most.map(|((path, side), count)| MostUsed { path: path.to_owned(), side, count });
        found
    }

    /// As a sentence: `/usr/bin/x 7: 1,021 of 1,024 descriptors: 950 sockets (…), 50 files, 11 pipes, 10 other.`
    #[must_use]
    pub fn text(&self) -> String {
        let many = |count, one, more| format!("{} {}", grouped(count), agreeing(count, one, more));
        let open = match self.limit {
            Some(limit) => {
                format!("{} of {}", grouped(self.open), many(limit, "descriptor", "descriptors"))
            }
            None => many(self.open, "descriptor", "descriptors"),
        };
        let most = self.most_used.as_ref().and_then(|most| {
            let percent = (most.count * 100).checked_div(self.open).filter(|&percent| percent > 0)?;
            let what = match most.side {
                Side::Client => "connections to",
                Side::Server => "connections accepted on",
            };
            Some(format!(" ({percent} % of all are {what} {})", terminal(&most.path)))
        });
        format!(
            "{} {}: {open}: {}{}, {}, {}, {} other.",
            terminal(&self.program),
            self.pid,
            many(self.sockets, "socket", "sockets"),
            most.unwrap_or_default(),
            many(self.files, "file", "files"),
            many(self.pipes, "pipe", "pipes"),
            grouped(self.other)
        )
    }
}

/// The unix socket that an inode is an end of a connection of, and which end.
fn names(facts: &Facts) -> HashMap<u64, (&str, Side)> {
    let mut names = HashMap::new();
    let mut listening: HashMap<&Bound, &str> = HashMap::new();
    for listener in &facts.listeners {
        listening.insert(&listener.bound, &listener.path);
        names.extend(listener.waiting.iter().map(|&client| (client, (listener.path.as_str(), Side::Client))));
    }
    // Names of listeners first: a client may be bound to a name of its own.
    for is_listening in [true, false] {
        for end in &facts.ends {
            let Some((bound, name)) = &end.bound else { continue };
            let listener = listening.get(bound).copied();
            if listener.is_some() != is_listening {
                continue;
            }
            let path = listener.unwrap_or(name);
            names.entry(end.inode).or_insert((path, Side::Server));
            if let Some(client) = end.peer {
                names.entry(client).or_insert((path, Side::Client));
            }
        }
    }
    names
}

#[cfg(test)]
mod tests;
