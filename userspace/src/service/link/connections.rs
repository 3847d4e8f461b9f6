//! Connections as they are asked for, page by page.

use std::cmp::Ordering;

use serde::Serialize;
use sockleak_core::{
    assess::{self, Idle, Open},
    event::Comm,
    lifecycle::{Connection, State},
    session::{Session, SocketId},
};

use super::{
    closed::Closed,
    question::{ConnectionFilter, MOST_CONNECTIONS, Sort, SortBy, is_asked_for},
};

/// Some of the connections that are not closed, or of those that were closed a short time ago.
#[derive(Clone, Debug, Serialize)]
pub struct Page<'s> {
    /// How many fit the question, on all pages.
    pub total: usize,
    /// How many are before this page.
    pub offset: u32,
    /// Those of this page.
    pub connections: Vec<Open<'s>>,
}

impl<'s> Page<'s> {
    /// Picks those that fit. `now` is in nanoseconds since boot.
    #[must_use]
    pub fn new(session: &'s Session, closed: &'s Closed, now: u64, filter: &ConnectionFilter) -> Self {
        let wanted = Wanted(filter);
        let (total, connections) = if filter.state.as_deref() == Some(State::Closed.name()) {
            let mut all: Vec<_> = closed.iter().map(|kept| kept.told(now)).collect();
            all.retain(|open| wanted.fits(&Facts::told(open)));
            if let Some(sort) = filter.sort {
                all.sort_by(|a, b| Facts::told(a).compare(&Facts::told(b), sort));
            }
            some(all, filter, |open| open)
        } else {
            let open = |(socket, connection)| Open::new(session, socket, connection, now);
            some(not_closed(session, now, &wanted), filter, open)
        };
        Self { total, offset: filter.offset, connections }
    }

    /// Command lines hold secrets.
    pub fn hide_argv(&mut self) {
        for connection in &mut self.connections {
            connection.opener.argv = None;
        }
    }
}

/// Those that fit, in order. There may be millions: what is said of one is put together for a page alone.
fn not_closed<'s>(session: &'s Session, now: u64, wanted: &Wanted<'_>) -> Vec<(SocketId, &'s Connection)> {
    let facts =
        |&(socket, connection): &(SocketId, &'s Connection)| Facts::of(session, socket, connection, now);
    let mut open: Vec<_> = session.open().filter(|it| wanted.fits(&facts(it))).collect();
    match wanted.0.sort {
        // Their order says the same, and does not depend on what the time is.
        None => open.sort_unstable_by_key(|(_, connection)| (connection.opened, connection.id)),
        // How each was used is looked up once, not at every comparison.
        Some(Sort { by: SortBy::Idle, descending }) => open.sort_by_cached_key(|(_, connection)| {
            (by_idle(Idle::of_open(session, connection, now), descending), connection.opened, connection.id)
        }),
        Some(sort) => open.sort_by(|a, b| facts(a).compare(&facts(b), sort)),
    }
    open
}

/// What is asked for.
struct Wanted<'f>(&'f ConnectionFilter);

impl Wanted<'_> {
    fn fits(&self, facts: &Facts<'_>) -> bool {
        let &ConnectionFilter { ref socket, ref program, ref state, older_than_ns, ref contains, .. } =
            self.0;
        facts.age >= older_than_ns
            && is_asked_for(state.as_deref(), facts.state.name())
            && is_asked_for(socket.as_deref(), facts.path)
            && is_asked_for(program.as_deref(), facts.group)
            && contains.as_deref().is_none_or(|part| facts.contain(part))
    }
}

/// What connections are picked and put in order by.
struct Facts<'a> {
    id: u64,
    age: u64,
    state: State,
    path: &'a str,
    pid: u32,
    program: &'a str,
    group: &'a str,
    comm: Comm,
}

impl<'a> Facts<'a> {
    fn of(session: &'a Session, socket: SocketId, connection: &'a Connection, now: u64) -> Self {
        let opener = &connection.opener;
        Self {
            id: connection.id,
            age: connection.age(now),
            state: connection.state(),
            path: &session.sockets()[socket.0].name,
            pid: opener.actor.id.pid,
            program: session.program(opener.program),
            group: session.program(opener.group),
            comm: opener.comm(),
        }
    }

    fn told(open: &Open<'a>) -> Self {
        let assess::Opener { pid, program, comm, .. } = open.opener;
        Self {
            id: open.connection,
            age: open.age_ns,
            state: open.state,
            path: open.path,
            pid,
            program,
            group: open.group,
            comm,
        }
    }

    fn contain(&self, part: &str) -> bool {
        let part = part.as_bytes();
        let has =
            |text: &[u8]| part.is_empty() || text.windows(part.len()).any(|it| it.eq_ignore_ascii_case(part));
        has(self.program.as_bytes())
            || has(self.group.as_bytes())
            || has(self.path.as_bytes())
            || has(&self.comm.0)
            || part.iter().all(u8::is_ascii_digit) && has(self.pid.to_string().as_bytes())
    }

