//! Connections that are older than the capture, told wrongly.

use serde_json::{Value, json};

use crate::fixture::{differences_from, find, kind, older_truth};
use scenarios::perfect::capture_of;

/// Finds the line that is spoiled.
type Place = fn(&[Value]) -> usize;

/// Where a capture is spoiled, how, and a word of the difference that has to be found.
pub(crate) type Spoiled = (&'static str, Place, fn(&mut Vec<Value>, usize), &'static str);

pub(crate) fn found(lines: &[Value]) -> usize {
    kind(lines, "found")
}

pub(crate) fn connect(lines: &[Value]) -> usize {
    kind(lines, "connect")
}

pub(crate) fn release(lines: &[Value]) -> usize {
    kind(lines, "release")
}

fn accept(lines: &[Value]) -> usize {
    kind(lines, "accept")
}

fn watching(lines: &[Value]) -> usize {
    kind(lines, "watching")
}

fn in_state(lines: &[Value], state: &str) -> usize {
    find(lines, |line| line["type"] == "found" && line["state"] == state)
}

fn queued(lines: &[Value]) -> usize {
    in_state(lines, "queued")
}

fn abandoned(lines: &[Value]) -> usize {
    in_state(lines, "abandoned")
}

/// The one whose opener has passed its end on.
fn passed(lines: &[Value]) -> usize {
    find(lines, |line| line["type"] == "found" && line["client_inode"] == 2006)
}

pub(crate) fn lose(lines: &mut Vec<Value>, place: usize) {
    lines.remove(place);
}

pub(crate) fn repeat(lines: &mut Vec<Value>, place: usize) {
    lines.insert(place + 1, lines[place].clone());
}

/// Repeats a line with another field.
fn repeat_with(lines: &mut Vec<Value>, place: usize, field: &str, value: Value) {
    repeat(lines, place);
    lines[place + 1][field] = value;
}

/// Repeats a line before the report, about another connection.
fn repeat_for(lines: &mut Vec<Value>, place: usize, connection: u64) {
    let mut line = lines[place].clone();
    line["connection"] = json!(connection);
    lines.insert(lines.len() - 1, line);
}

fn turn_to_connect(lines: &mut [Value], place: usize) {
    lines[place]["type"] = json!("connect");
    lines[place]["queue"] = json!({"length": 0, "max": 1});
}

const LINES: &[Spoiled] = &[
    ("lost", found, lose, "not captured"),
    ("lost, without inodes", abandoned, lose, "not captured"),
    ("repeated", found, repeat, "begins again"),
    ("twice", found, |it, at| repeat_with(it, at, "connection", json!(999)), "captured 2 times"),
    (
        "twice, once by each end",
        found,
        |it, at| {
            repeat_with(it, at, "connection", json!(999));
            it[at + 1]["client_inode"] = json!(null);
        },
        "captured 2 times",
    ),
    ("as a connect", found, |it, at| turn_to_connect(it, at), "captured as a connect although it is older"),
    (
        "also as a connect",
        found,
        |it, at| {
            repeat(it, at);
            turn_to_connect(it, at);
        },
        "captured 2 times",
    ),
    (
        "found instead of seen",
        connect,
        |it, at| {
            (it[at]["type"], it[at]["state"]) = (json!("found"), json!("queued"));
        },
        "found although it was made during the capture",
    ),
    (
        "over",
        found,
        |it, at| repeat_with(it, at, "client_inode", json!(2007)),
        "although it was closed before",
    ),
    ("a stranger's", found, |it, at| repeat_with(it, at, "client_inode", json!(4242)), "invented"),
    ("a stranger's, without inodes", abandoned, |it, at| repeat_with(it, at, "pid", json!(9)), "invented"),
    ("after watching", watching, |it, at| it.swap(at - 1, at), "everything was looked at"),
    ("no watching", watching, lose, "nothing says"),
    ("watching twice", watching, repeat, "said twice"),
    ("miscounted", watching, |it, at| it[at]["found"] = json!(5), "says watching"),
    ("its release lost", release, lose, "client end: its release was not captured"),
    ("its accept lost", accept, lose, "its accept was not captured"),
    ("accepted again", accept, |it, at| repeat_for(it, at, 100), "invented accept"),
    ("released again", release, |it, at| repeat_for(it, at, 104), "it is open, captured a release by 20"),
];

