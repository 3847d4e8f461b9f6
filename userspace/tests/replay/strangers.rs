//! Recordings that somebody else made. Whatever is in them, the command ends with status 6 and a sentence, and does no more work
//! than a recording of that size takes.

use std::{fs, path::Path, process::Output};

use nix::{sys::stat::Mode, unistd::mkfifo};
use rusqlite::Connection;

use crate::{
    command::sockleak,
    scene::{self, Scratch},
};

const FOREIGN: &str = "is not as sockleak writes recordings";

/// A table under another name, and something else in its place.
fn instead(table: &str, select: &str) -> String {
    format!("ALTER TABLE {table} RENAME TO real_{table}; CREATE VIEW {table} AS {select};")
}

fn crafted(file: &Path, sql: &str) {
    let _ = fs::remove_file(file);
    scene::busy().record(file, "db1");
    // Views that others refer to are in the way of what follows.
    let database = Connection::open(file).unwrap();
    database
        .execute_batch("DROP VIEW connection; DROP VIEW attempt; PRAGMA legacy_alter_table = ON;")
        .unwrap();
    database.execute_batch(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
}

#[track_caller]
fn assert_refused(output: &Output, words: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{words}: {stderr}");
    assert!(stderr.contains(words) && !stderr.contains("panicked"), "{words:?} is not in: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn a_table_that_is_none_is_not_read() {
    let scratch = Scratch::new();
    let file = scratch.file("trace.db");
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS seq, 7 AS kind FROM n";
    let generated = "ALTER TABLE event ADD COLUMN more TEXT AS (hex(zeroblob(300000000))) VIRTUAL;";
    let sorted = "CREATE TABLE copy AS SELECT * FROM held; DROP TABLE held; ALTER TABLE copy RENAME TO held;";
    let own_key = "ALTER TABLE stack RENAME TO real_stack; CREATE TABLE stack (id INTEGER PRIMARY KEY DESC, frames TEXT);";
    let unstored = "DROP TABLE listener; CREATE VIRTUAL TABLE listener USING fts5(seq, path);";
    for (sql, words) in [
        (instead("event", endless), "(event is not a plain table)"),
        (instead("session", "SELECT * FROM real_session"), "(session is not a plain table)"),
        (generated.to_owned(), "(event has generated columns)"),
        (sorted.to_owned(), "(held has another key)"),
        (own_key.to_owned(), "(stack has another key)"),
        (
            "CREATE TRIGGER t AFTER INSERT ON event BEGIN SELECT 1; END;".to_owned(),
            "(it has a trigger, \"t\")",
        ),
    ] {
        crafted(&file, &sql);
        for command in [&["report"][..], &["export", "--format", "csv"], &["replay", "--speed", "max"]] {
            let output = sockleak(command).arg(&file).output().unwrap();
            assert_refused(&output, &format!("{FOREIGN} {words}; name a file that sockleak recorded"));
        }
    }
    // Where this SQLite has no such tables, the file cannot even be made.
    if Connection::open_in_memory().unwrap().execute_batch("CREATE VIRTUAL TABLE t USING fts5(a)").is_ok() {
        crafted(&file, unstored);
        assert_refused(
            &sockleak(&["report"]).arg(&file).output().unwrap(),
            "(listener is not a plain table)",
        );
    }
    crafted(&file, "ALTER TABLE held RENAME COLUMN fd TO descriptor;");
    assert_refused(&sockleak(&["report"]).arg(&file).output().unwrap(), "is damaged (no such column: fd)");
}

#[test]
fn values_that_no_recording_has_are_refused() {
    let scratch = Scratch::new();
    let file = scratch.file("trace.db");
    let largest = i64::MAX;
    for (sql, words) in [
        ("UPDATE process SET program = hex(zeroblob(150000000));".to_owned(), FOREIGN),
        (format!("UPDATE session SET now = {largest};"), "session has no valid now"),
        ("UPDATE session SET now = -1;".to_owned(), "session has no valid now"),
        ("UPDATE session SET now = started - 1;".to_owned(), "session has no valid now"),
        ("UPDATE session SET skipped_runs = -1;".to_owned(), "session has no valid skipped_runs"),
        (format!("UPDATE event SET at = {largest} WHERE kind = 1;"), "a record has no valid at"),
        ("UPDATE event SET at = -5 WHERE kind = 3;".to_owned(), "a record has no valid at"),
        // Later than all that was recorded.
        ("UPDATE event SET at = (SELECT now FROM session) + 3600000000001;".to_owned(), "no valid at"),
        (
            "INSERT INTO event (seq, kind, at, status) VALUES (0, 14, 1000, 2000);".to_owned(),
            "no valid status",
        ),
    ] {
        crafted(&file, &sql);
        assert_refused(&sockleak(&["report"]).arg(&file).output().unwrap(), words);
    }
}

/// Without the index, each name is looked for in the whole table: the square of the file.
#[test]
fn work_is_bounded_by_the_size_of_the_file() {
    let scratch = Scratch::new();
    let file = scratch.file("trace.db");
    crafted(
        &file,
        "DROP INDEX process_by_id;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 140000)
         INSERT INTO process SELECT 1000000 + i, 9000000 + i, 0, 0, NULL, '[]', 0, 'x', 0, 0, 0, 0, NULL, NULL, 0, 0, 0, 0, NULL FROM n;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000)
         INSERT INTO event (seq, kind, at, pid, start, exec_id, connection, listener, inode, queue_length, queue_max)
         SELECT 2000000 + i, 1, (SELECT now FROM session), 9000000 + i, 0, 0, 1000 + i, 1, i, 0, 1 FROM n;",
    );
    let output = sockleak(&["report"]).arg(&file).output().unwrap();
    assert_refused(&output, "reading it takes more steps than a recording of its size does");
}

/// What has a segment's name and is none neither hangs whoever reads the store nor hides the others.
#[test]
fn a_pipe_and_a_folder_in_a_store_are_passed_over() {
    let scratch = Scratch::new();
    let (pipe, folder) = (scratch.file("trace-2.db"), scratch.file("trace-3.db"));
    mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    fs::create_dir(&folder).unwrap();
    let store = pipe.parent().unwrap();
    let output = sockleak(&["report", "--store"]).arg(store).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{stderr}");
    for words in
        ["trace-2.db is not a sockleak recording", "trace-3.db is a directory", "none of these 2 files"]
    {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
    let beside = scratch.file("trace.db-wal");
    crafted(&scratch.file("trace.db"), "");
    mkfifo(&beside, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    assert_refused(
        &sockleak(&["report"]).arg(scratch.file("trace.db")).output().unwrap(),
        "trace.db-wal is no file",
    );
}
