//! `sockleak compare`: recordings of known truth, before and after.

use std::path::Path;

use serde_json::Value;
use sockleak_recording::{Header, Trace, Writer};

use crate::{
    printed, run,
    scene::{self, Scene, Scratch},
    text,
};

const APP: &str = "/opt/app/bin/app";
const SOCKET: &str = "/run/haproxy/ma.sock";
const PID: u32 = 500;
/// Milliseconds.
const SECOND: u64 = 1_000;

/// Nothing happens on the socket.
fn nobody(seconds: u64) -> Scene {
    let mut scene = scene::quiet();
    scene.seconds = seconds;
    scene.listener(1, SOCKET);
    scene
}

/// A program passes so many connections, evenly, and keeps so many.
fn app(seconds: u64, passed: u64, kept: u64) -> Scene {
    let mut scene = nobody(seconds);
    scene.process(107, &["/usr/sbin/haproxy"], (99, Some("haproxy")), None);
    scene.process(PID, &[APP, "--serve"], (0, Some("root")), None);
    let each = |count: u64| seconds * SECOND / (count + 1);
    for nth in 0..passed {
        scene.pass((nth + 1) * each(passed), PID, 1, 40);
    }
    for nth in 0..kept {
        scene.open((nth + 1) * each(kept) + 7, PID, 1);
    }
    scene
}

/// Records scenes and compares them.
struct Compared {
    scratch: Scratch,
}

impl Compared {
    fn new(before: &Scene, after: &Scene) -> Self {
        let scratch = Scratch::new();
        before.record(&scratch.file("before.db"), "db1");
        after.record(&scratch.file("after.db"), "db1");
        Self { scratch }
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let files = ["before.db", "after.db"].map(|name| self.scratch.file(name).display().to_string());
        ["compare".to_owned()].into_iter().chain(files).chain(more.iter().map(|&it| it.to_owned())).collect()
    }

