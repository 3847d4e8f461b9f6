//! Records to rows.

use std::{num::NonZeroUsize, sync::Arc};

use lru::LruCache;
use rusqlite::{Connection, Result, Statement, ToSql, types::Null};
use rustc_hash::{FxBuildHasher, FxHashMap};
use sockleak_core::event::{
    Actor, Carried, Comm, End, Event, Frame, Held, HeldSocket, Listener, Peer, Process, ProcessId, Queue,
    Record, Stack, Usage, What,
};

use super::{
    code::{self, kind, peer, shut, unsigned, untracked},
    schema::{self, COLUMNS},
};

/// Processes whose names are remembered, so as not to repeat them with each event.
pub(super) const REMEMBERED: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// Names of the processes that were described last.
type Names = LruCache<ProcessId, Comm, FxBuildHasher>;

fn names() -> Names {
    LruCache::with_hasher(REMEMBERED, FxBuildHasher)
}

/// The statements that insert.
#[derive(Debug)]
pub(super) struct Inserts<'c> {
    process: Statement<'c>,
    listener: Statement<'c>,
    event: Statement<'c>,
    held: Statement<'c>,
    stack: Statement<'c>,
    /// Numbers of the stacks that this wrote.
    stacks: FxHashMap<Arc<[Frame]>, i64>,
    /// Of the last one that is written.
    last_stack: i64,
    names: Names,
    seq: i64,
}

impl<'c> Inserts<'c> {
    /// Goes on where the recording ends.
    pub(super) fn prepare(connection: &'c Connection) -> Result<Self> {
        let prepare = |table, columns| connection.prepare(&schema::insert(table, columns));
        let last = |column: &str, table: &str| {
            let sql = format!("SELECT coalesce(max({column}), 0) FROM {table}");
            connection.query_row(&sql, [], |row| row.get::<_, i64>(0))
        };
        let tables = ["process", "listener", "event", "held"];
        let seq = tables.iter().try_fold(0, |seq, table| last("seq", table).map(|last| last.max(seq)))?;
        Ok(Self {
            process: prepare("process", COLUMNS.process)?,
            listener: prepare("listener", COLUMNS.listener)?,
            event: prepare("event", &format!("{}, {}", COLUMNS.event, COLUMNS.rare))?,
            held: prepare("held", COLUMNS.held)?,
            stack: connection.prepare("INSERT INTO stack (id, frames) VALUES (?, ?)")?,
            stacks: FxHashMap::default(),
            last_stack: last("id", "stack")?,
            names: names(),
            seq,
        })
    }

    /// Appends a record.
    pub(super) fn record(&mut self, record: &Record) -> Result<()> {
        self.seq += 1;
        match record {
            Record::Process(process) => self.process(process),
            Record::Listener(listener) => self.listener(listener),
            Record::Event(event) => self.event(event),
            Record::Held(held) => self.held(held),
            Record::RoundBegins => self.mark(kind::ROUND_BEGINS, None),
            Record::RoundEnds => self.mark(kind::ROUND_ENDS, None),
            Record::Stack(stack) => self.stack(stack),
            // Nobody but this process's machine could make anything of it.
            Record::RawStack(_) => Ok(()),
            Record::Unwatched { since, until } => {
                let status = Some(since.cast_signed());
                self.bare(Some(*until), &Fields { kind: kind::UNWATCHED, status, ..Fields::default() })
            }
            &Record::UseNoted { at, is_reliable } => {
                let status = Some(i64::from(is_reliable));
                self.bare(Some(at), &Fields { kind: kind::USE_NOTED, status, ..Fields::default() })
            }
            Record::Gone { connection, end } => self.mark(kind::GONE, Some((*connection, *end))),
            Record::Carried(carried) => self.carried(carried),
        }
    }

    fn process(&mut self, process: &Process) -> Result<()> {
        let argv = serde_json::to_string(&process.argv);
        let argv = argv.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        let container = process.container.as_deref().map(serde_json::to_string).transpose();
        let container = container.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        self.names.put(process.id, process.comm);
        let mut row = Row::new(&mut self.process, self.seq)?;
        row.id(process.id)?;
        row.put(process.program.as_deref())?;
        row.put(argv)?;
        row.put(process.argv_truncated)?;
        row.put(code::comm(&process.comm))?;
        row.put(process.uid)?;
        row.put(process.gid)?;
        row.put(process.parent)?;
        row.put(unsigned(process.cgroup))?;
        row.put(process.cgroup_path.as_deref())?;
        row.put(process.user.as_deref())?;
        row.put(process.pid_in_namespace)?;
        row.put(process.namespaces.mount)?;
        row.put(process.namespaces.network)?;
        row.put(process.namespaces.pid)?;
        row.put(container)?;
        row.insert()
    }

