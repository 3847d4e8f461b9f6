//! Reports of some programs or verdicts alone: `--verdict`, `--program`, `--pid`, `--user`, `--unit`, `--container`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    printed,
    scene::{self, Scratch},
    sockleak,
};

const RENEWER: &str = "/opt/certificates/bin/cert-renewer";
const DEPLOY: &str = "/usr/local/bin/deploy";

struct Recorded {
    scratch: Scratch,
}

impl Recorded {
    fn busy() -> Self {
        let scratch = Scratch::new();
        scene::busy().record(&scratch.file("t.db"), "db1");
        Self { scratch }
    }

    fn file(&self) -> String {
        self.scratch.file("t.db").to_str().unwrap().to_owned()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = printed(&[&["report", "--json", &self.file()], arguments].concat());
        serde_json::from_str(&text).unwrap()
    }

    fn text(&self, arguments: &[&str]) -> String {
        printed(&[&["report", &self.file()], arguments].concat())
    }
}

/// What a field of a list has as values.
fn values<'r>(report: &'r Value, list: &str, field: &str) -> BTreeSet<&'r str> {
    report[list].as_array().unwrap().iter().map(|row| row[field].as_str().unwrap()).collect()
}

fn count(report: &Value, list: &str) -> u64 {
    report[list].as_array().unwrap().len() as u64
}

#[test]
fn each_option_chooses_the_same_program() {
    let recorded = Recorded::busy();
    let whole = recorded.json(&[]);
    assert_eq!(whole["filtered"], Value::Null);
    let chosen = recorded.json(&["--program", "cert-renewer"]);
    assert_eq!(values(&chosen, "programs", "program"), BTreeSet::from([RENEWER]));
    assert_eq!(values(&chosen, "findings", "program"), BTreeSet::from([RENEWER]));
    // One of its connections is held by another program now.
    assert_eq!(values(&chosen, "open", "program"), BTreeSet::from([RENEWER]));
    for list in ["programs", "findings", "open"] {
        assert_eq!(chosen["filtered"][list], count(&whole, list) - count(&chosen, list), "{list}");
    }
    assert_eq!(chosen["filtered"]["by"], "--program cert-renewer");
    for option in [["--unit", "cert-renewer"], ["--container", "8f3c1d"], ["-p", "203"], ["--user", "root"]] {
        let chosen = recorded.json(&option);
        assert_eq!(values(&chosen, "findings", "program"), BTreeSet::from([RENEWER]), "{option:?}");
    }
    // One process of the program has them all but those of the container.
    let (of_unit, of_program) = (recorded.json(&["--unit", "cert-renewer"]), count(&chosen, "open"));
    assert!((1..of_program).contains(&count(&of_unit, "open")), "{of_program}");
    // Whoever holds an end is asked for, too.
    let deploy = recorded.json(&["--program", "deploy"]);
    assert!(values(&deploy, "open", "program").contains(RENEWER), "{deploy:#}");
    assert!(values(&deploy, "findings", "program").contains(DEPLOY), "{deploy:#}");
}

#[test]
fn verdicts_choose_findings_and_what_belongs_to_them() {
    let recorded = Recorded::busy();
    let chosen = recorded.json(&["--verdict", "CLIENT-LEAK,starved"]);
    assert_eq!(values(&chosen, "findings", "verdict"), BTreeSet::from(["client-leak", "starved"]));
    assert_eq!(chosen["filtered"]["by"], "--verdict client-leak,starved");
    assert_eq!(values(&chosen, "programs", "program"), values(&chosen, "findings", "program"));
    let both = recorded.json(&["--verdict", "client-leak,starved", "--program", "deploy"]);
    assert_eq!(values(&both, "findings", "verdict"), BTreeSet::from(["starved"]));
    let error = sockleak(&["report", &recorded.file(), "--verdict", "clientleak"]);
    assert_eq!(error.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&error.stderr).contains("did you mean"));
}

#[test]
fn every_form_says_what_is_left_out() {
    let recorded = Recorded::busy();
    let arguments = ["--program", "cert-*", "--verdict", "client-leak"];
    let text = recorded.text(&arguments);
    let third = text.lines().nth(2).unwrap();
    assert!(third.starts_with("FILTERED: only --program cert-* --verdict client-leak. Left out: "), "{text}");
    assert!(text.contains("CLIENT-LEAK: /opt") && !text.contains("deploy is starved"), "{text}");
    let markdown = recorded.text(&[&["--format", "markdown"], &arguments[..]].concat());
    assert!(markdown.contains("\nFILTERED: only ") && !markdown.contains("deploy` is starved"), "{markdown}");
    let html = recorded.text(&[&["--format", "html"], &arguments[..]].concat());
    assert!(html.contains("FILTERED: only --program cert-* --verdict client-leak."), "{html}");
    assert!(html.contains("Pictures show everything."), "{html}");
    let csv = recorded.text(&["--format", "csv", "--table", "findings", "--verdict", "client-leak"]);
    assert!(csv.lines().skip(1).all(|line| line.contains(",client-leak,")), "{csv}");
    assert!(csv.lines().count() > 1);
}

#[test]
fn nothing_that_matches_is_not_all_is_well() {
    let recorded = Recorded::busy();
    for form in ["text", "markdown", "html"] {
        let text = recorded.text(&["--format", form, "--program", "nobody"]);
        assert!(text.contains("No finding matches."), "{text}");
        assert!(
            !text.to_lowercase().contains("healthy:") && !text.contains("connected, or tried to"),
            "{text}"
        );
    }
}

#[test]
fn what_is_shown_is_what_fails() {
    let recorded = Recorded::busy();
    let status = |arguments: &[&str]| {
        let file = recorded.file();
        sockleak(&[&["report", file.as_str(), "--fail-on", "client-leak"], arguments].concat()).status.code()
    };
    assert_eq!(status(&[]), Some(7));
    assert_eq!(status(&["--program", "cert-renewer"]), Some(7));
    assert_eq!(status(&["--program", "metrics-exporter"]), Some(0));
    assert_eq!(status(&["--verdict", "starved"]), Some(0));
}
