//! The process that archives, and what it may.

use std::{fs, process::Command, time::Duration};

use sockleak::service::{
    archive::{self, Archive, Timing},
    config::{ArchiveSettings, Place},
};

use crate::{files, kills, life};

/// A store with two closed segments.
fn store(scratch: &std::path::Path) -> std::path::PathBuf {
    let (store, archive) = (scratch.join("store"), scratch.join("first"));
    let program = kills::program(scratch);
    fs::create_dir(&archive).unwrap();
    kills::open_to_all(&archive);
    life::finish(life::start(&program, &store, &format!("file://{}", archive.display()), 800));
    kills::check(&archive, 800);
    store
}

fn settings(url: &str) -> ArchiveSettings {
    let place = Place::parse(url).unwrap();
    ArchiveSettings { place, credentials: None, command_lines: false, bandwidth: 1 << 30 }
}

fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..12_000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("never: {what}");
}

fn timing() -> Timing {
    let soon = Duration::from_millis(10);
    Timing { look: soon, first: soon, longest: soon * 10 }
}

/// What the host forgot, the archive tells: nothing is sent twice. And another archive gets everything.
#[test]
fn the_archive_tells_what_it_has() {
    let scratch = tempfile::tempdir().unwrap();
    let store = store(scratch.path());
    let first = scratch.path().join("first");
    let before: Vec<_> = files::files(&first);
    fs::remove_file(store.join("archive.json")).unwrap();
    for (name, sends) in [("first", false), ("second", true)] {
        let directory = scratch.path().join(name);
        if sends {
            fs::create_dir(&directory).unwrap();
            kills::open_to_all(&directory);
        }
        let settings = settings(&format!("file://{}", directory.display()));
        let shelf = archive::shelf(&store, &settings.place);
        assert_eq!(shelf.through(), 0);
        let program = scratch.path().join("sockleak");
        let archive = Archive::begin(program, settings, "db1", &store, &shelf, timing()).unwrap();
        wait("all is archived", || archive.progress().segments >= 2 && archive.progress().lag_seconds == 0);
        assert_eq!(archive.progress().files > 0, sends);
        kills::check(&directory, 800);
    }
    assert_eq!(files::files(&first), before);
}

/// Out of reach, it says why, and the segments wait.
#[test]
fn an_archive_out_of_reach_is_told() {
    let scratch = tempfile::tempdir().unwrap();
    let store = store(scratch.path());
    let archive = scratch.path().join("third");
    let settings = settings(&format!("file://{}", archive.display()));
    let shelf = archive::shelf(&store, &settings.place);
    let program = scratch.path().join("sockleak");
    let running = Archive::begin(program, settings, "db1", &store, &shelf, timing()).unwrap();
    wait("it fails", || running.progress().failures > 2);
    let progress = running.progress();
    let said = progress.trouble.unwrap();
    assert!(said.ends_with("create it, writable for the user sockleak"), "{said}");
    assert_eq!((progress.segments, shelf.through()), (0, 0));
    fs::create_dir(&archive).unwrap();
    kills::open_to_all(&archive);
    wait("it is archived", || running.progress().segments == 2);
    assert_eq!(running.progress().trouble, None);
    kills::check(&archive, 800);
}

/// A damaged segment does not hold up the others.
#[test]
fn a_damaged_segment_is_skipped() {
    let scratch = tempfile::tempdir().unwrap();
    let store = store(scratch.path());
    let first = store.join("trace-1.db");
    fs::write(&first, vec![7; 4096]).unwrap();
    let archive = scratch.path().join("fourth");
    fs::create_dir(&archive).unwrap();
    kills::open_to_all(&archive);
    let settings = settings(&format!("file://{}", archive.display()));
    let shelf = archive::shelf(&store, &settings.place);
    let program = scratch.path().join("sockleak");
    let running = Archive::begin(program, settings, "db1", &store, &shelf, timing()).unwrap();
    wait("the rest is archived", || running.progress().segments >= 1 && running.progress().dropped == 1);
    assert!(!files::connections(&archive.join("connections")).contains(&0));
}

#[test]
fn by_hand_it_does_nothing() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_sockleak")).args(["archive", "--link=77", "--segment=78"]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("`sockleak archive` is started by `sockleak serve`, not by hand"), "{said}");
}
