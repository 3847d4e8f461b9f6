//! Who holds which end right now: what `sockleak list` shows.

mod changes;
mod headline;
mod holders;

use std::fmt::Write as _;

use serde::Serialize;
use sockleak_core::{
    attribution::{container::Membership, limits::Limit, script, who::Who},
    event::{End, Queue},
    lifecycle::{Connection, State},
    session::{Holder, Session, SocketId},
};

pub use changes::Connections;
use headline::headline;
use holders::holders;

use super::grid::{Cell, Grid, Kind};
use crate::{
    elide::file_name,
    style::{Meaning, Style},
};

/// The sockets of the targets, with their connections.
#[derive(Clone, Debug, Serialize)]
pub struct Listing {
    /// The sockets.
    pub sockets: Vec<ListedSocket>,
    /// What is missing, a sentence each.
    pub incomplete_because: Vec<String>,
}

/// A socket and its connections.
#[derive(Clone, Debug, Serialize)]
pub struct ListedSocket {
    /// Its path or `@name`.
    pub path: String,
    /// Slots in use: accepted server ends that are open.
    pub slots_used: u64,
    /// How many there are, where that is known.
    pub limit: Option<Limit>,
    /// The accept queue.
    pub queue: Option<Queue>,
    /// Who holds the listening socket; None if that is not known.
    pub listeners: Option<Vec<Holding>>,
    /// The connections.
    pub connections: Vec<ListedConnection>,
    /// Connections of the look before that are gone; None if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone: Option<u64>,
}

/// A connection.
#[derive(Clone, Debug, Serialize)]
pub struct ListedConnection {
    /// Where it stands.
    pub state: State,
    /// Who connected, by the credentials that the server sees; None if those cannot be asked for.
    pub opener_pid: Option<u32>,
    /// Inode of the client's socket; 0 if it is released.
    pub client_inode: u64,
    /// Inode of the server's, if it was accepted.
    pub server_inode: Option<u64>,
    /// Messages that lie unread at the client end; None if that is not known, or it is released.
    pub client_unread: Option<u32>,
    /// Messages that lie unread at the server end, likewise.
    pub server_unread: Option<u32>,
    /// Who holds the client end; None if that is not known.
    pub client: Option<Vec<Holding>>,
    /// Who holds the server end; None if that is not known.
    pub server: Option<Vec<Holding>>,
    /// It was not there in the look before; None if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_new: Option<bool>,
}

/// A descriptor and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holding {
    /// Process id.
    pub pid: u32,
    /// The same in the process's own pid namespace.
    pub pid_in_namespace: Option<u32>,
    /// The program.
    pub program: String,
    /// The program with what it runs, if it is an interpreter.
    #[serde(skip)]
    script: Option<String>,
    /// The process's name, where known: its first thread's.
    pub comm: Option<String>,
    /// The command line, where known.
    pub argv: Option<Vec<String>>,
    /// User id.
    pub uid: Option<u32>,
    /// The user's name.
    pub user: Option<String>,
    /// Unit and container.
    #[serde(flatten)]
    pub membership: Membership,
    /// The descriptor.
    pub fd: u32,
}

impl Listing {
    /// Draws it up, after a complete round. `sees_all`: the round saw every process of the host. Otherwise a socket that it found
    /// nobody to hold may be held.
    #[must_use]
    pub fn new(session: &Session, incomplete_because: Vec<String>, sees_all: bool) -> Self {
        let mut sockets: Vec<ListedSocket> = session.sockets().iter().map(ListedSocket::new).collect();
        for (socket, holder) in session.listener_holders() {
            let listeners = &mut sockets[socket.0].listeners;
            listeners.get_or_insert_default().push(Holding::new(session, holder));
        }
        let mut open: Vec<(SocketId, &Connection)> = session.open().collect();
        open.sort_by_key(|(_, connection)| connection.id);
        for (socket, connection) in open {
            sockets[socket.0].connections.push(ListedConnection::new(session, connection, sees_all));
        }
        for socket in &mut sockets {
            if sees_all {
                socket.listeners.get_or_insert_default();
            }
            socket
                .listeners
                .iter_mut()
                .for_each(|them| them.sort_by_key(|holding| (holding.pid, holding.fd)));
            let first = |connection: &ListedConnection| {
                connection.client.as_ref().and_then(|them| them.first()).map(|it| (it.pid, it.fd))
            };
            socket.connections.sort_by_key(|connection| (first(connection), connection.client_inode));
        }
        Self { sockets, incomplete_because }
    }
}

