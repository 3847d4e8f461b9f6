//! Recordings of several hosts as one answer, and stores as they are copied from many hosts.

use std::{fs, path::Path};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::{
    printed,
    scene::{self, Scene, Scratch},
    sockleak,
    store::store,
};

const APP: &str = "/opt/app/bin/app";
const SOCKET: &str = "/run/haproxy/ma.sock";

/// An hour in which a program passes connections, evenly, and keeps some.
fn app(kept: u64) -> Scene {
    let mut scene = scene::quiet();
    scene.seconds = 3_600;
    scene.listener(1, SOCKET);
    scene.process(107, &["/usr/sbin/haproxy"], (99, Some("haproxy")), None);
    scene.process(500, &[APP, "--serve"], (0, Some("root")), None);
    for nth in 0..200 {
        scene.pass(nth * 17_000, 500, 1, 40);
    }
    for nth in 0..kept {
        scene.open((nth + 1) * 3_600_000 / (kept + 1) + 7, 500, 1);
    }
    scene
}

/// Hosts whose truth is known: what each keeps.
fn hosts(scratch: &Scratch, kept: &[(&str, u64)]) -> Vec<String> {
    let record = |(host, kept): &(&str, u64)| {
        let file = scratch.file(&format!("{host}.db"));
        app(*kept).record(&file, host);
        file.display().to_string()
    };
    kept.iter().map(record).collect()
}

const KEPT: [(&str, u64); 4] = [("web1", 0), ("web2", 14), ("web3", 20), ("web4", 0)];

fn merged(arguments: &[&str]) -> Value {
    let text = printed(&[&["report", "--json"], arguments].concat());
    assert_eq!(text.lines().count(), 1, "{text}");
    let merged = serde_json::from_str(&text).unwrap();
    assert_valid(&merged);
    merged
}

