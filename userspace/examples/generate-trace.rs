//! Writes a recording as a busy host would lead to, for benches: programs that come and go, sockets of several servers, some
//! leaks, some failures. The same arguments lead to the same records.
//!
//! `generate-trace FILE events N` writes N events; `generate-trace FILE open N M` writes M connections of which N stay
//! open; `generate-trace DIRECTORY hosts N M` writes recordings of N hosts, each of M events, into a directory.

use std::{cmp::Reverse, collections::BinaryHeap, path::Path, sync::Arc};

use anyhow::{Context as _, Result, bail};
use sockleak_core::event::{
    Actor, Comm, End, Event, Listener, Namespaces, Process, ProcessId, Queue, Reason, Record, What,
};
use sockleak_recording::{Header, Progress, Writer};

/// Sockets, each with a server.
const SOCKETS: u64 = 40;
/// Programs that are clients.
const PROGRAMS: u64 = 60;
/// Processes of clients that live as long as the recording.
const DAEMONS: u64 = 400;
const SERVER_PIDS: u64 = 1000;
const DAEMON_PIDS: u64 = 2000;
const VISITOR_PIDS: u64 = 10_000;
const MILLISECOND: u64 = 1_000_000;
/// 2026-01-02T03:04:05Z
const BOOT: i64 = 1_767_323_045_000_000_000;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [file, "events", events] => busy(Host::begin(Path::new(file), "bench", 0)?, events.parse()?),
        [directory, "hosts", hosts, events] => many(Path::new(directory), hosts.parse()?, events.parse()?),
        [file, "open", open, connections] => still(Path::new(file), open.parse()?, connections.parse()?),
        _ => bail!("generate-trace FILE events N, FILE open N M, or DIRECTORY hosts N M"),
    }
}

/// Busy hosts, no two alike.
fn many(directory: &Path, hosts: u64, events: u64) -> Result<()> {
    for number in 1..=hosts {
        let name = format!("web{number}");
        busy(Host::begin(&directory.join(format!("{name}.db")), &name, number)?, events)?;
    }
    Ok(())
}

/// A busy host.
fn busy(mut host: Host, events: u64) -> Result<()> {
    while host.events + host.coming.len() as u64 + 4 <= events {
        host.visit();
        host.until(host.now);
    }
    host.until(u64::MAX);
    // What leaked has sent fewer events: connects that fail make up for it.
    while host.events < events {
        host.fail();
    }
    host.finish()
}

/// Connections of which some stay open.
fn still(file: &Path, open: u64, connections: u64) -> Result<()> {
    let mut host = Host::begin(file, "bench", 0)?;
    for connection in 0..connections {
        host.now += 20_000;
        let (socket, client) = (connection % SOCKETS, daemon(connection % DAEMONS));
        host.connect(connection, socket, client);
        host.event(host.now + 5000, server(socket), accept(connection, socket));
        if connection >= open {
            let (mine, its) =
                (release(connection, socket, End::Client), release(connection, socket, End::Server));
            host.event(host.now + 9000, client, mine);
            host.event(host.now + 9500, server(socket), its);
        }
    }
    host.finish()
}

/// Writes records.
struct Host {
    writer: Writer,
    random: u64,
    now: u64,
    connections: u64,
    events: u64,
    visitors: u64,
    /// What is going to happen: time, order, who, what.
    coming: BinaryHeap<Reverse<(u64, u64, u64, Step)>>,
}

/// Something that is going to happen to a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Accept(u64, u64),
    ReleaseClient(u64, u64),
    ReleaseServer(u64, u64),
}

impl Host {
    /// `seed` makes it differ from others.
    fn begin(file: &Path, name: &str, seed: u64) -> Result<Self> {
        let header = Header {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: name.to_owned(),
            boot_id: "3f0c5a52-0000-4000-8000-000000000000".to_owned(),
            kernel: "6.12.0".to_owned(),
            boot_time: BOOT,
            targets: vec!["*.sock".to_owned()],
            leak_age: 60_000 * MILLISECOND,
            limits: Vec::new(),
            hooks: serde_json::Value::Array(Vec::new()),
            started: 1000 * MILLISECOND,
        };
        let writer = Writer::create(file, &header, || {})?;
        let mut host = Self {
            writer,
            random: 0x9e37_79b9_7f4a_7c15 ^ (seed << 20),
            now: 1000 * MILLISECOND,
            connections: 0,
            events: 0,
            visitors: 0,
            coming: BinaryHeap::new(),
        };
        (0..SOCKETS).for_each(|socket| host.writer.record(listener(socket), None));
        for socket in 0..SOCKETS {
            host.process(server(socket), &format!("/usr/sbin/server-{socket}"));
        }
        for number in 0..DAEMONS {
            host.process(daemon(number), &program(number % PROGRAMS));
        }
        Ok(host)
    }

