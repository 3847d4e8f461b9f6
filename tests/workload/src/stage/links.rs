//! Connections on the stage: made, accepted, refused, released.

use std::os::fd::RawFd;

use anyhow::{Context as _, bail};
use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::{Door, Link, Stage, Who};
use crate::actor::{Answer, Command};
use crate::truth::{Attempts, Connection, Reason, Release, Start};
use crate::unix::{Kind, Patience};

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client's.
    Client,
    /// The server's.
    Server,
}

impl Stage {
    /// Connects `client` to a listener by its path.
    ///
    /// # Errors
    /// When it cannot.
    pub fn connect(&mut self, client: Who, door: Door) -> anyhow::Result<Link> {
        let address = self.truth.listeners[door.index].path.clone();
        self.connect_by(client, door, &address)
    }

    /// Connects `client` to a listener by the address it types.
    ///
    /// # Errors
    /// When it cannot.
    pub fn connect_by(&mut self, client: Who, door: Door, address: &str) -> anyhow::Result<Link> {
        let seqpacket = self.truth.listeners[door.index].socket_type == Kind::Seqpacket.word();
        let kind = if seqpacket { Kind::Seqpacket } else { Kind::Stream };
        let command = Command::Connect { address: address.to_owned(), kind, patience: Patience::Endless };
        self.connect_with(client, door, &command)
    }

    /// Connects `client` by any command that makes a connection.
    ///
    /// # Errors
    /// When it cannot.
    pub fn connect_with(&mut self, client: Who, door: Door, command: &Command) -> anyhow::Result<Link> {
        let (fd, inode, tid) = match self.ask(client, command)? {
            Answer::Socket { fd, inode, tid } => (fd, inode, tid),
            other => bail!("{command:?} gave {other:?}"),
        };
        let queue_length = Some(u32::try_from(self.queues[door.index].len())?);
        let opener = self.process(client);
        let index = self.know_connection(Connection {
            client_inode: inode,
            listener: door.index,
            opener,
            tid,
            start: Start::Seen,
            queue_length,
            accepted_by: None,
            server_inode: None,
            client: None,
            server: None,
            client_holders: Vec::new(),
            server_holders: Vec::new(),
            client_use: None,
            server_use: None,
        });
        self.queues[door.index].push_back(index);
        self.holds(client, fd, index, End::Client);
        Ok(Link { index, client: fd, server: -1 })
    }

    /// Adds a connection to the truth.
    pub fn know_connection(&mut self, connection: Connection) -> usize {
        self.truth.connections.push(connection);
        self.truth.connections.len() - 1
    }

    /// What the truth says of a connection so far.
    pub fn connection(&mut self, link: Link) -> &mut Connection {
        &mut self.truth.connections[link.index]
    }

    /// Accepts a connection, which has to be the oldest that waits.
    ///
    /// # Errors
    /// When it cannot.
    pub fn accept(&mut self, server: Who, door: Door, link: &mut Link) -> anyhow::Result<()> {
        let Answer::Socket { fd, inode, .. } = self.ask(server, &Command::Accept(door.fd))? else {
            bail!("accept told no socket")
        };
        link.server = fd;
        let process = self.process(server);
        self.leaves_queue(door, *link, process)?;
        self.truth.connections[link.index].server_inode = Some(inode);
        self.holds(server, fd, link.index, End::Server);
        Ok(())
    }

    /// Notes that a process which is no actor accepted a connection, and holds it. It has to be the oldest that waits.
    ///
    /// # Errors
    /// When it is not: the script is wrong.
    pub fn accepted(&mut self, door: Door, link: Link, process: usize) -> anyhow::Result<()> {
        self.elsewhere.push((link.index, End::Server, process));
        self.leaves_queue(door, link, process)
    }

    fn leaves_queue(&mut self, door: Door, link: Link, process: usize) -> anyhow::Result<()> {
        let oldest = self.queues[door.index].pop_front().context("nothing waits")?;
        anyhow::ensure!(oldest == link.index, "the script accepts out of order");
        self.truth.connections[link.index].accepted_by = Some(process);
        Ok(())
    }

    /// Connects and accepts.
    ///
    /// # Errors
    /// When one of them cannot.
    pub fn pair(&mut self, client: Who, server: Who, door: Door) -> anyhow::Result<Link> {
        let mut link = self.connect(client, door)?;
        self.accept(server, door, &mut link)?;
        Ok(link)
    }

