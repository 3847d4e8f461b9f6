use proptest::prelude::*;

use super::*;
use crate::{
    session::Notice,
    testing::{SECOND, attempt, event as at, listener, process, session},
};

/// Listeners 1 and 2 share a path, 3 has its own.
const PATHS: [&str; 3] = ["/run/a.sock", "/run/a.sock", "/run/b.sock"];
const SERVER: u32 = 50;

/// A connection as it is, whatever the session was told of it.
#[derive(Clone, Copy, Debug)]
struct Truth {
    id: u64,
    listener: u64,
    opener: u32,
    /// No record ever tells its start.
    is_seed: bool,
    is_accepted: bool,
    client: bool,
    server: bool,
    /// The kernel side hears of these ends.
    tracked: [bool; 2],
}

impl Truth {
    const fn is_open(&self, end: End) -> bool {
        match end {
            End::Client => self.client,
            End::Server => self.server,
        }
    }

    const fn inode(&self, end: End) -> u64 {
        let base = if matches!(end, End::Client) { 1_000_000 } else { 2_000_000 };
        // One that got another number is the same socket.
        base + self.id % 1000
    }
}

/// A host that does something at random, and a session that hears most of it.
struct World {
    session: Session,
    connections: Vec<Truth>,
    second: u64,
    /// Listener 1 is closed.
    is_closed: bool,
}

/// What is chosen for a step.
type Choice = (u8, u8, u8);

impl World {
    fn new() -> Self {
        let session = session(&["a.sock", "b.sock"]);
        let mut world = Self { session, connections: Vec::new(), second: 100, is_closed: false };
        world.describe();
        for (id, path) in (1..).zip(PATHS) {
            world.tell(listener(id, path));
        }
        world
    }

    fn describe(&mut self) {
        for pid in [1, 2, SERVER] {
            self.tell(process(pid, Some(&format!("/bin/p{pid}"))));
        }
    }

    fn tell(&mut self, record: Record) {
        self.session.feed(record);
    }

    fn happens(&mut self, pid: u32, what: What) {
        let second = self.second;
        self.tell(at(second, pid, what));
    }

    fn step(&mut self, (kind, which, how): Choice) {
        self.second += u64::from(how % 3);
        let index = usize::from(which) % self.connections.len().max(1);
        match kind % 10 {
            0..=2 => self.connect(which, how),
            3 => self.accept(index, how),
            4 | 5 => self.release(index, how),
            6 => self.round(how, false),
            7 if which % 4 == 0 => self.round(how, true),
            7 => self.gone(),
            8 if which % 6 == 0 => self.close_listener(),
            _ => self.happens(1, attempt(Some(self.any_listener(which)), "a.sock")),
        }
    }

    /// Unless a connection on it is still to be met: then its description would be needed anew.
    fn close_listener(&mut self) {
        let is_met = |it: &Truth| self.session.table.get(it.id).is_some() || !(it.client || it.server);
        if !self.is_closed && self.connections.iter().filter(|it| it.listener == 1).all(is_met) {
            self.happens(SERVER, What::ListenerClosed { listener: 1, reason: Reason::Close });
            self.is_closed = true;
        }
    }

    fn any_listener(&self, which: u8) -> u64 {
        u64::from(which % 3).max(self.is_closed.into()) + 1
    }

    fn connect(&mut self, which: u8, how: u8) {
        let id = self.connections.len() as u64 + 1;
        let listener = self.any_listener(which);
        // Process 3 is never described.
        let opener = u32::from(how % 3) + 1;
        let tracked = if how.is_multiple_of(7) { [which & 4 == 0, which & 8 == 0] } else { [true, true] };
        let is_heard = !how.is_multiple_of(5);
        let is_seed = !is_heard && how.is_multiple_of(2);
        let truth =
            Truth { id, listener, opener, is_seed, is_accepted: false, client: true, server: true, tracked };
        self.connections.push(truth);
        if is_heard {
            if which.is_multiple_of(3) {
                let frame = crate::event::Frame { function: Some("open".into()), ..Default::default() };
                self.tell(Record::Stack(Stack { connection: id, frames: [frame].into() }));
            }
            let what = What::Connect {
                connection: id,
                listener,
                client_inode: truth.inode(End::Client),
                queue: Queue { length: 0, max: 10 },
                client_untracked: !tracked[0],
                server_untracked: !tracked[1],
            };
            self.happens(opener, what);
        }
    }

    fn accept(&mut self, index: usize, how: u8) {
        let Some(truth) = self.connections.get_mut(index) else { return };
        if truth.is_accepted || !truth.server {
            return;
        }
        truth.is_accepted = true;
        let &mut Truth { id, listener, tracked, .. } = truth;
        let server_inode = truth.inode(End::Server);
        if !how.is_multiple_of(4) && tracked[1] {
            self.happens(SERVER, What::Accept { connection: id, listener, server_inode });
        }
    }

