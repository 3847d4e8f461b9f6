use std::{
    os::unix::fs::{PermissionsExt as _, symlink},
    thread,
};

use nix::unistd::{Uid, geteuid, setfsuid};
use proptest::prelude::*;
use rusqlite::Connection;

use super::*;

fn refused(path: &Path) -> String {
    Trace::open(path).map(|_| ()).expect_err("it is no trace").to_string()
}

fn not_created(path: &Path) -> String {
    Writer::create(path, &header(), || {}).map(|_| ()).expect_err("it cannot be created").to_string()
}

#[test]
fn what_is_no_trace_is_refused() {
    let scratch = Scratch::new();
    let shown = |path: &Path, rest: &str| format!("{} {rest}", path.display());
    let path = scratch.file("nothing");
    assert_eq!(refused(&path), shown(&path, "does not exist; check the name of the recording"));
    assert_eq!(refused(&scratch.0), shown(&scratch.0, "is a directory; name a file in it"));

    let sentence = "is not a sockleak recording; name a file that sockleak recorded";
    for contents in [&b""[..], b"x", b"SQLite format 3\0", &[b'x'; 8192]] {
        let path = scratch.file("other");
        fs::write(&path, contents).expect("it can be written");
        assert_eq!(refused(&path), shown(&path, sentence));
    }
    let path = scratch.file("other.db");
    let other = Connection::open(&path).expect("it can be created");
    other.execute_batch("CREATE TABLE event (a)").expect("it can be written");
    assert_eq!(refused(&path), shown(&path, sentence));
    assert_eq!(refused(Path::new("/dev/null")), shown(Path::new("/dev/null"), sentence));
}

#[test]
fn another_schema_is_refused() {
    let scratch = Scratch::new();
    let path = scratch.file("trace.db");
    recorded(&path, &[]);
    let change =
        |sql: &str| Connection::open(&path).and_then(|it| it.execute_batch(sql)).expect("it can be written");
    change("PRAGMA user_version = 5");
    assert_eq!(
        refused(&path),
        format!(
            "{} has schema version 5, and this sockleak reads up to 4; read it with the version that recorded it, or a newer one",
            path.display()
        )
    );
    change("PRAGMA user_version = 0");
    assert!(refused(&path).contains("is damaged (there is no schema version 0);"));
    change("PRAGMA user_version = 2; UPDATE session SET now = 'noon'");
    assert!(refused(&path).contains("is damaged (session has no valid now);"));
    change("UPDATE session SET now = 10000000000000");
    for limits in [vec!["x=1".to_owned(); 2000], vec![format!("{}=1", "?".repeat(9000))]] {
        let text = serde_json::to_string(&limits).expect("it is JSON");
        change(&format!("UPDATE session SET limits = '{text}'"));
        assert!(refused(&path).contains("is damaged (session has no valid limits);"), "{}", refused(&path));
    }
    change("DELETE FROM session");
    assert!(refused(&path).contains("is damaged (session has no valid row);"));
    change("DROP TABLE session");
    assert!(refused(&path).contains("is damaged (no such table: session);"));
}

#[test]
fn what_is_there_is_not_overwritten() {
    let scratch = Scratch::new();
    let sentence = "exists already; remove it, or choose another name for the recording";
    let path = scratch.file("notes");
    fs::write(&path, "mine").expect("it can be written");
    assert_eq!(not_created(&path), format!("{} {sentence}", path.display()));
    assert_eq!(fs::read(&path).ok(), Some(b"mine".to_vec()));
    for (name, target) in [("link", "nothing"), ("second", "notes")] {
        let link = scratch.file(name);
        symlink(scratch.file(target), &link).expect("a link can be made");
        assert_eq!(not_created(&link), format!("{} {sentence}", link.display()));
    }
    assert_eq!(not_created(&scratch.0), format!("{} is a directory; name a file in it", scratch.0.display()));
    let path = scratch.file("missing/trace.db");
    let expected = format!(
        "{} cannot be written (No such file or directory (os error 2)); choose another place for the recording",
        path.display()
    );
    assert_eq!(not_created(&path), expected);
    assert_eq!(scratch.names(), ["link", "notes", "second"]);
}

#[test]
fn an_empty_file_and_a_linked_directory_are_taken() {
    let scratch = Scratch::new();
    let directory = scratch.file("directory");
    fs::create_dir(&directory).expect("a directory can be made");
    symlink(&directory, scratch.file("link")).expect("a link can be made");
    let path = scratch.file("link/file:trace?%41#.db");
    fs::write(&path, "").expect("it can be written");
    recorded(&path, &[endless(0)]);
    let mode = fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(check_front(&opened(&path)), 1);
}