    /// Both sides say something over the connection.
    ///
    /// # Errors
    /// When what arrives is not what was sent.
    pub fn converse(&mut self, client: Who, server: Who, link: Link) -> anyhow::Result<()> {
        for (from, out, to, into) in
            [(client, link.client, server, link.server), (server, link.server, client, link.client)]
        {
            self.order(from, &Command::Send(out, "hello".to_owned()))?;
            let heard = self.tell(to).ask(&Command::Receive(into))?;
            anyhow::ensure!(matches!(&heard, Answer::Text(text) if text == "hello"), "heard {heard:?}");
        }
        Ok(())
    }

    /// Lets `who` close an end of which it holds the only descriptor.
    ///
    /// # Errors
    /// When it cannot.
    pub fn close(&mut self, who: Who, link: Link, end: End) -> anyhow::Result<()> {
        let fd = match end {
            End::Client => link.client,
            End::Server => link.server,
        };
        self.close_fd(who, fd)?;
        self.released(link, end, who, Reason::Close);
        Ok(())
    }

    /// Lets `who` close a descriptor, which releases nothing by itself.
    ///
    /// # Errors
    /// When it cannot.
    pub fn close_fd(&mut self, who: Who, fd: RawFd) -> anyhow::Result<()> {
        self.order(who, &Command::Close(fd))
    }

    /// Lets `server` close its listener. What nobody accepted goes with it.
    ///
    /// # Errors
    /// When it cannot.
    pub fn close_door(&mut self, server: Who, door: Door) -> anyhow::Result<()> {
        self.close_fd(server, door.fd)?;
        self.door_closed(server, door);
        Ok(())
    }

    /// Notes that a listener went with `server`, in whatever way.
    pub fn door_closed(&mut self, server: Who, door: Door) {
        self.truth.listeners[door.index].closed_by = Some(self.process(server));
        for index in std::mem::take(&mut self.queues[door.index]) {
            let release = self.release(server, Reason::ListenerClosed);
            self.truth.connections[index].server = Some(release);
        }
    }

    /// Notes that `who` released an end.
    pub fn released(&mut self, link: Link, end: End, who: Who, reason: Reason) -> &mut Release {
        let release = self.release(who, reason);
        let connection = &mut self.truth.connections[link.index];
        match end {
            End::Client => connection.client.insert(release),
            End::Server => connection.server.insert(release),
        }
    }

    pub(super) fn release(&self, who: Who, reason: Reason) -> Release {
        let tid = Some(self.pid(who));
        Release { by: self.process(who), tid, reason, signal: None, exit_status: None }
    }

    /// Lets `who` exit; these ends go with it.
    ///
    /// # Errors
    /// When it does not exit.
    pub fn exit(&mut self, who: Who, status: i32, ends: &[(Link, End)]) -> anyhow::Result<()> {
        self.tell(who).tell(&Command::Exit(status))?;
        self.tell(who).wait()?;
        self.holds_nothing(who);
        for &(link, end) in ends {
            self.released(link, end, who, Reason::Exit).exit_status = Some(status);
        }
        Ok(())
    }

    /// Kills `who`; these ends go with it.
    ///
    /// # Errors
    /// When it does not die.
    pub fn kill(&mut self, who: Who, signal: Signal, ends: &[(Link, End)]) -> anyhow::Result<()> {
        self.tell(who).signal(signal)?;
        self.tell(who).wait()?;
        self.holds_nothing(who);
        for &(link, end) in ends {
            self.released(link, end, who, Reason::Killed).signal = Some(signal as i32);
        }
        Ok(())
    }

    /// Lets `who` try to connect, and notes how it failed.
    ///
    /// # Errors
    /// When it succeeds, or fails in another way than expected.
    pub fn fail(
        &mut self,
        who: Who,
        address: &str,
        patience: Patience,
        expected: Errno,
    ) -> anyhow::Result<()> {
        let command = Command::Connect { address: address.to_owned(), kind: Kind::Stream, patience };
        match self.ask(who, &command)? {
            Answer::Failed(errno) if errno == expected as i32 => Ok(()),
            other => bail!("connect to {address}: {other:?}, expected {expected}"),
        }
    }

    /// Notes failed connects. `door` is the listener that refused; without one, `path` is the target.
    pub fn failed(&mut self, who: Who, typed: &str, to: Result<Door, &str>, error: Errno, count: u64) {
        let (listener, path) = match to {
            Ok(door) => (Some(door.index), self.truth.listeners[door.index].path.clone()),
            Err(target) => (None, target.to_owned()),
        };
        let queue_length = to.ok().and_then(|door| u32::try_from(self.queues[door.index].len()).ok());
        let by = self.process(who);
        let (error, errno) = (format!("{error:?}"), error as i32);
        let address = typed.to_owned();
        self.truth.attempts.push(Attempts { by, error, errno, address, path, listener, queue_length, count });
    }
}
