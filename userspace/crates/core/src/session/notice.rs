//! What a session says of the records that it takes in.

use super::{Session, Socket, SocketId};
use crate::{
    attribution::who::Who,
    event::{Listener, What},
    lifecycle::Connection,
};

/// Everything that one record led to. It borrows the session, so the next record is fed when this has been read.
#[derive(Clone, Copy, Debug)]
pub struct RecordEffect<'a> {
    /// What there is to say of the record; None if it only adds to what is known.
    pub notice: Option<Notice<'a>>,
    /// The connection that the record closed.
    pub closed: Option<ClosedConnection<'a>>,
}

/// What there is to say of a record.
#[derive(Clone, Copy, Debug)]
pub enum Notice<'a> {
    /// A listener that a target means.
    Listener(&'a Listener),
    /// A listener that no target means: the kernel need not report it any more.
    Ignored(u64),
    /// Something happened on a socket that is followed.
    Seen(Seen<'a>),
    /// A connection was found whose start was not seen. This is what is known of it by now: later lines of the same round may add
    /// to that, so [`Session::look_up`] tells more when the round is over.
    Found(FoundConnection<'a>),
    /// An event on a followed socket did not fit what came before.
    Misfit,
    /// It is about a connection that cannot be told from one that is counted as unknown already: nothing came of it.
    Stranger,
}

/// A connection that was closed. The session has forgotten it, and the next record may give its names' numbers to others.
#[derive(Clone, Copy, Debug)]
pub struct ClosedConnection<'a> {
    /// The session that closed it, for the names and stacks that the connection refers to.
    pub session: &'a Session,
    /// On which socket.
    pub socket: SocketId,
    /// The connection.
    pub connection: &'a Connection,
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

/// As a [`Notice`], without what that borrows: so it can be passed on while the session is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// See [`Notice::Listener`]: the last one.
    Listener,
    /// See [`Notice::Ignored`].
    Ignored(u64),
    /// See [`Notice::Seen`]: the last event.
    Seen,
    /// See [`Notice::Found`]: the connection's number.
    Found(u64),
    /// See [`Notice::Misfit`].
    Misfit,
    /// See [`Notice::Stranger`].
    Stranger,
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
