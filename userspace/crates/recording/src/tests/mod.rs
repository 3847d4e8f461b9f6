use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use serde_json::json;
use sockleak_core::event::{Actor, Comm, Event, Namespaces, Process, ProcessId, Queue, Record, What};

use super::*;

mod archive;
mod crash;
mod full;
mod refusals;
mod round_trip;
mod segments;
mod snapshot;
mod views;

/// A directory that is removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("sockleak-trace-{}-{number}", process::id()));
        fs::create_dir_all(&path).expect("a directory can be created");
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("it is readable").flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn header() -> Header {
    Header {
        version: "0.1.0".to_owned(),
        host: "db1".to_owned(),
        boot_id: "5f1c".to_owned(),
        kernel: "6.12.0".to_owned(),
        // 2026-01-02T03:04:05Z
        boot_time: 1_767_323_045_000_000_000,
        targets: vec!["/run/master.sock".to_owned(), "*.ctl".to_owned()],
        leak_age: 60_000_000_000,
        limits: vec!["ma.sock=10".to_owned()],
        hooks: json!([{"hook": "connect", "status": "attached"}]),
        started: 0,
    }
}

fn progress(now: u64) -> Progress {
    Progress { now, ..Progress::default() }
}

fn comm(name: &str) -> Comm {
    let mut comm = [0; 16];
    comm[..name.len()].copy_from_slice(name.as_bytes());
    Comm(comm)
}

fn described(pid: u32, program: Option<&str>) -> Record {
    Record::Process(Arc::new(Process {
        id: ProcessId { pid, start: 7, exec_id: 1 },
        program: program.map(str::to_owned),
        argv: vec!["prog".to_owned(), format!("--as={pid}")],
        argv_truncated: false,
        comm: comm("prog"),
        uid: 1000,
        gid: 1000,
        parent: 1,
        cgroup: 77,
        cgroup_path: Some("/system.slice/prog.service".into()),
        container: None,
        user: Some("web".into()),
        pid_in_namespace: pid,
        namespaces: Namespaces { mount: 10, network: 11, pid: 12 },
    }))
}

fn actor(pid: u32) -> Actor {
    let id = ProcessId { pid, start: 7, exec_id: 1 };
    Actor { id, tid: pid, uid: None, gid: None, comm: comm("prog") }
}

fn event(at: u64, pid: u32, what: What) -> Record {
    Record::Event(Event { at, actor: actor(pid), what })
}

fn connect(connection: u64) -> What {
    What::Connect {
        connection,
        listener: 3,
        client_inode: 1000 + connection,
        queue: Queue { length: 0, max: 128 },
        client_untracked: false,
        server_untracked: false,
    }
}

/// The record number `index` of an endless trace; its time is its number, counted from one.
fn endless(index: u64) -> Record {
    let listener = 3;
    let (connection, at) = (index / 2, index + 1);
    match index % 2 {
        0 => event(at, 40, connect(connection)),
        _ => event(at, 50, What::Accept { connection, listener, server_inode: 9000 + connection }),
    }
}

fn recorded(path: &Path, records: &[Record]) {
    recorded_until(path, records, records.len() as u64);
}

fn recorded_until(path: &Path, records: &[Record], now: u64) {
    let mut writer = Writer::create(path, &header(), || {}).expect("it can be created");
    records.iter().for_each(|record| writer.record(record.clone(), None));
    writer.finish(progress(now)).expect("it can be written");
}

fn replayed(trace: &Trace) -> Vec<Record> {
    let mut records = Vec::new();
    let outcome = trace.replay(|record| {
        records.push(record);
        ControlFlow::Continue(())
    });
    outcome.expect("it can be replayed");
    records
}

fn opened(path: &Path) -> Trace {
    Trace::open(path).unwrap_or_else(|error| panic!("{error}"))
}

/// Is it the front of the endless trace, up to where it says that it goes?
fn check_front(trace: &Trace) -> u64 {
    let records = replayed(trace);
    for (index, record) in (0..).zip(&records) {
        assert_eq!(*record, endless(index));
    }
    let count = records.len() as u64;
    assert_eq!(count, trace.progress().now);
    count
}