    /// A number below `limit`, from xorshift64*: the same in every run.
    fn draw(&mut self, limit: u64) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit
    }

    fn process(&mut self, pid: u64, program: &str) {
        let name = program.rsplit('/').next().unwrap_or(program);
        let process = Process {
            id: id(pid),
            program: Some(program.to_owned()),
            argv: vec![name.to_owned(), "--config".to_owned(), format!("/etc/{name}/{pid}.conf")],
            argv_truncated: false,
            comm: comm(pid),
            uid: 1000,
            gid: 1000,
            parent: 1,
            cgroup: 4000 + pid,
            cgroup_path: Some(format!("/system.slice/{name}.service").into()),
            container: None,
            user: Some("web".into()),
            pid_in_namespace: pid as u32,
            namespaces: Namespaces { mount: 4_026_531_841, network: 4_026_531_840, pid: 4_026_531_836 },
        };
        self.writer.record(Record::Process(Arc::new(process)), None);
    }

    /// One in ten clients is a process of its own. One in 500 connections leaks, of a few programs.
    fn visit(&mut self) {
        self.now += 20_000 + self.draw(60_000);
        if self.draw(400) == 0 {
            return self.fail();
        }
        let socket = self.draw(SOCKETS);
        let client = if self.draw(10) == 0 {
            self.visitors += 1;
            let pid = VISITOR_PIDS + self.visitors;
            let number = self.draw(PROGRAMS);
            self.process(pid, &program(number));
            pid
        } else {
            let number = self.draw(DAEMONS);
            daemon(number)
        };
        self.connections += 1;
        let connection = self.connections;
        self.connect(connection, socket, client);
        let accepted = self.now + 10_000 + self.draw(200_000);
        self.plan(accepted, server(socket), Step::Accept(connection, socket));
        let is_leaky = client < VISITOR_PIDS && client % PROGRAMS < 6;
        if is_leaky && self.draw(50) == 0 {
            return;
        }
        // Most are short, some are not.
        let scale = [2, 5, 20, 500][self.draw(4) as usize];
        let released = accepted + self.draw(scale * MILLISECOND);
        self.plan(released, client, Step::ReleaseClient(connection, socket));
        if socket != 0 || self.draw(200) != 0 {
            let its = released + 20_000 + self.draw(100_000);
            self.plan(its, server(socket), Step::ReleaseServer(connection, socket));
        }
    }

    fn plan(&mut self, at: u64, who: u64, step: Step) {
        let order = self.events + self.coming.len() as u64;
        self.coming.push(Reverse((at, order, who, step)));
    }

    /// Writes what happens until then.
    fn until(&mut self, time: u64) {
        while self.coming.peek().is_some_and(|Reverse((at, ..))| *at <= time) {
            let Some(Reverse((at, _, who, step))) = self.coming.pop() else { return };
            self.now = self.now.max(at);
            self.event(
                at,
                who,
                match step {
                    Step::Accept(connection, socket) => accept(connection, socket),
                    Step::ReleaseClient(connection, socket) => release(connection, socket, End::Client),
                    Step::ReleaseServer(connection, socket) => release(connection, socket, End::Server),
                },
            );
        }
    }

    fn connect(&mut self, connection: u64, socket: u64, client: u64) {
        let what = What::Connect {
            connection,
            listener: socket,
            client_inode: 100_000 + 2 * connection,
            queue: Queue { length: 0, max: 128 },
            client_untracked: false,
            server_untracked: false,
        };
        self.event(self.now, client, what);
    }

    fn fail(&mut self) {
        let socket = self.draw(SOCKETS);
        let number = self.draw(DAEMONS);
        let what = What::Attempt {
            listener: Some(socket),
            errno: libc::EAGAIN,
            address: path(socket).into_bytes(),
            queue: Some(Queue { length: 129, max: 128 }),
            directory: None,
            place: None,
        };
        self.event(self.now, daemon(number), what);
    }

    fn event(&mut self, at: u64, pid: u64, what: What) {
        let is_connect = matches!(what, What::Connect { .. });
        let owner = is_connect.then_some(1000);
        let actor = Actor { id: id(pid), tid: pid as u32, uid: owner, gid: owner, comm: comm(pid) };
        self.writer.record(Record::Event(Event { at, actor, what }), None);
        self.events += 1;
    }

    fn finish(mut self) -> Result<()> {
        let status = self.writer.status();
        if let Some(error) = status {
            return Err(error.into());
        }
        let now = self.now + 120_000 * MILLISECOND;
        self.writer.finish(Progress { now, ..Progress::default() }).context("the trace cannot be written")
    }
}

fn accept(connection: u64, socket: u64) -> What {
    What::Accept { connection, listener: socket, server_inode: 100_001 + 2 * connection }
}

fn release(connection: u64, socket: u64, end: End) -> What {
    What::Release { connection, listener: socket, end, reason: Reason::Close }
}

const fn server(socket: u64) -> u64 {
    SERVER_PIDS + socket
}

const fn daemon(number: u64) -> u64 {
    DAEMON_PIDS + number
}

fn program(number: u64) -> String {
    format!("/usr/bin/client-{number}")
}

fn path(socket: u64) -> String {
    format!("/run/service-{socket}/control.sock")
}

const fn id(pid: u64) -> ProcessId {
    ProcessId { pid: pid as u32, start: 500 * MILLISECOND + pid, exec_id: 1 }
}

fn comm(pid: u64) -> Comm {
    let mut comm = [0; 16];
    for (byte, from) in comm.iter_mut().zip(format!("task-{}", pid % PROGRAMS).bytes()) {
        *byte = from;
    }
    Comm(comm)
}

fn listener(socket: u64) -> Record {
    Record::Listener(Arc::new(Listener {
        id: socket,
        path: path(socket).into_bytes(),
        path_truncated: false,
        bind_name: path(socket).into_bytes(),
        is_abstract: false,
        device: 24,
        inode: 900 + socket,
        directory_inode: 800 + socket,
        mount_namespace: 4_026_531_841,
        network_namespace: 4_026_531_840,
        pid: Some(server(socket) as u32),
        backlog: 128,
        is_seqpacket: false,
    }))
}
