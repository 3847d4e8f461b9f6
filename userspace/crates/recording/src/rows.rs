//! Rows to records.

use std::sync::Arc;

use rusqlite::types::ValueRef;
use sockleak_core::event::{
    Actor, Carried, Comm, End, Event, Frame, Held, HeldSocket, Listener, Namespaces, Peer, Process,
    ProcessId, Queue, Reason, Record, Stack, Usage, What, as_program_saw,
};

use super::code::{self, kind, peer, shut, untracked};
use super::scan::Scan;

/// Why a row cannot be read.
#[derive(Debug)]
pub(super) enum RowError {
    /// SQLite cannot read it.
    Sql(rusqlite::Error),
    /// A value is not what a writer writes; the column.
    Value(&'static str),
}

impl From<rusqlite::Error> for RowError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

type Result<T> = std::result::Result<T, RowError>;

/// The columns of a row, taken from left to right.
pub(super) struct Cells<'r> {
    row: &'r Scan<'r>,
    column: usize,
    /// No time is later.
    latest: u64,
}

/// No host has been up for longer: a century, in nanoseconds.
pub(super) const LATEST: u64 = 100 * 365 * 24 * 3600 * 1_000_000_000;

impl<'r> Cells<'r> {
    /// `latest` is the last moment that a time may be: nanoseconds since boot.
    pub(super) const fn new(row: &'r Scan<'r>, latest: u64) -> Self {
        Self { row, column: 0, latest }
    }

    pub(super) const fn skip(&mut self, count: usize) {
        self.column += count;
    }

