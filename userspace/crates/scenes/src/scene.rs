//! Scenes: records of an hour that never was, and what sockleak makes of them.

use std::{collections::HashMap, iter, ops::ControlFlow, path::Path, sync::Arc};

use serde_json::{Value, json};
use sockleak_core::{
    assess::{Coverage, Loss, Report},
    attribution::{by::By, limits::GivenLimit, selection::Selection},
    event::{
        self, Actor, Comm, ContainerNames, End, Event, Held, Listener, Namespaces, Process, ProcessId, Queue,
        Reason, Record, Stack, What,
    },
    session::{Session, Settings},
};
use sockleak_recording::{Header, Progress, Trace, Writer};
use sockleak_report::{self as report, document::Section, text};

pub use crate::scratch::Scratch;

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;
/// When tracing begins: nanoseconds since boot.
pub(crate) const START: u64 = 1_000 * SECOND;
/// When the host was booted: nanoseconds since 1970.
const BOOTED: i64 = 1_767_323_045_000_000_000;
pub(crate) const HAPROXY: u32 = 107;
/// Process of the program that leaks on the master socket.
pub(crate) const RENEWER: u32 = 203;
const EXPORTER: u32 = 204;
const DEPLOY: u32 = 300;
const EVIL: u32 = 400;
/// Id of a container that a program runs in.
pub const CONTAINER: &str = "8f3c1d2e4b5a69788f3c1d2e4b5a69788f3c1d2e4b5a69788f3c1d2e4b5a6978";
/// A program that wants to be everything at once.
pub const HOSTILE: &str =
    "=cmd()|'\n# x\u{1b}[31m</td></style><script>alert(1)</script>|`a`[b](http://c)\u{202e}&\"";

/// Made-up records: what happens, to be put in order of time.
#[derive(Default)]
pub struct Scene {
    pub(crate) first: Vec<Record>,
    events: Vec<(u64, Record)>,
    /// What a descriptor scan finds at the end.
    pub(crate) last: Vec<Held>,
    pub(crate) connections: u64,
    /// Records that the kernel side lost.
    pub losses: Vec<Loss>,
    /// What was not traced, as the report says it.
    pub gaps: Vec<String>,
    /// Runs of a hook that the kernel skipped.
    pub skipped_runs: u64,
    /// How long tracing lasted.
    pub seconds: u64,
}

fn comm(name: &str) -> Comm {
    let mut comm = [0; 16];
    let name = &name.as_bytes()[..name.len().min(15)];
    comm[..name.len()].copy_from_slice(name);
    Comm(comm)
}

pub(crate) fn actor(pid: u32) -> Actor {
    let id = ProcessId { pid, start: u64::from(pid), exec_id: 1 };
    Actor { id, tid: pid, uid: None, gid: None, comm: comm("main") }
}

/// The record of what a process does `at` nanoseconds after boot.
pub fn happening(at: u64, pid: u32, what: What) -> Record {
    Record::Event(Event { at, actor: actor(pid), what })
}

/// A connect to a listener whose accept queue has ten places.
pub fn connecting(connection: u64, listener: u64) -> What {
    What::Connect {
        connection,
        listener,
        client_inode: 10_000 + connection,
        queue: Queue { length: 0, max: 10 },
        client_untracked: false,
        server_untracked: false,
    }
}

impl Scene {
    /// Adds a listener. A path that begins with `@` is abstract.
    pub fn listener(&mut self, id: u64, path: &str) {
        self.first.push(Record::Listener(Arc::new(Listener {
            id,
            path: path.as_bytes().to_vec(),
            path_truncated: false,
            bind_name: path.as_bytes().to_vec(),
            is_abstract: path.starts_with('@'),
            device: 1,
            inode: id,
            directory_inode: 3,
            mount_namespace: 10,
            network_namespace: 11,
            pid: Some(HAPROXY),
            backlog: 10,
            is_seqpacket: false,
        })));
    }

