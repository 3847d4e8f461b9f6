use std::os::unix::fs::PermissionsExt as _;

use sockleak_recording::Trace;

use super::*;

fn refused(options: Options) -> String {
    Store::open(options).map(|_| ()).expect_err("it cannot be had").to_string()
}

/// Until writing has ended.
fn ended(service: &mut Service) -> StoreError {
    let began = Instant::now();
    loop {
        service.live(100);
        if let Some(error) = service.store.status() {
            return error;
        }
        assert!(began.elapsed() < Duration::from_secs(50), "it is not full");
        sleep(Duration::from_micros(100));
    }
}

#[test]
fn a_full_disk_makes_a_gap_and_no_more() {
    let scratch = Scratch::new();
    let options = scratch.options();
    let pages = Arc::clone(&options.bounds.pages);
    pages.store(100, Ordering::Relaxed);
    let mut service = Service::start(options);
    let error = ended(&mut service);
    assert_eq!(
        error.to_string(),
        format!(
            "the disk with {} is full: nothing is stored until there is room, which is tried every minute; free some",
            scratch.0.display()
        )
    );
    // The ring is released all the same, and what is not stored is counted.
    let stored = service.index + descriptions().len() as u64 - service.store.unstored();
    service.live(1000);
    assert_eq!((service.store.is_writing(), service.store.status()), (false, None));
    assert_eq!(service.store.committed(), service.index);
    assert_eq!(service.store.unstored(), service.index + descriptions().len() as u64 - stored);
    // In vain: that is not told again.
    let now = time(service.index);
    assert!(!service.store.is_due(now) && service.store.is_due(now + 60 * SECOND));
    pages.store(1, Ordering::Relaxed);
    service.begin_segment();
    let began = Instant::now();
    while service.store.is_writing() {
        service.live(100);
        assert_eq!(service.store.status(), None);
        assert!(began.elapsed() < Duration::from_secs(50), "it is not full");
        sleep(Duration::from_micros(100));
    }
    // There is room again.
    pages.store(0, Ordering::Relaxed);
    service.begin_segment();
    service.live(1000);
    service.settle();
    let (unstored, expected) = (service.store.unstored(), service.session.carry());
    service.live(10);
    assert_eq!(service.store.unstored(), unstored);
    service.finish();

    let recordings = scratch.recordings();
    assert_eq!(recordings[0].segment().position + descriptions().len() as u64, stored);
    let last = recordings.last().expect("there is one");
    let copy = replayed(last);
    assert!(recordings.len() > 1 && copy.open().count() > 0);
    assert!(expected.len() > 10);
}

#[test]
fn only_one_has_a_store() {
    let scratch = Scratch::new();
    let service = Service::start(scratch.options());
    assert_eq!(
        refused(scratch.options()),
        format!(
            "another sockleak serve (pid {}) uses {}; stop it, or give this one another directory",
            process::id(),
            scratch.0.display()
        )
    );
    let mode = fs::metadata(&scratch.0).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o750);
    service.finish();
    assert!(Store::open(scratch.options()).is_ok());
}

#[test]
fn who_may_not_write_reads_a_store_that_is_written_to() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let scratch = Scratch::new();
    let mut service = Service::start(scratch.options());
    service.live(1000);
    service.begin_segment();
    service.live(1000);
    service.settle();
    let open_up = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    open_up(&scratch.0, 0o755);
    for file in fs::read_dir(&scratch.0).expect("it is readable").flatten() {
        open_up(&file.path(), 0o644);
    }
    let expected = service.session.carry();
    std::thread::scope(|scope| {
        let nobody = scope.spawn(|| {
            // Of this thread only.
            nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
            assert!(fs::write(scratch.file(9), "").is_err());
            assert_eq!(replayed(&scratch.recordings()[0]).carry(), expected);
        });
        nobody.join().expect("nobody comes through");
    });
    service.finish();
}

#[test]
fn a_directory_that_cannot_be_used_is_refused() {
    let scratch = Scratch::new();
    fs::write(&scratch.0, "").expect("it can be written");
    assert!(refused(scratch.options()).contains("cannot be used as a store (File exists"));
    fs::remove_file(&scratch.0).expect("it is there");
}

#[test]
fn a_damaged_last_segment_is_set_aside() {
    let scratch = Scratch::new();
    let mut service = Service::start(scratch.options());
    service.live(1000);
    service.begin_segment();
    service.live(1000);
    service.finish();
    fs::write(scratch.file(2), [b'x'; 8192]).expect("it can be written");
    let mut service = Service::start(scratch.options());
    assert_eq!((service.index, scratch.numbers()), (0, vec![1, 3]));
    let aside = PathBuf::from(format!("{}.damaged", scratch.file(2).display()));
    assert_eq!(fs::read(aside).ok(), Some(vec![b'x'; 8192]));
    service.live(10);
    service.finish();
    let recordings = scratch.recordings();
    assert_eq!(recordings.iter().map(|it| it.segment().position).collect::<Vec<_>>(), [1000, 10]);
}

