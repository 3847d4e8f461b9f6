//! What stands at the beginning of a store's segment in place of everything before it.

use super::Queue;

/// A part of what a segment carries over from the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    /// It begins: the records that follow happened before the segment, and lead to what was open then.
    Begins,
    /// Of a listener, what no other record that follows tells.
    Listener {
        /// Which.
        listener: u64,
        /// When the last connection of its socket was accepted: nanoseconds since boot.
        last_accept: Option<u64>,
        /// The accept queue in the last round that found it.
        queue: Option<Queue>,
        /// How many slots its socket has, where that was assumed from how the server was started.
        slots: Option<u64>,
    },
    /// It is over. What follows happened since.
    Ends {
        /// Time of the last record on a socket that is followed: nanoseconds since boot.
        at: u64,
    },
}
