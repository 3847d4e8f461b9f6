//! The tables and views of a recording, and the columns of each table in the order in which they are written and read.

use rusqlite::Connection;
use sockleak_core::text::errno_name;

/// Tells a recording from other SQLite databases: "slkT".
pub(super) const APPLICATION_ID: i64 = 0x736c_6b54;
/// What this version writes.
pub(super) const VERSION: i64 = 4;

/// Columns of each table in a version of the schema, in the order in which the reader takes them: what an older one lacks,
/// it has as an expression.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) session: &'static str,
    pub(super) process: &'static str,
    pub(super) listener: &'static str,
    pub(super) event: &'static str,
    /// Further columns of `event`, which few kinds have: read for those alone.
    pub(super) rare: &'static str,
    pub(super) held: &'static str,
}

/// Of the present version.
pub(super) const COLUMNS: Columns = Columns {
    session: "version, host, boot_id, kernel, boot_time, targets, leak_age, limits, hooks, started, \
              now, ended, losses, skipped_runs, gaps, source, follows, ring_position",
    process: "seq, pid, start, exec_id, program, argv, argv_truncated, comm, uid, gid, parent, cgroup, cgroup_path, \
              user, pid_in_namespace, mount_namespace, network_namespace, pid_namespace, container",
    listener: "seq, listener, path, path_truncated, bind_name, is_abstract, device, inode, directory_inode, \
               mount_namespace, network_namespace, pid, backlog, is_seqpacket",
    event: "seq, kind, at, pid, start, exec_id, tid, uid, gid, comm, connection, listener, side, inode, queue_length, \
            queue_max, untracked, reason, status",
    rare: "errno, address, place, stack",
    held: "seq, at, pid, start, exec_id, tid, uid, gid, comm, connection, listener, side, fd, inode, is_seed, peer, \
           peer_inode, opener, queue_length, queue_max, sent_bytes, sends, last_sent, unread, shut",
};

/// Of version 3, which knew no names of containers.
const THIRD: Columns = Columns {
    process: "seq, pid, start, exec_id, program, argv, argv_truncated, comm, uid, gid, parent, cgroup, cgroup_path, \
              user, pid_in_namespace, mount_namespace, network_namespace, pid_namespace, NULL",
    ..COLUMNS
};

/// Of version 2, which knew nothing of use.
const SECOND: Columns = Columns {
    held: "seq, at, pid, start, exec_id, tid, uid, gid, comm, connection, listener, side, fd, inode, is_seed, peer, \
           peer_inode, opener, queue_length, queue_max, NULL, NULL, NULL, NULL, NULL",
    ..THIRD
};

/// Of version 1, which knew no segments.
const FIRST: Columns = Columns {
    session: "version, host, boot_id, kernel, boot_time, targets, leak_age, limits, hooks, started, \
              now, ended, losses, skipped_runs, gaps, NULL, NULL, NULL",
    ..SECOND
};

/// The columns of a version; None if it cannot be read.
pub(super) fn columns(version: i64) -> Option<&'static Columns> {
    match version {
        1 => Some(&FIRST),
        2 => Some(&SECOND),
        3 => Some(&THIRD),
        VERSION => Some(&COLUMNS),
        _ => None,
    }
}

/// Rows of a table in their order.
pub(super) fn select(table: &str, columns: &str) -> String {
    format!("SELECT {columns} FROM {table} ORDER BY seq")
}

/// Inserts a row.
pub(super) fn insert(table: &str, columns: &str) -> String {
    let places: Vec<_> = columns.split(',').map(|_| "?").collect();
    format!("INSERT INTO {table} ({columns}) VALUES ({})", places.join(", "))
}

/// Makes everything, with the marks that tell a recording. Belongs into one transaction with the session's row, without which it is
/// none.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    let tables = include_str!("schema.sql");
    connection.execute_batch(&format!(
        "{tables}\n{};\nPRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {VERSION};",
        views()
    ))
}

/// Plain enough for the sqlite3 of a distribution of 2018 (3.26): one that cannot parse a view refuses the whole file.
fn views() -> String {
    format!(
        include_str!("views.sql"),
        opened = time("opened"),
        accepted = time("accepted"),
        client_released = time("cr.at"),
        server_released = time("sr.at"),
        client_reason = reason("cr.reason"),
        server_reason = reason("sr.reason"),
        opener = process("opener_pid", "opener_start", "opener_exec_id", "opener_seq"),
        acceptor = process("acceptor_pid", "acceptor_start", "acceptor_exec_id", "acceptor_seq"),
        client_releaser = process("cr.pid", "cr.start", "cr.exec_id", "cr.seq"),
        server_releaser = process("sr.pid", "sr.start", "sr.exec_id", "sr.seq"),
        attempted = time("e.at"),
        attempter = process("e.pid", "e.start", "e.exec_id", "e.seq"),
        errno = errno("e.errno"),
    )
}

/// A moment in RFC 3339, in UTC, to the nanosecond.
fn time(at: &str) -> String {
    format!(
        "strftime('%Y-%m-%dT%H:%M:%S', (s.boot_time + {at}) / 1000000000, 'unixepoch') \
         || printf('.%09dZ', (s.boot_time + {at}) % 1000000000)"
    )
}

fn reason(code: &str) -> String {
    format!(
        "CASE {code} WHEN 1 THEN 'close' WHEN 2 THEN 'exit' WHEN 3 THEN 'killed' WHEN 4 THEN 'exec' \
         WHEN 5 THEN 'listener-closed' WHEN 6 THEN 'collected' WHEN 7 THEN 'unseen' END"
    )
}

/// The description that was the newest when a row was written.
fn process(pid: &str, start: &str, exec_id: &str, before: &str) -> String {
    format!(
        "(\n    SELECT max(seq) FROM process x\n    \
         WHERE x.pid = {pid} AND x.start = {start} AND x.exec_id = {exec_id} AND x.seq < {before}\n)"
    )
}

fn errno(number: &str) -> String {
    /// What connect(2) gives for unix sockets.
    const NUMBERS: [i32; 21] =
        [1, 2, 4, 11, 12, 13, 20, 22, 24, 36, 40, 91, 94, 95, 103, 104, 106, 110, 111, 116, 512];
    let names = NUMBERS.map(|number| format!("WHEN {number} THEN '{}'", errno_name(number))).join(" ");
    format!("CASE {number} {names} ELSE 'errno ' || {number} END")
}