    fn release(&mut self, index: usize, how: u8) {
        let Some(truth) = self.connections.get_mut(index) else { return };
        let end = if how & 1 == 0 { End::Client } else { End::Server };
        if !truth.is_open(end) {
            return;
        }
        match end {
            End::Client => truth.client = false,
            End::Server => truth.server = false,
        }
        let &mut Truth { id, listener, tracked, opener, .. } = truth;
        if !how.is_multiple_of(5) && tracked[end as usize] {
            let reason =
                [Reason::Close, Reason::Exit(3), Reason::Killed(9), Reason::Unseen][usize::from(how >> 6)];
            let pid = if end == End::Client { opener } else { SERVER };
            self.happens(pid, What::Release { connection: id, listener, end, reason });
        }
    }

    /// A round over all descriptors; one broken off leaves out its latter half.
    fn round(&mut self, how: u8, is_broken: bool) {
        self.tell(Record::RoundBegins);
        self.round_listener(how);
        let count = if is_broken { self.connections.len() / 2 } else { self.connections.len() };
        for index in 0..count {
            let ends = if how & 2 == 0 { [End::Client, End::Server] } else { [End::Server, End::Client] };
            for end in ends {
                self.look(index, end);
            }
        }
        if !is_broken {
            self.tell(Record::RoundEnds);
        }
    }

    fn round_listener(&mut self, how: u8) {
        let id = ProcessId { pid: SERVER, start: u64::from(SERVER), exec_id: 1 };
        let holder = Actor { id, tid: SERVER, ..NOBODY };
        let queue = Queue { length: how.into(), max: 10 };
        let socket = HeldSocket::Listener { queue };
        let second = self.second;
        self.tell(Record::Held(Held {
            at: second * SECOND,
            holder,
            fd: 3,
            inode: 9,
            listener: 2,
            socket,
            usage: None,
        }));
    }

    fn look(&mut self, index: usize, end: End) {
        let truth = &mut self.connections[index];
        if !truth.is_open(end) || (end == End::Server && !truth.is_accepted) {
            return;
        }
        if truth.tracked == [false, false] {
            // There is room now: it gets a number of its own.
            truth.id += 1_000_000;
            (truth.tracked, truth.is_seed) = ([true, true], true);
        }
        let truth = *truth;
        let peer = match (end, truth.is_open(other(end))) {
            (_, false) => Peer::Released,
            (End::Client, true) if !truth.is_accepted => Peer::Queued,
            (_, true) => Peer::Open(truth.inode(other(end))),
        };
        let pid = if end == End::Client { truth.opener } else { SERVER };
        // Some descriptors are an heir's.
        let pid = if truth.id.is_multiple_of(5) { 2 } else { pid };
        let id = ProcessId { pid, start: u64::from(pid), exec_id: 1 };
        let holder = Actor { id, tid: pid, comm: Comm(*b"a-thread\0\0\0\0\0\0\0\0"), ..NOBODY };
        let opener = Some(truth.opener).filter(|_| !truth.id.is_multiple_of(7));
        let socket = HeldSocket::End { connection: truth.id, is_seed: truth.is_seed, end, peer, opener };
        let at = self.second * SECOND;
        let (inode, listener) = (truth.inode(end), truth.listener);
        self.tell(Record::Held(Held { at, holder, fd: 4, inode, listener, socket, usage: None }));
    }

    /// Lost releases are made up for.
    fn gone(&mut self) {
        let live = self.connections.iter().flat_map(|truth| {
            let ends = [End::Client, End::Server].into_iter().filter(|&end| truth.is_open(end));
            ends.map(|end| (truth.id, end)).collect::<Vec<_>>()
        });
        let gone = self.session.gone_by(&live.collect(), u64::MAX);
        for (connection, end) in gone {
            self.tell(Record::Gone { connection, end });
        }
    }
}

/// Who somebody is, without the numbers of programs.
fn name(session: &Session, who: &Who) -> String {
    let (program, process) = (session.program(who.program), who.process.as_ref().map(|it| &it.id));
    let actor = (who.actor.id, who.actor.tid, who.actor.uid, who.actor.gid);
    let comm = who.process.is_none().then_some(who.actor.comm).filter(|_| who.actor.id.pid != 0);
    format!("{program} {} {actor:?} {process:?} {comm:?}", session.program(who.group))
}

