//! `--format csv`.

use std::collections::HashMap;

use crate::{
    printed,
    scene::{self, Scratch},
    sockleak,
};

/// The rows of a table, by heading.
fn rows(text: &str) -> Vec<HashMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().collect::<Result<_, _>>().unwrap()
}

fn table(arguments: &[&str]) -> String {
    let scratch = Scratch::new();
    let trace = scratch.file("=t.db");
    scene::busy().record(&trace, "@db1");
    printed(&[&["report", "--format", "csv", trace.to_str().unwrap()], arguments].concat())
}

#[test]
fn each_table_has_its_rows() {
    let figures = rows(&table(&["--by", "unit"]));
    let renewer = figures.iter().find(|row| row["program"] == "cert-renewer.service").unwrap();
    assert_eq!((&*renewer["opened"], &*renewer["closed"], &*renewer["by"]), ("6", "0", "unit"));
    assert!(figures.iter().all(|row| row["host"] == "'@db1" && row["file"].ends_with("=t.db")));

    let findings = rows(&table(&["--table", "findings"]));
    assert_eq!(findings[0]["verdict"], "client-leak");
    let starved = findings.iter().find(|row| row["verdict"] == "starved").unwrap();
    assert_eq!((&*starved["failed"], &*starved["goes_on"]), ("EAGAIN 40", "true"));
    assert!(starved["holders"].contains("/opt/certificates/bin/cert-renewer 8"), "{starved:?}");
    let leak = findings[0]["growth_per_hour"].parse::<f64>().unwrap();
    assert!(leak > 0.0 && findings[0]["advice"].contains("Close each one"), "{leak}");

    let open = rows(&table(&["--table", "open"]));
    assert_eq!(open.len(), 15);
    let old: Vec<_> = rows(&table(&["--table", "open", "--older-than", "25m"]));
    assert_eq!(old.len(), 13);
    let inherited = open.iter().find(|row| row["client_held_by"] == "/usr/local/bin/deploy 300").unwrap();
    assert_eq!(inherited["command_line"], "/opt/certificates/bin/cert-renewer --watch /etc/ssl/private");
    let gone = open.iter().find(|row| row["client_reason"] == "close").unwrap();
    assert_eq!((&*gone["client_end"], &*gone["client_released_by_pid"]), ("released", "300"));
    assert_eq!(gone["server_end"], "open");
}

/// Only where the connections of a finding were opened is a list, and stays with the JSON report.
#[test]
fn a_finding_has_the_columns_of_the_json_report() {
    let scratch = Scratch::new();
    let trace = scratch.file("t.db");
    scene::busy().record(&trace, "db1");
    let json = printed(&["report", "--json", trace.to_str().unwrap()]);
    let report: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let starved = findings.iter().find(|it| it["verdict"] == "starved").unwrap();
    let names = |it: &serde_json::Value| it.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut expected = names(starved);
    expected.retain(|name| !["hardship", "opened_at"].contains(&name.as_str()));
    expected.extend(names(&starved["hardship"]));
    expected.extend(["host", "file", "by"].map(str::to_owned));
    let mut columns: Vec<_> = rows(&table(&["--table", "findings"]))[0].keys().cloned().collect();
    expected.sort();
    columns.sort();
    assert_eq!(columns, expected);
}

#[test]
fn no_name_becomes_a_formula_or_a_row() {
    for table_name in ["programs", "findings", "open"] {
        let text = table(&["--table", table_name]);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        let rows = rows(&text);
        assert_eq!(text.lines().count(), rows.len() + 1, "a row is a line: {text}");
        for cell in rows.iter().flat_map(HashMap::values) {
            // A number may be below zero.
            let is_number = cell.parse::<f64>().is_ok();
            assert!(is_number || !cell.starts_with(['=', '+', '-', '@', '\t']), "{cell:?}");
        }
        let hostile = rows.iter().find(|row| row["program"].starts_with("'=cmd()|")).unwrap();
        assert!(hostile["program"].contains("\\u{a}# x\\u{1b}[31m"), "{hostile:?}");
    }
    let units = rows(&table(&["--by", "unit"]));
    assert!(units.iter().any(|row| row["program"] == "'=1+1|`.service"), "{units:?}");
}

#[test]
fn a_table_is_of_csv() {
    let output = sockleak(&["report", "--table", "open", "x.db"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--table") && said.contains("--format csv"), "{said}");
}