    fn compare(&self, other: &Self, sort: Sort) -> Ordering {
        let order = match sort.by {
            SortBy::Age => self.age.cmp(&other.age),
            SortBy::Pid => self.pid.cmp(&other.pid),
            SortBy::Program => self.program.cmp(other.program),
            SortBy::State => self.state.cmp(&other.state),
            // Of closed ones it is not known, and open ones are not compared here.
            SortBy::Idle => Ordering::Equal,
        };
        let order = if sort.descending { order.reverse() } else { order };
        order.then(other.age.cmp(&self.age)).then(self.id.cmp(&other.id))
    }
}

/// What connections are put in order by that have been idle for so long: what is not known comes last, in both directions.
fn by_idle(idle: Option<Idle>, descending: bool) -> (bool, u64) {
    let for_ns = idle.map_or(0, |idle| idle.for_ns);
    (idle.is_none(), if descending { u64::MAX - for_ns } else { for_ns })
}

/// How many there are, and what is said of those of one page.
fn some<'s, T>(
    all: Vec<T>,
    filter: &ConnectionFilter,
    tell: impl Fn(T) -> Open<'s>,
) -> (usize, Vec<Open<'s>>) {
    let limit = filter.limit.min(MOST_CONNECTIONS) as usize;
    (all.len(), all.into_iter().skip(filter.offset as usize).take(limit).map(tell).collect())
}

#[cfg(test)]
mod tests {
    use sockleak_core::{
        event::{End, Record, Usage},
        testing::{SECOND, accept, connect, event, held, listener, process, session},
    };

    use super::*;

    /// Connections 1 to 4 of three programs, the first the oldest, on two sockets; 3 is not accepted. The client of the first sent
    /// at second 9, that of the second at second 5; of the others it is not known.
    fn picked(filter: &ConnectionFilter) -> Vec<u64> {
        let mut session = session(&["*.sock"]);
        for record in [
            listener(1, "/run/a.sock"),
            listener(2, "/run/Big.sock"),
            process(70, Some("/usr/bin/Zebra")),
            process(8, Some("/usr/bin/ape")),
            process(9, Some("/usr/bin/bear")),
            event(1, 70, connect(1, 1)),
            event(1, 9, accept(1, 1)),
            event(2, 8, connect(2, 2)),
            event(2, 9, accept(2, 2)),
            event(3, 9, connect(3, 1)),
            event(4, 8, connect(4, 1)),
            event(4, 9, accept(4, 1)),
            Record::UseNoted { at: 0, is_reliable: true },
            Record::RoundBegins,
            held(10, 70, 1, 1, End::Client, Usage { last_sent: Some(9 * SECOND), ..Usage::default() }),
            held(10, 9, 1, 1, End::Server, Usage::default()),
            held(10, 8, 2, 2, End::Client, Usage { last_sent: Some(5 * SECOND), ..Usage::default() }),
            held(10, 9, 2, 2, End::Server, Usage::default()),
            held(10, 8, 4, 1, End::Client, Usage { last_sent: Some(9 * SECOND), ..Usage::default() }),
            Record::RoundEnds,
        ] {
            session.feed(record);
        }
        let closed = Closed::default();
        let filter = ConnectionFilter { limit: 10, ..filter.clone() };
        let page = Page::new(&session, &closed, u64::MAX, &filter);
        assert_eq!(page.total, page.connections.len());
        page.connections.iter().map(|open| open.connection).collect()
    }

    #[test]
    fn they_come_in_the_order_that_is_asked_for() {
        assert_eq!(picked(&ConnectionFilter::default()), [1, 2, 3, 4]);
        for (name, expected) in Sort::NAMES.into_iter().zip([
            [4, 3, 2, 1],
            [1, 2, 3, 4],
            [2, 4, 3, 1],
            [1, 3, 2, 4],
            [1, 2, 4, 3],
            [3, 2, 4, 1],
            [3, 1, 2, 4],
            [1, 2, 4, 3],
            [1, 2, 3, 4],
            [2, 1, 3, 4],
        ]) {
            let sort = Sort::named(name).unwrap();
            assert_eq!(sort.name(), name);
            assert_eq!(
                picked(&ConnectionFilter { sort: Some(sort), ..Default::default() }),
                expected,
                "{name}"
            );
        }
        assert_eq!(["", "-", "--age", "Age", "comm"].map(Sort::named), [None; 5]);
    }

    #[test]
    fn they_are_found_by_a_part_of_a_name() {
        for (part, expected) in [
            ("", &[1, 2, 3, 4][..]),
            ("zebra", &[1]),
            ("APE", &[2, 4]),
            ("bin/b", &[3]),
            ("big", &[2]),
            ("70", &[1]),
            ("7", &[1]),
            ("thread", &[1, 2, 3, 4]),
            ("giraffe", &[]),
            // That is in their command lines.
            ("-v", &[]),
        ] {
            let filter = ConnectionFilter { contains: Some(part.to_owned()), ..Default::default() };
            assert_eq!(picked(&filter), expected, "{part}");
        }
    }
}
