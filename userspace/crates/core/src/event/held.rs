//! What a descriptor scan finds: who holds which socket, and how an end was used.

use super::{Actor, End, Queue};

/// A descriptor that refers to a socket that is followed; or to the listener in whose queue a server end waits that its client
/// has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// When it was seen: nanoseconds since boot.
    pub at: u64,
    /// Whose descriptor it is; the thread is the group's leader.
    pub holder: Actor,
    /// The descriptor.
    pub fd: u32,
    /// Inode of the socket; 0 for a server end that waits.
    pub inode: u64,
    /// The listener, or the connection's.
    pub listener: u64,
    /// What the socket is.
    pub socket: HeldSocket,
    /// How an end was used; None of a listener, and where that was not looked at.
    pub usage: Option<Usage>,
}

/// What a descriptor refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldSocket {
    /// A listener.
    Listener {
        /// Its accept queue.
        queue: Queue,
    },
    /// An end of a connection.
    End {
        /// Of which connection.
        connection: u64,
        /// The connection's start was not seen by any hook.
        is_seed: bool,
        /// Which end.
        end: End,
        /// The other end.
        peer: Peer,
        /// Who connected, by the credentials that the server sees (`SO_PEERCRED`).
        opener: Option<u32>,
    },
}

/// The other end of a connection, as a round saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Somebody refers to it, under this inode.
    Open(u64),
    /// It waits to be accepted.
    Queued,
    /// Nobody does any more.
    Released,
}

/// How an end of a connection was used, as a descriptor scan saw it. What it sent counts from when use was noted on, see
/// [`Record::UseNoted`](super::Record::UseNoted).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes that it sent.
    pub bytes: u64,
    /// In so many sends.
    pub sends: u32,
    /// When it last sent, to 67 ms: nanoseconds since boot. None if it did not.
    pub last_sent: Option<u64>,
    /// Messages that lie there unread.
    pub unread: u32,
    /// It receives nothing any more: shutdown(2) by itself or the other end.
    pub no_receive: bool,
    /// It sends nothing any more, likewise.
    pub no_send: bool,
}