/// Whatever became of the file, there is a sentence or there are records.
fn survives(path: &Path, written: &[Record]) {
    let Ok(trace) = Trace::open(path).map_err(|error| assert!(!error.to_string().is_empty())) else { return };
    let mut count = 0;
    let outcome = trace.replay(|_| {
        count += 1;
        if count <= 2 * written.len() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    if let Err(error) = outcome {
        assert!(error.to_string().contains(&path.display().to_string()));
    }
}

fn sample(path: &Path) -> Vec<Record> {
    let mut records = vec![described(40, Some("/usr/bin/curl")), described(50, None)];
    records.extend((0..3000).map(endless));
    recorded(path, &records);
    records
}

#[test]
fn a_truncated_trace_is_refused() {
    let scratch = Scratch::new();
    let path = scratch.file("trace.db");
    let records = sample(&path);
    let bytes = fs::read(&path).expect("it can be read");
    let whole = bytes.len();
    for length in
        [0, 1, 16, 50, 99, 100, 101, 512, 1024, 4095, 4096, 4097, 8192, whole / 2, whole - 4096, whole - 1]
    {
        let path = scratch.file("cut.db");
        fs::write(&path, &bytes[..length]).expect("it can be written");
        let error = refused(&path);
        let is_known = error.contains("is not a sockleak recording;") || error.contains("is damaged (");
        assert!(is_known && error.starts_with(&path.display().to_string()), "{length}: {error}");
        survives(&path, &records);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_trace_is_survived(flips in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..40)) {
        let scratch = Scratch::new();
        let path = scratch.file("trace.db");
        let records = sample(&path);
        let mut bytes = fs::read(&path).expect("it can be read");
        for (place, byte) in flips {
            // The first pages hold what leads to all others.
            let place = place % if byte < 128 { 5000 } else { bytes.len() };
            bytes[place] = byte;
        }
        fs::write(&path, &bytes).expect("it can be written");
        survives(&path, &records);
    }
}

/// Runs as a user who may read the directory, but not write to it; only root can do that.
fn as_nobody(work: impl FnOnce() + Send) {
    if !geteuid().is_root() {
        return;
    }
    thread::scope(|scope| {
        // Of this thread only.
        let nobody = scope.spawn(|| {
            setfsuid(Uid::from_raw(65534));
            work();
        });
        nobody.join().expect("nobody comes through");
    });
}

fn readable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("it is ours");
}

#[test]
fn a_directory_that_cannot_be_written_to_is_enough_for_a_closed_trace() {
    let scratch = Scratch::new();
    let path = scratch.file("trace.db");
    recorded(&path, &[endless(0)]);
    as_nobody(|| {
        let sentence = "may not be read by this user; run sockleak as the user who recorded it, or with sudo";
        assert_eq!(refused(&path), format!("{} {sentence}", path.display()));
    });
    readable(&path);
    as_nobody(|| assert_eq!(replayed(&opened(&path)), [endless(0)]));
    // sqlite3 leaves it like this when it was the last to use one that was broken off.
    let used = Connection::open(&path).expect("it is a database");
    used.pragma_update(None, "journal_mode", "WAL").expect("it can be written");
    drop(used);
    assert_eq!(scratch.names(), ["trace.db"]);
    as_nobody(|| assert_eq!(replayed(&opened(&path)), [endless(0)]));
}

#[test]
fn a_directory_that_cannot_be_written_to_is_not_enough_for_one_that_was_broken_off() {
    let scratch = Scratch::new();
    let path = scratch.file("trace.db");
    let mut writer = Writer::create(&path, &header(), || {}).expect("it can be created");
    writer.record(endless(0), None);
    writer.flush(progress(1));
    while opened(&path).progress().now == 0 {}
    let copy = Scratch::new();
    for name in ["trace.db", "trace.db-wal"] {
        // Not by this process: it would lose its locks.
        let status = process::Command::new("cp").arg(scratch.file(name)).arg(copy.file(name)).status();
        assert!(status.is_ok_and(|status| status.success()));
        readable(&copy.file(name));
    }
    let path = copy.file("trace.db");
    as_nobody(|| {
        assert_eq!(
            refused(&path),
            format!(
                "{0} was not closed in order, and its directory cannot be written to, which reading it needs; copy it together \
                 with {0}-wal to another directory and read it there",
                path.display()
            )
        );
    });
    assert_eq!(check_front(&opened(&path)), 1);
}
