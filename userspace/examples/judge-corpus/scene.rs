//! A made-up socket: what happens there, and what is true of the programs.

use std::sync::Arc;

use sockleak_core::{
    event::{
        Actor, Comm, End, Event, Held, HeldSocket, Listener, Namespaces, Peer, Process, ProcessId, Queue,
        Reason, Record, What,
    },
    verdict::{EndUse, Usage},
};

pub(crate) const SECOND: u64 = 1_000_000_000;
pub(crate) const MINUTE: u64 = 60 * SECOND;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;
/// When observation begins: nanoseconds since boot.
pub(crate) const START: u64 = 100 * DAY;
const SERVER: u32 = 1;

/// What is true of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    Healthy,
    ClientLeak,
    ServerLeak,
    Stale,
    Starved,
    Saturated,
}

/// How a connection is used.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Used {
    /// One exchange at its beginning.
    Once,
    /// An exchange each so many nanoseconds.
    Every(u64),
    /// The client has asked, and waits for the answer.
    Asked,
}

/// A connection. Times are nanoseconds from the beginning of the observation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) program: u32,
    pub(crate) process: u32,
    pub(crate) opened: u64,
    /// None: it waits in the queue.
    pub(crate) accepted: Option<u64>,
    pub(crate) client: Option<u64>,
    pub(crate) server: Option<u64>,
    pub(crate) exits: bool,
    pub(crate) before: bool,
    /// Nobody will close it.
    pub(crate) is_leaked: bool,
    pub(crate) used: Used,
}

/// A socket.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) length: u64,
    pub(crate) leak_age: u64,
    pub(crate) limit: Option<u64>,
    pub(crate) lives: Vec<Life>,
    /// Attempts that find the accept queue full: when, and of which program.
    pub(crate) failed: Vec<(u64, u32)>,
    /// The programs, but for the server.
    pub(crate) clients: Vec<(u32, Truth)>,
    pub(crate) server: Truth,
}

impl Scene {
    /// Of nothing.
    pub(crate) fn new(length: u64) -> Self {
        Self {
            length,
            leak_age: MINUTE,
            limit: None,
            lives: Vec::new(),
            failed: Vec::new(),
            clients: Vec::new(),
            server: Truth::Healthy,
        }
    }

    /// With a program.
    pub(crate) fn client(mut self, program: u32, truth: Truth) -> Self {
        self.clients.push((program, truth));
        self
    }

    /// What is true of a program by its name.
    pub(crate) fn truth(&self, name: &str) -> Truth {
        let named = self.clients.iter().find(|(program, _)| name == self::name(*program));
        named.map_or(self.server, |(_, truth)| *truth)
    }

    /// The records, in order, with their times.
    pub(crate) fn records(&self) -> Vec<(u64, Record)> {
        let mut records = vec![(0, process(SERVER, "/usr/bin/server")), (0, listener())];
        let mut described = std::collections::BTreeSet::new();
        let mut events = Vec::new();
        let (before, after): (Vec<_>, Vec<_>) = (1..).zip(&self.lives).partition(|(_, life)| life.before);
        for &(_, life) in before.iter().chain(&after) {
            if described.insert(life.process) {
                records.push((0, process(life.process, &name(life.program))));
            }
        }
        for (program, _) in &self.clients {
            let pid = tries(*program);
            if described.insert(pid) {
                records.push((0, process(pid, &name(*program))));
            }
        }
        if !before.is_empty() {
            for _ in 0..2 {
                records.push((0, Record::RoundBegins));
                records.extend(before.iter().flat_map(|(id, life)| sightings(*id, life)).map(|it| (0, it)));
                records.push((0, Record::RoundEnds));
            }
        }
        for (id, life) in (1..).zip(&self.lives) {
            self.steps(id, life, &mut events);
        }
        for &(at, program) in &self.failed {
            events.push((at, 9, event(at, tries(program), attempt())));
        }
        events.sort_by_key(|&(at, order, _)| (at, order));
        records.extend(events.into_iter().map(|(at, _, record)| (at, record)));
        records.retain(|(at, _)| *at <= self.length);
        records
    }

