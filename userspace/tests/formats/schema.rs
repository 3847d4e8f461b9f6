//! `docs/report.schema.json` describes every field of a report in JSON, and no other.

use jsonschema::Validator;
use serde_json::{Value, json};
use sockleak_core::attribution::by::By;

use crate::{
    printed,
    scene::{self, SECOND, Scene, Scratch, line},
};

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../docs/report.schema.json")).unwrap()
}

fn validator() -> Validator {
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema()).unwrap()
}

#[track_caller]
fn assert_valid(line: &Value) {
    let errors: Vec<_> =
        validator().iter_errors(line).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

fn scenes() -> [Scene; 3] {
    [scene::quiet(), scenes::contained::contained(), scene::incomplete()]
}

#[test]
fn the_schema_is_one() {
    jsonschema::draft202012::meta::validate(&schema()).unwrap();
    assert_eq!(schema()["properties"]["schema_version"]["const"], sockleak_core::assess::SCHEMA_VERSION);
}

#[test]
fn reports_of_captures_are_as_described() {
    for scene in scenes() {
        for by in [By::Program, By::Cmdline, By::Unit, By::Container, By::Pod, By::Image, By::User, By::Pid] {
            let seen = scene.seen(by);
            let mut report = seen.report();
            assert_valid(&line(&report));
            report.hide_younger(1_500 * SECOND);
            assert_valid(&line(&report));
        }
    }
}

#[test]
fn reports_of_recordings_are_as_described() {
    let scratch = Scratch::new();
    for (nth, scene) in scenes().into_iter().enumerate() {
        let trace = scratch.file(&format!("{nth}.db"));
        scene.record(&trace, "db1");
        for leak_age in ["1s", "1m", "2h"] {
            let text = printed(&["report", "--json", "--leak-age", leak_age, trace.to_str().unwrap()]);
            assert_valid(&serde_json::from_str(&text).unwrap());
        }
        let text = printed(&["report", "--json", "--program", "deploy", trace.to_str().unwrap()]);
        let report = serde_json::from_str(&text).unwrap();
        assert_valid(&report);
        assert!(report["filtered"]["by"].is_string());
        let text = printed(&["report", "--json", "--since", "10m", trace.to_str().unwrap()]);
        assert_valid(&serde_json::from_str(&text).unwrap());
    }
}

/// The reports above have what can be in a report: otherwise they would prove little.
#[test]
fn the_reports_have_everything() {
    let report = line(&scene::incomplete().seen(By::Program).report());
    let has = |list: &str, is: &dyn Fn(&Value) -> bool| report[list].as_array().unwrap().iter().any(is);
    assert!(has("findings", &|it| it["hardship"]["holders"][0]["slots"].is_u64()));
    assert!(has("findings", &|it| it["growth_per_hour"].is_f64() && it["limit_source"] == "given"));
    assert!(has("findings", &|it| it["uncertain"][0].is_string()));
    assert!(has("open", &|it| it["before_trace"] == true));
    assert!(has("open", &|it| it["client_end"]["held_by"][0]["fd"].is_u64()));
    assert!(has("open", &|it| it["client_end"]["reason"] == "close" && it["server"]["pid"] == 107));
    assert!(has("open", &|it| it["state"] == "queued" && it["server"].is_null()));
    assert!(has("programs", &|it| it["failed"]["EAGAIN"] == 40));
    assert!(has("findings", &|it| it["opened_at"][0]["count"] == 8));
    assert!(has("stacks", &|it| it["frames"][1]["function"] == "renew" && it["frames"][0]["line"].is_null()));
    assert!(has("open", &|it| it["stack"].is_u64()) && has("open", &|it| it["stack"].is_null()));
    assert!(has("losses", &|it| it["count"] == 3));
}

/// Whoever adds a field has to describe it.
#[test]
fn a_field_that_is_not_described_is_found() {
    let report = line(&scene::incomplete().seen(By::Program).report());
    let starved =
        report["findings"].as_array().unwrap().iter().position(|it| it["verdict"] == "starved").unwrap();
    let hardship = format!("/findings/{starved}/hardship");
    for place in [
        "",
        "/programs/0",
        "/findings/0",
        &hardship,
        "/open/0",
        "/open/0/server",
        "/open/0/client_end",
        "/losses/0",
    ] {
        let mut more = report.clone();
        let object = more.pointer_mut(place).and_then(Value::as_object_mut).unwrap();
        object.insert("another".to_owned(), json!(1));
        assert!(!validator().is_valid(&more), "{place}");
    }
}
