use std::{
    env,
    process::{Child, Command, Stdio},
};

use sockleak_core::event::Carried;

use super::*;

/// Where the process that is killed writes to.
const DIRECTORY: &str = "SOCKLEAK_TEST_STORE";

/// Runs as a process of its own, for the test below; else does nothing.
#[test]
fn serves_until_it_is_killed() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let mut service = Service::start(Options::new(directory.into(), LEAST, MONTH, || {}));
    let began = Instant::now();
    let mut size = 1;
    while began.elapsed() < Duration::from_secs(60) {
        service.live(size);
        // Sizes on both sides of a batch's.
        size = size * 7 % 10_007 + 1;
        if service.store.is_due(time(service.index)) || size % 5 == 0 {
            service.begin_segment();
        }
        assert_eq!(service.store.status(), None);
    }
}

#[test]
fn whenever_the_service_is_killed_each_record_is_stored_once() {
    let scratch = Scratch::new();
    let mut before = 0;
    for kill in 0..20_u64 {
        let mut child = run(&scratch);
        wait_for(&scratch, before, &mut child);
        sleep(Duration::from_millis(kill * 13 % 100));
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");
        before = check(&scratch);
    }
    assert!(before > 0);
}

/// Is what is stored the end of the endless life, up to the position that is stored?
fn check(scratch: &Scratch) -> u64 {
    let position =
        Store::open(scratch.options()).expect("nobody has it").last().map_or(0, |last| last.position);
    let recordings = scratch.recordings();
    let [recording] = recordings.as_slice() else { panic!("{} recordings", recordings.len()) };
    assert_eq!(recording.segment().position, position);
    let mut is_carried = false;
    let mut events = Vec::new();
    let outcome = recording.replay(|record| {
        match record {
            Record::Carried(Carried::Begins) => is_carried = true,
            Record::Carried(Carried::Ends { .. }) => is_carried = false,
            Record::Event(_) if !is_carried => events.push(record),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    outcome.expect("it is readable");
    let first = position.checked_sub(events.len() as u64).expect("there are no more than that");
    for (index, record) in (first..).zip(&events) {
        assert_eq!(*record, endless(index));
    }
    // And what is open follows from it, though the oldest segments are gone.
    let session = replayed(recording);
    let mut open: Vec<_> = session.open().map(|(_, connection)| connection.id).collect();
    open.sort_unstable();
    let is_under_way = |id: u64| !position.is_multiple_of(4) && id == position / 4;
    let expected = (0..position.div_ceil(4)).filter(|&id| leaks(id) || is_under_way(id));
    assert_eq!(open, expected.collect::<Vec<_>>());
    position
}

fn run(scratch: &Scratch) -> Child {
    Command::new(env::current_exe().expect("a test has a file"))
        .args(["--exact", "service::store::tests::crash::serves_until_it_is_killed"])
        .env(DIRECTORY, &scratch.0)
        .stdout(Stdio::null())
        .spawn()
        .expect("a test can run itself")
}

/// Until there is more than before.
fn wait_for(scratch: &Scratch, before: u64, child: &mut Child) {
    let began = Instant::now();
    let more = || {
        let recordings = Recording::all(&scratch.0).ok()?.recordings;
        recordings.last().filter(|it| it.segment().position > before).map(|_| ())
    };
    while more().is_none() {
        assert_eq!(child.try_wait().expect("it is ours"), None);
        assert!(began.elapsed() < Duration::from_secs(50), "nothing was written");
        sleep(Duration::from_millis(5));
    }
}
