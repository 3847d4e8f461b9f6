//! Whether the capture agrees with itself: states and counts are replayed from its own events.

use std::collections::HashMap;

use workload::truth::State;

use super::same;
use crate::capture::{Event, Found, Release};

#[derive(Default)]
struct Connection {
    listener: u64,
    accepted: bool,
    client_released: bool,
    server_released: bool,
}

impl Connection {
    fn found(found: &Found) -> Self {
        Self {
            listener: found.listener,
            accepted: !matches!(found.state, State::Queued | State::Abandoned),
            client_released: !found.state.has_client(),
            server_released: !found.state.has_server(),
        }
    }

    fn state(&self) -> &'static str {
        match (self.client_released, self.server_released) {
            (true, true) => "closed",
            (false, true) => "server-closed",
            (true, false) if self.accepted => "client-closed",
            (true, false) => "abandoned",
            (false, false) if self.accepted => "open",
            (false, false) => "queued",
        }
    }
}

struct Replay<'a> {
    connections: HashMap<u64, Connection>,
    /// For each listener the connections that take a slot or a place in the queue.
    taken: HashMap<u64, u64>,
    /// Whether the events say everything.
    is_exact: bool,
    differences: &'a mut Vec<String>,
}

/// `is_exact`: nothing happened unseen to what was found.
pub(super) fn check(events: &[Event], is_exact: bool, differences: &mut Vec<String>) {
    let mut replay = Replay { connections: HashMap::new(), taken: HashMap::new(), is_exact, differences };
    // What a look found is told together, when all of it is known.
    for group in events.chunk_by(|one, next| matches!((one, next), (Event::Found(_), Event::Found(_)))) {
        for event in group {
            if let Event::Found(found) = event {
                replay.begin(found.connection, Connection::found(found));
            }
        }
        for event in group {
            replay.follow(event);
        }
    }
}

impl Replay<'_> {
    fn begin(&mut self, number: u64, connection: Connection) {
        if !connection.server_released {
            *self.taken.entry(connection.listener).or_default() += 1;
        }
        if self.connections.insert(number, connection).is_some() {
            self.differences.push(format!("connection {number} begins again"));
        }
    }

    fn follow(&mut self, event: &Event) {
        match event {
            Event::Connect(connect) => {
                let connection = Connection { listener: connect.listener, ..Connection::default() };
                self.begin(connect.connection, connection);
                self.check_open("connect", connect.connection, connect.listener, connect.open);
            }
            Event::Found(found) => self.check_open("found", found.connection, found.listener, found.open),
            Event::Accept(accept) => {
                let number = accept.connection;
                let Some(connection) = self.connections.get_mut(&number) else {
                    self.differences.push(format!("connection {number} is accepted before it begins"));
                    return;
                };
                connection.accepted = true;
                self.check_open("accept", number, accept.listener, accept.open);
            }
            Event::Release(release) => self.release(release),
            _ => {}
        }
    }

    fn release(&mut self, release: &Release) {
        let number = release.connection;
        let Some(connection) = self.connections.get_mut(&number) else {
            self.differences.push(format!("connection {number} is released before it begins"));
            return;
        };
        if release.end == "client" {
            connection.client_released = true;
        } else {
            connection.server_released = true;
            self.taken.entry(connection.listener).and_modify(|taken| *taken = taken.saturating_sub(1));
        }
        let state = connection.state();
        let what = format!("release ({} end)", release.end);
        if self.is_exact {
            let what = || format!("{what} {number}, state");
            same(self.differences, what, state, release.state.as_str());
        }
        self.check_open(&what, number, release.listener, release.open);
    }

    fn check_open(&mut self, what: &str, number: u64, listener: u64, open: u64) {
        let taken = self.taken.get(&listener).copied().unwrap_or_default();
        if self.is_exact {
            same(self.differences, || format!("{what} {number}, open"), taken, open);
        }
    }
}
