//! `report --store`: what a service stored, as if it were one recording.

use std::{fs, ops::ControlFlow, path::Path, time::Duration};

use sockleak::service::store::{Options, Store};
use sockleak_core::{
    attribution::selection::Selection,
    session::{Session, Settings},
};
use sockleak_recording::{Header, Trace};

use crate::{
    printed,
    scene::{self, Scratch},
    sockleak,
};

/// Stores what a recording has, with a new segment after each `length` records.
pub(crate) fn store(directory: &Path, recording: &Path, source: &str, length: u64) {
    let trace = Trace::open(recording).unwrap();
    let options = Options::new(directory.to_owned(), 1 << 30, Duration::from_secs(1 << 30), || {});
    let mut store = Store::open(options).unwrap();
    let header = trace.header();
    let settings = Settings { started: header.started, leak_age: header.leak_age, ..Settings::default() };
    let mut session = Session::new(Selection::recorded(header.targets.clone()), settings);
    store.start(header.clone(), source, 0, || session.carry()).unwrap();
    let mut position = 0;
    let replayed = trace.replay(|record| {
        session.feed(record.clone());
        store.record(record, None);
        position += 1;
        if position % length == 0 {
            store.begin_segment(trace.progress().clone(), position, session.carry()).unwrap();
        }
        ControlFlow::Continue(())
    });
    replayed.unwrap();
    store.finish(trace.progress().clone(), position).unwrap();
}

#[test]
fn a_store_is_reported_like_one_recording() {
    let scratch = Scratch::new();
    let (whole, parts) = (scratch.file("whole.db"), scratch.file("parts"));
    scene::incomplete().record(&whole, "db1");
    store(&parts, &whole, "boot", 97);
    assert!(fs::read_dir(&parts).unwrap().count() > 10);
    let (whole, parts) = (whole.to_str().unwrap(), parts.to_str().unwrap());
    for format in ["text", "csv"] {
        let expected = printed(&["report", "--format", format, whole]);
        let report = printed(&["report", "--format", format, "--store", parts]);
        assert_eq!(report.replace(&format!("{parts}/trace-1.db to trace-17.db"), whole), expected);
    }
    // A part alone is a recording too, of its own time.
    let part = printed(&["report", &format!("{parts}/trace-5.db")]);
    assert!(part.contains("/run/haproxy/ma.sock"), "{part}");
}

#[test]
fn each_boot_has_its_report() {
    let scratch = Scratch::new();
    let (bad, good, parts) = (scratch.file("bad.db"), scratch.file("good.db"), scratch.file("parts"));
    scene::incomplete().record(&bad, "db1");
    scene::quiet().record(&good, "db1");
    store(&parts, &bad, "first boot", 500);
    store(&parts, &good, "second boot", 500);
    let parts = parts.to_str().unwrap();
    let text = printed(&["report", "--store", parts]);
    assert!(text.starts_with("HOST"), "{text}");
    assert!(text.contains(&format!("db1: {parts}/trace-1.db to trace-")), "{text}");
    for file in [bad, good] {
        assert!(text.contains(&printed(&["report", file.to_str().unwrap()])), "{text}");
    }
}

#[test]
fn a_store_that_is_none_is_refused() {
    let scratch = Scratch::new();
    let directory = scratch.file("parts");
    fs::create_dir(&directory).unwrap();
    let directory = directory.to_str().unwrap();
    for (arguments, status, words) in [
        (vec!["report", "--store", directory], 6, "holds no recording of sockleak serve; name the directory"),
        (vec!["report", "--store", "/nowhere"], 6, "/nowhere cannot be read as a store (No such file"),
        (vec!["report", "x.db", "--store", directory], 2, "cannot be used with"),
        (vec!["report"], 2, "<RECORDING>"),
    ] {
        let output = sockleak(&arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), said.contains(words)), (Some(status), true), "{said}");
    }
}

#[test]
fn settings_of_a_recording_hold_for_a_store() {
    let scratch = Scratch::new();
    let (whole, parts) = (scratch.file("whole.db"), scratch.file("parts"));
    scene::incomplete().record(&whole, "db1");
    store(&parts, &whole, "boot", 1000);
    let header = |path: &Path| -> Header { Trace::open(path).unwrap().header().clone() };
    let (first, whole) = (header(&parts.join("trace-1.db")), header(&whole));
    assert_eq!(first, whole);
    assert!(header(&parts.join("trace-2.db")).started > first.started);
}