    /// Adds the description of a process, with its user's number and name.
    pub fn process(&mut self, pid: u32, argv: &[&str], user: (u32, Option<&str>), cgroup: Option<&str>) {
        self.first.push(Record::Process(Arc::new(Process {
            id: actor(pid).id,
            program: argv.first().map(|program| (*program).to_owned()),
            argv: argv.iter().map(|argument| (*argument).to_owned()).collect(),
            argv_truncated: false,
            comm: comm("main"),
            uid: user.0,
            gid: user.0,
            parent: 1,
            cgroup: cgroup.map_or(0, |path| path.len() as u64),
            cgroup_path: cgroup.map(Into::into),
            container: None,
            user: user.1.map(Into::into),
            pid_in_namespace: pid,
            namespaces: Namespaces { mount: 10, network: 11, pid: 12 },
        })));
    }

    /// What the files of its engine say of a process's container.
    pub fn contain(&mut self, pid: u32, names: ContainerNames) {
        let mut processes = self.first.iter_mut().filter_map(|record| match record {
            Record::Process(process) if process.id.pid == pid => Arc::get_mut(process),
            _ => None,
        });
        processes.next().expect("it is described").container = Some(Arc::new(names));
    }

    /// Adds what a process does, so many milliseconds after tracing began.
    pub fn event(&mut self, milliseconds: u64, pid: u32, what: What) {
        let at = START + milliseconds * 1_000_000;
        self.events.push((at, happening(at, pid, what)));
    }

    /// Adds a connection that the server accepts, and returns its number.
    pub fn open(&mut self, milliseconds: u64, pid: u32, listener: u64) -> u64 {
        let connection = self.queue(milliseconds, pid, listener);
        self.event(
            milliseconds + 1,
            HAPROXY,
            What::Accept { connection, listener, server_inode: 20_000 + connection },
        );
        connection
    }

    /// Adds a connection that stays in the accept queue, and returns its number.
    pub fn queue(&mut self, milliseconds: u64, pid: u32, listener: u64) -> u64 {
        self.connections += 1;
        let connection = self.connections;
        self.event(milliseconds, pid, connecting(connection, listener));
        connection
    }

    /// Adds the close of one end of a connection.
    pub fn release(&mut self, milliseconds: u64, pid: u32, listener: u64, connection: u64, end: End) {
        self.event(milliseconds, pid, What::Release { connection, listener, end, reason: Reason::Close });
    }

    /// Adds a connection with a stack, in which `function` connects. Returns its number.
    pub fn open_at(&mut self, milliseconds: u64, pid: u32, listener: u64, function: &str) -> u64 {
        let connection = self.connections + 1;
        let frame = |function: &str, line| event::Frame {
            function: Some(function.into()),
            file: Some("/src/a.rs".into()),
            line: Some(line),
            ..event::Frame::default()
        };
        let module = event::Frame {
            module: Some("/usr/lib/libc.so.6".into()),
            offset: Some(16),
            ..event::Frame::default()
        };
        let frames = [module, frame(function, 42), frame("main", 7)].into();
        let stack = Record::Stack(Stack { connection, frames });
        self.events.push((START + milliseconds * 1_000_000, stack));
        self.open(milliseconds, pid, listener)
    }

    /// Adds a connection whose ends are both closed after `lasts` milliseconds.
    pub fn pass(&mut self, milliseconds: u64, pid: u32, listener: u64, lasts: u64) {
        let connection = self.open(milliseconds, pid, listener);
        self.release(milliseconds + lasts, pid, listener, connection, End::Client);
        self.release(milliseconds + lasts + 1, HAPROXY, listener, connection, End::Server);
    }

    /// Adds a failed connect to a full accept queue.
    pub fn refuse(&mut self, milliseconds: u64, pid: u32, listener: u64, path: &str) {
        let what = What::Attempt {
            listener: Some(listener),
            errno: 11,
            address: path.as_bytes().to_vec(),
            queue: Some(Queue { length: 11, max: 10 }),
            directory: None,
            place: None,
        };
        self.event(milliseconds, pid, what);
    }

