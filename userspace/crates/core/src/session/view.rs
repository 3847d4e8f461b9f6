//! What reports ask a session.

use super::{Holder, Session, Settings, Socket, SocketId, Tally};
use crate::{
    attribution::{selection::Selection, stacks::StackId, who::ProgramId},
    event::{End, Frame, Process},
    lifecycle::Connection,
};

impl Session {
    /// What the user asked for.
    #[must_use]
    pub const fn selection(&self) -> &Selection {
        &self.selection
    }

    /// The targets as given.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        self.selection.given()
    }

    /// Who held an end in the last complete round; None if there was none.
    #[must_use]
    pub fn holders(&self, connection: u64, end: End) -> Option<&[Holder]> {
        self.holders.of((connection, end))
    }

    /// Who held a listener in the last complete round.
    pub fn listener_holders(&self) -> impl Iterator<Item = (SocketId, &Holder)> {
        let holders = self.holders.listeners();
        holders.filter_map(|(listener, holder)| Some((self.books.followed(listener)?.socket, holder)))
    }

    /// The functions of a stack, the innermost first.
    #[must_use]
    pub fn frames(&self, stack: StackId) -> &[Frame] {
        self.stacks.frames(stack)
    }

    /// Connections with an end that could not be followed, and which have made room for others: it is not known when they end.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// What was chosen.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.books.settings
    }

    /// The name of a program or a group.
    #[must_use]
    pub fn program(&self, program: ProgramId) -> &str {
        self.processes.name(program)
    }

    /// The processes that are remembered and belong to a group, each with its program and its group. Those that have not been
    /// named for longest are forgotten.
    pub fn processes(&self) -> impl Iterator<Item = (&Process, ProgramId, ProgramId)> {
        self.processes.grouped()
    }

    /// The name of a user, if it was told.
    #[must_use]
    pub fn user(&self, uid: u32) -> Option<&str> {
        self.processes.user(uid)
    }

    /// The sockets, in the order of their ids.
    #[must_use]
    pub fn sockets(&self) -> &[Socket] {
        &self.books.sockets
    }

    /// What each group did on each socket, in the order of their numbers.
    pub fn tallies(&self) -> impl Iterator<Item = (SocketId, ProgramId, &Tally)> {
        let tallies = self.books.tallies.iter();
        let mut tallies: Vec<_> =
            tallies.map(|(&(socket, program), it)| (socket, program, it.as_ref())).collect();
        tallies.sort_unstable_by_key(|&(socket, program, _)| (socket, program));
        tallies.into_iter()
    }

    /// The socket of a listener that a target means.
    #[must_use]
    pub fn socket_of_listener(&self, listener: u64) -> Option<SocketId> {
        self.books.followed(listener).map(|followed| followed.socket)
    }

    /// The connections that are not released at both ends, each with its socket.
    pub fn open(&self) -> impl Iterator<Item = (SocketId, &Connection)> {
        self.table
            .iter()
            .filter_map(|connection| Some((self.socket_of_listener(connection.listener)?, connection)))
    }

    /// Releases of ends that were open when they were first met, of which it is not known when they happened or by whom.
    #[must_use]
    pub const fn unseen_releases(&self) -> u64 {
        self.unseen
    }

    /// The highest number that a connection had, which a new process goes on from.
    #[must_use]
    pub const fn highest_number(&self) -> u64 {
        self.highest
    }

    /// How often nothing was watched for a while, and for how many nanoseconds in all.
    #[must_use]
    pub const fn blind(&self) -> (u64, u64) {
        self.blind
    }

    /// Records that did not fit what came before: something was lost in between.
    #[must_use]
    pub fn misfits(&self) -> u64 {
        self.misfits
    }
}
