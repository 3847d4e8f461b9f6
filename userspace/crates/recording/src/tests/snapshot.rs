use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use super::*;

/// Until the writer's thread has come this far.
fn wait_for(path: &Path, now: u64) -> Trace {
    let began = Instant::now();
    loop {
        let trace = opened(path);
        if trace.progress().now >= now {
            return trace;
        }
        assert!(began.elapsed() < Duration::from_secs(50), "it was not written");
        sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_trace_is_read_as_it_was_when_it_was_opened() {
    let scratch = Scratch::new();
    let path = scratch.file("trace.db");
    let mut writer = Writer::create(&path, &header(), || {}).expect("it can be created");
    let early = opened(&path);
    (0..100).for_each(|index| writer.record(endless(index), None));
    writer.flush(progress(100));
    let middle = wait_for(&path, 100);
    (100..20_000).for_each(|index| writer.record(endless(index), None));
    // Whole batches are written without being asked for.
    let late = wait_for(&path, 8192 + 100);
    assert!(check_front(&late) >= 8192 + 100);
    assert_eq!(check_front(&early), 0);
    assert_eq!(check_front(&middle), 100);
    // Readers are in the way of leaving one file, and of nothing else.
    writer.finish(progress(20_000)).expect("it can be written");
    assert_eq!(check_front(&early), 0);
    assert_eq!(check_front(&opened(&path)), 20_000);
    assert!(opened(&path).is_ended());
}

#[test]
fn a_trace_that_is_dropped_is_complete_but_broken_off() {
    let scratch = Scratch::new();
    let path = scratch.file("trace.db");
    let mut writer = Writer::create(&path, &header(), || {}).expect("it can be created");
    (0..10).for_each(|index| writer.record(endless(index), None));
    drop(writer);
    let trace = opened(&path);
    assert_eq!(check_front(&trace), 10);
    assert!(!trace.is_ended());
}

#[test]
fn a_replay_ends_when_nothing_more_is_wanted() {
    let scratch = Scratch::new();
    let path = scratch.file("trace.db");
    recorded(&path, &(0..10).map(endless).collect::<Vec<_>>());
    let mut count = 0;
    let outcome = opened(&path).replay(|_| {
        count += 1;
        if count == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((outcome, count), (Ok(()), 4));
}
