//! Connections of which nobody knows whether they are older than the capture.

use serde_json::{Value, json};
use workload::truth::{Start, Truth};

use crate::fixture::{differences_from, find, kind, truth};
use crate::found::{Spoiled, connect, found, lose, release, repeat};
use scenarios::perfect::capture_of;

/// The plain truth, as if the capture had begun anywhere in it.
fn uncertain() -> Truth {
    let mut truth = truth();
    for connection in &mut truth.connections {
        connection.start = Start::Either;
    }
    truth
}

/// Connection 1002, which stays open, was found.
fn found_one() -> Vec<Value> {
    let mut lines = capture_of(&uncertain());
    let place = find(&lines, |line| line["client_inode"] == 1002);
    let mut found = lines.remove(place);
    lines.retain(|line| line["type"] != "accept" || line["connection"] != found["connection"]);
    found["type"] = json!("found");
    (found["state"], found["server_inode"]) = (json!("open"), json!(1502));
    let watching = kind(&lines, "watching");
    lines[watching]["found"] = json!(1);
    lines.insert(watching, found);
    let report = lines.last_mut().unwrap();
    report["open"][0]["before_trace"] = json!(true);
    (report["programs"][1]["opened"], report["programs"][1]["before_trace"]) = (json!(1), json!(1));
    lines
}

/// Connection 1001, which is closed in the end, was not seen at all.
fn missed_one() -> Vec<Value> {
    let mut lines = capture_of(&uncertain());
    lines.retain(|line| line["connection"] != 100);
    let row = &mut lines.last_mut().unwrap()["programs"][1];
    (row["opened"], row["closed"]) = (json!(1), json!(0));
    lines
}

/// Connection 1004, whose client was killed, was found open, and its client's end gone when it was looked at again.
fn overlooked_one() -> Vec<Value> {
    let mut lines = capture_of(&uncertain());
    lines
        .retain(|line| line["reason"] != "killed" && (line["type"] != "accept" || line["connection"] != 103));
    let place = find(&lines, |line| line["client_inode"] == 1004);
    let mut found = lines.remove(place);
    found["type"] = json!("found");
    (found["state"], found["server_inode"]) = (json!("open"), json!(1504));
    let watching = kind(&lines, "watching");
    lines[watching]["found"] = json!(1);
    lines.insert(watching, found);
    let report = lines.last_mut().unwrap();
    let open = &mut report["open"][2];
    (open["before_trace"], open["client_end"]) = (json!(true), json!({"state": "released"}));
    // The opener was not met.
    (open["start_ns"], open["argv"], open["program"]) = (json!(null), json!(null), json!("[unknown]"));
    (report["programs"][2]["opened"], report["programs"][2]["before_trace"]) = (json!(1), json!(1));
    lines
}

#[test]
fn they_may_be_seen_or_found_or_be_over() {
    for lines in [capture_of(&uncertain()), found_one(), missed_one(), overlooked_one()] {
        assert_eq!(differences_from(&uncertain(), &lines), Vec::<String>::new());
    }
}

fn last(lines: &[Value]) -> usize {
    lines.len() - 1
}

fn held(lines: &[Value]) -> usize {
    find(lines, |line| line["client_inode"] == 1002)
}

fn set(lines: &mut [Value], place: usize, pointer: &str, value: Value) {
    *lines[place].pointer_mut(pointer).unwrap() = value;
}

const SEEN: &[Spoiled] = &[
    ("open, and lost", held, lose, "not captured"),
    ("twice", connect, repeat, "captured 2 times"),
    ("without its release", release, lose, "its release was not captured"),
    ("counted as old", last, |it, at| set(it, at, "/programs/1/before_trace", json!(1)), "before_trace"),
    ("held by nobody", last, |it, at| set(it, at, "/open/0/client_end/held_by", json!([])), "held by"),
    ("not listed", last, |it, at| set(it, at, "/open", json!([])), "is missing"),
    ("incomplete", last, |it, at| set(it, at, "/complete", json!(false)), "incomplete"),
];

const FOUND: &[Spoiled] = &[
    ("twice", found, repeat, "captured 2 times"),
    ("lost", found, lose, "not captured"),
    ("listed as new", last, |it, at| set(it, at, "/open/0/before_trace", json!(false)), "before the trace"),
    ("counted as new", last, |it, at| set(it, at, "/programs/1/opened", json!(2)), "opened"),
    ("of another", found, |it, at| it[at]["program"] = json!("/bin/ill"), "opener, program"),
    ("without its inode", found, |it, at| it[at]["server_inode"] = json!(null), "server inode"),
    ("closed", found, |it, at| it[at]["state"] = json!("client-closed"), "and yet that end is open"),
];

#[test]
fn what_is_told_of_them_has_to_be_true() {
    for (capture, table) in [(capture_of(&uncertain()), SEEN), (found_one(), FOUND)] {
        for (name, place, spoil, word) in table {
            let mut lines = capture.clone();
            let place = place(&lines);
            spoil(&mut lines, place);
            let found = differences_from(&uncertain(), &lines);
            assert!(found.iter().any(|it| it.contains(word)), "{name}: nothing about '{word}' in {found:#?}");
        }
    }
}