    fn listener(&mut self, listener: &Listener) -> Result<()> {
        let mut row = Row::new(&mut self.listener, self.seq)?;
        row.put(unsigned(listener.id))?;
        row.put(code::name(&listener.path))?;
        row.put(listener.path_truncated)?;
        row.put(code::name(&listener.bind_name))?;
        row.put(listener.is_abstract)?;
        row.put(unsigned(listener.device))?;
        row.put(unsigned(listener.inode))?;
        row.put(unsigned(listener.directory_inode))?;
        row.put(listener.mount_namespace)?;
        row.put(listener.network_namespace)?;
        row.put(listener.pid)?;
        row.put(listener.backlog)?;
        row.put(listener.is_seqpacket)?;
        row.insert()
    }

    fn event(&mut self, event: &Event) -> Result<()> {
        let fields = Fields::of(&event.what);
        let mut row = Row::new(&mut self.event, self.seq)?;
        row.put(fields.kind)?;
        row.put(unsigned(event.at))?;
        row.actor(&event.actor, &mut self.names)?;
        fields.put(&mut row)?;
        row.insert()
    }

    /// A record without time and actor.
    fn mark(&mut self, kind: i64, end: Option<(u64, End)>) -> Result<()> {
        let connection = end.map(|(connection, _)| connection);
        let side = end.map(|(_, end)| code::side(end));
        self.bare(None, &Fields { kind, connection, side, ..Fields::default() })
    }

    fn carried(&mut self, carried: &Carried) -> Result<()> {
        let fields = |kind| Fields { kind, ..Fields::default() };
        match *carried {
            Carried::Begins => self.bare(None, &fields(kind::CARRY_BEGINS)),
            Carried::Listener { listener, last_accept, queue, slots } => {
                let (listener, status) = (Some(listener), slots.map(u64::cast_signed));
                let fields = Fields { listener, queue, status, ..fields(kind::CARRIED_LISTENER) };
                self.bare(last_accept, &fields)
            }
            Carried::Ends { at } => self.bare(Some(at), &fields(kind::CARRY_ENDS)),
        }
    }

    fn stack(&mut self, stack: &Stack) -> Result<()> {
        let known = self.stacks.get(&stack.frames).copied();
        let id = known.map_or_else(|| self.new_stack(&stack.frames), Ok)?;
        let connection = Some(stack.connection);
        self.bare(None, &Fields { kind: kind::STACK, connection, stack: Some(id), ..Fields::default() })
    }

    fn new_stack(&mut self, frames: &Arc<[Frame]>) -> Result<i64> {
        let text = serde_json::to_string(&frames[..]);
        let text = text.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        let id = self.last_stack + 1;
        self.stack.execute((id, text))?;
        self.last_stack = id;
        self.stacks.insert(Arc::clone(frames), id);
        Ok(id)
    }

    /// A row without an actor.
    fn bare(&mut self, at: Option<u64>, fields: &Fields<'_>) -> Result<()> {
        const ACTOR: usize = 7;
        let mut row = Row::new(&mut self.event, self.seq)?;
        row.put(fields.kind)?;
        row.put(at.map(unsigned))?;
        row.nulls(ACTOR)?;
        fields.put(&mut row)?;
        row.insert()
    }

    fn held(&mut self, held: &Held) -> Result<()> {
        let mut row = Row::new(&mut self.held, self.seq)?;
        row.put(unsigned(held.at))?;
        row.actor(&held.holder, &mut self.names)?;
        match held.socket {
            HeldSocket::Listener { queue } => {
                row.nulls(1)?;
                row.put(unsigned(held.listener))?;
                row.nulls(1)?;
                row.put(held.fd)?;
                row.put(unsigned(held.inode))?;
                row.nulls(4)?;
                row.queue(Some(queue))?;
            }
            HeldSocket::End { connection, is_seed, end, peer, opener } => {
                row.put(unsigned(connection))?;
                row.put(unsigned(held.listener))?;
                row.put(code::side(end))?;
                row.put(held.fd)?;
                row.put(unsigned(held.inode))?;
                row.put(is_seed)?;
                let (peer, inode) = match peer {
                    Peer::Open(inode) => (peer::OPEN, Some(inode)),
                    Peer::Queued => (peer::QUEUED, None),
                    Peer::Released => (peer::RELEASED, None),
                };
                row.put(peer)?;
                row.put(inode.map(unsigned))?;
                row.put(opener)?;
                row.queue(None)?;
            }
        }
        row.usage(held.usage)?;
        row.insert()
    }
}

