use sockleak_core::{
    assess::{Coverage, Report},
    event::Carried,
};
use sockleak_recording::Trace;
use sockleak_report::json;

use super::*;
use crate::clock;

/// The report as JSON.
fn report(session: &Session, index: u64) -> String {
    let frame = Coverage { now: time(index), losses: Vec::new(), skipped_runs: 0, gaps: Vec::new() };
    let mut line = Vec::new();
    json::report(&Report::new(session, frame), &clock::booted_at(0), None, &mut line)
        .expect("it can be written");
    String::from_utf8(line).expect("JSON is UTF-8")
}

/// A segment by itself.
fn alone(path: &Path) -> (Trace, Session) {
    let trace = Trace::open(path).expect("it is readable");
    let mut session = session(&["a.sock"]);
    let outcome = trace.replay(|record| {
        session.feed(record);
        ControlFlow::Continue(())
    });
    outcome.expect("it is readable");
    assert_eq!(session.misfits(), 0);
    (trace, session)
}

#[test]
fn several_segments_are_one_recording() {
    let scratch = Scratch::new();
    let mut service = Service::start(scratch.options());
    for count in [4001, 402, 5, 803, 1006] {
        service.live(count);
        service.begin_segment();
    }
    service.live(2000);
    let (session, index) = (service.session, service.index);
    service.store.finish(progress(index), index).expect("it can be written");

    assert_eq!(scratch.numbers(), [1, 2, 3, 4, 5, 6]);
    let recordings = scratch.recordings();
    let [recording] = recordings.as_slice() else { panic!("{} recordings", recordings.len()) };
    let copy = replayed(recording);
    assert_eq!(report(&copy, index), report(&session, index));
    assert_eq!(totals(&copy), totals(&session));
    assert_eq!(copy.carry(), session.carry());
    assert!(recording.is_ended() && recording.progress().now == time(index));
    assert_eq!(recording.header(), &header());
    // Each is a trace of its own, which leads to what was open at its end.
    let (trace, copy) = alone(&scratch.file(6));
    assert_eq!(copy.carry(), session.carry());
    assert_eq!(trace.header().started, time(index - 2000));
    for number in 1..6 {
        assert!(alone(&scratch.file(number)).0.is_ended());
    }
}

#[test]
fn who_is_described_once_is_described_in_each_segment() {
    let scratch = Scratch::new();
    let mut service = Service::start(scratch.options());
    // Nothing is open, so that nobody is carried over.
    service.live(28);
    service.begin_segment();
    service.live(100);
    service.finish();
    let (_, copy) = alone(&scratch.file(2));
    let programs: Vec<_> = totals(&copy).into_iter().map(|(program, ..)| program).collect();
    assert_eq!(programs, ["/bin/p7", "/bin/p8"]);
}

#[test]
fn a_service_goes_on_where_it_ended() {
    let scratch = Scratch::new();
    let mut service = Service::start(scratch.options());
    service.live(999);
    service.finish();
    let mut service = Service::start(scratch.options());
    assert_eq!(service.index, 999);
    service.live(500);
    let (expected, index) = (totals(&service.session), service.index);
    service.finish();
    assert_eq!(scratch.numbers(), [1]);
    assert_eq!(totals(&replayed(&scratch.recordings()[0])), expected);

    // With other settings it goes on in another segment.
    let chosen = Header { leak_age: 5 * SECOND, ..header() };
    let mut service = Service::start_with(scratch.options(), chosen);
    service.live(101);
    let expected = totals(&service.session);
    service.finish();
    let recordings = scratch.recordings();
    assert_eq!((scratch.numbers(), recordings.len()), (vec![1, 2], 1));
    assert_eq!(totals(&replayed(&recordings[0])), expected);
    assert_eq!(recordings[0].header(), &Header { leak_age: 5 * SECOND, ..header() });
    assert_eq!(alone(&scratch.file(2)).0.header().started, time(index));
}

#[test]
fn another_source_or_a_gap_begins_another_recording() {
    let scratch = Scratch::new();
    let mut service = Service::start(scratch.options());
    service.live(401);
    service.finish();
    // The kernel side began anew, and the ring went on without anybody who read it.
    for (source, position) in [("boot/others", 401), ("boot/others", 7)] {
        let mut store = Store::open(scratch.options()).expect("nobody has it");
        store.start(header(), source, position, Vec::new).expect("it can be written");
        assert_eq!(store.committed(), position);
        store.finish(progress(position), position).expect("it can be written");
    }
    let recordings = scratch.recordings();
    let ends: Vec<_> =
        recordings.iter().map(|it| (it.segment().source.as_str(), it.segment().position)).collect();
    assert_eq!(ends, [(SOURCE, 401), ("boot/others", 401), ("boot/others", 7)]);
    assert_eq!(recordings[0].paths().count(), 1);
}

#[test]
fn a_store_is_read_while_it_is_written_to() {
    let scratch = Scratch::new();
    let mut service = Service::start(scratch.options());
    service.live(400);
    service.settle();
    let early = scratch.recordings();
    service.live(401);
    service.begin_segment();
    service.live(402);
    service.settle();
    let late = scratch.recordings();
    assert_eq!((early.len(), late.len()), (1, 1));
    assert_eq!((early[0].progress().now, late[0].progress().now), (time(400), time(1203)));
    assert_eq!(replayed(&late[0]).carry(), service.session.carry());
    assert!(!late[0].is_ended());
    drop(early);
    service.finish();
}

#[test]
fn what_is_carried_over_is_fed_once() {
    let scratch = Scratch::new();
    let mut service = Service::start(scratch.options());
    service.live(4000);
    service.begin_segment();
    service.live(4000);
    service.finish();
    let mut starts = 0;
    let recordings = scratch.recordings();
    let outcome = recordings[0].replay(|record| {
        starts += u64::from(matches!(record, Record::Carried(Carried::Begins)));
        ControlFlow::Continue(())
    });
    assert_eq!((outcome, starts), (Ok(()), 1));
    // Where the first is gone, the next one's takes its place.
    drop(recordings);
    fs::remove_file(scratch.file(1)).expect("it can be deleted");
    let recordings = scratch.recordings();
    let copy = replayed(&recordings[0]);
    let open: Vec<_> = copy.open().map(|(_, connection)| connection.opened).collect();
    assert_eq!(open.len(), 40);
    // They count with the time when they were made.
    assert!(open.contains(&time(4 * 7)));
}