fn end(session: &Session, connection: &Connection, end: End) -> String {
    match connection.end(end) {
        EndState::Released { at, by, reason } => format!("released {at} {reason:?} {}", name(session, by)),
        state @ EndState::ReleasedUnseen { .. } => format!("{state:?}"),
        state => format!("{state:?}, followed: {}", connection.is_followed(end)),
    }
}

/// All that is to survive.
fn facts(session: &Session) -> Vec<String> {
    let mut facts = Vec::new();
    for (socket, connection) in session.open() {
        let accepted = connection
            .accepted
            .as_ref()
            .map(|accepted| (accepted.at, accepted.by.as_ref().map(|by| name(session, by)), accepted.inode));
        facts.push(format!(
            "connection {} {} on {} of {}: {} {:?} {:?} {accepted:?} {} {} {:?} {:?} pending {}",
            connection.id,
            connection.listener,
            session.sockets()[socket.0].path,
            name(session, &connection.opener),
            connection.opened,
            connection.origin,
            connection.state(),
            end(session, connection, End::Client),
            end(session, connection, End::Server),
            connection.client_inode,
            connection.stack.map(|stack| session.frames(stack)),
            session.is_pending(connection.id),
        ));
    }
    let used: BTreeSet<u64> = session.open().map(|(_, connection)| connection.listener).collect();
    let listeners = session.books.listeners.values();
    for followed in listeners.filter(|it| it.closed.is_none() || used.contains(&it.listener.id)) {
        let socket = &session.sockets()[followed.socket.0];
        facts.push(format!(
            "{:?} closed {:?} occupied {} of {} slots {} {:?} {:?} {:?} {:?}",
            followed.listener,
            followed.closed,
            followed.occupied,
            socket.path,
            socket.slots,
            socket.limit,
            socket.backlog,
            socket.queue,
            socket.last_accept,
        ));
    }
    facts.sort();
    facts
}

fn rebuilt(session: &Session) -> Session {
    let mut copy = crate::testing::session(&["a.sock", "b.sock"]);
    for record in session.carry() {
        let shown = format!("{record:?}");
        assert!(!matches!(copy.feed(record).notice, Some(Notice::Misfit)), "{shown} does not fit");
    }
    copy
}

fn grown(choices: &[Choice]) -> World {
    let mut world = World::new();
    choices.iter().for_each(|&choice| world.step(choice));
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_open_survives(choices in prop::collection::vec(any::<Choice>(), 0..60)) {
        let session = grown(&choices).session;
        let copy = rebuilt(&session);
        prop_assert_eq!(facts(&copy), facts(&session));
        // It takes nothing but what is open: carried again, it is the same.
        prop_assert_eq!(copy.carry(), session.carry());
    }

    #[test]
    fn what_happens_next_is_the_same(
        choices in prop::collection::vec(any::<Choice>(), 0..40),
        more in prop::collection::vec(any::<Choice>(), 0..20),
    ) {
        let mut world = grown(&choices);
        let connections = world.connections.clone();
        let mut other = World { session: rebuilt(&world.session), connections, second: world.second, is_closed: world.is_closed };
        // Who may be named again is described again by the store.
        other.describe();
        for &choice in &more {
            world.step(choice);
            other.step(choice);
        }
        prop_assert_eq!(facts(&other.session), facts(&world.session));
    }
}

#[test]
fn a_session_without_connections_carries_its_listeners() {
    let session = World::new().session;
    let carried = session.carry();
    assert_eq!(carried.len(), 2 + 2 * PATHS.len());
    assert_eq!(carried.first(), Some(&Record::Carried(Carried::Begins)));
    assert_eq!(carried.last(), Some(&Record::Carried(Carried::Ends { at: 0 })));
}

#[test]
fn what_is_assumed_of_a_listener_survives_and_what_is_given_is_asked_for_anew() {
    let mut world = World::new();
    let slots = |session: &Session| session.sockets()[0].limit.map(|limit| (limit.slots, limit.source));
    world.session.books.sockets[0].limit = Some(Limit { slots: 10, source: Source::Assumed });
    assert_eq!(slots(&rebuilt(&world.session)), Some((10, Source::Assumed)));
    world.session.books.sockets[0].limit = Some(Limit { slots: 7, source: Source::Given });
    assert_eq!(slots(&rebuilt(&world.session)), None);
}

#[test]
fn a_listener_that_is_closed_and_out_of_use_is_left_behind() {
    let mut world = World::new();
    world.happens(SERVER, What::ListenerClosed { listener: 3, reason: Reason::Close });
    let listeners = |session: &Session| {
        session.carry().iter().filter(|record| matches!(record, Record::Listener(_))).count()
    };
    assert_eq!(listeners(&world.session), 2);
    assert_eq!(listeners(&rebuilt(&world.session)), 2);
}
