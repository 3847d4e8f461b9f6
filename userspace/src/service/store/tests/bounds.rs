use std::fs::File;
use std::time::SystemTime;

use super::*;

/// Bytes of all files in a store.
fn size(scratch: &Scratch) -> u64 {
    let files = fs::read_dir(&scratch.0).expect("it is readable").flatten();
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}

/// A service that records until it has begun so many segments.
fn lived(scratch: &Scratch, segments: u64) -> Service {
    let mut service = Service::start(scratch.options());
    let mut begun = 0;
    while begun < segments {
        service.live(1000);
        service.settle();
        if service.store.is_due(time(service.index)) {
            service.begin_segment();
            begun += 1;
        }
    }
    service.settle();
    service
}

#[test]
fn the_oldest_segments_make_room() {
    let scratch = Scratch::new();
    let service = lived(&scratch, 11);
    let index = service.index;
    let expected = service.session.carry();
    service.finish();
    let numbers = scratch.numbers();
    assert!(numbers.len() >= 6 && numbers[0] > 1 && numbers.last() == Some(&12), "{numbers:?}");
    assert!(size(&scratch) <= LEAST, "{} bytes", size(&scratch));
    // What is left leads to what is open all the same.
    let recordings = scratch.recordings();
    assert_eq!((recordings.len(), recordings[0].segment().position), (1, index));
    assert_eq!(replayed(&recordings[0]).carry(), expected);
}

/// What the history takes is no room for segments.
#[test]
fn segments_leave_room_for_the_history() {
    let scratch = Scratch::new();
    fs::create_dir_all(&scratch.0).expect("a directory can be created");
    let history = File::create(scratch.0.join("history.db")).expect("it can be created");
    history.set_len(LEAST / 2).expect("it can be written");
    let service = lived(&scratch, 7);
    let expected = service.session.carry();
    service.finish();
    assert!(size(&scratch) <= LEAST, "{} bytes", size(&scratch));
    let numbers = scratch.numbers();
    assert!((2..=4).contains(&numbers.len()) && numbers.last() == Some(&8), "{numbers:?}");
    assert_eq!(replayed(&scratch.recordings()[0]).carry(), expected);
}

#[test]
fn old_segments_are_deleted_but_never_the_current_one() {
    let scratch = Scratch::new();
    let mut service = Service::start(scratch.options());
    for _ in 0..3 {
        service.live(100);
        service.begin_segment();
    }
    service.settle();
    let long_ago = SystemTime::now() - MONTH - Duration::from_secs(60);
    // All but those of the writer are closed: nothing opens them here, whose locks that would drop.
    for number in [1, 3] {
        let file = File::options().write(true).open(scratch.file(number)).expect("it is there");
        file.set_modified(long_ago).expect("it is ours");
    }
    service.begin_segment();
    service.live(1);
    service.settle();
    assert_eq!(scratch.numbers(), [2, 4, 5]);
    service.finish();
    let file = File::options().write(true).open(scratch.file(5)).expect("it is there");
    file.set_modified(long_ago).expect("it is ours");
    assert!(Store::open(scratch.options()).is_ok_and(|store| store.last().is_some()));
    assert_eq!(scratch.numbers(), [2, 4, 5]);
}

#[test]
fn a_segment_is_due_after_a_day_or_when_it_is_full() {
    const DAY: u64 = 24 * 3600 * SECOND;
    let scratch = Scratch::new();
    let mut service = Service::start(scratch.options());
    service.live(1);
    service.settle();
    assert!(!service.store.is_due(time(1)));
    assert!(service.store.is_due(SECOND + DAY));
    service.begin_segment();
    assert!(!service.store.is_due(SECOND + DAY));
    while !service.store.is_due(time(service.index)) {
        service.live(500);
        service.settle();
    }
    let bytes = fs::metadata(scratch.file(2)).expect("it is there").len();
    assert!(bytes <= 2 << 20 && service.index > 5000, "{bytes} bytes, {} records", service.index);
}

#[test]
fn what_is_open_may_be_more_than_a_segment() {
    let scratch = Scratch::new();
    let mut service = Service::start(scratch.options());
    for id in 0..30_000 {
        service.take(event(1, 7, connect(1_000_000 + id, 1)));
    }
    service.live(1);
    service.settle();
    assert!(service.store.is_due(time(1)));
    service.begin_segment();
    service.live(1);
    service.settle();
    // It gets as much again before the next one.
    assert!(!service.store.is_due(time(2)));
}

#[test]
fn other_bounds_hold_from_the_next_segment_on() {
    let scratch = Scratch::new();
    let mut service = lived(&scratch, 3);
    // No less and no younger than they are: nothing has to go.
    service.store.keep(4 * LEAST, MONTH);
    assert!(service.store.is_due(time(service.index)), "a change is no matter of a day");
    service.begin_segment();
    assert!(!service.store.is_due(time(service.index)));
    service.live(1);
    service.settle();
    assert_eq!(scratch.numbers(), [1, 2, 3, 4, 5]);

    service.store.keep(LEAST / 4, MONTH);
    service.begin_segment();
    service.live(1);
    service.settle();
    // They are deleted once the segment has begun.
    let began = Instant::now();
    while scratch.numbers().len() > 3 {
        assert!(began.elapsed() < Duration::from_secs(50), "{:?}", scratch.numbers());
        sleep(Duration::from_millis(1));
    }
    assert_eq!(scratch.numbers().last(), Some(&6));
    let expected = service.session.carry();
    service.finish();
    let recordings = scratch.recordings();
    assert_eq!(replayed(&recordings[0]).carry(), expected);
}
