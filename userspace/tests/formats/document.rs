//! `--output`, and several recordings in one document.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    printed,
    scene::{self, Scratch},
    sockleak,
};

/// A leak on one host, nothing on another.
fn two() -> (Scratch, String, String) {
    let scratch = Scratch::new();
    let (bad, good) = (scratch.file("bad.db"), scratch.file("go|od.db"));
    scene::incomplete().record(&bad, "db1");
    scene::quiet().record(&good, "<b>db2");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    (scratch, text(&bad), text(&good))
}

#[test]
fn texts_have_a_summary_in_front() {
    let (_scratch, bad, good) = two();
    let text = printed(&["report", "--each", &bad, &good]);
    let heading = text.lines().next().unwrap();
    assert!(heading.starts_with("HOST") && heading.contains("VERDICT"), "{text}");
    let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part:?} is not in:\n{text}"));
    assert!(place("client-leak, incomplete") < place(&format!("\ndb1: {bad}\n\ndb1, ")));
    assert!(place("db1: ") < place(&format!("\n<b>db2: {good}\n\n<b>db2, ")));
    // Each is what it is alone.
    assert!(text.contains(&printed(&["report", &bad])) && text.ends_with(&printed(&["report", &good])));
}

#[test]
fn json_says_whose_line_it_is() {
    let (_scratch, bad, good) = two();
    let text = printed(&["report", "--each", "--json", &bad, &good]);
    assert_eq!(text, printed(&["report", "--each", "--format", "json", &bad, &good]));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let whose: Vec<_> = lines.iter().map(|it| (it["host"].as_str(), it["file"].as_str())).collect();
    assert_eq!(whose, [(Some("db1"), Some(&*bad)), (Some("<b>db2"), Some(&*good))]);
}

#[test]
fn markdown_has_a_summary_in_front() {
    let (_scratch, bad, good) = two();
    let text = printed(&["report", "--each", "--format", "markdown", &bad, &good]);
    assert!(
        text.starts_with("# sockleak: summary\n\n| Host | File | Worst verdict | Who | Open |\n"),
        "{text}"
    );
    let row = text.lines().nth(5).unwrap();
    assert!(row.starts_with("| <code>&#60;b&#62;db2</code> | <code>/"), "{row}");
    assert!(row.contains("go&#124;od.db</code> | - | `-` | 0 |"), "{row}");
}

#[test]
fn csv_has_the_rows_of_both() {
    let (_scratch, bad, good) = two();
    let text = printed(&["report", "--each", "--format", "csv", &bad, &good]);
    assert_eq!(text.lines().filter(|line| line.starts_with("host,file,")).count(), 1);
    assert_eq!(text, printed(&["report", "--format", "csv", &bad]), "the other one has none");
}

#[test]
fn a_file_has_what_would_be_printed() {
    let (scratch, bad, _) = two();
    for format in ["text", "json", "csv", "markdown"] {
        let file = scratch.file("report");
        let path = file.to_str().unwrap();
        assert_eq!(printed(&["report", "--format", format, "-o", path, &bad]), "");
        let printed = printed(&["report", "--format", format, &bad]);
        assert_eq!(fs::read_to_string(&file).unwrap(), printed);
    }
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let (scratch, bad, _) = two();
    let file = scratch.file("none/report.md");
    let output = sockleak(&["report", "--output", file.to_str().unwrap(), &bad]);
    assert_eq!(output.status.code(), Some(5));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(file.to_str().unwrap()), "{said}");
    let output = sockleak(&["report", "--json", "--format", "text", &bad]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_verdict_found_is_written_before_it_is_told() {
    let (scratch, bad, good) = two();
    let file = scratch.file("report");
    let arguments = ["report", "--fail-on", "client-leak", "-o", file.to_str().unwrap(), &good, &bad];
    assert_eq!(sockleak(&arguments).status.code(), Some(7));
    assert!(fs::read_to_string(&file).unwrap().contains("CLIENT-LEAK"));
}
