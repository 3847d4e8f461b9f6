//! How ends are used on the stage.

use anyhow::bail;

use super::{Door, End, Link, Stage, Who};
use crate::actor::{Answer, Command, Taken, Way};
use crate::truth::{Connection, Use};

impl Stage {
    /// Connects and accepts, and nothing else: it is part of the truth that neither end is used.
    ///
    /// # Errors
    /// When it cannot.
    pub fn idle(&mut self, client: Who, server: Who, door: Door) -> anyhow::Result<Link> {
        let link = self.pair(client, server, door)?;
        for end in [End::Client, End::Server] {
            used(self.connection(link), end);
        }
        Ok(link)
    }

    /// Has a process use an end, and notes what the kernel took.
    ///
    /// # Errors
    /// When it cannot.
    pub fn use_end(&mut self, who: Who, link: Link, end: End, way: Way) -> anyhow::Result<()> {
        let fd = if end == End::Client { link.client } else { link.server };
        let Taken { bytes, calls } = match self.ask(who, &Command::Use(fd, way))? {
            Answer::Taken(taken) => taken,
            other => bail!("{way:?} was answered by {other:?}"),
        };
        let connection = self.connection(link);
        let note = used(connection, end);
        note.bytes += bytes;
        // How many pieces the kernel makes of a file or pipe is its own affair.
        let is_whole = !matches!(way, Way::SendFile(_) | Way::Splice(_));
        note.sends = note.sends.filter(|_| is_whole).map(|sends| sends + calls);
        match way {
            Way::ShutSend => note.no_send = true,
            Way::ShutReceive => note.no_receive = true,
            // The other end is gone, and the kernel has shut this one.
            Way::InVain => (note.no_receive, note.no_send) = (true, true),
            _ => {}
        }
        let other = used(connection, if end == End::Client { End::Server } else { End::Client });
        match way {
            Way::ShutSend => other.no_receive = true,
            Way::ShutReceive => other.no_send = true,
            _ => other.has_unread |= bytes > 0,
        }
        Ok(())
    }

    /// Has a process read all that lies at an end.
    ///
    /// # Errors
    /// When it cannot.
    pub fn read_end(&mut self, who: Who, link: Link, end: End) -> anyhow::Result<()> {
        let fd = if end == End::Client { link.client } else { link.server };
        match self.ask(who, &Command::Receive(fd))? {
            Answer::Text(_) => {}
            other => bail!("a read was answered by {other:?}"),
        }
        used(self.connection(link), end).has_unread = false;
        Ok(())
    }
}

fn used(connection: &mut Connection, end: End) -> &mut Use {
    let note = if end == End::Client { &mut connection.client_use } else { &mut connection.server_use };
    note.get_or_insert(Use { sends: Some(0), ..Use::default() })
}
