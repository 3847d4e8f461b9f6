//! What lost records left wrong in the table, told by the kernel side's own map of ends.

use std::collections::HashSet;

use super::table::Table;
use crate::event::End;

/// Ends that the kernel side follows at a moment, each by its connection's number.
pub type LiveEnds = HashSet<(u64, End)>;

impl Table {
    /// The ends that are taken for open although the kernel side, which followed them, does so no longer: an end leaves its map
    /// at the release, whether or not the record found room. `taken` is when `live` was begun to be read (nanoseconds since
    /// boot); all records up to then must have been applied. In order of their numbers.
    #[must_use]
    pub fn gone_by(&self, live: &LiveEnds, taken: u64) -> Vec<(u64, End)> {
        let old = self.iter().filter(|connection| connection.opened < taken);
        let mut gone: Vec<_> = old
            .flat_map(|connection| [End::Client, End::Server].map(|end| (connection, end)))
            .filter(|(connection, end)| connection.end(*end).is_open() && connection.is_followed(*end))
            .map(|(connection, end)| (connection.id, end))
            .filter(|end| !live.contains(end))
            .collect();
        gone.sort_unstable();
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::What,
        lifecycle::{
            Connection, State,
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
        let gone = table.gone_by(&live, 10);
        assert_eq!(gone, [(1, End::Client), (1, End::Server), (2, End::Server)]);
        for (connection, end) in gone {
            assert!(table.gone(connection, end, 20).is_ok());
            assert!(table.gone(connection, end, 20).is_err());
        }
        assert_eq!(table.get(1), None);
        assert_eq!(table.get(2).map(Connection::state), Some(State::ServerClosed));
        assert_eq!(table.get(3).map(Connection::state), Some(State::Abandoned));
    }

    #[test]
    fn connections_younger_than_the_map_s_copy_are_left_alone() {
        assert_eq!(table(&[connect(1)]).gone_by(&LiveEnds::new(), 5), []);
    }

    #[test]
    fn without_losses_nothing_is_gone() {
        let table = table(&[connect(1), accept(1), connect(2), release(2, End::Client)]);
        let live = LiveEnds::from([(1, End::Client), (1, End::Server), (2, End::Server)]);
        assert_eq!(table.gone_by(&live, 10), []);
    }
}
