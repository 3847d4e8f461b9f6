//! Whether the capture agrees with itself: states and counts are replayed from its own events.

use std::collections::HashMap;

use super::same;
use crate::capture::Event;

#[derive(Default)]
struct Connection {
    listener: u64,
    accepted: bool,
    client_released: bool,
    server_released: bool,
}

impl Connection {
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

#[derive(Default)]
struct Replay {
    connections: HashMap<u64, Connection>,
    /// For each listener the connections that take a slot or a place in the queue.
    taken: HashMap<u64, u64>,
}

impl Replay {
    fn take(&mut self, listener: u64) -> u64 {
        let taken = self.taken.entry(listener).or_default();
        *taken += 1;
        *taken
    }

    fn taken(&self, listener: u64) -> u64 {
        self.taken.get(&listener).copied().unwrap_or_default()
    }
}

pub(super) fn check(events: &[Event], differences: &mut Vec<String>) {
    let mut replay = Replay::default();
    for event in events {
        match event {
            Event::Connect(connect) => {
                let connection = Connection { listener: connect.listener, ..Connection::default() };
                if replay.connections.insert(connect.connection, connection).is_some() {
                    differences.push(format!("connection {} begins again", connect.connection));
                }
                let open = replay.take(connect.listener);
                same(differences, || format!("connect {}, open", connect.connection), open, connect.open);
            }
            Event::Accept(accept) => {
                let number = accept.connection;
                let Some(connection) = replay.connections.get_mut(&number) else {
                    differences.push(format!("connection {number} is accepted before it begins"));
                    continue;
                };
                connection.accepted = true;
                let open = replay.taken(accept.listener);
                same(differences, || format!("accept {number}, open"), open, accept.open);
            }
            Event::Release(release) => {
                let number = release.connection;
                let Some(connection) = replay.connections.get_mut(&number) else {
                    differences.push(format!("connection {number} is released before it begins"));
                    continue;
                };
                if release.end == "client" {
                    connection.client_released = true;
                } else {
                    connection.server_released = true;
                    let listener = connection.listener;
                    replay.taken.entry(listener).and_modify(|taken| *taken = taken.saturating_sub(1));
                }
                let state = replay.connections[&number].state();
                let what = || format!("release {number} ({} end)", release.end);
                same(differences, || format!("{}, state", what()), state, release.state.as_str());
                let open = replay.taken(release.listener);
                same(differences, || format!("{}, open", what()), open, release.open);
            }
            _ => {}
        }
    }
}