impl ListedSocket {
    fn new(socket: &sockleak_core::session::Socket) -> Self {
        Self {
            path: socket.name.clone(),
            slots_used: socket.slots,
            limit: socket.limit,
            queue: socket.queue,
            listeners: None,
            connections: Vec::new(),
            gone: None,
        }
    }
}

impl ListedConnection {
    fn new(session: &Session, connection: &Connection, sees_all: bool) -> Self {
        let holdings = |end| {
            let holders = session.holders(connection.id, end).unwrap_or_default();
            let mut holdings: Vec<_> = holders.iter().map(|holder| Holding::new(session, holder)).collect();
            holdings.sort_by_key(|holding| (holding.pid, holding.fd));
            let is_known = sees_all || !holdings.is_empty() || !connection.end(end).is_open();
            is_known.then_some(holdings)
        };
        let unread = |end| session.usage(connection, end).map(|known| known.usage.unread);
        Self {
            state: connection.state(),
            client_unread: unread(End::Client),
            server_unread: unread(End::Server),
            opener_pid: Some(connection.opener.actor.id.pid).filter(|&pid| pid != 0),
            client_inode: connection.client_inode,
            server_inode: connection.accepted.as_ref().map(|accepted| accepted.inode),
            client: holdings(End::Client),
            server: holdings(End::Server),
            is_new: None,
        }
    }
}

impl ListedConnection {
    /// What lies unread at its ends, in words; None if nothing does, as far as is known.
    fn unread(&self) -> Option<String> {
        let ends = [("client", self.client_unread), ("server", self.server_unread)];
        let told = ends.into_iter().filter_map(|(end, count)| Some((end, count.filter(|&it| it > 0)?)));
        let told: Vec<_> = told.map(|(end, count)| format!("{count} by {end}")).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}

impl Holding {
    fn new(session: &Session, holder: &Holder) -> Self {
        let Holder { who, fd } = holder;
        let Who { actor, program, process, .. } = &**who;
        let process = process.as_deref();
        Self {
            pid: actor.id.pid,
            pid_in_namespace: process.map(|it| it.pid_in_namespace).filter(|&pid| pid != 0),
            program: session.program(*program).to_owned(),
            script: process.and_then(|it| script::name(session.program(*program), it)),
            comm: process.map(|it| it.comm.to_string()),
            argv: process.map(|it| it.argv.clone()),
            uid: process.map(|it| it.uid),
            user: process.and_then(|it| it.user.as_deref()).map(str::to_owned),
            membership: process.and_then(Membership::of_process).unwrap_or_default(),
            fd: *fd,
        }
    }

    /// The name by which people know it, where its executable has another: Debian's redis-server is a link to redis-check-rdb,
    /// and busybox is many programs.
    fn alias(&self) -> Option<&str> {
        let called = file_name(self.argv.as_deref()?.first()?).trim_start_matches('-');
        let own = file_name(&self.program);
        let is_version = own.starts_with(called) || called.starts_with(own);
        // A process can call itself what it likes: both names agree where it was started by that one.
        let is_comm = !called.is_empty() && self.comm.as_deref().is_some_and(|comm| is_cut_to(comm, called));
        (is_comm && !is_version).then_some(called)
    }

    /// The executable, with the script that it runs, or with the name it was started by if that is another.
    fn shown_program(&self) -> String {
        match (&self.script, self.alias()) {
            (Some(script), _) => script.clone(),
            (None, Some(alias)) => format!("{} ({alias})", self.program),
            (None, None) => self.program.clone(),
        }
    }

    /// The same, as short as it can be told.
    fn short_program(&self) -> &str {
        match &self.script {
            Some(script) => file_name(script),
            None => self.alias().unwrap_or_else(|| file_name(&self.program)),
        }
    }

    /// Where it belongs, as short as it can be told: container, else unit.
    fn place(&self) -> String {
        match (&self.membership.container, &self.membership.unit) {
            (Some(container), _) => container.short(),
            (None, Some(unit)) => unit.clone(),
            (None, None) => "-".to_owned(),
        }
    }
}

/// Is it a name as the kernel keeps it, which has room for 15 bytes?
fn is_cut_to(comm: &str, name: &str) -> bool {
    name.as_bytes().get(..15).map_or(comm == name, |front| comm.as_bytes() == front)
}

/// Renders a listing as text, in so many columns where that can be.
#[must_use]
pub fn render(listing: &Listing, width: usize, style: Style) -> String {
    let mut out = String::new();
    if listing.sockets.is_empty() {
        out.push_str(
            "No socket of that name is open: no process listens on one, and none is connected to one.\n",
        );
    }
    for (index, socket) in listing.sockets.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let _ = writeln!(out, "{}", headline(socket, style));
        // What is looked at again is cut at its end; what was printed has scrolled away at its beginning.
        let is_watched = socket.gone.is_some();
        if is_watched {
            out.push_str(&holders(socket));
        }
        if !socket.connections.is_empty() {
            out.push_str(&connections(socket).styled(width, style));
        }
        if !is_watched {
            out.push_str(&holders(socket));
        }
    }
    for sentence in &listing.incomplete_because {
        let _ = writeln!(out, "{}: {sentence}.", style.label("INCOMPLETE", Meaning::Warning));
    }
    out
}

