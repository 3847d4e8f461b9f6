//! Repairs the table after lost records: the kernel side's own map of ends knows which are open.

use std::collections::HashSet;

use super::{
    connection::{Connection, EndState},
    table::Table,
};
use crate::event::End;

/// Ends that the kernel side follows at a moment, each by its connection's number.
pub type LiveEnds = HashSet<(u64, End)>;

impl Table {
    /// Marks as released what the kernel side no longer follows: an end leaves its map at the release, whether or not
    /// the record found room. `taken` is when `live` was begun to be read (nanoseconds since boot); all records up to
    /// then must have been applied. Returns the ends that were marked, and forgets and returns the connections that
    /// are closed thereby.
    pub fn reconcile(&mut self, live: &LiveEnds, taken: u64) -> Repair {
        let mut repair = Repair::default();
        for connection in self.iter_mut().filter(|connection| connection.opened < taken) {
            for end in [End::Client, End::Server] {
                if connection.end(end).is_open() && !live.contains(&(connection.id, end)) {
                    *connection.end_mut(end) = EndState::ReleasedUnseen;
                    repair.ends.push((connection.listener, end));
                }
            }
        }
        repair.ends.sort_unstable();
        repair.closed = self.take_closed();
        repair
    }
}

/// What was repaired.
#[derive(Debug, Default)]
pub struct Repair {
    /// Ends that were marked as released, each with its listener's number.
    pub ends: Vec<(u64, End)>,
    /// Connections that turned out to be closed at both ends.
    pub closed: Vec<Connection>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::What,
        lifecycle::{
            State,
            table::tests::{accept, connect, release, who},
        },
    };

    fn table(events: &[What]) -> Table {
        let mut table = Table::default();
        for what in events {
            assert!(table.apply(5, who(1), what).is_ok());
        }
        table
    }

    #[test]
    fn lost_releases_are_made_up_for() {
        let events = [connect(1), accept(1), connect(2), accept(2), connect(3), release(3, End::Client)];
        let mut table = table(&events);
        // Connection 1 was closed at both ends, 2 at the server's, and 3 is as it was.
        let live = LiveEnds::from([(2, End::Client), (3, End::Server)]);
        let repair = table.reconcile(&live, 10);
        assert_eq!(repair.ends, [(1, End::Client), (1, End::Server), (1, End::Server)]);
        assert_eq!(repair.closed.iter().map(|connection| connection.id).collect::<Vec<_>>(), [1]);
        assert_eq!(table.get(1), None);
        assert_eq!(table.get(2).map(Connection::state), Some(State::ServerClosed));
        assert_eq!(table.get(3).map(Connection::state), Some(State::Abandoned));
    }

    #[test]
    fn connections_younger_than_the_map_s_copy_are_left_alone() {
        let mut table = table(&[connect(1)]);
        assert!(table.reconcile(&LiveEnds::new(), 5).ends.is_empty());
        assert_eq!(table.get(1).map(Connection::state), Some(State::Queued));
    }

    #[test]
    fn without_losses_nothing_changes() {
        let mut table = table(&[connect(1), accept(1), connect(2), release(2, End::Client)]);
        let live = LiveEnds::from([(1, End::Client), (1, End::Server), (2, End::Server)]);
        let repair = table.reconcile(&live, 10);
        assert!(repair.ends.is_empty() && repair.closed.is_empty(), "{repair:?}");
    }
}
