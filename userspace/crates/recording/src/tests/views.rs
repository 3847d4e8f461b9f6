use proptest::{collection::vec, prelude::*};
use rusqlite::{Connection as Database, types::Value};
use sockleak_core::{
    attribution::who::{ProgramId, Who},
    event::{End, Held, HeldSocket, Listener, Peer, Reason},
    lifecycle::{Change, Connection, EndState, Found, Origin, Table},
};

use super::*;

const LISTENER: u64 = 3;

fn listener() -> Record {
    Record::Listener(Arc::new(Listener {
        id: LISTENER,
        path: b"/run/master.sock".to_vec(),
        path_truncated: false,
        bind_name: b"/run/master.sock.tmp".to_vec(),
        is_abstract: false,
        device: 1,
        inode: 2,
        directory_inode: 3,
        mount_namespace: 10,
        network_namespace: 11,
        pid: Some(50),
        backlog: 128,
        is_seqpacket: false,
    }))
}

fn accept(connection: u64) -> What {
    What::Accept { connection, listener: LISTENER, server_inode: 9000 + connection }
}

fn release(connection: u64, end: End, reason: Reason) -> What {
    What::Release { connection, listener: LISTENER, end, reason }
}

fn held(at: u64, pid: u32, connection: u64, end: End, peer: Peer, opener: u32) -> Record {
    let inode = if end == End::Client { 1000 } else { 9000 } + connection;
    let socket = HeldSocket::End { connection, is_seed: true, end, peer, opener: Some(opener) };
    Record::Held(Held { at, holder: actor(pid), fd: 7, inode, listener: LISTENER, socket, usage: None })
}

/// What a query gives, as sqlite3 shows it.
fn query(path: &Path, sql: &str) -> Vec<String> {
    let database = Database::open(path).expect("it is a database");
    let mut statement = database.prepare(sql).expect("it is a query");
    let count = statement.column_count();
    let rows = statement.query_map([], |row| {
        let cells = (0..count).map(|column| Ok(shown(row.get(column)?)));
        cells.collect::<rusqlite::Result<Vec<_>>>().map(|cells| cells.join("|"))
    });
    rows.and_then(Iterator::collect).expect("it can be read")
}

fn shown(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text,
        Value::Blob(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
    }
}

const SECOND: u64 = 1_000_000_000;

/// Connections of all sorts.
fn record_lives(path: &Path) {
    recorded_until(
        path,
        &[
            listener(),
            described(40, Some("/usr/bin/curl")),
            event(SECOND, 40, connect(1)),
            described(50, None),
            event(2 * SECOND, 50, accept(1)),
            event(3 * SECOND, 40, release(1, End::Client, Reason::Killed(9))),
            // The same process, of which more is known later.
            described(50, Some("/usr/sbin/haproxy")),
            event(4 * SECOND + 5, 50, release(1, End::Server, Reason::Close)),
            event(5 * SECOND, 60, connect(2)),
            event(6 * SECOND, 60, release(2, End::Client, Reason::Exit(3))),
            Record::RoundBegins,
            held(7 * SECOND, 40, 8, End::Client, Peer::Open(9008), 40),
            held(7 * SECOND, 50, 8, End::Server, Peer::Open(1008), 40),
            held(7 * SECOND, 50, 9, End::Server, Peer::Released, 41),
            Record::RoundEnds,
            event(8 * SECOND, 40, connect(3)),
            Record::Gone { connection: 3, end: End::Client },
            Record::Gone { connection: 3, end: End::Server },
            // Their connects were lost.
            event(9 * SECOND, 50, accept(4)),
        ],
        10 * SECOND,
    );
}

