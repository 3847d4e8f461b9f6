//! The comparer finds nothing in a perfect capture, and each way of spoiling one.

mod fields;
mod fixture;
mod found;
mod lines;
mod report;
mod uncertain;

use fixture::{differences, differences_from, older_truth, truth};
use scenarios::{compare::compare, perfect::capture_of};
use serde_json::json;
use workload::truth::Truth;

#[test]
fn a_perfect_capture_has_no_differences() {
    assert_eq!(differences(&capture_of(&truth())), Vec::<String>::new());
    assert_eq!(differences_from(&older_truth(), &capture_of(&older_truth())), Vec::<String>::new());
}

#[test]
fn truth_survives_its_file() {
    let mut bytes = Vec::new();
    truth().write(&mut bytes).unwrap();
    assert_eq!(Truth::read(bytes.as_slice()).unwrap(), truth());
}

#[test]
fn lines_of_unknown_type_are_ignored() {
    let mut lines = capture_of(&truth());
    lines.insert(1, json!({"type": "something-new", "x": 1}));
    assert_eq!(differences(&lines), Vec::<String>::new());
}

#[test]
fn a_long_command_line_may_be_cut_but_not_too_early() {
    let mut long = truth();
    long.processes[1].argv.push("x".repeat(600));
    let text = |keep: usize| {
        let mut lines = capture_of(&long);
        for line in lines.iter_mut().filter(|line| line["program"] == "/bin/good") {
            let argv = long.processes[1].argv.join("\0");
            line["argv"] = argv[..keep].split('\0').collect();
        }
        lines.iter().map(|line| format!("{line}\n")).collect::<String>()
    };
    assert_eq!(compare(&long, &text(256)), Vec::<String>::new());
    assert_eq!(compare(&long, &text(400)), Vec::<String>::new());
    assert!(compare(&long, &text(200)).iter().any(|it| it.contains("argv")));
}
