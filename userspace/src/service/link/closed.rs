//! Connections that were closed a short time ago, so that their story can be told to its end.

use std::collections::VecDeque;

use sockleak_core::{
    assess::Open,
    attribution::who::{ProgramId, Who},
    event::{End, Frame},
    lifecycle::{Connection, EndState},
    session::{ClosedConnection, Session},
};

/// So many are kept: some 600 bytes each, and what is known of their processes.
const MOST: usize = 1000;

/// The last connections that were closed.
#[derive(Clone, Debug, Default)]
pub struct Closed {
    connections: VecDeque<Kept>,
}

/// One of them, with names of its own: the session's numbers of programs, sockets and stacks may be others' by now.
#[derive(Clone, Debug)]
pub struct Kept {
    path: String,
    pub(super) connection: Connection,
    names: Vec<(ProgramId, String)>,
    pub(super) frames: Vec<Frame>,
}

impl Closed {
    /// Takes in a connection.
    pub fn note(&mut self, closed: &ClosedConnection<'_>) {
        let ClosedConnection { session, socket, connection } = *closed;
        if self.connections.len() == MOST {
            self.connections.pop_front();
        }
        self.connections.push_back(Kept::new(session, &session.sockets()[socket.0].name, connection));
    }

    /// Those that are kept; the one that was closed last comes first.
    pub fn iter(&self) -> impl Iterator<Item = &Kept> {
        self.connections.iter().rev()
    }

    /// The one of this number.
    #[must_use]
    pub fn find(&self, id: u64) -> Option<&Kept> {
        self.iter().find(|kept| kept.connection.id == id)
    }
}

impl Kept {
    fn new(session: &Session, path: &str, connection: &Connection) -> Self {
        let by = |end| match connection.end(end) {
            EndState::Released { by, .. } => Some(by),
            EndState::Open | EndState::ReleasedUnseen { .. } | EndState::Unknown => None,
        };
        let accepted = connection.accepted.as_ref().and_then(|accepted| accepted.by.as_ref());
        let parties = [Some(&connection.opener), accepted, by(End::Client), by(End::Server)];
        let named =
            parties.into_iter().flatten().flat_map(|who: &std::sync::Arc<Who>| [who.program, who.group]);
        let mut names: Vec<(ProgramId, String)> = Vec::new();
        for program in named {
            if names.iter().all(|(known, _)| *known != program) {
                names.push((program, session.program(program).to_owned()));
            }
        }
        let frames = connection.stack.map_or(&[][..], |stack| session.frames(stack));
        Self { path: path.to_owned(), connection: connection.clone(), names, frames: frames.to_vec() }
    }

    /// The name of one of its programs.
    pub(super) fn name(&self, program: ProgramId) -> &str {
        let named = self.names.iter().find(|(known, _)| *known == program);
        named.map_or("?", |(_, name)| name)
    }

    /// What is said of it.
    pub(super) fn told(&self, now: u64) -> Open<'_> {
        Open::named(&self.path, &self.connection, now, |program| self.name(program))
    }
}

#[cfg(test)]
mod tests {
    use sockleak_core::{
        event::{End, Record},
        session::Session,
        testing::{SECOND, accept, connect, event, listener, process, release, session},
    };

    use super::*;

    fn note(session: &mut Session, closed: &mut Closed, record: Record) {
        session.feed(record).closed.iter().for_each(|connection| closed.note(connection));
    }

    #[test]
    fn the_last_ones_are_kept() {
        let (mut session, mut closed) = (session(&["a.sock"]), Closed::default());
        note(&mut session, &mut closed, listener(1, "/run/a.sock"));
        note(&mut session, &mut closed, process(7, Some("/bin/client")));
        for id in 1..=1010 {
            note(&mut session, &mut closed, event(id, 7, connect(id, 1)));
            note(&mut session, &mut closed, event(id, 8, accept(id, 1)));
            note(&mut session, &mut closed, event(id, 7, release(id, 1, End::Client)));
            assert!(closed.find(id).is_none(), "its server's end is open");
            note(&mut session, &mut closed, event(id, 8, release(id, 1, End::Server)));
        }
        let ids: Vec<_> = closed.iter().map(|kept| kept.connection.id).collect();
        assert_eq!((ids.len(), ids[0], ids[999]), (1000, 1010, 11));
        assert!(closed.find(10).is_none() && closed.find(11).is_some());
        // What is told does not need the session any more.
        drop(session);
        let told = closed.iter().next().unwrap().told(2000 * SECOND);
        assert_eq!(
            (told.path, told.opener.program, told.group),
            ("/run/a.sock", "/bin/client", "/bin/client")
        );
        assert_eq!(told.client_end.by.map(|by| by.program), Some("/bin/client"));
        assert_eq!((told.server.map(|it| it.pid), told.client_end.reason), (Some(8), Some("close")));
        assert_eq!(told.age_ns, 990 * SECOND);
    }
}
