//! Names of containers, in every form.

use serde_json::{Value, json};
use sockleak_core::attribution::by::By;

use super::{
    printed,
    scene::{CONTAINER, Scratch},
};

const NAME: &str = "docker prod/web-0/renewer";
const IMAGE: &str = "registry.example/renewer:1.4";

#[test]
fn each_form_of_a_report_names_them() {
    let scratch = Scratch::new();
    let recording = scratch.file("t.db");
    scenes::contained::contained().record(&recording, "db1");
    let recording = recording.to_str().unwrap();
    for format in ["text", "markdown", "html", "csv", "json"] {
        let table: &[&str] = if format == "csv" { &["--table", "findings"] } else { &[] };
        let text = printed(&[&["report", "--format", format], table, &[recording]].concat());
        // Lines are broken.
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in if format == "json" { ["shop", IMAGE] } else { [NAME, IMAGE] } {
            assert!(text.contains(part), "{format} has no {part}: {text}");
        }
    }
}

#[test]
fn json_has_each_name_in_its_field() {
    let scratch = Scratch::new();
    let recording = scratch.file("t.db");
    scenes::contained::contained().record(&recording, "db1");
    let line: Value =
        serde_json::from_str(&printed(&["report", "--json", recording.to_str().unwrap()])).unwrap();
    let expected = json!({
        "runtime": "docker", "id": CONTAINER, "pod": null, "name": "shop-renewer-1", "image": IMAGE,
        "project": "shop", "service": "renewer", "namespace": "prod", "pod_name": "web-0", "pod_container": "renewer",
        "user": null, "outer": null,
    });
    let open = line["open"].as_array().unwrap();
    let within: Vec<_> = open.iter().map(|it| &it["container"]).filter(|it| !it.is_null()).collect();
    assert_eq!(within, [&expected, &expected]);
    let leak = line["findings"].as_array().unwrap().iter().find(|it| it["verdict"] == "client-leak").unwrap();
    let mut counted = expected;
    counted["count"] = json!(2);
    assert_eq!(leak["containers"], json!([counted]));
}

#[test]
fn groups_have_the_names() {
    let scene = scenes::contained::contained();
    for (by, expected) in [(By::Container, NAME), (By::Pod, "prod/web-0"), (By::Image, IMAGE)] {
        let seen = scene.seen(by);
        let report = seen.report();
        let groups: Vec<_> = report.programs.iter().map(|it| it.program.as_str()).collect();
        assert!(groups.contains(&expected), "{by:?}: {groups:?}");
    }
}

#[test]
fn an_export_has_a_column_for_each() {
    let scratch = Scratch::new();
    let recording = scratch.file("t.db");
    scenes::contained::contained().record(&recording, "db1");
    let lines =
        printed(&["export", "--format", "jsonl", "--what", "connections", recording.to_str().unwrap()]);
    let rows = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let within: Vec<Value> = rows.filter(|row| !row["container"].is_null()).collect();
    assert_eq!(within.len(), 2);
    for (column, expected) in [
        ("container", CONTAINER),
        ("container_runtime", "docker"),
        ("container_name", "shop-renewer-1"),
        ("image", IMAGE),
        ("compose_project", "shop"),
        ("compose_service", "renewer"),
        ("pod_namespace", "prod"),
        ("pod_name", "web-0"),
        ("pod_container", "renewer"),
    ] {
        assert_eq!(within[0][column], expected, "{column}");
    }
}
