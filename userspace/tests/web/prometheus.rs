//! What is shipped for Prometheus and Grafana asks for series that there are.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    client::{Answer, ask, get},
    scene,
    server::Server,
};

const RULES: &str = include_str!("../../../docs/prometheus/sockleak.rules.yml");
const RULES_TEST: &str = include_str!("../../../docs/prometheus/sockleak.rules.test.yml");
const DASHBOARD: &str = include_str!("../../../docs/prometheus/grafana-dashboard.json");
const FLEET_RULES: &str = include_str!("../../../docs/prometheus/sockleak-fleet.rules.yml");
const FLEET_RULES_TEST: &str = include_str!("../../../docs/prometheus/sockleak-fleet.rules.test.yml");
const FLEET_DASHBOARD: &str = include_str!("../../../docs/prometheus/grafana-fleet-dashboard.json");
const FLEET_PAGE: &str = include_str!("../../../docs/fleet.md");
const PAGE: &str = include_str!("../../../docs/service.md");

/// Words that begin like a metric's name.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("sockleak_")).collect()
}

/// Names and labels of the samples in a scrape.
fn series(scrape: &Answer) -> BTreeSet<String> {
    let text = scrape.text();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

/// Names of the samples that are exported.
async fn exported(path: &str) -> BTreeSet<String> {
    let server = Server::of(&scene::incomplete());
    let series = series(&get(server.address, path).await);
    series.iter().map(|series| series.split('{').next().unwrap().to_owned()).collect()
}

/// A client gets the form that it accepts; which that is makes no series another.
#[tokio::test]
async fn a_scrape_is_in_the_form_that_is_accepted() {
    const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;\
                              q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let server = Server::of(&scene::incomplete());
    let expected = series(&get(server.address, "/metrics").await);
    for (accept, content_type) in [
        (&[][..], TEXT),
        (&[("Accept", "*/*")], TEXT),
        (&[("Accept", "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")], TEXT),
        (&[("Accept", PROMETHEUS)], OPENMETRICS),
        (&[("Accept", "text/plain;q=0.1"), ("Accept", "application/openmetrics-text")], OPENMETRICS),
        (
            &[("Accept", "application/openmetrics-text; version=0.0.1,text/plain;q=0.5")],
            "application/openmetrics-text; version=0.0.1; charset=utf-8",
        ),
    ] {
        let answer = ask(server.address, "GET", "/metrics", accept).await;
        assert_eq!(answer.status, 200, "{accept:?}");
        assert_eq!(answer.headers["content-type"], content_type, "{accept:?}");
        assert_eq!(answer.headers["vary"], "accept", "{accept:?}");
        assert_eq!(answer.text().ends_with("\n# EOF\n"), content_type != TEXT, "{accept:?}");
        assert_eq!(answer.text().contains("\n# UNIT "), content_type != TEXT, "{accept:?}");
        assert_eq!(series(&answer), expected, "{accept:?}");
        let head = ask(server.address, "HEAD", "/metrics", accept).await;
        assert_eq!(head.headers["content-type"], content_type, "{accept:?}");
    }
    // The root has something for browsers and for others; nothing else depends on what is accepted.
    assert_eq!(get(server.address, "/").await.headers["vary"], "accept");
    assert!(!get(server.address, "/healthz").await.headers.contains_key("vary"));
}

#[tokio::test]
async fn every_series_that_is_asked_for_exists() {
    let exported = exported("/metrics").await;
    for (file, text) in [("rules", RULES), ("tests", RULES_TEST), ("dashboard", DASHBOARD)] {
        let unknown: Vec<_> = names(text).into_iter().filter(|name| !exported.contains(*name)).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
}

const FLEET: &str = "/metrics?detail=fleet";

#[tokio::test]
async fn every_series_of_a_fleet_exists() {
    let exported = exported(FLEET).await;
    for (file, text) in [
        ("rules", FLEET_RULES),
        ("tests", FLEET_RULES_TEST),
        ("dashboard", FLEET_DASHBOARD),
        ("page", FLEET_PAGE),
    ] {
        let unknown: Vec<_> = names(text).into_iter().filter(|name| !exported.contains(*name)).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
    let server = Server::of(&scene::incomplete());
    assert_eq!(get(server.address, "/metrics?detail=most").await.status, 400);
}

#[test]
fn the_dashboard_of_a_fleet_leads_to_hosts() {
    let dashboard: Value = serde_json::from_str(FLEET_DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    assert!(panels.iter().all(|it| it["title"].is_string() && it["targets"][0]["expr"].is_string()));
    for link in
        ["/d/sockleak-fleet?var-program=", "/d/sockleak?var-instance=", "http://${__data.fields.instance}/"]
    {
        assert!(FLEET_DASHBOARD.contains(link), "{link}");
    }
    // Whatever is recorded and shown exists, and every alert is tested, by promtool.
    let recorded = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"_:".contains(c));
        words
            .filter(|word| word.starts_with("sockleak:fleet_"))
            .map(|it| it.trim_end_matches(':').to_owned())
            .collect()
    };
    let records = FLEET_RULES.lines().filter_map(|line| line.trim().strip_prefix("- record: "));
    let records: BTreeSet<String> = records.map(str::to_owned).collect();
    for text in [FLEET_DASHBOARD, FLEET_PAGE, FLEET_RULES] {
        assert_eq!(recorded(text).difference(&records).collect::<Vec<_>>(), Vec::<&String>::new());
    }
    for alert in FLEET_RULES.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        let is_tested = FLEET_RULES_TEST.contains(&format!("alertname: {alert}\n"));
        assert!(is_tested, "{alert} has no test");
    }
}

#[tokio::test]
async fn every_series_is_documented() {
    let documented = names(PAGE);
    // A histogram's three are one.
    let bare = |name: &str| {
        ["_bucket", "_sum", "_count"].iter().fold(name.to_owned(), |it, end| it.replace(end, ""))
    };
    let all: BTreeSet<String> = exported("/metrics").await.union(&exported(FLEET).await).cloned().collect();
    let missing: BTreeSet<_> =
        all.iter().map(|name| bare(name)).filter(|name| !documented.contains(name.as_str())).collect();
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
    // Where the hosts are known, values lead to the page of the service there.
    for panel in panels {
        let links = &panel["fieldConfig"]["defaults"]["links"];
        assert_eq!(links[0]["url"], "http://${__field.labels.instance}/", "{panel}");
    }
    assert!(dashboard["annotations"]["list"][0]["expr"].as_str().unwrap().starts_with("ALERTS{"));
    // Every alert is tested, by promtool.
    let alerts = RULES.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    for alert in alerts {
        assert!(RULES_TEST.contains(&format!("alertname: {alert}\n")), "{alert} has no test");
    }
}