    fn steps(&self, id: u64, life: &Life, events: &mut Vec<(u64, u8, Record)>) {
        let reason = if life.exits { Reason::Exit(0) } else { Reason::Close };
        let release = |end, reason| What::Release { connection: id, listener: 1, end, reason };
        if !life.before {
            events.push((life.opened, 2, event(life.opened, life.process, connect(id))));
            if let Some(at) = life.accepted {
                events.push((
                    at,
                    3,
                    event(at, SERVER, What::Accept { connection: id, listener: 1, server_inode: 2 * id }),
                ));
            }
        }
        if let Some(at) = life.client {
            events.push((at, 4, event(at, life.process, release(End::Client, reason))));
        }
        if let Some(at) = life.server {
            events.push((at, 5, event(at, SERVER, release(End::Server, Reason::Close))));
        }
    }

    /// How a connection is used, as it would be watched from the beginning: `now` from the beginning.
    pub(crate) fn usage(&self, id: u64, now: u64) -> Option<Usage> {
        let life = self.lives.get(usize::try_from(id).ok()?.checked_sub(1)?)?;
        let began = START + life.opened;
        let (client, server, sends) = match life.used {
            Used::Asked => (Some(began), None, 1),
            Used::Once if life.before => (None, None, 0),
            Used::Once => (Some(began), Some(began + SECOND / 100), 1),
            Used::Every(gap) => {
                let rounds = now.saturating_sub(life.opened) / gap;
                let last = began + rounds * gap;
                (Some(last), Some(last + SECOND / 100), rounds + 1)
            }
        };
        let end = |last: Option<u64>| EndUse {
            last: last.map(|at| at.min(START + now)),
            sends: if last.is_some() { sends } else { 0 },
            bytes: 100 * sends,
            unread: Some(0),
        };
        Some(Usage { since: START, until: START + now, client: end(client), server: end(server) })
    }
}

/// The name of a program.
pub(crate) fn name(program: u32) -> String {
    format!("/usr/bin/client-{program}")
}

/// The process that only tries.
const fn tries(program: u32) -> u32 {
    900_000 + program
}

fn process(pid: u32, program: &str) -> Record {
    Record::Process(Arc::new(Process {
        id: ProcessId { pid, start: u64::from(pid) * 4096, exec_id: 1 },
        program: Some(program.to_owned()),
        argv: vec![program.to_owned()],
        argv_truncated: false,
        comm: Comm([b'x'; 16]),
        uid: 0,
        gid: 0,
        parent: 1,
        cgroup: 1,
        cgroup_path: None,
        container: None,
        user: None,
        pid_in_namespace: pid,
        namespaces: Namespaces { mount: 1, network: 1, pid: 1 },
    }))
}

fn listener() -> Record {
    Record::Listener(Arc::new(Listener {
        id: 1,
        path: b"/run/s.sock".to_vec(),
        path_truncated: false,
        bind_name: b"/run/s.sock".to_vec(),
        is_abstract: false,
        device: 1,
        inode: 2,
        directory_inode: 3,
        mount_namespace: 1,
        network_namespace: 1,
        pid: Some(SERVER),
        backlog: 10,
        is_seqpacket: false,
    }))
}

fn actor(pid: u32) -> Actor {
    let id = ProcessId { pid, start: u64::from(pid) * 4096, exec_id: 1 };
    Actor { id, tid: pid, uid: Some(0), gid: Some(0), comm: Comm([b'x'; 16]) }
}

fn event(at: u64, pid: u32, what: What) -> Record {
    Record::Event(Event { at: START + at, actor: actor(pid), what })
}

fn connect(connection: u64) -> What {
    What::Connect {
        connection,
        listener: 1,
        client_inode: 2 * connection + 1,
        queue: Queue { length: 0, max: 10 },
        client_untracked: false,
        server_untracked: false,
    }
}

fn attempt() -> What {
    What::Attempt {
        listener: Some(1),
        errno: 11,
        address: b"/run/s.sock".to_vec(),
        queue: Some(Queue { length: 11, max: 10 }),
        directory: None,
        place: None,
    }
}

/// Both ends of a connection from before.
fn sightings(connection: u64, life: &Life) -> [Record; 2] {
    let (client, server) = (2 * connection + 1, 2 * connection);
    let held = |pid, inode, end, peer, opener| {
        let socket =
            HeldSocket::End { connection, is_seed: true, end, peer: Peer::Open(peer), opener: Some(opener) };
        Record::Held(Held { at: START, holder: actor(pid), fd: 5, inode, listener: 1, socket, usage: None })
    };
    [
        held(life.process, client, End::Client, server, life.process),
        held(SERVER, server, End::Server, client, life.process),
    ]
}
