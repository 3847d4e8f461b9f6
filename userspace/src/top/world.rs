//! A small world for tests: it answers what a state wants to know, as a source would.

use serde::{Serialize, de::DeserializeOwned};
use sockleak_core::{
    attribution::limits::GivenLimit,
    event::{End, Frame, Record, Stack, Usage},
    session::{Notice, Session, Settings},
    testing::{SECOND, accept, attempt, connect, event, held, listener, process, release, session_with},
    time::Clock,
};
use sockleak_report::json;

use super::state::{Data, Detail, Heard, Message, State};
use crate::{
    client::Told,
    clock,
    service::{
        link::{closed::Closed, connections::Page, story::Story},
        model,
        snapshot::{Snapshot, Surroundings},
    },
};

/// What a program may be called that means no good.
pub(super) const HOSTILE: &str = "/bin/\u{1b}[2J\u{202e}日本\r\n\u{7}e\u{301}";
pub(super) const FULL: &str = "/run/full.sock";
pub(super) const CALM: &str = "/run/calm.sock";
pub(super) const LEAKY: &str = "/usr/bin/leaky";
pub(super) const TIDY: &str = "/usr/bin/tidy";

const SERVER: u32 = 1;
const LEAK: u32 = 70;
const NEAT: u32 = 80;
const EVIL: u32 = 90;

/// A small world.
pub(super) struct World {
    session: Session,
    closed: Closed,
    pub(super) now: u64,
    pub(super) gaps: Vec<String>,
    connections: u64,
}

/// As it comes back from JSON.
fn told<T: DeserializeOwned>(value: &impl Serialize) -> T {
    serde_json::from_value(serde_json::to_value(value).unwrap()).unwrap()
}

fn clock() -> Clock {
    // 2026-01-02T03:04:05Z
    clock::booted_at(1_767_323_045_000_000_000)
}

impl World {
    /// An hour in which one socket has filled up, and another one is calm.
    pub(super) fn new() -> Self {
        let limits = vec![GivenLimit::parse("full.sock=10").unwrap()];
        let settings = Settings { leak_age: 60 * SECOND, limits, ..Settings::default() };
        let session = session_with(&["*.sock"], settings);
        let mut world =
            Self { session, closed: Closed::default(), now: 3600 * SECOND, gaps: Vec::new(), connections: 0 };
        let processes = [(SERVER, "/usr/sbin/server"), (LEAK, LEAKY), (NEAT, TIDY), (EVIL, HOSTILE)];
        let described = processes.into_iter().map(|(pid, program)| process(pid, Some(program)));
        for record in described.chain([listener(1, FULL), listener(2, CALM)]) {
            world.feed(record);
        }
        for nth in 0..10 {
            world.open(10 + nth * 350, LEAK, 1);
        }
        for nth in 0..5 {
            let kept = world.open(20 + nth * 100, NEAT, 2);
            world.close(21 + nth * 100, NEAT, 2, kept);
        }
        for nth in 0..4 {
            world.feed(event(3400 + nth, NEAT, attempt(Some(1), FULL)));
        }
        let function = Frame { function: Some(HOSTILE.into()), ..Frame::default() };
        world.feed(Record::Stack(Stack { connection: 16, frames: [function].into() }));
        world.open(3500, EVIL, 2);
        world
    }

    fn feed(&mut self, record: Record) -> Option<model::Event> {
        let effect = self.session.feed(record);
        let event = match effect.notice {
            Some(Notice::Seen(seen)) => Some(told(&json::event_object(&seen, &clock()))),
            _ => None,
        };
        if let Some(closed) = &effect.closed {
            self.closed.note(closed);
        }
        event
    }

    /// Connected and accepted.
    pub(super) fn open(&mut self, second: u64, pid: u32, listener: u64) -> u64 {
        self.connections += 1;
        self.feed(event(second, pid, connect(self.connections, listener)));
        self.feed(event(second, SERVER, accept(self.connections, listener)));
        self.connections
    }

    /// Closed at both ends.
    pub(super) fn close(&mut self, second: u64, pid: u32, listener: u64, connection: u64) {
        self.feed(event(second, pid, release(connection, listener, End::Client)));
        self.feed(event(second, SERVER, release(connection, listener, End::Server)));
    }

    /// A descriptor scan at the end of the hour: of some of the leak's connections it tells when they last sent, in seconds.
    pub(super) fn scan(&mut self, sent: &[(u64, u64)]) {
        self.feed(Record::UseNoted { at: 0, is_reliable: true });
        self.feed(Record::RoundBegins);
        for &(connection, second) in sent {
            let usage = Usage { last_sent: Some(second * SECOND), ..Usage::default() };
            self.feed(held(3600, LEAK, connection, 1, End::Client, usage));
            self.feed(held(3600, SERVER, connection, 1, End::Server, Usage::default()));
        }
        self.feed(Record::RoundEnds);
    }

    /// The leak closes one of its connections, and opens many.
    pub(super) fn crowd(&mut self, connections: u64) {
        self.close(3550, LEAK, 1, 1);
        for _ in 0..connections {
            self.open(3560, LEAK, 1);
        }
    }

    /// Something happens; what is told of it.
    pub(super) fn event(&mut self, second: u64) -> Told {
        self.connections += 1;
        let told = self.feed(event(second, EVIL, connect(self.connections, 2)));
        Told::Event(Box::new(told.unwrap()))
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let frame = sockleak_core::assess::Coverage {
            now: self.now,
            gaps: self.gaps.clone(),
            ..sockleak_core::assess::Coverage::default()
        };
        let around = Surroundings { clock: &clock(), host: "db1", kernel: "6.12.0", hooks: &[] };
        told(&Snapshot::new(&self.session, &frame, &around))
    }

    fn answer(&self, detail: Detail) -> Heard {
        match detail {
            Detail::Page(filter) => {
                let page = told(&Page::new(&self.session, &self.closed, self.now, &filter));
                Heard::Page(filter, page)
            }
            Detail::Story(id) => {
                let story = Story::new(&self.session, &self.closed, self.now, &clock(), id);
                Heard::Story(id, story.map(|story| Box::new(told(&story))))
            }
        }
    }

    /// Answers all that a state wants to know.
    pub(super) fn answer_all(&self, state: &mut State) {
        let wants = state.wants();
        if wants.events {
            state.update(Message::Heard(Heard::Listening));
        }
        if !wants.frozen {
            state.update(Message::Heard(Heard::Snapshot(Box::new(self.snapshot()))));
        }
        // What is shown may need more than was wanted before.
        for _ in 0..3 {
            if let Some(detail) = state.wants().detail {
                state.update(Message::Heard(self.answer(detail)));
            }
        }
    }
}

impl Data {
    /// Paths of the sockets, in the order in which they came.
    pub(super) fn paths(&self) -> Vec<&str> {
        self.snapshot.iter().flat_map(|it| &it.sockets).map(|socket| socket.path.as_str()).collect()
    }
}