#[test]
fn wrong_lines_are_found() {
    for (name, place, spoil, word) in LINES {
        let mut lines = capture_of(&older_truth());
        let place = place(&lines);
        spoil(&mut lines, place);
        let found = differences_from(&older_truth(), &lines);
        assert!(found.iter().any(|it| it.contains(word)), "{name}: nothing about '{word}' in {found:#?}");
    }
}

#[test]
fn wrong_fields_are_found() {
    let alone = "only its pid can be known";
    let half_closed: Place = |lines| in_state(lines, "client-closed");
    let table: &[(Place, &str, Value, &str)] = &[
        (found, "path", json!("/d/x"), "path"),
        (found, "listener", json!(12), "several numbers"),
        (found, "open", json!(2), "open: "),
        (found, "server_inode", json!(null), "server inode"),
        (found, "pid", json!(30), "opener, pid"),
        (found, "program", json!(null), "opener, program"),
        (found, "start_ns", json!(null), "opener, start"),
        (found, "argv", json!(["x"]), "opener, argv"),
        (found, "network_ns", json!(9), "opener, net namespace"),
        (queued, "state", json!("open"), "state: Queued, captured Open"),
        (queued, "state", json!("new"), "not as documented"),
        (queued, "server_inode", json!(7), "server inode"),
        (half_closed, "client_inode", json!(0), "invented"),
        (passed, "pid", json!(30), "opener, pid"),
        (passed, "start_ns", json!(0), alone),
        (passed, "tid", json!(20), alone),
        (passed, "comm", json!(""), alone),
        (passed, "program", json!("/bin/ill"), alone),
    ];
    for (place, field, value, word) in table {
        let mut lines = capture_of(&older_truth());
        let place = place(&lines);
        assert_ne!(lines[place][field], *value, "{field} is not changed");
        lines[place][field] = value.clone();
        let found = differences_from(&older_truth(), &lines);
        assert!(found.iter().any(|it| it.contains(word)), "{field}: nothing about '{word}' in {found:#?}");
    }
}

#[test]
fn wrong_figures_are_found() {
    for (pointer, value, word) in [
        ("/programs/0/program", json!("[unknown]"), "listed twice"),
        ("/programs/0/opened", json!(1), "opened"),
        ("/programs/0/before_trace", json!(0), "before_trace"),
        ("/programs/0/closed", json!(1), "closed"),
        ("/open/0/before_trace", json!(false), "before the trace"),
        ("/open/0/server", json!(null), "server"),
        ("/open/0/server/pid", json!(20), "server"),
        ("/open/4/client_end/reason", json!("close"), "client end"),
        ("/open/4/client_inode", json!(2005), "client inode"),
        ("/open/4/client_end/state", json!("unknown"), "client end"),
        ("/open/5/program", json!("/bin/good"), "program"),
        ("/open/5/start_ns", json!(0), "start"),
        ("/open/5/client_end/held_by/0/pid", json!(20), "client end, held by"),
    ] {
        let mut lines = capture_of(&older_truth());
        let report = lines.last_mut().unwrap();
        let place = report.pointer_mut(pointer).unwrap_or_else(|| panic!("the report has no {pointer}"));
        assert_ne!(*place, value, "{pointer} is not changed");
        *place = value;
        let found = differences_from(&older_truth(), &lines);
        assert!(found.iter().any(|it| it.contains(word)), "{pointer}: nothing about '{word}' in {found:#?}");
    }
}
