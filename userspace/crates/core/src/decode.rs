//! Bytes to [`Record`]s: pure, and strict about sizes and versions.

use std::sync::Arc;

use sockleak_abi::{self as abi, circumstance, kind, peer, shutdown, side, untracked};
use thiserror::Error;
use zerocopy::{FromBytes, Immutable, KnownLayout};

use crate::event::{
    Actor, Comm, End, Event, Held, HeldSocket, Listener, Namespaces, Peer, Process, ProcessId, Queue,
    RawStack, Reason, Record, Usage, What, as_program_saw,
    name::{shown, without_padding},
};

/// `PF_EXITING`, include/linux/sched.h.
const PF_EXITING: u32 = 0x4;
/// `PF_KTHREAD`, likewise.
const PF_KTHREAD: u32 = 0x0020_0000;
const SOCK_SEQPACKET: u32 = 5;

/// Why a record cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// Shorter than its kind.
    #[error("record of {len} bytes where kind {kind} has {wanted}")]
    Size {
        /// Its kind.
        kind: u16,
        /// Its size in bytes.
        len: usize,
        /// What the kind has.
        wanted: usize,
    },
    /// Shorter than a header.
    #[error("record of {0} bytes, too short for a header")]
    NoHeader(usize),
    /// Of a kind that this version does not know.
    #[error("record of unknown kind {0}")]
    Kind(u16),
    /// Written by another version.
    #[error("record of version {0}; this is version {ABI}", ABI = abi::ABI_VERSION)]
    Version(u16),
    /// A number outside of its range.
    #[error("{0} is out of range")]
    Value(&'static str),
}

/// Decodes one record.
///
/// # Errors
/// If it is of another version, an unknown kind, the wrong size, or has a value out of range.
pub fn decode(bytes: &[u8]) -> Result<Record, DecodeError> {
    let (header, _) = abi::Header::read_from_prefix(bytes).map_err(|_| DecodeError::NoHeader(bytes.len()))?;
    if header.version != abi::ABI_VERSION {
        return Err(DecodeError::Version(header.version));
    }
    Ok(match header.kind {
        kind::PROCESS => Record::Process(Arc::new(process(&view(header.kind, bytes)?))),
        kind::LISTENER => Record::Listener(Arc::new(listener(&view(header.kind, bytes)?))),
        kind::CONNECT => event(header, connect(view(header.kind, bytes)?)),
        kind::ACCEPT => event(header, accept(view(header.kind, bytes)?)),
        kind::RELEASE => event(header, release(view(header.kind, bytes)?)?),
        kind::ATTEMPT => event(header, attempt(view(header.kind, bytes)?)?),
        kind::HELD => Record::Held(held(&view(header.kind, bytes)?)?),
        kind::STACK => Record::RawStack(Box::new(stack(bytes)?)),
        unknown => return Err(DecodeError::Kind(unknown)),
    })
}

/// The record as its structure. The ring buffer rounds records up to 8 bytes, and so are all structures.
fn view<T: FromBytes + KnownLayout + Immutable>(kind: u16, bytes: &[u8]) -> Result<T, DecodeError> {
    T::read_from_bytes(bytes).map_err(|_| DecodeError::Size {
        kind,
        len: bytes.len(),
        wanted: size_of::<T>(),
    })
}

fn event(header: abi::Header, (actor, what): (abi::Actor, What)) -> Record {
    Record::Event(Event { at: header.at, actor: decode_actor(&actor), what })
}

fn decode_actor(actor: &abi::Actor) -> Actor {
    let abi::Actor { process, tid, uid, gid, comm, .. } = *actor;
    let known = |id| (id != abi::NO_ID).then_some(id);
    Actor { id: process_id(process), tid, uid: known(uid), gid: known(gid), comm: decode_comm(comm) }
}

fn decode_comm(words: [u64; 2]) -> Comm {
    Comm(zerocopy::transmute!(words))
}

fn process_id(key: abi::ProcessKey) -> ProcessId {
    ProcessId { pid: key.tgid, start: key.start, exec_id: key.exec_id }
}

