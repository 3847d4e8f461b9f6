use std::{
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use proptest::prelude::*;

use super::*;

/// 2026-01-02T03:04:00Z
const START: i64 = 1_767_323_040_000;
const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
const KEEP: Duration = Duration::from_secs(400 * 24 * 3600);
const ROOM: u64 = 1 << 30;

/// A directory that is removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("sockleak-history-{}-{number}", process::id()));
        fs::create_dir_all(&path).expect("a directory can be created");
        Self(path)
    }

    fn open(&self) -> History {
        History::open(&self.0, KEEP, ROOM).unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Minute number `index`, in which so many slots were used at most.
fn minute(index: i64, socket: &str, slots_max: u64) -> Minute {
    let programs = ["/bin/x", OTHERS].map(|program| ProgramMinute {
        program: program.to_owned(),
        open_last: slots_max / 2,
        opened: 3,
    });
    let socket = SocketMinute {
        socket: socket.to_owned(),
        slots_max,
        slots_last: slots_max / 2,
        slots_limit: Some(10),
        queue_max: (slots_max > 5).then(|| slots_max - 5),
        opened: 6,
        closed: 5,
        failed: 1,
        open_last: slots_max,
        programs: programs.to_vec(),
    };
    Minute { at: START + index * MINUTE, sockets: vec![socket] }
}

fn add(history: &mut History, minutes: impl IntoIterator<Item = Minute>) {
    for minute in minutes {
        history.add(&minute).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn minutes_are_put_together_to_steps() {
    let scratch = Scratch::new();
    let mut history = scratch.open();
    add(
        &mut history,
        [4, 9, 2, 7].into_iter().zip(0..).map(|(slots, index)| minute(index, "/run/a.sock", slots)),
    );
    add(&mut history, [minute(1, "/run/b.sock", 100), minute(9, "/run/a.sock", 1)]);
    drop(history);
    let history = scratch.open();
    assert_eq!(history.sockets(), Ok(vec!["/run/a.sock".to_owned(), "/run/b.sock".to_owned()]));
    let series = |from, to, step| {
        let points = history.series("/run/a.sock", START + from * MINUTE, START + to * MINUTE, step);
        let points = points.expect("it is readable").into_iter();
        points
            .map(|it| ((it.at - START) / MINUTE, it.slots_max, it.slots_last, it.queue_max, it.opened))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        series(0, 10, 60),
        [
            (0, 4, 2, None, 6),
            (1, 9, 4, Some(4), 6),
            (2, 2, 1, None, 6),
            (3, 7, 3, Some(2), 6),
            (9, 1, 0, None, 6)
        ]
    );
    assert_eq!(series(0, 10, 240), [(0, 9, 3, Some(4), 24), (8, 1, 0, None, 6)]);
    assert_eq!(series(1, 3, 61), [(1, 9, 1, Some(4), 12)]);
    assert_eq!(series(4, 9, 60), []);
    let programs = history.programs("/run/a.sock", START, START + 10 * MINUTE, 240).expect("it is readable");
    let programs: Vec<_> = programs.iter().map(|it| (it.program.as_str(), it.open_last, it.opened)).collect();
    assert_eq!(programs, [("/bin/x", 3, 12), (OTHERS, 3, 12), ("/bin/x", 0, 3), (OTHERS, 0, 3)]);
    assert_eq!(history.series("/run/c.sock", START, i64::MAX, 60), Ok(vec![]));
}

#[test]
fn a_minute_that_comes_twice_is_added_up() {
    let scratch = Scratch::new();
    let mut history = scratch.open();
    add(&mut history, [minute(0, "a", 8), minute(0, "a", 4)]);
    let points = history.series("a", START, START + 1, 60).expect("it is readable");
    let expected = Point {
        at: START,
        slots_max: 8,
        slots_last: 2,
        slots_limit: Some(10),
        queue_max: Some(3),
        opened: 12,
        closed: 10,
        failed: 2,
        open_last: 4,
    };
    assert_eq!(points, [expected]);
    let programs = history.programs("a", START, START + 1, 60).expect("it is readable");
    assert_eq!(programs.iter().map(|it| (it.open_last, it.opened)).collect::<Vec<_>>(), [(2, 6), (2, 6)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    #[test]
    fn steps_lose_nothing(indices in prop::collection::btree_set(0..100_000_i64, 1..50), step in 0..1_000_000_u64) {
        let scratch = Scratch::new();
        let mut history = scratch.open();
        add(&mut history, indices.iter().map(|&index| minute(index, "a", index as u64)));
        let points = history.series("a", START, START + 100_000 * MINUTE, step).expect("it is readable");
        prop_assert!(points.len() <= 1000);
        prop_assert_eq!(points.iter().map(|it| it.opened).sum::<u64>(), 6 * indices.len() as u64);
        prop_assert_eq!(points.iter().map(|it| it.slots_max).max(), indices.last().map(|&it| it as u64));
        prop_assert!(points.windows(2).all(|pair| pair[0].at < pair[1].at));
    }
}

#[test]
fn what_is_too_old_is_deleted() {
    let scratch = Scratch::new();
    let mut history = scratch.open();
    let days = |days: i64| days * 24 * 60;
    add(
        &mut history,
        [minute(0, "old", 1), minute(0, "a", 1), minute(days(1), "a", 1), minute(days(400), "a", 1)],
    );
    history.prune(START + days(400) * MINUTE + 2 * 3_600_000).expect("it can be written");
    let all = |history: &History, socket| {
        history
            .series(socket, 0, i64::MAX, 60)
            .expect("it is readable")
            .iter()
            .map(|it| it.opened)
            .sum::<u64>()
    };
    assert_eq!((all(&history, "a"), all(&history, "old")), (12, 0));
    assert_eq!(history.sockets(), Ok(vec!["a".to_owned()]));
    // A clock that was set far back deletes nothing.
    history.prune(START).expect("it can be written");
    assert_eq!(all(&history, "a"), 12);
}

#[test]
fn its_size_is_bounded() {
    let scratch = Scratch::new();
    let mut history = scratch.open();
    assert_eq!(history.most_bytes, ROOM / 4);
    history.keep(KEEP, 64 << 30);
    assert_eq!(history.most_bytes, 512 << 20);
    history.keep(KEEP, 800_000);
    for day in 0..8 {
        let minutes = (0..1440).step_by(2).map(|index| minute(day * 1440 + index, "/run/a.sock", 9));
        history.connection.execute_batch("PRAGMA synchronous = OFF").expect("it is a choice");
        add(&mut history, minutes);
        // Three days and more fit.
        assert_eq!(history.is_full(), Ok(day >= 3), "day {day}");
        history.prune(START + (day + 1) * DAY).expect("it can be written");
        assert_eq!(history.is_full(), Ok(false));
        assert!(used(&history.connection).is_ok_and(|bytes| bytes <= 200_000));
    }
    assert!(size(&scratch.0) >= 200_000, "the files count");
    let points = history.series("/run/a.sock", START, START + 8 * DAY, 60).expect("it is readable");
    assert!(points.first().is_some_and(|first| first.at > START + 4 * DAY));
    assert_eq!(points.last().map(|last| last.opened > 0 && last.at > START + 7 * DAY), Some(true));
}

/// Who reads keeps the tracer waiting: of a long time the last rows are told.
#[test]
fn what_is_read_is_bounded() {
    let scratch = Scratch::new();
    let mut history = scratch.open();
    add(&mut history, (0..100).map(|index| minute(index, "a", 8)));
    history.most_rows = 20;
    let points = history.series("a", 0, START + DAY, 60).expect("it is readable");
    assert_eq!(points.iter().map(|it| it.opened).sum::<u64>(), 20 * 6);
    assert_eq!(points.last().map(|it| it.slots_max), Some(8));
    // Two programs a minute.
    let programs = history.programs("a", START, START + 100 * MINUTE, 60).expect("it is readable");
    let minutes: Vec<_> = programs.iter().map(|it| (it.at - START) / MINUTE).collect();
    assert_eq!((minutes.len(), minutes.first(), minutes.last()), (20, Some(&90), Some(&99)));
}

#[test]
fn sockets_are_bounded() {
    let scratch = Scratch::new();
    let mut history = scratch.open();
    let sockets = (0..1030).flat_map(|number| minute(0, &format!("/run/{number}"), 1).sockets).collect();
    add(&mut history, [Minute { at: START, sockets }]);
    assert_eq!(history.sockets().map(|sockets| sockets.len()), Ok(MOST_SOCKETS));
    let known =
        |history: &History, socket| history.series(socket, START, START + 1, 60).map(|points| points.len());
    assert_eq!((known(&history, "/run/3"), known(&history, "/run/1029")), (Ok(1), Ok(0)));
}

#[test]
fn a_damaged_history_is_set_aside_and_a_newer_one_refused() {
    let scratch = Scratch::new();
    let path = scratch.0.join("history.db");
    fs::write(&path, [b'x'; 4096]).expect("it can be written");
    add(&mut scratch.open(), [minute(0, "a", 1)]);
    assert_eq!(fs::read(scratch.0.join("history.db.damaged")).ok(), Some(vec![b'x'; 4096]));
    let file = Connection::open(&path).expect("it is there");
    file.pragma_update(None, "user_version", 7).expect("it can be written");
    drop(file);
    let error = History::open(&scratch.0, KEEP, ROOM).map(|_| ()).expect_err("it is newer");
    assert!(
        error.to_string().contains("history.db was written by a newer sockleak (schema version 7)"),
        "{error}"
    );
}
