//! A row for each event and each descriptor of a recording, in their order: what was recorded, and not what follows from it.

use std::{ops::ControlFlow, sync::Arc};

use rustc_hash::FxHashMap;
use sockleak_core::{
    attribution::{processes::Processes, who::Who},
    event::{
        Carried, Cursor, End, Event, Held, HeldSocket, Peer, Place, Queue, Reason, Record, Usage, What,
        Window,
    },
    text::errno_name,
};

use super::{
    ExportError, Rows,
    attempts::name,
    column::{Cell, Column, Kind, Table, column},
    connections::status,
    party::{self, HasParty, Party},
};
use crate::Trace;

/// The table.
pub(super) struct Events;

/// What is known without an event: the names that events refer to.
#[derive(Default)]
struct Names {
    processes: Processes,
    paths: FxHashMap<u64, String>,
    /// Within what a segment carries over.
    is_carried: bool,
}

/// An event.
#[derive(Default)]
pub(super) struct Row<'r> {
    seq: u64,
    kind: &'static str,
    at: Option<u64>,
    party: Option<Party<'r>>,
    path: Option<&'r str>,
    connection: Option<u64>,
    listener: Option<u64>,
    end: Option<End>,
    inode: Option<u64>,
    queue: Option<Queue>,
    reason: Option<Reason>,
    errno: Option<i32>,
    address: Option<&'r [u8]>,
    fd: Option<u32>,
    peer: Option<&'static str>,
    opener: Option<u32>,
    usage: Option<Usage>,
}

/// Writes all of them.
pub(super) fn export(trace: &Trace, window: Window, mut rows: Rows<'_, Events>) -> Result<(), ExportError> {
    let mut names = Names::default();
    let mut outcome = Ok(());
    let mut cursor = Cursor::new(window);
    let mut seq = 0;
    trace.replay(|record| {
        let place = cursor.place(&record);
        if place == Place::After {
            return ControlFlow::Break(());
        }
        let Some((record, who)) = names.learn(record) else { return ControlFlow::Continue(()) };
        // Numbers are those of the whole recording.
        seq += 1;
        if place == Place::Before {
            return ControlFlow::Continue(());
        }
        outcome = rows.write(&names.row(seq, &record, who.as_deref()));
        if outcome.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    outcome.map_err(ExportError::Output)?;
    rows.finish()
}

impl Names {
    /// Keeps descriptions; gives back what is a row, and who it is about.
    fn learn(&mut self, record: Record) -> Option<(Record, Option<Arc<Who>>)> {
        match record {
            // What a segment of a store begins with happened before it.
            Record::Carried(carried) => {
                self.is_carried = !matches!(carried, Carried::Ends { .. });
                None
            }
            Record::Process(process) => {
                self.processes.insert(process);
                None
            }
            Record::Listener(listener) => {
                let path = sockleak_core::event::name::shown(&listener.path);
                self.paths.insert(listener.id, path);
                None
            }
            _ if self.is_carried => None,
            Record::Event(event) => {
                let who = self.processes.identify(event.actor);
                Some((Record::Event(event), Some(who)))
            }
            Record::Held(held) => {
                let who = self.processes.identify(held.holder);
                Some((Record::Held(held), Some(who)))
            }
            Record::Gone { .. } | Record::Unwatched { .. } | Record::UseNoted { .. } => Some((record, None)),
            Record::RoundBegins | Record::RoundEnds | Record::RawStack(_) | Record::Stack(_) => None,
        }
    }

    fn row<'r>(&'r self, seq: u64, record: &'r Record, who: Option<&'r Who>) -> Row<'r> {
        let mut row = match record {
            Record::Event(event) => happened(event),
            Record::Held(held) => found(held),
            Record::Gone { connection, end } => {
                Row { kind: "gone", connection: Some(*connection), end: Some(*end), ..Row::default() }
            }
            Record::UseNoted { at, .. } => Row { kind: "use-noted", at: Some(*at), ..Row::default() },
            Record::Unwatched { until, .. } => Row { kind: "unwatched", at: Some(*until), ..Row::default() },
            // Described, or not a row.
            _ => Row::default(),
        };
        row.seq = seq;
        row.party = who.map(|who| Party { who, program: self.processes.name(who.program) });
        let path = row.listener.and_then(|listener| self.paths.get(&listener)).map(String::as_str);
        row.path = row.path.or(path);
        row
    }
}