fn process(raw: &abi::Process) -> Process {
    let used = (raw.argv_used as usize).min(abi::ARGV_LEN);
    let (path, complete) = path(&raw.executable);
    Process {
        id: process_id(raw.actor.process),
        program: (!path.is_empty()).then(|| shown_path(&path, !complete)),
        argv: arguments(&raw.argv[..used]),
        argv_truncated: raw.argv_len > used as u64,
        comm: decode_comm(raw.leader_comm),
        uid: raw.actor.uid,
        gid: raw.actor.gid,
        parent: raw.parent,
        cgroup: raw.cgroup,
        cgroup_path: None,
        container: None,
        user: None,
        pid_in_namespace: raw.pid_in_namespace,
        namespaces: Namespaces {
            mount: raw.mount_namespace,
            network: raw.network_namespace,
            pid: raw.pid_namespace,
        },
    }
}

/// A program's path for display and grouping: one whose front is missing says so.
fn shown_path(path: &[u8], truncated: bool) -> String {
    if truncated { format!("…{}", shown(path)) } else { shown(path) }
}

fn listener(raw: &abi::Listener) -> Listener {
    let bind_name = name(&raw.bind_name[..(raw.bind_len as usize).min(abi::NAME_LEN)]);
    let is_abstract = raw.inode == 0 && bind_name.first() == Some(&0);
    let (path, complete) = if is_abstract { (abstract_name(&bind_name), true) } else { path(&raw.path) };
    Listener {
        id: raw.listener,
        path,
        path_truncated: !complete,
        bind_name,
        is_abstract,
        device: device(raw.device),
        inode: raw.inode,
        directory_inode: raw.directory_inode,
        mount_namespace: raw.mount_namespace,
        network_namespace: raw.network_namespace,
        pid: (raw.pid != 0).then_some(raw.pid),
        backlog: raw.backlog,
        is_seqpacket: raw.socket_type == SOCK_SEQPACKET,
    }
}

/// An abstract name in the notation of ss and systemd: `@` for each NUL, but for those that pad it.
pub fn abstract_name(bytes: &[u8]) -> Vec<u8> {
    let name = match bytes {
        // The leading one is no padding, even if nothing but NUL bytes follows.
        [0, rest @ ..] => 1 + without_padding(rest).len(),
        _ => bytes.len(),
    };
    let shown = |(at, &byte): (usize, &u8)| if byte == 0 && at < name { b'@' } else { byte };
    bytes.iter().enumerate().map(shown).collect()
}

/// The kernel's device number (12 bits major, 20 minor) as stat(2) gives it.
fn device(kernel: u32) -> u64 {
    libc::makedev(kernel >> 20, kernel & 0xf_ffff)
}

fn connect(raw: abi::Connect) -> (abi::Actor, What) {
    let what = What::Connect {
        connection: raw.connection,
        listener: raw.listener,
        client_inode: raw.client_inode,
        queue: queue(raw.queue),
        client_untracked: raw.untracked & untracked::CLIENT != 0,
        server_untracked: raw.untracked & untracked::SERVER != 0,
    };
    (raw.actor, what)
}

fn accept(raw: abi::Accept) -> (abi::Actor, What) {
    let abi::Accept { actor, connection, listener, server_inode, .. } = raw;
    (actor, What::Accept { connection, listener, server_inode })
}

fn release(raw: abi::Release) -> Result<(abi::Actor, What), DecodeError> {
    let abi::Release { connection, listener, .. } = raw;
    let is_unseen = raw.circumstances & circumstance::BY_OBSERVER != 0;
    let actor = if is_unseen { nobody() } else { raw.actor };
    let reason = reason(&raw);
    let what = match raw.side {
        side::CLIENT => What::Release { connection, listener, end: End::Client, reason },
        side::SERVER => What::Release { connection, listener, end: End::Server, reason },
        side::LISTENER => What::ListenerClosed { listener, reason },
        _ => return Err(DecodeError::Value("side of a release")),
    };
    Ok((actor, what))
}

/// In place of somebody who is not known.
const fn nobody() -> abi::Actor {
    let process = abi::ProcessKey { tgid: 0, exec_id: 0, start: 0 };
    abi::Actor { process, tid: 0, task_flags: 0, uid: abi::NO_ID, gid: abi::NO_ID, comm: [0; 2] }
}

/// The reason of a release, from the state of the task that made it (docs/kernel.md, "Release").
fn reason(raw: &abi::Release) -> Reason {
    let flags = raw.actor.task_flags;
    if raw.embryo != 0 {
        Reason::ListenerClosed
    } else if raw.circumstances & circumstance::BY_OBSERVER != 0 {
        Reason::Unseen
    } else if flags & PF_KTHREAD != 0 {
        Reason::Collected
    } else if flags & PF_EXITING != 0 {
        // wait(2) status: low 7 bits the signal, next byte the exit status.
        match (raw.exit_code & 0x7f) as u8 {
            0 => Reason::Exit((raw.exit_code >> 8) as u8),
            signal => Reason::Killed(signal),
        }
    } else if raw.circumstances & circumstance::IN_EXEC != 0 {
        Reason::Exec
    } else {
        Reason::Close
    }
}

