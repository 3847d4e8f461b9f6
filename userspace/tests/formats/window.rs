//! `--since` and `--until`: of an hour that began at 2026-01-02T03:20:45Z.

use std::path::Path;

use serde_json::Value;

use crate::{
    printed,
    scene::{self, Scratch},
    sockleak,
};

fn recorded(scratch: &Scratch) -> String {
    let trace = scratch.file("t.db");
    scene::busy().record(&trace, "db1");
    Path::to_str(&trace).unwrap().to_owned()
}

fn reported(arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(&[&["report", "--json"], arguments].concat())).unwrap()
}

fn sum(report: &Value, field: &str) -> u64 {
    report["programs"].as_array().unwrap().iter().filter_map(|row| row[field].as_u64()).sum()
}

#[test]
fn figures_are_those_of_the_part() {
    let scratch = Scratch::new();
    let trace = recorded(&scratch);
    let whole = reported(&[&trace]);
    let part = reported(&[&trace, "--since", "10m"]);
    assert!((part["seconds"].as_f64().unwrap() - 600.0).abs() < 1e-6);
    assert_eq!(part["window"]["until"], part["time"]);
    assert_eq!(whole["window"], Value::Null);
    assert!(sum(&part, "opened") > 0 && sum(&part, "opened") < sum(&whole, "opened"));
    // What was open in it was opened in it or before, and is closed or still open.
    assert_eq!(part["open"], whole["open"]);
    // The two halves have all of it between them.
    let half = part["window"]["since"].as_str().unwrap();
    let before = reported(&[&trace, "--until", half]);
    let opened = sum(&part, "opened") + sum(&before, "opened");
    assert!((sum(&whole, "opened")..=sum(&whole, "opened") + 1).contains(&opened), "{opened}");
    let text = printed(&["report", &trace, "--since", "10m", "--until", "5m"]);
    assert!(text.lines().next().unwrap().contains(" (part of the recording), sockleak"), "{text}");
    assert!(text.starts_with("db1, 2026-01-02 "), "{text}");
    assert!(text.lines().nth(1).unwrap().starts_with("5 min 0 s on "), "{text}");
    assert!(text.contains("Figures count this part of the recording."), "{text}");
}

#[test]
fn all_of_it_is_the_same_report() {
    let scratch = Scratch::new();
    let trace = recorded(&scratch);
    let mut part = reported(&[&trace, "--since", "5h"]);
    part.as_object_mut().unwrap().remove("window");
    assert_eq!(part, reported(&[&trace]));
}

#[test]
fn rows_are_those_of_the_part() {
    let scratch = Scratch::new();
    let trace = recorded(&scratch);
    let rows = |what: &str, more: &[&str]| -> Vec<Value> {
        let arguments = [&["export", &trace, "--format", "jsonl", "--what", what], more].concat();
        printed(&arguments).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let part = reported(&[&trace, "--since", "20m", "--until", "10m"]);
    let limits = ["since", "until"].map(|it| part["window"][it].as_str().unwrap());
    for what in ["events", "attempts"] {
        let all = rows(what, &[]);
        let inside =
            |row: &&Value| row["time"].as_str().is_some_and(|time| time >= limits[0] && time <= limits[1]);
        let expected: Vec<Value> = all.iter().filter(inside).cloned().collect();
        let found: Vec<Value> = rows(what, &["--since", limits[0], "--until", limits[1]])
            .into_iter()
            .filter(|it| !it["time"].is_null())
            .collect();
        assert!(!found.is_empty() && found.len() < all.len(), "{what}: {} of {}", found.len(), all.len());
        assert_eq!(found, expected, "{what}");
    }
    let connections = rows("connections", &["--since", "20m", "--until", "10m"]);
    let counted = sum(&part, "opened") + sum(&part, "before_trace");
    assert_eq!(connections.len() as u64, counted, "rows add up to the report's figures");
    assert!(connections.len() < rows("connections", &[]).len());
    assert!(connections.iter().all(|row| row["opened"].as_str().unwrap() <= limits[1]));
}

#[test]
fn nothing_outside_is_reported() {
    let scratch = Scratch::new();
    let trace = recorded(&scratch);
    for (arguments, words) in [
        (&["--since", "2030-01-01T00:00:00Z"][..], "nothing of it is within"),
        (&["--until", "2h"], "nothing of it is within"),
        (&["--since", "5m", "--until", "10m"], "--since is after --until"),
        (&["--since", "yesterday"], "a duration back from the recording's end"),
    ] {
        for command in ["report", "export"] {
            let output = sockleak(&[&[command, trace.as_str()], arguments].concat());
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
            assert!(said.contains(words) && output.stdout.is_empty(), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn a_recording_of_another_time_is_left_out_of_several() {
    let scratch = Scratch::new();
    let trace = recorded(&scratch);
    let short = scratch.file("short.db");
    scene::quiet().record(&short, "db2");
    let output = sockleak(&["report", "--each", &trace, short.to_str().unwrap(), "--until", "50m"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("short.db goes from") && said.lines().count() == 1, "{said}");
}
