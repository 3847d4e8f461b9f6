//! `sockleak export`, driven as users drive it: the rows of a recording with hostile names, in each format, read back.

mod scene;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use parquet::{
    file::reader::{FileReader as _, SerializedFileReader},
    record::{Field, RowAccessor as _},
};
use serde_json::{Map, Value, json};
use sockleak_recording::export::{Kind, What as Rows, fields};

use scene::{
    CONTROL, FORMULA, SECOND, SOCKET, connect, event, listener, process, recorded, records, scratch,
};

fn sockleak(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockleak"));
    command.args(arguments).stdin(Stdio::null()).output().expect("it runs")
}

fn done(arguments: &[&str]) -> Vec<u8> {
    let output = sockleak(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
    output.stdout
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn fails(arguments: &[&str], status: i32, words: &str) {
    let output = sockleak(arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.starts_with("sockleak: ") && said.contains(words) && said.lines().count() == 1, "{said}");
}

type Row = Map<String, Value>;

fn json_lines(trace: &str, what: &str) -> Vec<Row> {
    let out = String::from_utf8(done(&["export", trace, "--format", "jsonl", "--what", what]));
    let out = out.expect("it is UTF-8");
    assert!(!out.contains(['\u{1b}', '\u{202e}', '\r']), "{out:?}");
    out.lines().map(|line| serde_json::from_str(line).expect("a line is an object")).collect()
}

/// The same rows, from CSV: by the kinds of the fields, and without the apostrophes.
fn csv_rows(trace: &str, what: &str, rows: Rows) -> Vec<Row> {
    let out = done(&["export", trace, "--what", what]);
    let mut reader = csv::Reader::from_reader(out.as_slice());
    let fields = fields(rows);
    let names: Vec<_> = fields.iter().map(|field| field.name).collect();
    assert_eq!(reader.headers().expect("there is a line of names"), names);
    let cell = |kind, cell: &str| {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "a formula: {cell:?}");
        let plain = cell.strip_prefix('\'').unwrap_or(cell);
        match kind {
            _ if cell.is_empty() => Value::Null,
            Kind::Text | Kind::Time => plain.into(),
            _ => serde_json::from_str(plain).expect("it is JSON"),
        }
    };
    let row = |record: csv::StringRecord| {
        fields.iter().zip(&record).map(|(field, it)| (field.name.to_owned(), cell(field.kind, it))).collect()
    };
    reader.records().map(|record| row(record.expect("it is CSV"))).collect()
}

/// The same rows, from Parquet.
fn parquet_rows(path: &Path, rows: Rows) -> Vec<Row> {
    let file = fs::File::open(path).expect("it was written");
    let reader = SerializedFileReader::new(file).expect("it is Parquet");
    let fields = fields(rows);
    let cell = |kind, cell: &Field| match (kind, cell) {
        (_, Field::Null) => Value::Null,
        (Kind::Text, Field::Str(text)) => text.as_str().into(),
        (Kind::Number, Field::ULong(number)) => (*number).into(),
        (Kind::Signed, Field::Long(number)) => (*number).into(),
        (Kind::Flag, Field::Bool(flag)) => (*flag).into(),
        (Kind::Time, Field::Long(time)) => {
            let time = jiff::Timestamp::from_nanosecond((*time).into()).expect("it is a time");
            format!("{time:.9}").into()
        }
        (Kind::Texts, Field::ListInternal(list)) => {
            list.elements().iter().map(|element| element.to_string().trim_matches('"').to_owned()).collect()
        }
        (kind, cell) => panic!("{kind:?} is {cell:?}"),
    };
    let row = |row: parquet::record::Row| {
        let cells = row.get_column_iter().zip(&fields);
        cells
            .map(|((name, it), field)| {
                assert_eq!(name, field.name);
                (field.name.to_owned(), cell(field.kind, it))
            })
            .collect()
    };
    let rows = reader.get_row_iter(None).expect("it has rows");
    rows.map(|it| row(it.expect("it can be read"))).collect()
}

#[test]
fn all_formats_say_the_same() {
    let folder = scratch();
    let trace = recorded(&folder, &records());
    let file = folder.path().join("rows.parquet");
    let file_name = file.to_str().expect("it is text");
    for (what, rows, count) in
        [("connections", Rows::Connections, 6), ("events", Rows::Events, 14), ("attempts", Rows::Attempts, 2)]
    {
        let expected = json_lines(&trace, what);
        assert_eq!(expected.len(), count, "{what}");
        assert_eq!(csv_rows(&trace, what, rows), expected);
        assert_eq!(done(&["export", &trace, "--what", what, "--format", "parquet", "-o", file_name]), b"");
        assert_eq!(parquet_rows(&file, rows), expected);
    }
}

/// The row of a connection.
fn life(rows: &[Row], connection: u64) -> &Row {
    rows.iter().find(|row| row["connection"] == connection).expect("each connection has a row")
}

/// The cells with these names.
fn cells(row: &Row, names: &[&str]) -> Value {
    names.iter().map(|&name| row.get(name).cloned().expect("there is such a column")).collect()
}

#[test]
fn a_row_tells_the_whole_life() {
    let folder = scratch();
    let rows = json_lines(&recorded(&folder, &records()), "connections");
    let of = |connection| life(&rows, connection);
    let order: Vec<_> = rows.iter().map(|row| row["connection"].as_u64().expect("it is a number")).collect();
    assert_eq!(order, [1, 4, 5, 2, 9, 3]);
    let start = ["path", "origin", "opened", "opened_ns", "client_inode", "pid", "program", "comm", "argv"];
    assert_eq!(
        cells(of(1), &start),
        json!([
            SOCKET,
            "seen",
            "2026-01-02T03:04:07.000000000Z",
            2 * SECOND,
            u64::MAX,
            40,
            FORMULA,
            "a\u{fffd}b",
            ["=1", "", "a \"b\",\nc", "käse"]
        ])
    );
    let who = ["uid", "user", "unit", "container", "cgroup", "pid_in_namespace", "network_ns", "pid_ns"];
    let expected = json!([1000, "+user", "web.service", null, "/system.slice/web.service", 3, 11, null]);
    assert_eq!(cells(of(1), &who), expected);
    let rest = [
        "accepted_ns",
        "acceptor_program",
        "client_released_ns",
        "client_reason",
        "client_status",
        "client_released_by",
        "server_released_ns",
        "server_reason",
        "server_released_by_pid",
        "lifetime_ns",
        "age_ns",
    ];
    assert_eq!(
        cells(of(1), &rest),
        json!([
            3 * SECOND,
            CONTROL,
            4 * SECOND,
            "killed",
            9,
            FORMULA,
            5 * SECOND,
            "close",
            41,
            3 * SECOND,
            null
        ])
    );
}

#[test]
fn what_is_not_known_is_left_open() {
    let folder = scratch();
    let rows = json_lines(&recorded(&folder, &records()), "connections");
    let of = |connection| life(&rows, connection);
    let state =
        ["state", "client_end", "server_end", "client_reason", "client_released", "lifetime_ns", "age_ns"];
    for (connection, expected) in [
        (2, json!(["queued", "open", "open", null, null, null, 17 * SECOND])),
        (
            3,
            json!([
                "abandoned",
                "released",
                "open",
                "exit",
                "2026-01-02T03:04:14.000000000Z",
                null,
                12 * SECOND
            ]),
        ),
        (4, json!(["closed", "released", "released", "unseen", null, null, null])),
        (5, json!(["open", "open", "unknown", null, null, null, 19 * SECOND])),
        (9, json!(["client-closed", "released", "open", "unseen", null, null, 13 * SECOND])),
    ] {
        assert_eq!(cells(of(connection), &state), expected, "{connection}");
    }
    let opener = ["origin", "pid", "pid_start_ns", "program", "comm", "argv", "user"];
    assert_eq!(cells(of(9), &opener), json!(["before trace", 99, null, "[unknown]", null, null, null]));
    assert_eq!(cells(of(3), &opener), json!(["seen", 70, 7, "[a\u{fffd}b]", "a\u{fffd}b", null, null]));
}

#[test]
fn attempts_are_told() {
    let folder = scratch();
    let rows = json_lines(&recorded(&folder, &records()), "attempts");
    let names =
        ["time_ns", "path", "error", "errno", "address", "listener", "queue_length", "program", "argv"];
    let first = json!([10 * SECOND, SOCKET, "EAGAIN", 11, SOCKET, 3, 129, FORMULA, rows[0]["argv"]]);
    assert_eq!(cells(&rows[0], &names), first);
    let second =
        json!([11 * SECOND, "/run/x\ty.sock", "EAGAIN", 11, "../x\ty.sock", null, null, "[-name]", null]);
    assert_eq!(cells(&rows[1], &names), second);
}

/// What each program did on each socket: opened, closed, ends open, connects failed.
type Sums = BTreeMap<(String, String), [u64; 5]>;

#[test]
fn the_rows_add_up_to_the_report() {
    let folder = scratch();
    let trace = recorded(&folder, &records());
    let report: Value = serde_json::from_slice(&done(&["report", "--json", &trace])).expect("it is JSON");
    let word = |row: &Value, name: &str| row[name].as_str().expect("it is text").to_owned();
    let mut expected = Sums::new();
    for row in report["programs"].as_array().expect("there are programs") {
        let figures = ["opened", "closed", "open_client", "open_server"];
        let [opened, closed, client, server] = figures.map(|name| row[name].as_u64().expect("a number"));
        let failed = row["failed"]["EAGAIN"].as_u64().unwrap_or(0);
        let key = (word(row, "path"), word(row, "program"));
        expected.insert(key, [opened, closed, client, server, failed]);
    }
    let mut sums = Sums::new();
    for row in json_lines(&trace, "connections") {
        let row = Value::Object(row);
        let sum = sums.entry((word(&row, "path"), word(&row, "program"))).or_default();
        sum[0] += u64::from(row["origin"] == "seen");
        sum[1] += u64::from(row["state"] == "closed");
        sum[2] += u64::from(row["client_end"] == "open");
        sum[3] += u64::from(row["server_end"] == "open");
    }
    for row in json_lines(&trace, "attempts") {
        let row = Value::Object(row);
        sums.entry((word(&row, "path"), word(&row, "program"))).or_default()[4] += 1;
    }
    assert_eq!(sums, expected);
}

#[test]
fn many_rows_come_in_groups() {
    const COUNT: u64 = 70_000;
    let folder = scratch();
    let mut records = vec![listener(), process(40, Some("/bin/a"), &["a", "b"])];
    records.extend((0..COUNT).map(|connection| event(1, 40, connect(connection))));
    let trace = recorded(&folder, &records);
    let file = folder.path().join("rows.parquet");
    done(&["export", &trace, "--format", "parquet", "-o", file.to_str().expect("it is text")]);
    let reader =
        SerializedFileReader::new(fs::File::open(&file).expect("it is there")).expect("it is Parquet");
    assert!(reader.num_row_groups() > 1);
    let rows = reader.get_row_iter(None).expect("it has rows");
    let numbers = rows.map(|row| row.and_then(|row| row.get_ulong(0)).expect("a row has its number"));
    assert!(numbers.eq(0..COUNT));
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let folder = scratch();
    let mut records = vec![listener(), process(40, Some("/bin/a"), &["a"])];
    records.extend((0..20_000).map(|connection| event(1, 40, connect(connection))));
    let trace = recorded(&folder, &records);
    for format in ["csv", "jsonl", "parquet"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sockleak"));
        command.args(["export", &trace, "--format", format, "--what", "events"]);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be started");
        let mut out = BufReader::new(child.stdout.take().expect("it is a pipe"));
        assert!(!out.fill_buf().expect("it can be read").is_empty());
        drop(out);
        let output = child.wait_with_output().expect("it ends");
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{format}");
    }
}

#[test]
fn a_file_is_replaced_when_all_is_written() {
    let folder = scratch();
    let trace = recorded(&folder, &records());
    let file = folder.path().join("rows.csv");
    let file_name = file.to_str().expect("it is text");
    fs::write(&file, "old").expect("it can be written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("it is mine");
    done(&["export", &trace, "-o", file_name]);
    assert_eq!(fs::read(&file).expect("it is there"), done(&["export", &trace]));
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o640);
    let before = fs::read(&file).expect("it is there");
    let database = rusqlite::Connection::open(&trace).expect("it is a database");
    database.execute("UPDATE event SET connection = 'x' WHERE kind = 2", []).expect("it can be written");
    drop(database);
    fails(&["export", &trace, "-o", file_name], 6, "is damaged (a record has no valid connection)");
    assert_eq!(fs::read(&file).expect("it is there"), before);
    assert_eq!(fs::read_dir(folder.path()).expect("it can be listed").count(), 2);
}

#[test]
fn what_cannot_be_done_is_said() {
    let folder = scratch();
    let trace = recorded(&folder, &records());
    let missing = folder.path().join("none/rows.csv");
    let missing = missing.to_str().expect("it is text");
    fails(&["export", &trace, "-o", missing], 5, "none/rows.csv cannot be written");
    fails(&["export", &trace, "-o", "/dev/full"], 5, "/dev/full cannot be written");
    fails(&["export", &trace, "-o", &trace], 2, "is the recording itself");
    fails(&["export", "/dev/null"], 6, "is not a sockleak recording");
    fails(&["export", missing], 6, "does not exist");
    let database = rusqlite::Connection::open(&trace).expect("it is a database");
    database.execute_batch("PRAGMA user_version = 99").expect("it can be written");
    drop(database);
    fails(&["export", &trace], 6, "has schema version 99");
}