#[test]
fn connections_are_told() {
    let scratch = Scratch::new();
    let path = scratch.file("trace.db");
    record_lives(&path);
    let opened =
        "SELECT connection, path, state, origin, opened, pid, program, argv, user FROM connection ORDER BY 1";
    let told = r#"["prog","--as=40"]|web"#;
    assert_eq!(
        query(&path, opened),
        [
            format!("1|/run/master.sock|closed|seen|2026-01-02T03:04:06.000000000Z|40|/usr/bin/curl|{told}"),
            "2|/run/master.sock|abandoned|seen|2026-01-02T03:04:10.000000000Z|60|[prog]||".to_owned(),
            format!("3|/run/master.sock|closed|seen|2026-01-02T03:04:13.000000000Z|40|/usr/bin/curl|{told}"),
            format!(
                "8|/run/master.sock|open|before trace|2026-01-02T03:04:12.000000000Z|40|/usr/bin/curl|{told}"
            ),
            "9|/run/master.sock|client-closed|before trace|2026-01-02T03:04:12.000000000Z|41|[unknown]||"
                .to_owned(),
        ]
    );
    let accepted = "SELECT connection, accepted, acceptor_pid, acceptor_program, client_inode, server_inode \
                    FROM connection ORDER BY 1";
    assert_eq!(
        query(&path, accepted),
        [
            "1|2026-01-02T03:04:07.000000000Z|50|[prog]|1001|9001",
            "2||||1002|",
            "3||||1003|",
            "8||50|/usr/sbin/haproxy|1008|9008",
            "9||50|/usr/sbin/haproxy||9009",
        ]
    );
}

#[test]
fn releases_are_told() {
    let scratch = Scratch::new();
    let path = scratch.file("trace.db");
    record_lives(&path);
    let released = "SELECT connection, client_released, client_reason, client_status, client_released_by_pid, \
                    client_released_by, server_released, server_reason, server_released_by, age_seconds \
                    FROM connection ORDER BY 1";
    assert_eq!(
        query(&path, released),
        [
            "1|2026-01-02T03:04:08.000000000Z|killed|9|40|/usr/bin/curl|2026-01-02T03:04:09.000000005Z|close|\
             /usr/sbin/haproxy|3.000000005",
            "2|2026-01-02T03:04:11.000000000Z|exit|3|60|[prog]||||5",
            "3||unseen|||||unseen||",
            "8|||||||||3",
            "9||unseen|||||||3",
        ]
    );
}

#[test]
fn attempts_are_told() {
    let scratch = Scratch::new();
    let path = scratch.file("trace.db");
    let attempt = |at, listener: Option<u64>, errno, address: &[u8], place: Option<&[u8]>| {
        let queue = listener.map(|_| Queue { length: 129, max: 128 });
        let (address, place) = (address.to_vec(), place.map(<[u8]>::to_vec));
        event(at, 40, What::Attempt { listener, errno, address, queue, directory: None, place })
    };
    recorded(
        &path,
        &[
            listener(),
            attempt(1, Some(LISTENER), 11, b"master.sock", None),
            described(40, Some("/usr/bin/curl")),
            attempt(SECOND, None, 2, b"../a.sock", Some(b"/run/a.sock")),
            attempt(SECOND, None, 111, b"\0name", None),
            attempt(SECOND, None, 999, b"b\xff.sock", None),
        ],
    );
    assert_eq!(
        query(&path, "SELECT time, path, error, pid, program, queue_length, queue_max, errno FROM attempt"),
        [
            "2026-01-02T03:04:05.000000001Z|/run/master.sock|EAGAIN|40|[prog]|129|128|11",
            "2026-01-02T03:04:06.000000000Z|/run/a.sock|ENOENT|40|/usr/bin/curl|||2",
            "2026-01-02T03:04:06.000000000Z|@name|ECONNREFUSED|40|/usr/bin/curl|||111",
            "2026-01-02T03:04:06.000000000Z|b\u{fffd}.sock|errno 999|40|/usr/bin/curl|||999",
        ]
    );
}

/// A step in the life of one of a few connections.
fn steps() -> impl Strategy<Value = (u64, u8, u32, bool)> {
    (1..5_u64, 0..10_u8, 40..43_u32, any::<bool>())
}

fn record(at: u64, (connection, step, pid, flag): (u64, u8, u32, bool)) -> Record {
    let end = if flag { End::Client } else { End::Server };
    let opener = 40 + (connection % 3) as u32;
    match step {
        0 | 1 => match connect(connection) {
            What::Connect { connection, listener, client_inode, queue, .. } => {
                let (client_untracked, server_untracked) = (step == 1 && flag, step == 1 && pid == 40);
                let what = What::Connect {
                    connection,
                    listener,
                    client_inode,
                    queue,
                    client_untracked,
                    server_untracked,
                };
                event(at, opener, what)
            }
            _ => unreachable!("it is a connect"),
        },
        2 | 3 => event(at, pid, accept(connection)),
        4 | 5 => event(at, pid, release(connection, end, Reason::Close)),
        6 => Record::Gone { connection, end },
        step => {
            let peer = match (step, flag) {
                (7, _) => Peer::Open(if flag { 9000 } else { 1000 } + connection),
                // A client end is accepted or released, but never queued.
                (8, true) => Peer::Queued,
                _ => Peer::Released,
            };
            let socket = HeldSocket::End { connection, is_seed: true, end, peer, opener: Some(opener) };
            // What waits in a queue is found through its listener's descriptor, and has no inode.
            let inode = match end {
                End::Client => 1000 + connection,
                End::Server if peer == Peer::Released && pid == 41 => 0,
                End::Server => 9000 + connection,
            };
            Record::Held(Held {
                at,
                holder: actor(pid),
                fd: 3,
                inode,
                listener: LISTENER,
                socket,
                usage: None,
            })
        }
    }
}