/// What a connection's state tells at a glance.
const fn meaning(state: State) -> Option<Meaning> {
    match state {
        State::Open | State::Closed => None,
        State::Queued | State::Abandoned | State::ClientClosed | State::ServerClosed => {
            Some(Meaning::Warning)
        }
    }
}

/// Columns of the connections that every listing has.
const HEADINGS: [(&str, Kind); 8] = [
    ("PID", Kind::Number),
    ("FD", Kind::Number),
    ("USER", Kind::Word),
    ("PROGRAM", Kind::Command),
    ("UNIT OR CONTAINER", Kind::Name),
    ("STATE", Kind::Word),
    ("SERVER", Kind::Prose),
    ("FD", Kind::Number),
];

fn connections(socket: &ListedSocket) -> Grid {
    let mut headings = HEADINGS.to_vec();
    let with_unread = socket.connections.iter().any(|it| it.unread().is_some());
    headings.extend(with_unread.then_some(("UNREAD", Kind::Prose)));
    let with_new = socket.connections.iter().any(|it| it.is_new == Some(true));
    headings.extend(with_new.then_some(("NEW", Kind::Word)));
    let mut table = Grid::new(&headings);
    for connection in &socket.connections {
        let server = connection.server.as_ref().and_then(|them| them.first());
        let server_name = match (server, connection.state) {
            (Some(it), _) => Cell {
                long: format!("{} {}", it.shown_program(), it.pid),
                short: Some(format!("{} {}", it.short_program(), it.pid)),
                ..Cell::default()
            },
            (None, State::Queued | State::Abandoned) => "not accepted".into(),
            (None, State::ServerClosed) => "released".into(),
            (None, _) if connection.server.is_none() => "not known".into(),
            (None, _) => "in nobody's table".into(),
        };
        let server_fd = server.map_or_else(|| "-".to_owned(), |it| it.fd.to_string());
        let state = Cell::from(connection.state.name()).with(meaning(connection.state));
        let unread = with_unread.then(|| Cell::from(connection.unread().unwrap_or_else(|| "-".to_owned())));
        let new = with_new.then(|| match connection.is_new {
            Some(true) => Cell::from("new").with(Some(Meaning::Warning)),
            _ => Cell::from("-"),
        });
        let last = || unread.clone().into_iter().chain(new.clone());
        let clients = connection.client.as_deref();
        if clients.is_none_or(<[_]>::is_empty) {
            let gone = match (connection.state, connection.opener_pid) {
                (_, Some(pid)) if clients.is_none() => format!("(holder not known; opened by {pid})"),
                (_, None) if clients.is_none() => "(holder not known)".to_owned(),
                (State::ClientClosed | State::Abandoned, Some(pid)) => format!("(client left; it was {pid})"),
                (State::ClientClosed | State::Abandoned, None) => "(client left)".to_owned(),
                (_, Some(pid)) => format!("(in flight; opened by {pid})"),
                (_, None) => "(in flight)".to_owned(),
            };
            let nobody = || Cell::from("-");
            let row = [nobody(), nobody(), nobody(), gone.into(), nobody(), state.clone()];
            let server = [server_name.clone(), server_fd.as_str().into()];
            table.rows.push(row.into_iter().chain(server).chain(last()).collect());
        }
        for (index, client) in clients.into_iter().flatten().enumerate() {
            let user = client.user.clone().or_else(|| client.uid.map(|uid| uid.to_string()));
            // An end that several hold is one connection.
            let shared = if index > 0 { Cell::from("same end") } else { state.clone() };
            let row = [
                client.pid.to_string().into(),
                client.fd.to_string().into(),
                user.unwrap_or_else(|| "-".to_owned()).into(),
                client.shown_program().into(),
                client.place().into(),
                shared,
                server_name.clone(),
                server_fd.as_str().into(),
            ];
            table.rows.push(row.into_iter().chain(last()).collect());
        }
    }
    table
}

#[cfg(test)]
mod tests;
