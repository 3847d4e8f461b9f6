//! Lines that are missing, invented or repeated.

use serde_json::{Value, json};

use crate::fixture::{differences, find, killed, kind, truth};
use scenarios::perfect::capture_of;

/// A way to spoil a capture, and a word of the difference that has to be found.
type Spoiled = (&'static str, fn(&mut Vec<Value>), &'static str);

fn assert_found(table: &[Spoiled]) {
    for (name, spoil, word) in table {
        let mut lines = capture_of(&truth());
        spoil(&mut lines);
        let found = differences(&lines);
        assert!(found.iter().any(|it| it.contains(word)), "{name}: nothing about '{word}' in {found:#?}");
    }
}

/// Removes the line at `index`.
fn lose(lines: &mut Vec<Value>, index: usize) {
    lines.remove(index);
}

/// Repeats the line at `index`.
fn repeat(lines: &mut Vec<Value>, index: usize) {
    lines.insert(index + 1, lines[index].clone());
}

const LOST: &[Spoiled] = &[
    ("session", |it| lose(it, 0), "first line"),
    ("listener", |it| lose(it, kind(it, "listener")), "announced 0 times"),
    ("connect", |it| lose(it, kind(it, "connect")), "not captured"),
    ("accept", |it| lose(it, kind(it, "accept")), "accept was not captured"),
    ("client release", |it| lose(it, killed(it)), "client end: its release was not captured"),
    (
        "server release",
        |it| lose(it, find(it, |line| line["end"] == "server")),
        "server end: its release was not captured",
    ),
    ("attempt", |it| lose(it, kind(it, "attempt")), "EAGAIN by 30 on /d/t.sock, times: 2, captured 1"),
    ("report", |it| lose(it, it.len() - 1), "last line"),
];

#[test]
fn lost_lines_are_found() {
    assert_found(LOST);
}

const INVENTED: &[Spoiled] = &[
    ("connect", |it| repeat(it, kind(it, "connect")), "captured 2 times"),
    (
        "a stranger's connect",
        |it| {
            let index = kind(it, "connect");
            repeat(it, index);
            it[index + 1]["client_inode"] = json!(4242);
            it[index + 1]["connection"] = json!(4242);
        },
        "invented: connection of inode Some(4242)",
    ),
    ("accept", |it| repeat(it, kind(it, "accept")), "accepted 2 times"),
    (
        "accept of a queued one",
        |it| {
            let index = kind(it, "accept");
            repeat(it, index);
            let mut moved = it.remove(index + 1);
            moved["connection"] = json!(102);
            let end = it.len() - 1;
            it.insert(end, moved);
        },
        "invented accept by 10",
    ),
    ("release", |it| repeat(it, killed(it)), "released 2 times"),
    (
        "release of an open end",
        |it| {
            let index = killed(it);
            let mut release = it[index].clone();
            release["end"] = json!("server");
            it.insert(index + 1, release);
        },
        "it is open, captured a release by 30",
    ),
    (
        "release of nothing",
        |it| {
            let index = killed(it);
            let mut release = it[index].clone();
            release["connection"] = json!(999);
            it.insert(index + 1, release);
        },
        "999",
    ),
    ("attempt", |it| repeat(it, kind(it, "attempt")), "times: 2, captured 3"),
    (
        "a stranger's attempt",
        |it| {
            let index = kind(it, "attempt");
            repeat(it, index);
            it[index]["pid"] = json!(31);
        },
        "invented: 1 times EAGAIN by 31",
    ),
    (
        "a listener that is no target",
        |it| {
            let index = kind(it, "listener");
            repeat(it, index);
            it[index + 1]["listener"] = json!(66);
            it[index + 1]["path"] = json!("/other/t.sock");
        },
        "no target",
    ),
    ("loss", |it| it.insert(1, json!({"type": "loss", "lost": []})), "events were lost"),
    ("report", |it| repeat(it, it.len() - 1), "2 reports"),
    ("no JSON", |it| it.insert(1, json!("connect")), "not as documented"),
    ("an event without its fields", |it| it.insert(1, json!({"type": "accept"})), "not as documented"),
];

#[test]
fn invented_and_repeated_lines_are_found() {
    assert_found(INVENTED);
}
