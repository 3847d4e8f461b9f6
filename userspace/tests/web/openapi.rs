//! `docs/openapi.json` describes what the server does: every path, every parameter, every field, every refusal.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use sockleak::service::{
    link::answer::HealthStatus,
    web::{OPENAPI, ROUTES},
};
use sockleak_core::attribution::by::By;

use crate::{
    client::{Answer, ask, get, get_all},
    scene::{self, Scene},
    server::{Fake, Server, settings},
};

fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// Checks that a value is as a schema of the document says.
#[track_caller]
fn assert_valid(document: &Value, schema: &Value, value: &Value, of: &str) {
    let mut whole = schema.clone();
    whole["components"] = document["components"].clone();
    let validator = jsonschema::draft202012::new(&whole).unwrap();
    let errors: Vec<_> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{of}: {errors:#?}");
}

/// Checks an answer against what the document says of a path.
#[track_caller]
fn assert_described(document: &Value, path: &str, answer: &Answer) {
    let response = &document["paths"][path]["get"]["responses"][answer.status.to_string()];
    assert!(response.is_object(), "{path} is not described to answer {}", answer.status);
    let response = match response["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap(),
        None => response,
    };
    let content_type = answer.headers["content-type"].split(';').next().unwrap();
    let content = &response["content"][content_type];
    assert!(content.is_object(), "{path} is not described to answer {content_type}");
    let value = if content_type == "application/json" { answer.json() } else { answer.text().into() };
    assert_valid(document, &content["schema"], &value, path);
}

/// A path that can be asked for.
fn example(path: &str) -> String {
    let path = path.replace("{id}", "362");
    if path.ends_with("/series") { format!("{path}?socket=/run/haproxy/ma.sock") } else { path }
}

fn paths(document: &Value) -> &Map<String, Value> {
    document["paths"].as_object().unwrap()
}

fn scenes() -> [Scene; 3] {
    [scene::quiet(), scene::busy(), scene::incomplete()]
}

#[test]
fn every_route_is_described_and_no_other() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let described: BTreeSet<_> = paths(&document).keys().map(String::as_str).collect();
    assert_eq!(described, BTreeSet::from(ROUTES));
    jsonschema::draft202012::meta::validate(&document["components"]["schemas"]).unwrap();
    // Every reference leads somewhere.
    let text = OPENAPI.split("\"$ref\": \"#").skip(1).map(|rest| rest.split('"').next().unwrap());
    for reference in text {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
}

/// What the API and the report share is described alike.
#[test]
fn shared_schemas_are_those_of_the_report() {
    let report =
        include_str!("../../../docs/report.schema.json").replace("#/$defs/", "#/components/schemas/");
    let report: Value = serde_json::from_str(&report).unwrap();
    let document = document();
    for name in [
        "finding",
        "hardship",
        "slot_holder",
        "place",
        "stack",
        "connection",
        "party",
        "end",
        "holder",
        "loss",
        "frame",
    ] {
        assert_eq!(document["components"]["schemas"][name], report["$defs"][name], "{name}");
    }
}

#[tokio::test]
async fn every_path_answers_as_described() {
    let document = document();
    for scene in scenes() {
        let server = Server::of(&scene);
        for path in paths(&document).keys().filter(|path| !path.ends_with("/events")) {
            for answer in
                [get(server.address, &example(path)).await, get_all(server.address, &example(path)).await]
            {
                // Nothing is replayed here.
                let missing = path.ends_with("/{id}") && scene.seconds == 2 || path.ends_with("/replay");
                assert_eq!(answer.status, if missing { 404 } else { 200 }, "{path}");
                assert_described(&document, path, &answer);
                for (name, value) in [
                    ("x-content-type-options", "nosniff"),
                    ("cache-control", "no-store"),
                    ("x-frame-options", "DENY"),
                ] {
                    assert_eq!(answer.headers[name], value, "{path}");
                }
                assert!(
                    answer.headers["content-security-policy"].starts_with("default-src 'none'"),
                    "{path}"
                );
            }
            let head = ask(server.address, "HEAD", &example(path), &[]).await;
            let whole = get(server.address, &example(path)).await;
            assert_eq!((head.status, head.body.len()), (whole.status, 0), "{path}");
            assert_eq!(head.headers["content-type"], whole.headers["content-type"], "{path}");
        }
    }
}

/// The answers above have what can be in an answer: otherwise they would prove little.
#[tokio::test]
async fn the_answers_have_everything() {
    let server = Server::of(&scene::incomplete());
    let snapshot = get(server.address, "/api/v1/snapshot").await.json();
    let socket = &snapshot["sockets"][0];
    assert_eq!(socket["limit"], json!({"slots": 10, "source": "given"}));
    assert_eq!(socket["lifetimes"].as_array().unwrap().len(), 13);
    assert!(socket["programs"].as_array().unwrap().iter().any(|it| it["failed"]["EAGAIN"] == 40));
    assert_eq!(snapshot["losses"][0]["count"], 3);
    let starved = get(server.address, "/api/v1/findings?verdict=starved").await.json();
    assert!(starved["findings"][0]["hardship"]["holders"][0]["slots"].is_u64());
    assert_eq!(starved["findings"].as_array().unwrap().len(), 1);
    let page = get_all(server.address, "/api/v1/connections?socket=/run/haproxy/ma.sock&limit=3&offset=2")
        .await
        .json();
    assert_eq!(page["connections"].as_array().unwrap().len(), 3);
    assert_eq!((page["total"].as_u64(), page["offset"].as_u64()), (Some(10), Some(2)));
    assert_eq!(page["connections"][0]["argv"][1], "--watch");
    let ages = page["connections"].as_array().unwrap().iter().map(|it| it["age_ns"].as_u64().unwrap());
    assert!(ages.is_sorted_by(|a, b| a >= b));
    let id = &page["connections"][0]["connection"];
    let story = get(server.address, &format!("/api/v1/connections/{id}")).await.json();
    assert_eq!(story["frames"][1]["function"], "renew");
    assert!(story["accepted_ms"].is_i64() && story["opened_ms"].is_i64());
    let old = get(server.address, "/api/v1/connections?older_than=55m&state=open").await.json();
    assert_eq!(old["connections"].as_array().unwrap().len(), 4, "{old}");
}

/// Each parameter is taken, and no other; and what is refused is described.
#[tokio::test]
async fn parameters_and_refusals_are_as_described() {
    let document = document();
    let server = Server::of(&scene::busy());
    for (path, item) in paths(&document) {
        let parameters = item["get"]["parameters"].as_array().cloned().unwrap_or_default();
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            let schema = &parameter["schema"];
            // Of one that may be repeated, a value is described.
            let schema = schema.get("items").unwrap_or(schema);
            let value = match name {
                "pid" => "203",
                "format" | "table" => schema["enum"][2].as_str().unwrap(),
                "width" => "100",
                "older_than" => "10m",
                "all" => "true",
                "from" => "1",
                "to" => "99999999999999",
                "verdict" => schema["enum"][0].as_str().unwrap(),
                "detail" => schema["enum"][1].as_str().unwrap(),
                "sort" => schema["enum"][3].as_str().unwrap(),
                "state" => schema["enum"][2].as_str().unwrap(),
                "limit" | "offset" | "points" => "7",
                _ => "/run/haproxy/ma.sock",
            };
            let query = match name {
                "table" => "format=csv&",
                "from" | "to" | "points" => "socket=/s&",
                _ => "",
            };
            let answer = get(server.address, &format!("{path}?{query}{name}={value}")).await;
            assert_eq!(answer.status, 200, "{path} {name}: {}", answer.text());
        }
        let asked = example(path);
        let more = if asked.contains('?') { format!("{asked}&x=1") } else { format!("{asked}?x=1") };
        for (expected, answer) in [
            (400, get(server.address, &more).await),
            (401, ask(server.address, "GET", &asked, &[("Authorization", "Bearer wrong")]).await),
            (405, ask(server.address, "PUT", &asked, &[]).await),
            (413, ask(server.address, "GET", &asked, &[("Content-Length", "4097")]).await),
        ] {
            assert_eq!(answer.status, expected, "{path}");
            assert_described(&document, path, &answer);
            let methods = if path.ends_with("/replay") { "GET, HEAD, POST" } else { "GET, HEAD" };
            let allowed = answer.headers.get("allow").map(String::as_str);
            assert_eq!(allowed, (expected == 405).then_some(methods), "{path}");
        }
    }
}

