//! A recording with hostile names.

use std::sync::Arc;

use serde_json::json;
use sockleak_core::event::{
    Actor, Comm, End, Event, Held, HeldSocket, Listener, Namespaces, Peer, Process, ProcessId, Queue, Reason,
    Record, What,
};
use sockleak_recording::{Header, Progress, Writer};
use tempfile::TempDir;

/// 2026-01-02T03:04:05Z
const BOOT: i64 = 1_767_323_045_000_000_000;
pub(crate) const SECOND: u64 = 1_000_000_000;
pub(crate) const FORMULA: &str = "=cmd|' /C calc'!A0";
pub(crate) const CONTROL: &str = "/tmp/\u{1b}[2J\u{202e}x\r\n\"a,b\"";
pub(crate) const SOCKET: &str = "@it's =1+1";

fn actor(pid: u32, name: &[u8]) -> Actor {
    let mut comm = [0; 16];
    comm[..name.len()].copy_from_slice(name);
    Actor { id: ProcessId { pid, start: 7, exec_id: 1 }, tid: pid, uid: None, gid: None, comm: Comm(comm) }
}

pub(crate) fn process(pid: u32, program: Option<&str>, argv: &[&str]) -> Record {
    let Actor { id, comm, .. } = actor(pid, b"-name");
    Record::Process(Arc::new(Process {
        id,
        program: program.map(str::to_owned),
        argv: argv.iter().map(|&text| text.to_owned()).collect(),
        argv_truncated: pid == 42,
        comm,
        uid: 1000,
        gid: 100,
        parent: 1,
        cgroup: 77,
        cgroup_path: Some("/system.slice/web.service".into()),
        container: None,
        user: Some("+user".into()),
        pid_in_namespace: 3,
        namespaces: Namespaces { mount: 10, network: 11, pid: 0 },
    }))
}

pub(crate) fn listener() -> Record {
    Record::Listener(Arc::new(Listener {
        id: 3,
        path: SOCKET.into(),
        path_truncated: false,
        bind_name: Vec::new(),
        is_abstract: true,
        device: 1,
        inode: 2,
        directory_inode: 3,
        mount_namespace: 10,
        network_namespace: 11,
        pid: None,
        backlog: 128,
        is_seqpacket: false,
    }))
}

pub(crate) fn event(seconds: u64, pid: u32, what: What) -> Record {
    Record::Event(Event { at: seconds * SECOND, actor: actor(pid, b"a\xffb"), what })
}

pub(crate) fn connect(connection: u64) -> What {
    What::Connect {
        connection,
        listener: 3,
        client_inode: if connection == 1 { u64::MAX } else { 8000 + connection },
        queue: Queue { length: 0, max: 128 },
        client_untracked: false,
        server_untracked: connection == 5,
    }
}

fn accept(connection: u64) -> What {
    What::Accept { connection, listener: 3, server_inode: 9000 + connection }
}

fn release(connection: u64, end: End, reason: Reason) -> What {
    What::Release { connection, listener: 3, end, reason }
}

/// Connections of all sorts, in the order of their rows: 1 closed, 4 closed without being seen, and open 5, 2, 9, 3.
pub(crate) fn records() -> Vec<Record> {
    let attempt = |listener: Option<u64>, address: &[u8]| What::Attempt {
        listener,
        errno: 11,
        address: address.to_vec(),
        queue: listener.map(|_| Queue { length: 129, max: 128 }),
        directory: None,
        place: listener.is_none().then(|| b"/run/x\ty.sock".to_vec()),
    };
    let found = HeldSocket::End {
        connection: 9,
        is_seed: true,
        end: End::Server,
        peer: Peer::Released,
        opener: Some(99),
    };
    vec![
        listener(),
        process(40, Some(FORMULA), &["=1", "", "a \"b\",\nc", "käse"]),
        process(41, Some(CONTROL), &[]),
        process(42, None, &[]),
        event(1, 41, connect(5)),
        event(2, 40, connect(1)),
        event(3, 41, accept(1)),
        event(3, 41, connect(2)),
        event(4, 40, release(1, End::Client, Reason::Killed(9))),
        event(5, 41, release(1, End::Server, Reason::Close)),
        event(6, 42, connect(4)),
        Record::Gone { connection: 4, end: End::Client },
        Record::Gone { connection: 4, end: End::Server },
        Record::RoundBegins,
        Record::Held(Held {
            at: 7 * SECOND,
            holder: actor(41, b"x"),
            fd: 7,
            inode: 9009,
            listener: 3,
            socket: found,
            usage: None,
        }),
        Record::RoundEnds,
        // An opener that is not known after the next round never will be.
        Record::RoundBegins,
        Record::RoundEnds,
        event(8, 70, connect(3)),
        event(9, 70, release(3, End::Client, Reason::Exit(3))),
        event(10, 40, attempt(Some(3), b"\0it's =1+1")),
        event(11, 42, attempt(None, b"../x\ty.sock")),
    ]
}

pub(crate) fn scratch() -> TempDir {
    tempfile::tempdir().expect("a directory can be created")
}

pub(crate) fn recorded(folder: &TempDir, records: &[Record]) -> String {
    let path = folder.path().join("trace.db");
    let header = Header {
        version: "0.1.0".to_owned(),
        host: "db1".to_owned(),
        boot_id: "5f1c".to_owned(),
        kernel: "6.12.0".to_owned(),
        boot_time: BOOT,
        targets: vec!["*".to_owned()],
        leak_age: SECOND,
        limits: Vec::new(),
        hooks: json!([]),
        started: 0,
    };
    let mut writer = Writer::create(&path, &header, || {}).expect("it can be created");
    records.iter().for_each(|record| writer.record(record.clone(), None));
    writer.finish(Progress { now: 20 * SECOND, ..Progress::default() }).expect("it can be written");
    path.to_str().expect("it is text").to_owned()
}
