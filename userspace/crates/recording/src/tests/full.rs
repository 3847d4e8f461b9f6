use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use super::*;

#[test]
fn a_full_disk_ends_the_recording_and_leaves_what_was_written() {
    let scratch = Scratch::new();
    let path = scratch.file("trace.db");
    let connection = new_file::create_file(&path, 0o600).expect("it can be created");
    new_file::prepare(&connection, &header()).expect("it can be written");
    // As SQLite sees it: the next page cannot be had.
    connection.pragma_update(None, "max_page_count", 100).expect("it is a limit");
    let mut writer = Writer::launch(&path, || {}, None, || Ok(connection)).expect("a thread can be had");
    let began = Instant::now();
    let mut index = 0;
    let error = loop {
        for _ in 0..100 {
            writer.record(endless(index), None);
            index += 1;
        }
        writer.flush(progress(index));
        if let Some(error) = writer.status() {
            break error;
        }
        assert!(began.elapsed() < Duration::from_secs(50), "it is not full");
        sleep(Duration::from_micros(100));
    };
    assert_eq!(error, TraceError::Full(path.clone()));
    writer.record(endless(index), None);
    writer.flush(progress(index + 1));
    assert_eq!(writer.status(), None);
    assert_eq!(writer.finish(progress(index + 1)), Ok(()));
    let trace = opened(&path);
    let count = check_front(&trace);
    assert!(count >= 1000 && count < index && count.is_multiple_of(100), "{count} of {index}");
    assert!(!trace.is_ended());
}

#[test]
fn a_failure_that_nobody_asked_for_is_told_at_the_end() {
    let scratch = Scratch::new();
    let path = scratch.file("trace.db");
    let connection = new_file::create_file(&path, 0o600).expect("it can be created");
    new_file::prepare(&connection, &header()).expect("it can be written");
    connection.pragma_update(None, "max_page_count", 20).expect("it is a limit");
    let mut writer = Writer::launch(&path, || {}, None, || Ok(connection)).expect("a thread can be had");
    (0..500_000).for_each(|index| writer.record(endless(index), None));
    let error = writer.finish(progress(500_000)).expect_err("it is full");
    assert_eq!(
        error.to_string(),
        format!(
            "the disk with {} is full: the recording ends here, and what was recorded before stays readable; make room and \
             record again",
            path.display()
        )
    );
    assert_eq!(check_front(&opened(&path)), 0);
}