/// What the document allows is not refused, at its bounds and together; what it does not, is.
#[tokio::test]
async fn bounds_are_as_described() {
    let document = document();
    let server = Server::of(&scene::busy());
    for query in [
        "/api/v1/report?table=open",
        "/api/v1/report?format=json&table=findings&width=1000",
        "/api/v1/report?older_than=999999999w%20999999999w",
        "/api/v1/connections?older_than=0s&offset=4294967295",
        "/api/v1/series?socket=/s&from=2&to=2",
        "/api/v1/series?socket=/s&from=253402300799999&to=0",
        "/api/v1/series?socket=/s&from=0&to=253402300799999&points=1",
    ] {
        let answer = get(server.address, query).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    }
    let beyond = get(server.address, "/api/v1/connections/18446744073709551615").await;
    assert_eq!(beyond.status, 404, "{}", beyond.text());
    let none = get(server.address, "/api/v1/series?socket=/none").await;
    assert_eq!((none.status, none.json()["error"].as_str().unwrap().contains("no history")), (503, true));
    let long = get(server.address, &format!("/api/v1/connections?socket=/{}", "x".repeat(5000))).await;
    assert_eq!(long.status, 414);
    assert_described(&document, "/api/v1/connections", &long);
}

#[tokio::test]
async fn a_service_that_starts_is_alive_and_not_ready() {
    let document = document();
    for (status, ready) in
        [(HealthStatus::Starting, 503), (HealthStatus::Ok, 200), (HealthStatus::Degraded, 200)]
    {
        let mut fake = Fake::new(&scene::quiet(), By::Program);
        fake.status = status;
        let server = Server::start(fake, &settings());
        assert_eq!(get(server.address, "/healthz").await.status, 200);
        let answer = get(server.address, "/readyz").await;
        assert_eq!(answer.status, ready);
        assert_described(&document, "/readyz", &answer);
    }
}