/// Feeds a table as a session does; false if it does not fit.
fn feed(table: &mut Table, closed: &mut Vec<Connection>, record: &Record) -> bool {
    let who = |actor| Who { actor, program: ProgramId(0), group: ProgramId(0), process: None };
    let change = match record {
        Record::Event(event) => table.apply(event.at, who(event.actor).into(), &event.what),
        Record::Gone { connection, end } => table.gone(*connection, *end, 0).map(Some),
        Record::Held(held) => {
            let HeldSocket::End { connection, is_seed, end, peer, opener } = held.socket else {
                return false;
            };
            let mut opener_actor = held.holder;
            opener_actor.id.pid = opener.unwrap_or_default();
            let found = Found {
                at: held.at,
                connection,
                is_seed,
                listener: held.listener,
                end,
                inode: held.inode,
                peer,
                holder: who(held.holder).into(),
                opener: who(opener_actor).into(),
            };
            // No end opens again.
            let is_released = |known: &Connection| known.client.is_released() || known.server.is_released();
            if peer != Peer::Released && table.get(connection).is_some_and(is_released) {
                return false;
            }
            table.find(&found).map(|(change, _)| Some(change))
        }
        _ => return false,
    };
    if let Ok(Some(Change::Closed(connection))) = &change {
        closed.push((**connection).clone());
    }
    change.is_ok()
}

fn told(connection: &Connection) -> String {
    let text = |value: Option<String>| value.unwrap_or_default();
    let end = |end: &EndState| match end {
        EndState::Released { at, by, reason } => format!("{at}|{}|{}", by.actor.id.pid, reason.name()),
        EndState::ReleasedUnseen { .. } => "||unseen".to_owned(),
        EndState::Open | EndState::Unknown => "||".to_owned(),
    };
    let accepted = connection.accepted.as_ref();
    [
        connection.id.to_string(),
        connection.state().name().to_owned(),
        match connection.origin {
            Origin::Seen => "seen".to_owned(),
            Origin::BeforeTrace => "before trace".to_owned(),
            Origin::StartLost => "start lost".to_owned(),
        },
        connection.opened.to_string(),
        connection.opener.actor.id.pid.to_string(),
        text(Some(connection.client_inode).filter(|&inode| inode != 0).map(|inode| inode.to_string())),
        text(accepted.and_then(|accepted| accepted.at).map(|at| at.to_string())),
        text(accepted.and_then(|accepted| accepted.by.as_ref()).map(|by| by.actor.id.pid.to_string())),
        text(accepted.map(|accepted| accepted.inode.to_string())),
        end(&connection.client),
        end(&connection.server),
    ]
    .join("|")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// The view says what the lifecycle's own table says.
    #[test]
    fn the_view_agrees_with_the_table(steps in vec(steps(), 1..40)) {
        let scratch = Scratch::new();
        let path = scratch.file("trace.db");
        let (mut table, mut closed, mut records) = (Table::default(), Vec::<Connection>::new(), Vec::new());
        for (at, step) in (1..).zip(steps) {
            let is_over = closed.iter().any(|closed| closed.id == step.0);
            let record = record(at, step);
            if !is_over && feed(&mut table, &mut closed, &record) {
                records.push(record);
            }
        }
        recorded(&path, &records);
        let mut expected: Vec<_> = table.iter().chain(&closed).map(told).collect();
        expected.sort();
        let sql = "SELECT connection, state, origin, opened_ns, pid, client_inode, accepted_ns, acceptor_pid, server_inode, \
                   client_released_ns, client_released_by_pid, client_reason, \
                   server_released_ns, server_released_by_pid, server_reason FROM connection ORDER BY connection";
        prop_assert_eq!(query(&path, sql), expected, "{:?}", records);
    }
}
