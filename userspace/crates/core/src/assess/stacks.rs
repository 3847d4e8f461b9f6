//! The stacks from which connections that are still open were opened.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    attribution::stacks::StackId,
    event::Frame,
    lifecycle::Connection,
    session::{Session, SocketId},
};

/// A stack that open connections come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackReport {
    /// Its number, which open connections and findings name.
    pub id: u32,
    /// The functions, the innermost first.
    pub frames: Vec<Frame>,
}

/// How many of a finding's program's connections that are old and open come from a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedAt {
    /// Number of the stack.
    pub stack: u32,
    /// How many connections.
    pub count: u64,
}

/// The stacks of all open connections, by number.
pub(super) fn stacks(session: &Session) -> Vec<StackReport> {
    let mut ids: Vec<StackId> = session.open().filter_map(|(_, connection)| connection.stack).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(|id| StackReport { id: id.0, frames: session.frames(id).to_vec() }).collect()
}

/// Which stacks the old connections of each program on each socket come from that are open at the client's end; most first.
pub(super) fn opened_at(session: &Session, now: u64) -> BTreeMap<(SocketId, u32), Vec<OpenedAt>> {
    let leak_age = session.settings().leak_age;
    let is_old =
        |connection: &Connection| !connection.client.is_released() && connection.age(now) >= leak_age;
    let mut counts: BTreeMap<_, BTreeMap<u32, u64>> = BTreeMap::new();
    for (socket, connection) in session.open().filter(|(_, connection)| is_old(connection)) {
        if let Some(stack) = connection.stack {
            let of_program = counts.entry((socket, connection.opener.group.0)).or_default();
            *of_program.entry(stack.0).or_default() += 1;
        }
    }
    let sorted = counts.into_iter().map(|(key, of_program)| {
        let mut places: Vec<_> =
            of_program.into_iter().map(|(stack, count)| OpenedAt { stack, count }).collect();
        places.sort_by_key(|place| (std::cmp::Reverse(place.count), place.stack));
        (key, places)
    });
    sorted.collect()
}

/// Stacks of a finding that are told whole.
pub const SHOWN: usize = 3;

/// The stacks that have these numbers, each once, by number.
#[must_use]
pub fn numbered(session: &Session, numbers: impl Iterator<Item = u32>) -> Vec<StackReport> {
    let ids: BTreeSet<u32> = numbers.collect();
    ids.into_iter().map(|id| StackReport { id, frames: session.frames(StackId(id)).to_vec() }).collect()
}