fn attempt(raw: abi::Attempt) -> Result<(abi::Actor, What), DecodeError> {
    let errno = i32::try_from(raw.errno).map_err(|_| DecodeError::Value("error number"))?;
    let errno = as_program_saw(errno);
    let len = (raw.address_len as usize).min(raw.address.len());
    let address = name(&raw.address[..len]);
    let listener = (raw.listener != 0).then_some(raw.listener);
    let queue = listener.map(|_| queue(raw.queue));
    Ok((raw.actor, What::Attempt { listener, errno, address, queue, directory: None, place: None }))
}

/// Read where it lies: it is large.
fn stack(bytes: &[u8]) -> Result<RawStack, DecodeError> {
    let raw = abi::Stack::ref_from_bytes(bytes).map_err(|_| DecodeError::Size {
        kind: kind::STACK,
        len: bytes.len(),
        wanted: size_of::<abi::Stack>(),
    })?;
    let used = (raw.used as usize).min(abi::STACK_LEN);
    Ok(RawStack {
        connection: raw.connection,
        process: process_id(raw.process),
        tid: raw.tid,
        ip: raw.ip,
        sp: raw.sp,
        bp: raw.bp,
        link: raw.link,
        base: raw.base,
        script: raw.script[..(raw.script_used as usize).min(abi::SCRIPT_LEN)].into(),
        bytes: raw.bytes[..used].into(),
    })
}

fn held(raw: &abi::Held) -> Result<Held, DecodeError> {
    let id = process_id(raw.process);
    let comm = decode_comm(raw.comm);
    let end = |end| {
        let peer = match raw.peer {
            peer::OPEN => Peer::Open(raw.peer_inode),
            peer::QUEUED => Peer::Queued,
            peer::RELEASED => Peer::Released,
            _ => return Err(DecodeError::Value("state of the other end")),
        };
        Ok(HeldSocket::End {
            connection: raw.connection,
            is_seed: abi::is_seed(raw.connection),
            end,
            peer,
            opener: (raw.opener != 0).then_some(raw.opener),
        })
    };
    let socket = match raw.side {
        side::CLIENT => end(End::Client)?,
        side::SERVER => end(End::Server)?,
        side::LISTENER => HeldSocket::Listener { queue: queue(raw.queue) },
        _ => return Err(DecodeError::Value("side of a held socket")),
    };
    Ok(Held {
        at: raw.header.at,
        holder: Actor { id, tid: id.pid, uid: None, gid: None, comm },
        fd: raw.fd,
        inode: raw.inode,
        listener: raw.listener,
        socket,
        usage: (raw.side != side::LISTENER).then(|| usage(raw)),
    })
}

fn usage(raw: &abi::Held) -> Usage {
    let abi::Sent { bytes, count, last } = raw.sent;
    Usage {
        bytes,
        sends: count,
        last_sent: (last != 0).then(|| u64::from(last) << abi::USE_SHIFT),
        unread: raw.unread,
        no_receive: raw.shutdown & shutdown::RECEIVE != 0,
        no_send: raw.shutdown & shutdown::SEND != 0,
    }
}

/// A `sun_path`: a file name ends at its NUL, an abstract name begins with one and has all its bytes.
fn name(bytes: &[u8]) -> Vec<u8> {
    if bytes.first() == Some(&0) { bytes.to_vec() } else { until_nul(bytes).to_vec() }
}

fn queue(raw: abi::Queue) -> Queue {
    Queue { length: raw.length, max: raw.max }
}

/// A path from its components, which come last first. The flag says whether its front is there.
fn path(raw: &abi::Path) -> (Vec<u8>, bool) {
    let used = (raw.used as usize).min(raw.bytes.len());
    let mut path = Vec::with_capacity(used);
    for component in raw.bytes[..used].split_inclusive(|&byte| byte == 0).rev() {
        path.push(b'/');
        path.extend_from_slice(until_nul(component));
    }
    (path, raw.complete != 0)
}

fn arguments(bytes: &[u8]) -> Vec<String> {
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    if bytes.is_empty() { Vec::new() } else { bytes.split(|&byte| byte == 0).map(text).collect() }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests;