fn validator() -> Validator {
    let schema: Value = serde_json::from_str(include_str!("../../../docs/fleet.schema.json")).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

#[track_caller]
fn assert_valid(merged: &Value) {
    let errors: Vec<_> =
        validator().iter_errors(merged).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{merged:#}");
}

fn names(files: &[String]) -> Vec<&str> {
    files.iter().map(String::as_str).collect()
}

#[test]
fn a_leak_is_told_once_with_its_hosts() {
    let scratch = Scratch::new();
    let files = hosts(&scratch, &KEPT);
    let answer = merged(&names(&files));
    assert_eq!(
        (&answer["hosts"], &answer["recordings"], &answer["complete"]),
        (&4.into(), &4.into(), &true.into())
    );
    let leak = &answer["findings"][0];
    assert_eq!(
        (&leak["verdict"], &leak["program"], &leak["path"]),
        (&"client-leak".into(), &APP.into(), &SOCKET.into())
    );
    assert_eq!(
        (&leak["hosts"]["count"], &leak["of_hosts"], &leak["count"]),
        (&2.into(), &4.into(), &34.into())
    );
    let named = json!([{"host": "web3", "count": 20}, {"host": "web2", "count": 14}]);
    assert_eq!(leak["hosts"]["named"], named);
    assert_eq!(answer["findings"].as_array().unwrap().len(), 1, "{answer}");
    // The order of files does not matter.
    let mut reversed = files.clone();
    reversed.reverse();
    assert_eq!(merged(&names(&reversed)), answer);
}

#[test]
fn each_form_tells_it() {
    let scratch = Scratch::new();
    let files = hosts(&scratch, &KEPT);
    let print = |format: &str| printed(&[&["report", "--format", format], &*names(&files)].concat());
    let text = print("text");
    assert!(
        text.starts_with("4 hosts, 4 recordings, each judged alone (leak age 1 min 0 s).\n\nVERDICT"),
        "{text}"
    );
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let said = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = format!(
        "CLIENT-LEAK: {APP} opens connections to {SOCKET} and does not close them, on 2 of 4 hosts: 34 connections kept"
    );
    assert!(said.contains(&expected) && said.contains("web3 (20) and web2 (14)."), "{text}");
    assert!(print("markdown").contains("| client-leak |"), "{}", print("markdown"));
    let page = print("html");
    assert!(page.contains("<code>/opt/app/bin/app</code>") && !page.contains("<script"), "{page}");
    let csv = print("csv");
    assert!(csv.lines().nth(1).unwrap().starts_with("client-leak,/run/haproxy/ma.sock,program,"), "{csv}");
    assert!(csv.lines().nth(1).unwrap().ends_with(",web3 web2"), "{csv}");
}

#[test]
fn names_from_outside_are_harmless() {
    let scratch = Scratch::new();
    let (evil, other) = (scratch.file("evil.db"), scratch.file("other.db"));
    scene::incomplete().record(&evil, "<b>\u{1b}[31m=db|1");
    app(0).record(&other, "db2");
    let files = [evil.to_str().unwrap(), other.to_str().unwrap()];
    for format in ["text", "markdown", "html", "csv", "json"] {
        let text = printed(&[&["report", "--format", format][..], &files].concat());
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{format}: {text}");
        assert!(format != "html" || !text.contains("<script>") && !text.contains("<b>"), "{text}");
    }
    let answer = merged(&files);
    assert_eq!((&answer["complete"], &answer["incomplete"]["count"]), (&false.into(), &1.into()));
    assert_eq!(answer["losses"][0]["count"], 3);
}

#[test]
fn one_broken_file_is_named_and_hides_nothing() {
    let scratch = Scratch::new();
    let mut files = hosts(&scratch, &KEPT);
    let broken = scratch.file("broken.db");
    fs::write(&broken, &fs::read(&files[1]).unwrap()[..30_000]).unwrap();
    files.push(broken.display().to_string());
    files.push(scratch.file("missing.db").display().to_string());
    let run = |more: &[&str]| sockleak(&[&["report"], more, &*names(&files)].concat());
    let output = run(&["--json"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert_eq!(said, "sockleak: 2 recordings or stores could not be read; the report names them\n");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_valid(&answer);
    assert_eq!((&answer["hosts"], &answer["complete"]), (&4.into(), &false.into()));
    assert_eq!(answer["findings"][0]["count"], 34);
    assert!(answer["unreadable"][0]["because"].as_str().unwrap().contains("broken.db"), "{answer}");
    // What was asked for comes first.
    for (fail_on, status) in [("client-leak", 7), ("incomplete", 7), ("server-leak", 6)] {
        assert_eq!(run(&["--fail-on", fail_on]).status.code(), Some(status), "{fail_on}");
    }
    let text = String::from_utf8(run(&[]).stdout).unwrap();
    assert!(text.contains("NOT READ: ") && text.contains("missing.db does not"), "{text}");
    let csv = run(&["--format", "csv"]);
    assert!(String::from_utf8_lossy(&csv.stderr).contains("missing.db does not exist"));
}

#[test]
fn nothing_that_can_be_read_is_an_error() {
    let scratch = Scratch::new();
    let missing = scratch.file("missing.db");
    let output = sockleak(&["report", "--merge", missing.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(6), 0), "{said}");
    assert!(said.contains("missing.db does not exist"), "{said}");
}

#[test]
fn a_host_counts_once() {
    let scratch = Scratch::new();
    let mut files = hosts(&scratch, &KEPT);
    let again = scratch.file("again.db");
    app(14).record(&again, "web2");
    files.push(again.display().to_string());
    let answer = merged(&names(&files));
    assert_eq!((&answer["hosts"], &answer["recordings"]), (&4.into(), &5.into()));
    assert_eq!(
        (&answer["findings"][0]["hosts"]["count"], &answer["findings"][0]["count"]),
        (&2.into(), &34.into())
    );
    // Of one host alone, each recording has its report unless that is asked for.
    let of_one = [files[1].as_str(), files[4].as_str()];
    assert_eq!(printed(&[&["report", "--json"][..], &of_one].concat()).lines().count(), 2);
    assert_eq!(merged(&[&["--merge"][..], &of_one].concat())["hosts"], 1);
    assert_eq!(merged(&["--merge", &files[1]])["recordings"], 1);
}

#[test]
fn lists_of_hosts_are_bounded() {
    let scratch = Scratch::new();
    let many: Vec<(String, u64)> = (0..14).map(|nth| (format!("web{nth:02}"), 14)).collect();
    let many: Vec<_> = many.iter().map(|(host, kept)| (host.as_str(), *kept)).collect();
    let files = hosts(&scratch, &many);
    let named = |more: &[&str]| {
        let answer = merged(&[more, &*names(&files)].concat());
        let hosts = &answer["findings"][0]["hosts"];
        (hosts["count"].as_u64().unwrap(), hosts["named"].as_array().unwrap().len())
    };
    assert_eq!((named(&[]), named(&["--all"])), ((14, 10), (14, 14)));
    let text = printed(&[&["report"], &*names(&files)].concat());
    let said = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("web00 (14), web01 (14), web02 (14) and 11 more."), "{text}");
}

#[test]
fn copies_of_stores_and_recordings_are_found_below_a_directory() {
    let scratch = Scratch::new();
    let files = hosts(&scratch, &KEPT);
    let copies = scratch.file("copies");
    // Two stores in folders of their own, a recording in one, and a store's history beside its segments.
    for (host, file) in [("web2", &files[1]), ("web4", &files[3])] {
        store(&copies.join(host), Path::new(file), "boot", 300);
    }
    fs::write(copies.join("web2/history.db"), "no recording").unwrap();
    fs::create_dir(copies.join("captures")).unwrap();
    fs::copy(&files[2], copies.join("captures/web3.db")).unwrap();
    let copies = copies.to_str().unwrap();
    let answer = merged(&["--store", copies]);
    assert_eq!(
        (&answer["hosts"], &answer["complete"], &answer["unreadable"]),
        (&3.into(), &true.into(), &json!([]))
    );
    assert_eq!(
        (&answer["findings"][0]["hosts"]["count"], &answer["findings"][0]["count"]),
        (&2.into(), &34.into())
    );
    // One by one they come to the same.
    let parts = ["web2", "web4", "captures"].map(|part| format!("{copies}/{part}"));
    let parts: Vec<_> = parts.iter().map(String::as_str).collect();
    assert_eq!(merged(&[&["--store"], &*parts].concat()), answer);
    let each = printed(&["report", "--each", "--json", "--store", copies]);
    assert_eq!(each.lines().count(), 3, "{each}");
}

#[test]
fn a_part_of_each_recording_can_be_chosen() {
    let scratch = Scratch::new();
    let files = hosts(&scratch, &KEPT);
    let short = scratch.file("short.db");
    scene::quiet().record(&short, "web9");
    let answer = merged(&[&["--until", "50m", short.to_str().unwrap()], &*names(&files)].concat());
    assert_eq!((&answer["outside"], &answer["hosts"]), (&1.into(), &4.into()));
}

#[test]
fn a_field_that_is_not_described_is_found() {
    let scratch = Scratch::new();
    let (files, evil) = (hosts(&scratch, &KEPT), scratch.file("evil.db"));
    scene::incomplete().record(&evil, "db1");
    let answer = merged(&[&[evil.to_str().unwrap()], &*names(&files)].concat());
    for place in
        ["", "/findings/0", "/findings/0/hosts", "/findings/0/hosts/named/0", "/incomplete", "/losses/0"]
    {
        let mut more = answer.clone();
        more.pointer_mut(place)
            .and_then(Value::as_object_mut)
            .unwrap()
            .insert("another".to_owned(), json!(1));
        assert!(!validator().is_valid(&more), "{place}");
    }
}

#[test]
fn a_table_of_each_recording_is_no_part_of_it() {
    let scratch = Scratch::new();
    let files = hosts(&scratch, &KEPT);
    let table = ["report", "--format", "csv", "--table", "open"];
    let output = sockleak(&[&table[..], &*names(&files)].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("add --each"));
    let each = printed(&[&table[..], &["--each"], &*names(&files)].concat());
    assert_eq!(each.lines().count(), 35, "{each}");
}
