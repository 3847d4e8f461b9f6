//! Who holds which end: the descriptor tables of the actors, as far as there are ends in them.

use std::collections::{BTreeMap, HashSet};
use std::os::fd::RawFd;

use super::{End, Stage, Who};
use crate::actor::{Answer, Command};
use crate::truth::{Before, Holder, Start};

/// The ends in an actor's descriptor table.
#[derive(Clone, Default)]
pub(super) struct Held {
    /// For each descriptor the connection and the end.
    ends: BTreeMap<RawFd, (usize, End)>,
    /// Those that survive an exec.
    kept: HashSet<RawFd>,
}

impl Stage {
    pub(super) fn holds(&mut self, who: Who, fd: RawFd, connection: usize, end: End) {
        self.members[who.0].held.ends.insert(fd, (connection, end));
    }

    pub(super) fn holds_nothing(&mut self, who: Who) {
        self.members[who.0].held = Held::default();
    }

    /// Follows what a command did to an actor's descriptors.
    pub(super) fn note_held(&mut self, who: Who, command: &Command, answer: &Answer) {
        match *command {
            Command::Close(fd)
            | Command::CloseInThread(fd)
            | Command::CloseWhileRead(fd)
            | Command::Overwrite(fd) => {
                let held = &mut self.members[who.0].held;
                held.ends.remove(&fd);
                held.kept.remove(&fd);
            }
            Command::KeepAcrossExec(fd) => {
                self.members[who.0].held.kept.insert(fd);
            }
            Command::ReceiveFd(_) => {
                if let Answer::Socket { fd, inode, .. } = *answer
                    && let Some((connection, end)) = self.end_of(inode)
                {
                    self.holds(who, fd, connection, end);
                }
            }
            _ => {}
        }
    }

    /// The end whose socket has this inode.
    fn end_of(&self, inode: u64) -> Option<(usize, End)> {
        let connections = self.truth.connections.iter().enumerate();
        connections.rev().find_map(|(index, connection)| {
            let end = match inode {
                _ if inode == connection.client_inode => End::Client,
                _ if Some(inode) == connection.server_inode => End::Server,
                _ => return None,
            };
            Some((index, end))
        })
    }

    /// Lets `who` become another program, as which it goes on.
    ///
    /// # Errors
    /// When it cannot.
    pub fn exec(&mut self, who: Who, program: &str, role: &str) -> anyhow::Result<()> {
        let (program, role) = (program.to_owned(), role.to_owned());
        self.tell(who).tell(&Command::Exec { program, role })?;
        self.tell(who).hello()?;
        let Held { ends, kept } = &mut self.members[who.0].held;
        ends.retain(|fd, _| kept.contains(fd));
        self.look_again(who)
    }

    /// Who has descriptors of an end: the processes as they are now.
    fn holders_of(&self, connection: usize, end: End) -> impl Iterator<Item = Holder> {
        let by_actors = self.members.iter().flat_map(move |member| {
            let fds = member.held.ends.iter().filter(move |(_, it)| **it == (connection, end));
            fds.map(|(&fd, _)| Holder { process: member.process, fd: Some(fd) })
        });
        let elsewhere = self.elsewhere.iter().filter(move |it| (it.0, it.1) == (connection, end));
        by_actors.chain(elsewhere.map(|&(_, _, process)| Holder { process, fd: None }))
    }

    /// Notes what there is before the capture.
    pub(super) fn note_beginning(&mut self) {
        for index in 0..self.truth.connections.len() {
            let connection = &self.truth.connections[index];
            let pid = |process: usize| self.truth.processes[process].pid;
            let opener = self
                .holders_of(index, End::Client)
                .map(|holder| holder.process)
                .find(|&process| pid(process) == pid(connection.opener));
            let servers = self.holders_of(index, End::Server).map(|holder| holder.process).collect();
            let before = Before { state: connection.state(), opener, servers };
            self.truth.connections[index].start = Start::Before(before);
        }
        for listener in &mut self.truth.listeners {
            listener.closed_before = listener.closed_by.is_some();
        }
    }

    /// Notes who holds what in the end.
    pub(super) fn note_holders(&mut self) {
        for index in 0..self.truth.connections.len() {
            let clients = self.holders_of(index, End::Client).collect();
            let servers = self.holders_of(index, End::Server).collect();
            let connection = &mut self.truth.connections[index];
            (connection.client_holders, connection.server_holders) = (clients, servers);
        }
    }
}
