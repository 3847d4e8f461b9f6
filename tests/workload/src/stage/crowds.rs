//! Connections that actors made many of by themselves.

use std::os::fd::RawFd;

use anyhow::Context as _;

use super::{Door, End, Stage, Who};
use crate::actor::{Made, Pair};
use crate::truth::{Connection, Reason, Release, Start};

impl Stage {
    /// Notes connections that `client` made and closed by itself, and that one of `servers` accepted and closed.
    ///
    /// # Errors
    /// When an acceptor is not among the servers.
    pub fn churned(
        &mut self,
        client: Who,
        door: Door,
        servers: &[Who],
        pairs: &[Pair],
    ) -> anyhow::Result<()> {
        for pair in pairs {
            let server = match pair.server {
                None => *servers.first().context("no server")?,
                Some((pid, _)) => {
                    *servers.iter().find(|&&who| self.pid(who) == pid).context("a stranger accepted")?
                }
            };
            let closed = Release { tid: Some(pair.tid), ..self.release(client, Reason::Close) };
            self.know_connection(Connection {
                client_inode: pair.client_inode,
                listener: door.index,
                opener: self.process(client),
                tid: pair.tid,
                start: Start::Seen,
                queue_length: None,
                accepted_by: Some(self.process(server)),
                server_inode: pair.server.map(|(_, inode)| inode),
                client: Some(closed),
                server: Some(self.release(server, Reason::Close)),
                client_holders: Vec::new(),
                server_holders: Vec::new(),
                client_use: None,
                server_use: None,
            });
        }
        Ok(())
    }

    /// Notes connections that `client` made restlessly, and that each host accepted; what the hosts keep comes with them.
    ///
    /// # Errors
    /// When an acceptor is not among the hosts.
    pub fn met(
        &mut self,
        client: Who,
        door: Door,
        hosts: &[(Who, Vec<(u64, RawFd)>)],
        made: &[Made],
    ) -> anyhow::Result<()> {
        for one in made {
            let host = hosts.iter().find(|(who, _)| self.pid(*who) == one.server);
            let (server, kept) = host.context("a stranger accepted")?;
            let kept = kept.iter().find(|(inode, _)| *inode == one.server_inode).map(|&(_, fd)| fd);
            let closed = |tid, release| Some(Release { tid: Some(tid), ..release });
            let client_closed = closed(one.tid, self.release(client, Reason::Close));
            let server_closed = closed(one.server, self.release(*server, Reason::Close));
            let index = self.know_connection(Connection {
                client_inode: one.client_inode,
                listener: door.index,
                opener: self.process(client),
                tid: one.tid,
                start: Start::Either,
                queue_length: None,
                accepted_by: Some(self.process(*server)),
                server_inode: Some(one.server_inode),
                client: client_closed.filter(|_| one.fd.is_none()),
                server: server_closed.filter(|_| kept.is_none()),
                client_holders: Vec::new(),
                server_holders: Vec::new(),
                client_use: None,
                server_use: None,
            });
            for (who, fd, end) in [(client, one.fd, End::Client), (*server, kept, End::Server)] {
                if let Some(fd) = fd {
                    self.holds(who, fd, index, end);
                }
            }
        }
        Ok(())
    }
}