    fn next(&mut self) -> ValueRef<'r> {
        let value = self.row.value(self.column);
        self.column += 1;
        value
    }

    pub(super) fn optional<T: TryFrom<i64>>(&mut self, name: &'static str) -> Result<Option<T>> {
        match self.next() {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(value) => T::try_from(value).map(Some).map_err(|_| RowError::Value(name)),
            _ => Err(RowError::Value(name)),
        }
    }

    pub(super) fn number<T: TryFrom<i64>>(&mut self, name: &'static str) -> Result<T> {
        self.optional(name)?.ok_or(RowError::Value(name))
    }

    fn optional_unsigned(&mut self, name: &'static str) -> Result<Option<u64>> {
        self.optional(name).map(|value| value.map(i64::cast_unsigned))
    }

    /// From two's complement.
    pub(super) fn unsigned(&mut self, name: &'static str) -> Result<u64> {
        self.number(name).map(i64::cast_unsigned)
    }

    fn optional_time(&mut self, name: &'static str) -> Result<Option<u64>> {
        let time = self.optional(name)?;
        let is_possible = time.is_none_or(|time| time <= self.latest);
        is_possible.then_some(time).ok_or(RowError::Value(name))
    }

    /// Nanoseconds since boot.
    pub(super) fn time(&mut self, name: &'static str) -> Result<u64> {
        self.optional_time(name)?.ok_or(RowError::Value(name))
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool> {
        match self.number(name)? {
            0_i64 => Ok(false),
            1 => Ok(true),
            _ => Err(RowError::Value(name)),
        }
    }

    fn optional_bytes(&mut self, name: &'static str) -> Result<Option<&'r [u8]>> {
        match self.next() {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(Some(bytes)),
            _ => Err(RowError::Value(name)),
        }
    }

    fn bytes(&mut self, name: &'static str) -> Result<Vec<u8>> {
        self.optional_bytes(name)?.map(<[u8]>::to_vec).ok_or(RowError::Value(name))
    }

    pub(super) fn optional_text(&mut self, name: &'static str) -> Result<Option<&'r str>> {
        let bytes = self.optional_bytes(name)?;
        bytes.map(|bytes| std::str::from_utf8(bytes).map_err(|_| RowError::Value(name))).transpose()
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<&'r str> {
        self.optional_text(name)?.ok_or(RowError::Value(name))
    }

    pub(super) fn json<T: serde::de::DeserializeOwned>(&mut self, name: &'static str) -> Result<T> {
        self.optional_json(name)?.ok_or(RowError::Value(name))
    }

    fn optional_json<T: serde::de::DeserializeOwned>(&mut self, name: &'static str) -> Result<Option<T>> {
        let text = self.optional_text(name)?;
        text.map(|text| serde_json::from_str(text).map_err(|_| RowError::Value(name))).transpose()
    }

    fn comm(&mut self) -> Result<Option<Comm>> {
        let bytes = self.optional_bytes("comm")?;
        bytes.map(|bytes| code::comm_of(bytes).ok_or(RowError::Value("comm"))).transpose()
    }

    fn end(&mut self) -> Result<End> {
        code::end(self.number("side")?).ok_or(RowError::Value("side"))
    }

    fn id(&mut self) -> Result<ProcessId> {
        Ok(ProcessId {
            pid: self.number("pid")?,
            start: self.time("start")?,
            exec_id: self.number("exec_id")?,
        })
    }

    /// `name` tells the name of a process, for a thread that has the same.
    fn actor(&mut self, name: impl FnOnce(&ProcessId) -> Result<Comm>) -> Result<Actor> {
        let id = self.id()?;
        Ok(Actor {
            id,
            tid: self.optional("tid")?.unwrap_or(id.pid),
            uid: self.optional("uid")?,
            gid: self.optional("gid")?,
            comm: self.comm()?.map_or_else(|| name(&id), Ok)?,
        })
    }

    fn optional_queue(&mut self) -> Result<Option<Queue>> {
        let (length, max) = (self.optional("queue_length")?, self.optional("queue_max")?);
        Ok(length.zip(max).map(|(length, max)| Queue { length, max }))
    }

    fn queue(&mut self) -> Result<Queue> {
        self.optional_queue()?.ok_or(RowError::Value("queue_length"))
    }

    /// None where any of it is missing: use was not looked at.
    fn usage(&mut self) -> Result<Option<Usage>> {
        let (bytes, sends) = (self.optional_unsigned("sent_bytes")?, self.optional("sends")?);
        let last_sent = self.optional_unsigned("last_sent")?;
        let (unread, shut) = (self.optional("unread")?, self.optional::<i64>("shut")?);
        let (Some(bytes), Some(sends), Some(unread), Some(shut)) = (bytes, sends, unread, shut) else {
            return Ok(None);
        };
        let (no_receive, no_send) = (shut & shut::RECEIVE != 0, shut & shut::SEND != 0);
        Ok(Some(Usage { bytes, sends, last_sent, unread, no_receive, no_send }))
    }

    fn reason(&mut self) -> Result<Reason> {
        let (code, status) = (self.number("reason")?, self.optional("status")?);
        code::reason_of(code, status).ok_or(RowError::Value("reason"))
    }
}

pub(super) fn process(row: &Scan<'_>) -> Result<Process> {
    let mut cells = Cells::new(row, LATEST);
    cells.skip(1);
    Ok(Process {
        id: cells.id()?,
        program: cells.optional_text("program")?.map(str::to_owned),
        argv: cells.json("argv")?,
        argv_truncated: cells.flag("argv_truncated")?,
        comm: cells.comm()?.ok_or(RowError::Value("comm"))?,
        uid: cells.number("uid")?,
        gid: cells.number("gid")?,
        parent: cells.number("parent")?,
        cgroup: cells.unsigned("cgroup")?,
        cgroup_path: cells.optional_text("cgroup_path")?.map(Arc::from),
        user: cells.optional_text("user")?.map(Arc::from),
        pid_in_namespace: cells.number("pid_in_namespace")?,
        namespaces: Namespaces {
            mount: cells.number("mount_namespace")?,
            network: cells.number("network_namespace")?,
            pid: cells.number("pid_namespace")?,
        },
        container: cells.optional_json("container")?,
    })
}

pub(super) fn listener(row: &Scan<'_>) -> Result<Listener> {
    let mut cells = Cells::new(row, LATEST);
    cells.skip(1);
    Ok(Listener {
        id: cells.unsigned("listener")?,
        path: cells.bytes("path")?,
        path_truncated: cells.flag("path_truncated")?,
        bind_name: cells.bytes("bind_name")?,
        is_abstract: cells.flag("is_abstract")?,
        device: cells.unsigned("device")?,
        inode: cells.unsigned("inode")?,
        directory_inode: cells.unsigned("directory_inode")?,
        mount_namespace: cells.number("mount_namespace")?,
        network_namespace: cells.number("network_namespace")?,
        pid: cells.optional("pid")?,
        backlog: cells.number("backlog")?,
        is_seqpacket: cells.flag("is_seqpacket")?,
    })
}

/// Columns that few kinds of events have.
#[derive(Debug, Default)]
pub(super) struct Rare {
    pub(super) errno: Option<i32>,
    pub(super) address: Option<Vec<u8>>,
    pub(super) place: Option<Vec<u8>>,
    pub(super) stack: Option<i64>,
}

/// A row of `event`. See [`Cells::actor`] for `name`; `rare` reads the columns that the row was not asked for, and `frames` are
/// those of a stack, by its number. No record is later than `latest`.
pub(super) fn event(
    row: &Scan<'_>,
    latest: u64,
    name: impl FnOnce(&ProcessId) -> Result<Comm>,
    rare: impl FnOnce() -> Result<Rare>,
    frames: impl FnOnce(i64) -> Result<Arc<[Frame]>>,
) -> Result<Record> {
    /// Columns of when and who.
    const ACTOR: usize = 8;
    let mut cells = Cells::new(row, latest);
    cells.skip(1);
    let kind = cells.number("kind")?;
    match kind {
        kind::STACK => {
            cells.skip(ACTOR);
            let connection = cells.unsigned("connection")?;
            let stack = rare()?.stack.ok_or(RowError::Value("stack"))?;
            return Ok(Record::Stack(Stack { connection, frames: frames(stack)? }));
        }
        kind::ROUND_BEGINS => return Ok(Record::RoundBegins),
        kind::ROUND_ENDS => return Ok(Record::RoundEnds),
        kind::GONE => {
            cells.skip(ACTOR);
            let connection = cells.unsigned("connection")?;
            cells.skip(1);
            return Ok(Record::Gone { connection, end: cells.end()? });
        }
        kind::UNWATCHED => {
            let until = cells.time("at")?;
            // Who, and columns up to the status.
            cells.skip(15);
            let since = cells.time("status")?;
            return if since <= until {
                Ok(Record::Unwatched { since, until })
            } else {
                Err(RowError::Value("status"))
            };
        }
        kind::USE_NOTED => {
            let at = cells.time("at")?;
            cells.skip(15);
            return Ok(Record::UseNoted { at, is_reliable: cells.number::<i64>("status")? == 1 });
        }
        kind::CARRY_BEGINS => return Ok(Record::Carried(Carried::Begins)),
        kind::CARRY_ENDS => return Ok(Record::Carried(Carried::Ends { at: cells.time("at")? })),
        kind::CARRIED_LISTENER => return carried_listener(&mut cells).map(Record::Carried),
        _ => {}
    }
    let at = cells.time("at")?;
    let actor = cells.actor(name)?;
    Ok(Record::Event(Event { at, actor, what: what(kind, &mut cells, rare)? }))
}

/// From the column `connection` on.
fn what(kind: i64, cells: &mut Cells<'_>, rare: impl FnOnce() -> Result<Rare>) -> Result<What> {
    if kind == kind::ATTEMPT {
        return attempt(cells, rare()?);
    }
    if kind == kind::LISTENER_CLOSED {
        cells.skip(1);
        let listener = cells.unsigned("listener")?;
        cells.skip(5);
        return Ok(What::ListenerClosed { listener, reason: cells.reason()? });
    }
    let connection = cells.unsigned("connection")?;
    let listener = cells.unsigned("listener")?;
    Ok(match kind {
        kind::CONNECT => {
            cells.skip(1);
            let client_inode = cells.unsigned("inode")?;
            let queue = cells.queue()?;
            let lost = cells.optional("untracked")?.unwrap_or(0_i64);
            What::Connect {
                connection,
                listener,
                client_inode,
                queue,
                client_untracked: lost & untracked::CLIENT != 0,
                server_untracked: lost & untracked::SERVER != 0,
            }
        }
        kind::ACCEPT => {
            cells.skip(1);
            What::Accept { connection, listener, server_inode: cells.unsigned("inode")? }
        }
        kind::RELEASE => {
            let end = cells.end()?;
            cells.skip(4);
            What::Release { connection, listener, end, reason: cells.reason()? }
        }
        _ => return Err(RowError::Value("kind")),
    })
}

/// From the column `at` on.
fn carried_listener(cells: &mut Cells<'_>) -> Result<Carried> {
    let last_accept = cells.optional_time("at")?;
    cells.skip(8);
    let listener = cells.unsigned("listener")?;
    cells.skip(2);
    let queue = cells.optional_queue()?;
    cells.skip(2);
    let slots = cells.optional::<u32>("status")?.map(u64::from);
    Ok(Carried::Listener { listener, last_accept, queue, slots })
}

fn attempt(cells: &mut Cells<'_>, rare: Rare) -> Result<What> {
    cells.skip(1);
    let listener = cells.optional_unsigned("listener")?;
    cells.skip(2);
    let queue = cells.optional_queue()?;
    // Earlier versions recorded the kernel's own numbers.
    let errno = as_program_saw(rare.errno.ok_or(RowError::Value("errno"))?);
    let address = rare.address.ok_or(RowError::Value("address"))?;
    Ok(What::Attempt { listener, errno, address, queue, directory: None, place: rare.place })
}

/// A row of `held`. See [`Cells::actor`] for `name`, and [`event`] for `latest`.
pub(super) fn held(
    row: &Scan<'_>,
    latest: u64,
    name: impl FnOnce(&ProcessId) -> Result<Comm>,
) -> Result<Held> {
    let mut cells = Cells::new(row, latest);
    cells.skip(1);
    let at = cells.time("at")?;
    let holder = cells.actor(name)?;
    let connection = cells.optional_unsigned("connection")?;
    let listener = cells.unsigned("listener")?;
    let end = if connection.is_some() { Some(cells.end()?) } else { None };
    if end.is_none() {
        cells.skip(1);
    }
    let fd = cells.number("fd")?;
    let inode = cells.unsigned("inode")?;
    let socket = match connection.zip(end) {
        None => {
            cells.skip(4);
            HeldSocket::Listener { queue: cells.queue()? }
        }
        Some((connection, end)) => {
            let is_seed = cells.flag("is_seed")?;
            let state = cells.number("peer")?;
            let peer_inode = cells.optional_unsigned("peer_inode")?;
            let peer = match (state, peer_inode) {
                (peer::OPEN, Some(inode)) => Peer::Open(inode),
                (peer::QUEUED, None) => Peer::Queued,
                (peer::RELEASED, None) => Peer::Released,
                _ => return Err(RowError::Value("peer")),
            };
            HeldSocket::End { connection, is_seed, end, peer, opener: cells.optional("opener")? }
        }
    };
    if end.is_some() {
        cells.skip(2);
    }
    let usage = cells.usage()?;
    Ok(Held { at, holder, fd, inode, listener, socket, usage })
}