    /// All records, in the order in which a tracer reads them.
    pub fn records(&self) -> Vec<Record> {
        let mut events: Vec<_> = self.events.iter().collect();
        events.sort_by_key(|(at, _)| *at);
        let events = events.into_iter().map(|(_, record)| record);
        let held = self.last.iter().cloned().map(Record::Held);
        let round = (!self.last.is_empty())
            .then(|| iter::once(Record::RoundBegins).chain(held).chain([Record::RoundEnds]));
        self.first.iter().chain(events).cloned().chain(round.into_iter().flatten()).collect()
    }

    /// What a recording says of its end.
    pub fn progress(&self) -> Progress {
        Progress {
            now: START + self.seconds * SECOND,
            losses: self.losses.clone(),
            skipped_runs: self.skipped_runs,
            gaps: self.gaps.clone(),
        }
    }

    /// Writes a recording, as a capture on this host does.
    pub fn record(&self, path: &Path, host: &str) {
        let mut writer = Writer::create(path, &header(host), || {}).unwrap();
        self.records().into_iter().for_each(|record| writer.record(record, None));
        writer.finish(self.progress()).unwrap();
    }

    /// The session of a capture that has read all records.
    pub fn session(&self, by: By) -> Session {
        let header = header("db1");
        let limits = header.limits.iter().map(|limit| GivenLimit::parse(limit).unwrap()).collect();
        let settings = Settings { started: header.started, leak_age: header.leak_age, limits, by };
        let mut session = Session::new(Selection::recorded(header.targets), settings);
        for record in self.records() {
            session.feed(record);
        }
        session
    }

    /// What a capture can report at its end.
    pub fn seen(&self, by: By) -> Seen {
        Seen { session: self.session(by), frame: self.frame() }
    }

    /// What a report says of time and losses.
    pub fn frame(&self) -> Coverage {
        let Progress { now, losses, skipped_runs, gaps } = self.progress();
        Coverage { now, losses, skipped_runs, gaps }
    }
}

fn header(host: &str) -> Header {
    Header {
        version: "0.1.0".to_owned(),
        host: host.to_owned(),
        boot_id: "5f1c".to_owned(),
        kernel: "6.12.0".to_owned(),
        // 2026-01-02T03:04:05Z
        boot_time: BOOTED,
        targets: vec!["*.sock".to_owned()],
        leak_age: 60 * SECOND,
        limits: vec!["ma.sock=10".to_owned()],
        hooks: json!([]),
        started: START,
    }
}

/// Two seconds in which nothing happened.
pub fn quiet() -> Scene {
    Scene { seconds: 2, ..Scene::default() }
}

