//! What is shipped for Prometheus and Grafana asks for series that there are.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{client::get, scene, server::Server};

const RULES: &str = include_str!("../../../docs/prometheus/sockleak.rules.yml");
const RULES_TEST: &str = include_str!("../../../docs/prometheus/sockleak.rules.test.yml");
const DASHBOARD: &str = include_str!("../../../docs/prometheus/grafana-dashboard.json");
const PAGE: &str = include_str!("../../../docs/service.md");

/// Words that begin like a metric's name.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("sockleak_")).collect()
}

/// Names of the samples that are exported.
async fn exported() -> BTreeSet<String> {
    let server = Server::of(&scene::incomplete());
    let text = get(server.address, "/metrics").await.text();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_series_that_is_asked_for_exists() {
    let exported = exported().await;
    for (file, text) in [("rules", RULES), ("tests", RULES_TEST), ("dashboard", DASHBOARD)] {
        let unknown: Vec<_> = names(text).into_iter().filter(|name| !exported.contains(*name)).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
}

#[tokio::test]
async fn every_series_is_documented() {
    let documented = names(PAGE);
    // A histogram's three are one.
    let bare = |name: &str| {
        ["_bucket", "_sum", "_count"].iter().fold(name.to_owned(), |it, end| it.replace(end, ""))
    };
    let missing: BTreeSet<_> = exported()
        .await
        .iter()
        .map(|name| bare(name))
        .filter(|name| !documented.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_dashboard_is_whole() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 5);
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert!(panel["title"].is_string() && panel["targets"][0]["expr"].is_string(), "{panel}");
    }
    // Every alert is tested, by promtool.
    let alerts = RULES.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    for alert in alerts {
        assert!(RULES_TEST.contains(&format!("alertname: {alert}\n")), "{alert} has no test");
    }
}
