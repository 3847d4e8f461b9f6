//! Records made of bytes: few numbers, so that they come again, and the extreme ones.

use std::sync::Arc;

use sockleak_core::{
    assess::{Coverage, Loss},
    attribution::{by::By, limits::GivenLimit},
    event::{
        Actor, Carried, Comm, End, Event, Held, HeldSocket, Listener, Namespaces, Peer, Process, ProcessId,
        Queue, Reason, Record, Usage, What,
    },
    session::Settings,
};

/// No time that is read is later: a century.
const LATEST: u64 = 100 * 365 * 24 * 3600 * 1_000_000_000;

/// Takes records from bytes until there are none.
pub(super) struct Records<'a> {
    data: &'a [u8],
    at: u64,
}

impl<'a> Records<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.data.split_first() else { return 0 };
        self.data = rest;
        byte
    }

    fn flag(&mut self) -> bool {
        self.byte().is_multiple_of(2)
    }

    /// A small one or an extreme one.
    fn number(&mut self) -> u64 {
        match self.byte() {
            255 => u64::MAX,
            254 => 1 << 63,
            253 => i64::MAX as u64,
            252 => u64::from(u32::MAX),
            byte => u64::from(byte % 8),
        }
    }

    fn small(&mut self) -> u32 {
        u32::try_from(self.number()).unwrap_or(u32::MAX)
    }

    /// Mostly later than the last.
    fn time(&mut self) -> u64 {
        const SECOND: u64 = 1_000_000_000;
        self.at = match self.byte() {
            255 => LATEST,
            254 => 0,
            byte @ 200.. => self.at.saturating_sub(u64::from(byte) * SECOND),
            byte @ 100.. => self.at.saturating_add((u64::from(byte - 99) * SECOND) << (byte % 32)),
            byte => self.at.saturating_add(u64::from(byte) * SECOND),
        };
        self.at = self.at.min(LATEST);
        self.at
    }

    pub(super) fn surroundings(&mut self) -> (Settings, Coverage, i64) {
        let slots = self.number().max(1);
        let limit = GivenLimit::parse(&format!("*={slots}")).ok().filter(|_| self.flag());
        let leak_age = match self.byte() {
            255 => u64::MAX,
            byte => u64::from(byte / 4) * 1_000_000_000,
        };
        let started = self.time();
        let now = self.time().max(started);
        let settings = Settings { started, leak_age, limits: limit.into_iter().collect(), by: By::default() };
        let losses = [self.number(), self.number()].map(|count| Loss {
            hook: "connect".into(),
            what: "events".into(),
            count,
        });
        let (skipped_runs, boot_time) = (self.number(), self.number().cast_signed());
        self.at = started;
        (settings, Coverage { now, losses: losses.into(), skipped_runs, gaps: Vec::new() }, boot_time)
    }

    fn id(&mut self) -> ProcessId {
        ProcessId { pid: self.small(), start: self.number().min(LATEST), exec_id: 0 }
    }

    fn actor(&mut self) -> Actor {
        let id = self.id();
        Actor { id, tid: id.pid, uid: None, gid: None, comm: Comm(*b"worker\0\0\0\0\0\0\0\0\0\0") }
    }

    fn end(&mut self) -> End {
        if self.flag() { End::Client } else { End::Server }
    }

    fn queue(&mut self) -> Queue {
        Queue { length: self.small(), max: self.small() }
    }

    fn reason(&mut self) -> Reason {
        match self.byte() % 7 {
            0 => Reason::Close,
            1 => Reason::Exit(1),
            2 => Reason::Killed(9),
            3 => Reason::Exec,
            4 => Reason::ListenerClosed,
            5 => Reason::Collected,
            _ => Reason::Unseen,
        }
    }

    fn process(&mut self) -> Record {
        Record::Process(Arc::new(Process {
            id: self.id(),
            program: Some(format!("/bin/{}", self.byte() % 4)),
            argv: vec!["x".to_owned()],
            argv_truncated: false,
            comm: Comm([b'x'; 16]),
            uid: self.small(),
            gid: 0,
            parent: self.small(),
            cgroup: 0,
            cgroup_path: None,
            container: None,
            user: None,
            pid_in_namespace: 1,
            namespaces: Namespaces::default(),
        }))
    }

    fn listener(&mut self) -> Record {
        let id = self.number();
        let path = format!("/run/{}.sock", self.byte() % 4).into_bytes();
        Record::Listener(Arc::new(Listener {
            id,
            bind_name: path.clone(),
            path,
            path_truncated: false,
            is_abstract: false,
            device: 1,
            inode: id,
            directory_inode: 2,
            mount_namespace: 0,
            network_namespace: 0,
            pid: self.flag().then(|| self.small()),
            backlog: self.small(),
            is_seqpacket: false,
        }))
    }

    fn what(&mut self) -> What {
        let (connection, listener) = (self.number(), self.number());
        match self.byte() % 8 {
            0..=2 => What::Connect {
                connection,
                listener,
                client_inode: self.number(),
                queue: self.queue(),
                client_untracked: self.byte() == 1,
                server_untracked: self.byte() == 1,
            },
            3 => What::Accept { connection, listener, server_inode: self.number() },
            4 | 5 => What::Release { connection, listener, end: self.end(), reason: self.reason() },
            6 => What::ListenerClosed { listener, reason: self.reason() },
            _ => What::Attempt {
                listener: self.flag().then_some(listener),
                errno: self.small().cast_signed(),
                address: b"/run/1.sock".to_vec(),
                queue: self.flag().then(|| self.queue()),
                directory: None,
                place: Some(b"/run/1.sock".to_vec()),
            },
        }
    }

    fn held(&mut self) -> Record {
        let socket = if self.flag() {
            HeldSocket::Listener { queue: self.queue() }
        } else {
            let (connection, is_seed, end) = (self.number(), self.flag(), self.end());
            let peer = match self.byte() % 3 {
                0 => Peer::Open(self.number()),
                1 => Peer::Queued,
                _ => Peer::Released,
            };
            HeldSocket::End { connection, is_seed, end, peer, opener: self.flag().then(|| self.small()) }
        };
        let (at, holder, fd) = (self.time(), self.actor(), self.small());
        let (inode, listener) = (self.number(), self.number());
        let usage = self.flag().then(|| self.usage());
        Record::Held(Held { at, holder, fd, inode, listener, socket, usage })
    }

    fn usage(&mut self) -> Usage {
        Usage {
            bytes: self.number(),
            sends: self.small(),
            last_sent: self.flag().then(|| self.time()),
            unread: self.small(),
            no_receive: self.flag(),
            no_send: self.flag(),
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if self.data.is_empty() {
            return None;
        }
        Some(match self.byte() % 20 {
            0 | 1 => self.process(),
            2 | 3 => self.listener(),
            4..=6 => self.held(),
            7 => Record::RoundBegins,
            8 => Record::RoundEnds,
            9 => Record::Gone { connection: self.number(), end: self.end() },
            10 => {
                let (one, other) = (self.time(), self.time());
                Record::Unwatched { since: one.min(other), until: one.max(other) }
            }
            11 => Record::Carried(match self.byte() % 3 {
                0 => Carried::Begins,
                1 => Carried::Ends { at: self.time() },
                _ => Carried::Listener {
                    listener: self.number(),
                    last_accept: self.flag().then(|| self.time()),
                    queue: self.flag().then(|| self.queue()),
                    slots: self.flag().then(|| u64::from(self.small())),
                },
            }),
            12 => Record::UseNoted { at: self.time(), is_reliable: self.flag() },
            _ => Record::Event(Event { at: self.time(), actor: self.actor(), what: self.what() }),
        })
    }
}