/// An hour on two sockets: a leak, a program that closes what it opens, a victim, a server that keeps ends, and a
/// [`HOSTILE`] program.
pub fn busy() -> Scene {
    let mut scene = Scene { seconds: 3_600, skipped_runs: 2, ..Scene::default() };
    let (master, other) = ("/run/haproxy/ma.sock", "/run/app/<b>|app.sock");
    scene.listener(1, master);
    scene.listener(2, other);
    let docker = format!("/system.slice/docker-{CONTAINER}.scope");
    let haproxy = ["/usr/sbin/haproxy", "-S", "/run/haproxy/ma.sock"];
    scene.process(HAPROXY, &haproxy, (99, Some("haproxy")), Some("/system.slice/haproxy.service"));
    let renewer = ["/opt/certificates/bin/cert-renewer", "--watch", "/etc/ssl/private"];
    scene.process(RENEWER, &renewer, (0, Some("root")), Some("/system.slice/cert-renewer.service"));
    scene.process(RENEWER + 20, &renewer, (0, Some("root")), Some(&docker));
    scene.process(EXPORTER, &["/usr/bin/metrics-exporter"], (1000, Some("web")), None);
    scene.process(DEPLOY, &["/usr/local/bin/deploy"], (1001, None), Some("/user.slice"));
    scene.process(EVIL, &[HOSTILE], (1002, Some("<i>eve")), Some("/x/=1+1|`.service"));
    scene.note_use();
    scene.found(EXPORTER, 2);
    // Until all slots are taken.
    for round in 0..360 {
        scene.pass(5_000 + round * 6_370, EXPORTER, 1, [3, 12, 40, 900][round as usize % 4]);
    }
    let mut last = 0;
    for nth in 0..8 {
        let opener = if nth % 3 == 2 { RENEWER + 20 } else { RENEWER };
        let at = 200_000 + nth * 300_000;
        last = scene.open_at(at, opener, 1, "renew");
        if nth < 7 {
            scene.used(opener, 1, last, 1, [at + 2, at + 9]);
        }
    }
    for nth in 0..2 {
        let kept = scene.open(400_000 + nth * 1_500_000, DEPLOY, 1);
        scene.release(460_000 + nth * 1_500_000, DEPLOY, 1, kept, End::Client);
        scene.kept(1, kept);
    }
    for nth in 0..40 {
        scene.refuse(2_400_000 + nth * 29_000, DEPLOY, 1, master);
    }
    for nth in 0..3 {
        let left = scene.open_at(100_000 + nth * 60_000, EVIL, 2, HOSTILE);
        if nth == 1 {
            scene.release(900_000, HAPROXY, 2, left, End::Server);
        }
    }
    scene.queue(3_590_000, EVIL, 2);
    scene.inherited(DEPLOY, 1, last);
    scene
}

/// As [`busy`], with losses and a hook that is not attached.
pub fn incomplete() -> Scene {
    Scene {
        losses: vec![Loss { hook: "release".into(), what: "events (ring buffer full)".into(), count: 3 }],
        gaps: vec!["the accept hook is not attached".to_owned()],
        ..busy()
    }
}

/// A session and its coverage, which is what a report is made of.
pub struct Seen {
    session: Session,
    frame: Coverage,
}

impl Seen {
    /// The report.
    pub fn report(&self) -> Report<'_> {
        Report::new(&self.session, self.frame.clone())
    }

    /// The report as text of so many columns, as a capture on host db1 ends with it.
    pub fn text(&self, width: usize) -> String {
        let clock = sockleak::clock::booted_at(BOOTED);
        let section = Section {
            host: "db1".to_owned(),
            file: String::new(),
            report: self.report(),
            clock,
            pictures: Vec::new(),
        };
        text::render(
            &section,
            text::Layout { width, is_whole: false, style: sockleak_report::style::Style::Plain },
        )
    }
}

/// A report as the line of JSON that a capture ends with.
pub fn line(report: &Report) -> Value {
    let mut line = Vec::new();
    report::json::report(report, &sockleak::clock::booted_at(BOOTED), None, &mut line).unwrap();
    serde_json::from_slice(&line).unwrap()
}

/// What a replay of a recording can report.
pub fn replayed(path: &Path, by: By) -> Seen {
    let trace = Trace::open(path).unwrap();
    let header = trace.header();
    let limits = header.limits.iter().map(|limit| GivenLimit::parse(limit).unwrap()).collect();
    let settings = Settings { started: header.started, leak_age: header.leak_age, limits, by };
    let mut session = Session::new(Selection::recorded(header.targets.clone()), settings);
    let fed = trace.replay(|record| {
        session.feed(record);
        ControlFlow::Continue(())
    });
    fed.unwrap();
    let Progress { now, losses, skipped_runs, gaps } = trace.progress().clone();
    Seen { session, frame: Coverage { now, losses, skipped_runs, gaps } }
}

/// Opened connections by socket and program.
pub fn opened<'r>(report: &'r Report<'_>) -> HashMap<(&'r str, &'r str), u64> {
    let rows = report.programs.iter();
    rows.map(|row| ((row.path.as_str(), row.program.as_str()), row.opened)).collect()
}