fn happened(event: &Event) -> Row<'_> {
    let row = Row {
        at: Some(event.at),
        connection: event.what.connection(),
        listener: event.what.listener(),
        ..Row::default()
    };
    match &event.what {
        What::Connect { client_inode, queue, .. } => {
            Row { kind: "connect", inode: Some(*client_inode), queue: Some(*queue), ..row }
        }
        What::Accept { server_inode, .. } => Row { kind: "accept", inode: Some(*server_inode), ..row },
        What::Release { end, reason, .. } => {
            Row { kind: "release", end: Some(*end), reason: Some(*reason), ..row }
        }
        What::ListenerClosed { reason, .. } => Row { kind: "listener-closed", reason: Some(*reason), ..row },
        What::Attempt { errno, address, queue, place, .. } => Row {
            kind: "attempt",
            errno: Some(*errno),
            address: Some(address),
            queue: *queue,
            path: place.as_deref().and_then(|place| std::str::from_utf8(place).ok()),
            ..row
        },
    }
}

fn found(held: &Held) -> Row<'_> {
    let row = Row {
        kind: "held",
        at: Some(held.at),
        listener: Some(held.listener),
        inode: Some(held.inode),
        fd: Some(held.fd),
        usage: held.usage,
        ..Row::default()
    };
    match held.socket {
        HeldSocket::Listener { queue } => Row { queue: Some(queue), ..row },
        HeldSocket::End { connection, end, peer, opener, .. } => {
            let peer = match peer {
                Peer::Open(_) => "open",
                Peer::Queued => "queued",
                Peer::Released => "released",
            };
            Row { connection: Some(connection), end: Some(end), peer: Some(peer), opener, ..row }
        }
    }
}

impl HasParty for Events {
    fn party<'a>(row: &'a Row<'_>) -> Option<Party<'a>> {
        row.party
    }
}

impl Table for Events {
    type Row<'r> = Row<'r>;

    fn columns() -> Vec<Column<Self>> {
        [start(), party::columns(), details()].into_iter().flatten().collect()
    }
}

fn start() -> Vec<Column<Events>> {
    use Kind::{Number, Text, Time};
    vec![
        column("seq", Number, |it| Cell::Number(it.seq)),
        column("kind", Text, |it| Cell::text(Some(it.kind))),
        column("time", Time, |it| Cell::time(it.at)),
        column("time_ns", Number, |it| Cell::number(it.at)),
        column("path", Text, |it| Cell::text(it.path)),
        column("listener", Number, |it| Cell::number(it.listener)),
        column("connection", Number, |it| Cell::number(it.connection)),
        column("end", Text, |it| Cell::text(it.end.map(End::name))),
    ]
}

fn details() -> Vec<Column<Events>> {
    use Kind::{Number, Signed, Text};
    vec![
        column("thread_comm", Text, |it| {
            let met = it.party.map(|it| it.who.actor).filter(|actor| actor.id.start != 0);
            Cell::text(met.map(|actor| actor.comm.to_string()))
        }),
        column("inode", Number, |it| Cell::number(it.inode)),
        column("queue_length", Number, |it| Cell::number(it.queue.map(|queue| queue.length))),
        column("queue_max", Number, |it| Cell::number(it.queue.map(|queue| queue.max))),
        column("reason", Text, |it| Cell::text(it.reason.map(Reason::name))),
        column("status", Number, |it| Cell::number(it.reason.and_then(status))),
        column("error", Text, |it| Cell::text(it.errno.map(errno_name))),
        column("errno", Signed, |it| it.errno.map_or(Cell::Null, |errno| Cell::Signed(errno.into()))),
        column("address", Text, |it| Cell::text(it.address.map(name))),
        column("fd", Number, |it| Cell::number(it.fd)),
        column("peer", Text, |it| Cell::text(it.peer)),
        column("opener_pid", Number, |it| Cell::number(it.opener)),
        column("sent_bytes", Number, |it| Cell::number(it.usage.map(|usage| usage.bytes))),
        column("sends", Number, |it| Cell::number(it.usage.map(|usage| usage.sends))),
        column("last_sent_ns", Number, |it| Cell::number(it.usage.and_then(|usage| usage.last_sent))),
        column("unread", Number, |it| Cell::number(it.usage.map(|usage| usage.unread))),
    ]
}