#[test]
fn damage_that_a_replay_meets_is_set_aside() {
    let scratch = Scratch::new();
    let mut service = Service::start(scratch.options());
    for _ in 0..3 {
        service.live(1000);
        service.begin_segment();
    }
    service.finish();
    let change = |sql| {
        let file = Connection::open(scratch.file(2));
        file.and_then(|file| file.execute_batch(sql)).expect("it can be written");
    };
    change("UPDATE event SET kind = 99 WHERE seq = (SELECT max(seq) FROM event)");
    let mut store = Store::open(scratch.options()).expect("nobody has it");
    let recording = store.recording().expect("it is readable").expect("there is one");
    assert_eq!(store.replay(&recording, drop), Ok(Replayed::SetAside));
    assert_eq!(scratch.numbers(), [1, 3, 4]);
    // What is left goes on where it ended, with what it carries over.
    let recording = store.recording().expect("it is readable").expect("there is one");
    assert_eq!((store.replay(&recording, drop), recording.paths().count()), (Ok(Replayed::Whole), 2));
    assert_eq!(store.last().map(|last| last.position), Some(3000));
}

/// A service that cannot read its store does not try for ever, and does not throw away what may be read later.
#[test]
fn only_what_is_damaged_is_set_aside() {
    let scratch = Scratch::new();
    let mut service = Service::start(scratch.options());
    service.live(10);
    service.finish();
    let mut store = Store::open(scratch.options()).expect("nobody has it");
    let (path, cause) = (scratch.file(1), "disk I/O error".to_owned());
    for error in [
        TraceError::Unreadable { path: path.clone(), cause },
        TraceError::Denied(path.clone()),
        TraceError::Missing(path.clone()),
        // It is no file of the store.
        TraceError::NotATrace(scratch.file(7)),
    ] {
        assert_eq!(store.set_aside(error.clone()), Err(StoreError::Trace(error)));
        assert_eq!(scratch.numbers(), [1]);
        assert!(store.last().is_some());
    }
    assert_eq!(store.set_aside(TraceError::NotATrace(path)), Ok(Replayed::SetAside));
    assert!(scratch.numbers().is_empty() && store.last().is_none());
}

#[test]
fn a_segment_that_had_not_begun_is_removed() {
    for content in [&b""[..], b"SQLite format 3\0"] {
        let scratch = Scratch::new();
        let mut service = Service::start(scratch.options());
        service.live(100);
        service.finish();
        if content.is_empty() {
            fs::write(scratch.file(2), content).expect("it can be written");
        } else {
            // A file with a log, and no tables yet.
            let file = Connection::open(scratch.file(2)).expect("it can be created");
            file.pragma_update(None, "journal_mode", "WAL").expect("it can be written");
            drop(file);
        }
        let mut service = Service::start(scratch.options());
        assert_eq!((service.index, scratch.numbers()), (100, vec![1]));
        service.live(1);
        service.finish();
    }
}

#[test]
fn a_file_that_was_to_become_a_segment_may_have_a_journal() {
    let scratch = Scratch::new();
    let mut service = Service::start(scratch.options());
    service.live(100);
    service.finish();
    // As if the service had been killed while SQLite wrote the very first pages.
    let other = scratch.0.join("other");
    let file = Connection::open(&other).expect("it can be created");
    let fill = "PRAGMA cache_size = 1; BEGIN; CREATE TABLE x (y); \
                WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
                INSERT INTO x SELECT i FROM n";
    file.execute_batch(fill).expect("it can be written");
    for suffix in ["", "-journal"] {
        let from = format!("{}{suffix}", other.display());
        let to = format!("{}{suffix}", scratch.file(2).display());
        assert!(fs::copy(from, to).is_ok_and(|bytes| bytes > 0));
    }
    drop(file);
    // Whoever reads leaves it alone.
    assert_eq!(scratch.recordings().len(), 1);
    assert_eq!(scratch.numbers(), [1, 2]);
    let service = Service::start(scratch.options());
    assert_eq!((service.index, scratch.numbers()), (100, vec![1]));
}

#[test]
fn a_newer_store_is_refused_and_an_older_one_is_gone_on_with() {
    let scratch = Scratch::new();
    let mut service = Service::start(scratch.options());
    service.live(100);
    service.finish();
    let version = |version: u32| {
        let file = Connection::open(scratch.file(1)).expect("it is there");
        file.pragma_update(None, "user_version", version).expect("it can be written");
    };
    version(99);
    let path = scratch.file(1);
    assert_eq!(
        refused(scratch.options()),
        format!(
            "{} was written by a newer sockleak (schema version 99); run that version, or move the files of the store to \
             another directory",
            path.display()
        )
    );
    version(1);
    // The first version knew no segments: it is left alone.
    let service = Service::start(scratch.options());
    assert_eq!((service.index, scratch.numbers()), (0, vec![1, 2]));
    assert!(Trace::open(&path).is_ok_and(|trace| trace.segment().is_none()));
}