/// What kinds of events have in columns of their own.
#[derive(Clone, Copy, Debug, Default)]
struct Fields<'e> {
    kind: i64,
    connection: Option<u64>,
    listener: Option<u64>,
    side: Option<i64>,
    inode: Option<u64>,
    queue: Option<Queue>,
    untracked: Option<i64>,
    reason: Option<i64>,
    status: Option<i64>,
    errno: Option<i32>,
    address: Option<&'e [u8]>,
    place: Option<&'e [u8]>,
    stack: Option<i64>,
}

impl<'e> Fields<'e> {
    fn of(what: &'e What) -> Self {
        let none = Self::default();
        match what {
            What::Connect {
                connection,
                listener,
                client_inode,
                queue,
                client_untracked,
                server_untracked,
            } => {
                let bit = |is_set: bool, bit| if is_set { bit } else { 0 };
                let untracked =
                    bit(*client_untracked, untracked::CLIENT) | bit(*server_untracked, untracked::SERVER);
                Self {
                    kind: kind::CONNECT,
                    connection: Some(*connection),
                    listener: Some(*listener),
                    inode: Some(*client_inode),
                    queue: Some(*queue),
                    untracked: Some(untracked).filter(|&bits| bits != 0),
                    ..none
                }
            }
            What::Accept { connection, listener, server_inode } => Self {
                kind: kind::ACCEPT,
                connection: Some(*connection),
                listener: Some(*listener),
                inode: Some(*server_inode),
                ..none
            },
            What::Release { connection, listener, end, reason } => {
                let (reason, status) = code::reason(*reason);
                Self {
                    kind: kind::RELEASE,
                    connection: Some(*connection),
                    listener: Some(*listener),
                    side: Some(code::side(*end)),
                    reason: Some(reason),
                    status,
                    ..none
                }
            }
            What::ListenerClosed { listener, reason } => {
                let (reason, status) = code::reason(*reason);
                let kind = kind::LISTENER_CLOSED;
                Self { kind, listener: Some(*listener), reason: Some(reason), status, ..none }
            }
            What::Attempt { listener, errno, address, queue, place, .. } => Self {
                kind: kind::ATTEMPT,
                listener: *listener,
                queue: *queue,
                errno: Some(*errno),
                address: Some(address),
                place: place.as_deref(),
                ..none
            },
        }
    }

    /// All but the kind.
    fn put(&self, row: &mut Row<'_, '_>) -> Result<()> {
        row.put(self.connection.map(unsigned))?;
        row.put(self.listener.map(unsigned))?;
        row.put(self.side)?;
        row.put(self.inode.map(unsigned))?;
        row.queue(self.queue)?;
        row.put(self.untracked)?;
        row.put(self.reason)?;
        row.put(self.status)?;
        row.put(self.errno)?;
        row.put(self.address.map(code::name))?;
        row.put(self.place.map(code::name))?;
        row.put(self.stack)
    }
}

/// A row to be, filled from left to right.
struct Row<'s, 'c> {
    statement: &'s mut Statement<'c>,
    column: usize,
}

impl<'s, 'c> Row<'s, 'c> {
    fn new(statement: &'s mut Statement<'c>, seq: i64) -> Result<Self> {
        let mut row = Self { statement, column: 0 };
        row.put(seq)?;
        Ok(row)
    }

    fn put(&mut self, value: impl ToSql) -> Result<()> {
        self.column += 1;
        self.statement.raw_bind_parameter(self.column, value)
    }

    fn nulls(&mut self, count: usize) -> Result<()> {
        (0..count).try_for_each(|_| self.put(Null))
    }

    fn id(&mut self, id: ProcessId) -> Result<()> {
        self.put(id.pid)?;
        self.put(unsigned(id.start))?;
        self.put(id.exec_id)
    }

    fn actor(&mut self, actor: &Actor, names: &mut Names) -> Result<()> {
        self.id(actor.id)?;
        self.put((actor.tid != actor.id.pid).then_some(actor.tid))?;
        self.put(actor.uid)?;
        self.put(actor.gid)?;
        let is_known = names.get(&actor.id) == Some(&actor.comm);
        self.put((!is_known).then(|| code::comm(&actor.comm)))
    }

    fn queue(&mut self, queue: Option<Queue>) -> Result<()> {
        self.put(queue.map(|queue| queue.length))?;
        self.put(queue.map(|queue| queue.max))
    }

    fn usage(&mut self, usage: Option<Usage>) -> Result<()> {
        let Some(usage) = usage else { return self.nulls(5) };
        self.put(unsigned(usage.bytes))?;
        self.put(usage.sends)?;
        self.put(usage.last_sent.map(unsigned))?;
        self.put(usage.unread)?;
        let (receive, send) = (i64::from(usage.no_receive), i64::from(usage.no_send));
        self.put(receive * shut::RECEIVE + send * shut::SEND)
    }

    fn insert(self) -> Result<()> {
        self.statement.raw_execute().map(|_| ())
    }
}
