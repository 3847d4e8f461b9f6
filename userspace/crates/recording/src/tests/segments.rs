use rusqlite::Connection;
use sockleak_core::{
    event::Carried,
    testing::{connect as connected, listener},
};

use super::*;

fn carried() -> Vec<Record> {
    let queue = Some(Queue { length: 3, max: 128 });
    vec![
        Record::Carried(Carried::Begins),
        described(40, Some("/bin/x")),
        listener(3, "/run/a.sock"),
        Record::Carried(Carried::Listener { listener: 3, last_accept: Some(4), queue, slots: Some(10) }),
        Record::Carried(Carried::Listener { listener: 3, last_accept: None, queue: None, slots: None }),
        event(5, 40, connected(9, 3)),
        Record::Carried(Carried::Ends { at: 5 }),
    ]
}

fn segment(path: &Path) -> Segment {
    let segment = Segment { source: "boot/pins".to_owned(), follows: true, position: u64::MAX };
    let beginning = segment::Beginning {
        header: header(),
        segment: segment.clone(),
        progress: progress(7),
        carry: carried(),
    };
    drop(segment::create(path, &beginning).expect("it can be created"));
    segment
}

#[test]
fn a_segment_keeps_what_it_begins_with() {
    let scratch = Scratch::new();
    let path = scratch.file("trace-1.db");
    let segment = segment(&path);
    let trace = opened(&path);
    assert_eq!((trace.segment(), trace.progress()), (Some(&segment), &progress(7)));
    assert_eq!(replayed(&trace), carried());
    assert_eq!(trace.verify(), Ok(()));
}

#[test]
fn what_is_carried_over_is_in_the_view_of_connections() {
    let scratch = Scratch::new();
    let path = scratch.file("trace-1.db");
    segment(&path);
    let file = Connection::open(&path).expect("it is there");
    let row = file.query_row("SELECT path, state, program, opened_ns FROM connection", [], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    });
    let expected = ("/run/a.sock".to_owned(), "queued".to_owned(), "/bin/x".to_owned(), 5);
    assert_eq!(row, Ok(expected));
}

#[test]
fn a_recording_of_the_first_version_is_read() {
    let scratch = Scratch::new();
    let path = scratch.file("trace.db");
    recorded(&path, &(0..10).map(endless).collect::<Vec<_>>());
    let file = Connection::open(&path).expect("it is there");
    let columns =
        ["source", "follows", "ring_position"].map(|it| format!("ALTER TABLE session DROP COLUMN {it}"));
    let first = format!("{}; PRAGMA user_version = 1", columns.join("; "));
    file.execute_batch(&first).expect("it can be written");
    drop(file);
    let trace = opened(&path);
    assert_eq!((trace.header(), trace.segment(), trace.is_current()), (&header(), None, false));
    assert_eq!(check_front(&trace), 10);
}

#[test]
fn a_recording_without_names_of_containers_is_read() {
    let scratch = Scratch::new();
    let path = scratch.file("trace.db");
    recorded(&path, &(0..10).map(endless).collect::<Vec<_>>());
    let file = Connection::open(&path).expect("it is there");
    let third = "ALTER TABLE process DROP COLUMN container; PRAGMA user_version = 3";
    file.execute_batch(third).expect("it can be written");
    drop(file);
    let trace = opened(&path);
    assert_eq!((trace.header(), trace.is_current()), (&header(), false));
    assert_eq!(check_front(&trace), 10);
}
