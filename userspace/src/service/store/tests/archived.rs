//! What an archive has, and what it is still to take.

use std::{fs::File, time::SystemTime};

use super::*;

fn make_old(path: &Path) {
    let long_ago = SystemTime::now() - MONTH - Duration::from_secs(60);
    let file = File::options().write(true).open(path).expect("it is there");
    file.set_modified(long_ago).expect("it is ours");
}

fn numbers(scratch: &Scratch, after: u64) -> Vec<u64> {
    let closed = closed(&scratch.0, after).expect("it is readable");
    closed.into_iter().map(|closed| closed.number).collect()
}

#[test]
fn a_segment_is_kept_until_it_is_archived() {
    let scratch = Scratch::new();
    let shelf = Arc::new(Shelf::default());
    shelf.archived(1);
    let mut service = Service::start(scratch.options().archived(Arc::clone(&shelf)));
    for _ in 0..3 {
        service.live(100);
        service.begin_segment();
    }
    service.settle();
    assert_eq!(numbers(&scratch, 0), [1, 2, 3]);
    assert_eq!(numbers(&scratch, 2), [3]);
    for number in [1, 2] {
        make_old(&scratch.file(number));
    }
    // Nobody says that the store is full: new bounds are kept with the shelf.
    service.store.keep(LEAST, MONTH);
    service.begin_segment();
    service.live(1);
    service.settle();
    assert_eq!(scratch.numbers(), [2, 3, 4, 5]);
    shelf.archived(2);
    service.begin_segment();
    service.live(1);
    service.settle();
    assert_eq!((scratch.numbers(), shelf.dropped()), (vec![3, 4, 5, 6], 0));
    service.finish();
}

#[test]
fn room_is_made_of_what_is_not_archived_too() {
    let scratch = Scratch::new();
    let shelf = Arc::new(Shelf::default());
    let mut service = Service::start(scratch.options().archived(Arc::clone(&shelf)));
    let mut begun = 0;
    while begun < 11 {
        service.live(1000);
        service.settle();
        if service.store.is_due(time(service.index)) {
            service.begin_segment();
            begun += 1;
        }
    }
    service.settle();
    service.finish();
    let first = scratch.numbers()[0];
    assert!(first > 1);
    assert_eq!(shelf.dropped(), first - 1);
}

/// A file without tables may come to nothing; then the one before goes on.
#[test]
fn a_segment_is_closed_when_a_later_one_has_begun() {
    let scratch = Scratch::new();
    let mut service = Service::start(scratch.options());
    service.live(10);
    service.settle();
    assert!(numbers(&scratch, 0).is_empty());
    File::create(scratch.file(2)).expect("it can be created");
    assert!(numbers(&scratch, 0).is_empty());
    fs::remove_file(scratch.file(2)).expect("it is there");
    service.begin_segment();
    service.live(1);
    service.settle();
    let closed = closed(&scratch.0, 0).expect("it is readable");
    let file = closed[0].open().expect("it is readable").expect("nobody reads it");
    assert_eq!(
        file.metadata().ok().map(|it| it.len()),
        fs::metadata(scratch.file(1)).ok().map(|it| it.len())
    );
    service.finish();
}

/// What was killed before it could empty its log is whole all the same.
#[test]
fn a_log_is_moved_into_the_segment() {
    let scratch = Scratch::new();
    let mut service = Service::start(scratch.options());
    service.live(10);
    service.settle();
    // As a crash leaves it.
    let copy = Scratch::new();
    fs::create_dir_all(&copy.0).expect("a directory can be created");
    for suffix in ["", "-wal"] {
        let name = format!("trace-1.db{suffix}");
        fs::copy(scratch.0.join(&name), copy.0.join(&name)).expect("it is there");
    }
    let one = Closed { number: 1, path: copy.file(1), written: SystemTime::now() };
    assert!(directory::has_log(&one.path));
    one.open().expect("it is readable").expect("nobody reads it");
    assert!(!directory::has_log(&one.path));
    service.finish();
}

#[test]
fn what_is_archived_is_not_added_to() {
    for (through, expected) in [(0, vec![1]), (1, vec![1, 2])] {
        let scratch = Scratch::new();
        let mut service = Service::start(scratch.options());
        service.live(10);
        service.finish();
        let shelf = Arc::new(Shelf::default());
        shelf.archived(through);
        let mut service = Service::start(scratch.options().archived(shelf));
        service.live(10);
        service.finish();
        assert_eq!(scratch.numbers(), expected);
        assert_eq!(scratch.recordings().len(), 1, "it goes on where the first ends");
    }
}
