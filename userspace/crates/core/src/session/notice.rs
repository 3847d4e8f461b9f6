//! What a session says of the records that it takes in.

use super::{Socket, SocketId};
use crate::{
    attribution::who::Who,
    event::{Listener, What},
    lifecycle::Connection,
};

/// What a record led to.
#[derive(Debug)]
pub enum Notice<'a> {
    /// A listener that a target means.
    Listener(&'a Listener),
    /// A listener that no target means: the kernel need not report it any more.
    Ignored(u64),
    /// Something happened on a socket that is followed.
    Seen(Seen<'a>),
    /// A connection was found whose start was not seen; [`super::Session::found`] tells what is known of it. Later lines of the
    /// same round may add to that.
    Found(u64),
    /// An event on a followed socket did not fit what came before.
    Misfit,
    /// It is about a connection that cannot be told from one that is counted as unknown already: nothing came of it.
    Stranger,
}

/// A connection whose start was not seen.
#[derive(Clone, Copy, Debug)]
pub struct FoundConnection<'a> {
    /// On which socket.
    pub socket: &'a Socket,
    /// Its program's name.
    pub program: &'a str,
    /// Connections on the listener that take a slot or a place in the queue.
    pub open: u64,
    /// The connection.
    pub connection: &'a Connection,
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// When: nanoseconds since boot.
    pub at: u64,
    /// Who did it.
    pub who: &'a Who,
    /// The program's name.
    pub program: &'a str,
    /// What.
    pub what: &'a What,
    /// On which socket.
    pub socket: &'a Socket,
    /// Its id.
    pub socket_id: SocketId,
    /// Connections on the listener that take a slot or a place in the queue, after this.
    pub open: u64,
    /// The connection as it is now, for events of one.
    pub connection: Option<&'a Connection>,
}
