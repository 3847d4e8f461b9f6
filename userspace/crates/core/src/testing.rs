//! Records and sessions for tests, this crate's and those of others.

use std::{path::Path, sync::Arc};

use crate::{
    attribution::{files::Unseen, selection::Selection, targets::Target},
    event::{
        Actor, Comm, End, Event, Held, HeldSocket, Listener, Namespaces, Peer, Process, ProcessId, Queue,
        Reason, Record, Usage, What,
    },
    session::{Session, Settings},
};

/// Nanoseconds.
pub const SECOND: u64 = 1_000_000_000;
/// The mount namespace that targets are meant in.
pub const OURS: u32 = 10;

/// A session with targets in mount namespace 10.
#[must_use]
pub fn session(targets: &[&str]) -> Session {
    session_with(targets, Settings { leak_age: 60 * SECOND, ..Settings::default() })
}

/// The same with settings.
#[must_use]
pub fn session_with(targets: &[&str], settings: Settings) -> Session {
    let targets = targets.iter().map(|target| Target::parse(target, Path::new("/nowhere")));
    let targets = targets.collect::<Result<_, _>>().expect("targets are well-formed");
    Session::new(Selection::new(targets, &Unseen { namespace: OURS }), settings)
}

/// Feeds records; panics if one does not fit.
pub fn feed(session: &mut Session, records: impl IntoIterator<Item = Record>) {
    for record in records {
        session.feed(record);
    }
    assert_eq!(session.misfits(), 0);
}

/// A process that was described, with its command line.
#[must_use]
pub fn process(pid: u32, program: Option<&str>) -> Record {
    let mut comm = [0; 16];
    comm[..4].copy_from_slice(b"task");
    Record::Process(Arc::new(Process {
        id: ProcessId { pid, start: u64::from(pid), exec_id: 1 },
        program: program.map(str::to_owned),
        argv: program.map(|program| vec![program.to_owned(), "-v".to_owned()]).unwrap_or_default(),
        argv_truncated: false,
        comm: Comm(comm),
        uid: 0,
        gid: 0,
        parent: 1,
        cgroup: 1,
        cgroup_path: None,
        container: None,
        user: None,
        pid_in_namespace: pid,
        namespaces: Namespaces { mount: OURS, network: 1, pid: 1 },
    }))
}

/// A listener in [`OURS`].
#[must_use]
pub fn listener(id: u64, path: &str) -> Record {
    Record::Listener(Arc::new(Listener {
        id,
        path: path.as_bytes().to_vec(),
        path_truncated: false,
        bind_name: path.as_bytes().to_vec(),
        is_abstract: false,
        device: 1,
        inode: 2,
        directory_inode: 3,
        mount_namespace: OURS,
        network_namespace: 1,
        pid: Some(1),
        backlog: 10,
        is_seqpacket: false,
    }))
}

/// Something that a process did so many seconds after boot.
#[must_use]
pub fn event(second: u64, pid: u32, what: What) -> Record {
    let id = ProcessId { pid, start: u64::from(pid), exec_id: 1 };
    let actor = Actor { id, tid: pid, uid: Some(0), gid: Some(0), comm: Comm(*b"a-thread\0\0\0\0\0\0\0\0") };
    Record::Event(Event { at: second * SECOND, actor, what })
}

/// A connection is made.
#[must_use]
pub fn connect(connection: u64, listener: u64) -> What {
    let queue = Queue { length: 0, max: 10 };
    What::Connect {
        connection,
        listener,
        client_inode: 1000 + connection,
        queue,
        client_untracked: false,
        server_untracked: false,
    }
}

/// It is accepted.
#[must_use]
pub fn accept(connection: u64, listener: u64) -> What {
    What::Accept { connection, listener, server_inode: 2000 + connection }
}

/// An end of it is closed.
#[must_use]
pub fn release(connection: u64, listener: u64, end: End) -> What {
    What::Release { connection, listener, end, reason: Reason::Close }
}

/// A connect fails with EAGAIN.
#[must_use]
pub fn attempt(listener: Option<u64>, address: &str) -> What {
    let queue = listener.map(|_| Queue { length: 11, max: 10 });
    What::Attempt {
        listener,
        errno: 11,
        address: address.as_bytes().to_vec(),
        queue,
        directory: None,
        place: None,
    }
}

/// A descriptor scan finds an end in the hands of a process, so many seconds after boot: how it was used.
#[must_use]
pub fn held(second: u64, pid: u32, connection: u64, listener: u64, end: End, usage: Usage) -> Record {
    let id = ProcessId { pid, start: u64::from(pid), exec_id: 1 };
    let holder = Actor { id, tid: pid, uid: None, gid: None, comm: Comm(*b"a-thread\0\0\0\0\0\0\0\0") };
    let (client, server) = (1000 + connection, 2000 + connection);
    let (inode, peer) = if end == End::Client { (client, server) } else { (server, client) };
    let peer = Peer::Open(peer);
    let socket = HeldSocket::End { connection, is_seed: false, end, peer, opener: None };
    Record::Held(Held { at: second * SECOND, holder, fd: 3, inode, listener, socket, usage: Some(usage) })
}