    fn text(&self) -> String {
        let arguments = self.arguments(&[]);
        let said = printed(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn json(&self, more: &[&str]) -> Value {
        let arguments = self.arguments(&[&["--json"], more].concat());
        let said = printed(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(said.lines().count(), 1, "{said}");
        serde_json::from_str(&said).unwrap()
    }

    /// The one leak that is told.
    fn leak(&self) -> Value {
        let told = self.json(&[]);
        assert_eq!((&told["type"], &told["schema_version"]), (&"comparison".into(), &1.into()), "{told}");
        let leaks = told["leaks"].as_array().unwrap();
        assert_eq!(leaks.len(), 1, "{told}");
        let leak = leaks[0].clone();
        assert_eq!((&leak["path"], &leak["program"]), (&SOCKET.into(), &APP.into()), "{leak}");
        leak
    }

    fn status(&self, fail_on: &str) -> (Option<i32>, String) {
        let arguments = self.arguments(&["--fail-on", fail_on]);
        let output = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        (output.status.code(), text(&output.stderr))
    }
}

#[test]
fn a_leak_that_was_not_there_is_new() {
    let compared = Compared::new(&app(3_600, 200, 0), &app(3_600, 200, 14));
    let leak = compared.leak();
    assert_eq!(
        (&leak["change"], &leak["kind"], &leak["because"]),
        (&"new".into(), &"client".into(), &serde_json::json!([]))
    );
    assert_eq!(leak["before"]["verdict"], "healthy", "{leak}");
    let after = &leak["after"];
    assert_eq!(
        (&after["verdict"], &after["open_client"], &after["opened"]),
        (&"client-leak".into(), &14.into(), &214.into())
    );
    // Fourteen in an hour.
    let growth = ["low", "per_hour", "high"].map(|key| after["growth"][key].as_f64().unwrap());
    assert!(growth[0] < 14.0 && growth[2] > 14.0 && growth[0] > 5.0 && growth[2] < 30.0, "{growth:?}");
    assert!((growth[1] - 14.0).abs() < 2.0, "{growth:?}");
    let lives = ["p50_ns", "p99_ns"].map(|key| after[key].as_u64().unwrap());
    assert!(lives.iter().all(|life| life.abs_diff(40_000_000) < 2_000_000), "{lives:?}");
    let said = compared.text();
    assert!(
        said.contains("1 leak is new.") && said.contains(" NEW /opt/app/bin/app opens connections to"),
        "{said}"
    );
    assert!(said.contains("after client-leak 214 14 "), "{said}");
    let (status, why) = compared.status("new");
    assert_eq!((status, why.as_str()), (Some(7), "sockleak: found, as --fail-on asks: new\n"));
    assert_eq!(compared.status("still,new-suspect,not-enough-seen,incomplete").0, Some(0));
}

#[test]
fn a_program_that_was_not_there_is_new_with_a_remark() {
    let compared = Compared::new(&nobody(3_600), &app(3_600, 200, 14));
    let leak = compared.leak();
    assert_eq!(leak["change"], "new");
    assert_eq!(leak["before"], Value::Null);
    let why = leak["because"][0].as_str().unwrap();
    assert!(why.contains("did not connect to that socket in the first recording"), "{why}");
}

#[test]
fn a_leak_in_both_goes_on() {
    let compared = Compared::new(&app(3_600, 200, 14), &app(3_600, 200, 16));
    let leak = compared.leak();
    assert_eq!((&leak["change"], &leak["trend"]), (&"still".into(), &"no-difference".into()));
    assert_eq!(compared.status("still").0, Some(7));
    assert_eq!(compared.status("new").0, Some(0));
    let faster = Compared::new(&app(3_600, 200, 14), &app(3_600, 200, 80)).leak();
    assert_eq!(faster["trend"], "faster", "{faster}");
    let slower = Compared::new(&app(3_600, 200, 80), &app(3_600, 200, 14));
    assert_eq!(slower.leak()["trend"], "slower");
    assert!(slower.text().contains("it did before, and grows slower now"), "{}", slower.text());
}

#[test]
fn a_leak_that_would_have_been_seen_is_gone() {
    let compared = Compared::new(&app(3_600, 200, 14), &app(3_600, 200, 0));
    let leak = compared.leak();
    assert_eq!((&leak["change"], &leak["because"]), (&"gone".into(), &serde_json::json!([])), "{leak}");
    assert!(compared.text().contains("1 leak is gone."));
    assert_eq!(compared.status("new,still,not-enough-seen").0, Some(0));
}

/// Not seen is not gone.
#[test]
fn too_little_is_not_enough_seen() {
    let leaking = app(3_600, 200, 14);
    for (after, reason) in [
        // Of fourteen an hour, ten minutes show two.
        (
            app(600, 200, 0),
            "the second recording is too short: 10 min 0 s; at the rate of the other it takes 1",
        ),
        (app(120, 200, 0), "with a leak age of 1 min 0 s it needs 3 min 0 s"),
        // One in fifteen was kept.
        (app(3_600, 20, 0), "it opened 20 connections in the second recording; the other kept 14 of 214"),
        (nobody(3_600), "the program did not connect to that socket in the second recording"),
        (app(3_600, 200, 1), ""),
    ] {
        let compared = Compared::new(&leaking, &after);
        let leak = compared.leak();
        if reason.is_empty() {
            // One that is kept is no leak.
            assert_eq!(leak["change"], "gone", "{leak}");
            continue;
        }
        assert_eq!(leak["change"], "not-enough-seen", "{leak}");
        let why = leak["because"].to_string();
        assert!(why.contains(reason), "{reason} is not in {why}");
        let (status, said) = compared.status("not-enough-seen");
        assert_eq!(
            (status, said.as_str()),
            (Some(7), "sockleak: found, as --fail-on asks: not-enough-seen\n")
        );
        let said = compared.text();
        assert!(said.contains("of 1 program not enough was seen") && !said.contains("healthy on"), "{said}");
        assert!(said.contains("It is not known whether it still does"), "{said}");
    }
}

#[test]
fn nothing_in_either_is_said_so() {
    let compared = Compared::new(&app(3_600, 200, 0), &app(3_600, 200, 0));
    assert_eq!(compared.json(&[])["leaks"], serde_json::json!([]));
    assert!(compared.text().contains("No leak in either recording."));
}

fn record(scene: &Scene, path: &Path, change: impl FnOnce(&mut Header)) {
    std::fs::remove_file(path).unwrap();
    scene.record(path, "db1");
    let mut header = Trace::open(path).unwrap().header().clone();
    change(&mut header);
    std::fs::remove_file(path).unwrap();
    let mut writer = Writer::create(path, &header, || {}).unwrap();
    scene.records().into_iter().for_each(|record| writer.record(record, None));
    writer.finish(scene.progress()).unwrap();
}

#[test]
fn what_makes_recordings_differ_is_named() {
    let compared = Compared::new(&app(3_600, 200, 14), &app(3_600, 200, 14));
    assert_eq!(compared.json(&[])["caveats"], serde_json::json!([]));
    record(&app(3_600, 200, 14), &compared.scratch.file("after.db"), |header| {
        header.targets = vec!["ma.sock".to_owned()];
        header.leak_age *= 2;
        header.host = "db2".to_owned();
        header.limits.clear();
        header.boot_time -= 1_000_000_000;
    });
    let caveats = compared.json(&[])["caveats"].to_string();
    for part in [
        "The targets differ: *.sock before, ma.sock after",
        "The leak ages differ: 1 min 0 s before, 2 min 0 s after",
        "The limits differ: ma.sock=10 before, none after",
        "The hosts differ: db1 before, db2 after",
        "The first recording began after the second",
    ] {
        assert!(caveats.contains(part), "{part} is not in {caveats}");
    }
    assert!(compared.text().contains("CAVEAT: The hosts differ"), "{}", compared.text());
    // Judged by the same, they do not differ in that.
    let judged = compared.json(&["--leak-age", "90s"]);
    assert_eq!(
        (&judged["before"]["leak_age_ns"], &judged["after"]["leak_age_ns"]),
        (&90_000_000_000_u64.into(), &90_000_000_000_u64.into())
    );
    assert!(!judged["caveats"].to_string().contains("leak ages"), "{judged}");
}

#[test]
fn an_incomplete_recording_is_a_caveat() {
    let mut after = app(3_600, 200, 0);
    after.gaps.push("the accept hook is not attached".to_owned());
    let compared = Compared::new(&app(3_600, 200, 0), &after);
    let caveats = compared.json(&[])["caveats"].to_string();
    assert!(
        caveats.contains("The second recording is incomplete: the accept hook is not attached"),
        "{caveats}"
    );
    assert_eq!(compared.status("incomplete").0, Some(7));
    assert_eq!(compared.status("new,still").0, Some(0));
}

/// As `report` has it: the same status and the same sentence.
#[test]
fn what_is_no_recording_is_refused() {
    let scratch = Scratch::new();
    let good = scratch.file("good.db");
    app(60, 1, 0).record(&good, "db1");
    std::fs::write(scratch.file("text"), "no recording").unwrap();
    let good = good.display().to_string();
    for bad in
        ["/etc/passwd".to_owned(), "/nowhere/x.db".to_owned(), scratch.file("text").display().to_string()]
    {
        let reported = run(&["report", &bad]);
        assert_eq!(reported.status.code(), Some(6), "{reported:?}");
        for both in [[&good, &bad], [&bad, &good]] {
            let compared = run(&["compare", both[0], both[1]]);
            assert_eq!(compared.status.code(), Some(6), "{compared:?}");
            assert_eq!(text(&compared.stderr), text(&reported.stderr));
            assert_eq!(text(&compared.stdout), "");
        }
    }
    assert_eq!(run(&["compare", &good]).status.code(), Some(2), "two are asked for");
}

/// A real leak, recorded for hours.
#[test]
fn a_recording_compared_with_itself_has_nothing_new() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/recordings/leak-in-recycling-pool.db");
    let file = file.to_str().unwrap();
    let told: Value = serde_json::from_str(&printed(&["compare", "--json", file, file])).unwrap();
    let leaks = told["leaks"].as_array().unwrap();
    assert!(!leaks.is_empty() && leaks.iter().all(|leak| leak["change"] == "still"), "{told}");
    assert!(leaks.iter().all(|leak| leak["trend"] != "faster" && leak["trend"] != "slower"), "{told}");
}
