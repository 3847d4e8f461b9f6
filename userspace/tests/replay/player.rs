//! The player, step by step.

use std::{fs, time::Duration};

use sockleak::{
    failure::Failure,
    replay::{Choices, Next, Player, Recorded, Speed, Stage},
    service::{
        link::{
            Answers as _,
            answer::HealthStatus,
            playing::{Control, PlayState},
            question::{ConnectionFilter, SeriesRange},
        },
        metrics::{Exposition, MetricDetail},
    },
};
use sockleak_core::attribution::by::By;

use crate::scene::{self, Scene, Scratch, line};

/// 2026-01-02T03:20:45Z, when scenes begin: milliseconds since 1970.
const BEGIN_MS: i64 = 1_767_324_045_000;

fn choices(speed: Speed) -> Choices {
    Choices { speed, from: Duration::ZERO, to: None, by: By::Program, leak_age: None, limits: Vec::new() }
}

fn player(scratch: &Scratch, scene: &Scene, choices: &Choices) -> Player {
    let file = scratch.file("trace.db");
    if !file.exists() {
        scene.record(&file, "db1");
    }
    Player::new(Recorded::open(&file).unwrap(), choices).unwrap_or_else(|error| panic!("{error}"))
}

/// Does all that is due after so many seconds.
fn play(player: &mut Player, seconds: f64) -> Next {
    let elapsed = Duration::from_secs_f64(seconds);
    loop {
        match player.advance(elapsed).unwrap() {
            Next::Now => {}
            Next::Read => std::thread::yield_now(),
            next => return next,
        }
    }
}

fn opened(player: &mut Player) -> u64 {
    let sockets = player.snapshot().sockets;
    sockets.iter().flat_map(|socket| &socket.programs).map(|program| program.opened).sum()
}

/// Connections at 1, 2 and 3 seconds, of which the first is closed at 2.5.
fn three() -> Scene {
    let mut scene = scene::quiet();
    scene.seconds = 10;
    scene.listener(1, "/run/haproxy/ma.sock");
    scene.process(203, &["/usr/bin/a"], (0, None), None);
    scene.process(107, &["/usr/sbin/haproxy"], (0, None), None);
    scene.pass(1000, 203, 1, 1500);
    scene.open(2000, 203, 1);
    scene.open(3000, 203, 1);
    scene
}

#[test]
fn what_is_due_has_happened_and_nothing_else() {
    /// Seconds that have gone by; connections that were made, and are open; the recording's milliseconds.
    type Moment = (f64, u64, usize, i64);
    let table: [(Speed, &[Moment]); 4] = [
        (
            Speed::Times(1.0),
            &[
                (0.0, 0, 0, 0),
                (0.999, 0, 0, 999),
                (1.0, 1, 1, 1000),
                (2.0, 2, 2, 2000),
                (2.6, 2, 1, 2600),
                (3.5, 3, 2, 3500),
            ],
        ),
        (
            Speed::Times(10.0),
            &[(0.05, 0, 0, 500), (0.15, 1, 1, 1500), (0.9, 3, 2, 9000), (2.0, 3, 2, 10_000)],
        ),
        (Speed::Times(0.5), &[(3.0, 1, 1, 1500), (20.0, 3, 2, 10_000)]),
        (Speed::AtOnce, &[(0.0, 3, 2, 10_000)]),
    ];
    for (speed, moments) in table {
        let scratch = Scratch::new();
        let mut player = player(&scratch, &three(), &choices(speed));
        for &(seconds, made, open, milliseconds) in moments {
            play(&mut player, seconds);
            assert_eq!(opened(&mut player), made, "{speed} after {seconds} s");
            let all = ConnectionFilter { limit: 100, ..ConnectionFilter::default() };
            assert_eq!(player.connections(&all).total, open, "{speed} after {seconds} s");
            assert_eq!(player.snapshot().at_ms, BEGIN_MS + milliseconds, "{speed} after {seconds} s");
        }
        assert_eq!(player.stage() == Stage::Over, player.snapshot().at_ms == BEGIN_MS + 10_000);
    }
}

#[test]
fn it_tells_when_it_goes_on() {
    let scratch = Scratch::new();
    let mut player = player(&scratch, &three(), &choices(Speed::Times(2.0)));
    assert_eq!(play(&mut player, 0.0), Next::After(Duration::from_millis(500)));
    assert_eq!(play(&mut player, 1.2), Next::After(Duration::from_micros(1_250_000)));
    assert_eq!(
        (play(&mut player, 4.0), player.stage()),
        (Next::After(Duration::from_secs(5)), Stage::Playing)
    );
    assert_eq!((play(&mut player, 5.0), player.stage()), (Next::Never, Stage::Over));
}

#[test]
fn a_part_can_be_played() {
    let scratch = Scratch::new();
    let part = Choices {
        from: Duration::from_millis(1500),
        to: Some(Duration::from_millis(2200)),
        ..choices(Speed::Times(1.0))
    };
    let mut player = player(&scratch, &three(), &part);
    assert_eq!(player.health().status, HealthStatus::Starting);
    play(&mut player, 0.0);
    assert_eq!((opened(&mut player), player.stage()), (1, Stage::Playing));
    assert_eq!(player.health().status, HealthStatus::Ok);
    assert_eq!(play(&mut player, 100.0), Next::Never);
    assert_eq!((opened(&mut player), player.snapshot().at_ms), (2, BEGIN_MS + 2200));
    let beyond = Choices { from: Duration::from_secs(11), ..choices(Speed::AtOnce) };
    let refused = Player::new(Recorded::open(&scratch.file("trace.db")).unwrap(), &beyond).err();
    let said = refused.as_ref().map(Failure::to_string).unwrap_or_default();
    assert!(said.contains("lasts for 10.00 s") && said.contains("--from"), "{said}");
}

/// At whatever pace it was played, and whatever was asked meanwhile, the end is what `sockleak report` says.
#[test]
fn the_end_is_the_report() {
    for scene in [scene::quiet(), scene::busy(), scene::incomplete()] {
        let scratch = Scratch::new();
        let expected = {
            scene.record(&scratch.file("trace.db"), "db1");
            line(&scene::replayed(&scratch.file("trace.db"), By::Program).report())
        };
        for (speed, steps) in [(Speed::AtOnce, 1), (Speed::Times(1.0), 7), (Speed::Times(360.0), 3)] {
            let mut player = player(&scratch, &scene, &choices(speed));
            for step in 1..=steps {
                play(&mut player, 3600.0 / f64::from(steps) * f64::from(step));
                player.snapshot();
                player.metrics(MetricDetail::default(), Exposition::default());
            }
            assert_eq!(player.stage(), Stage::Over);
            assert_eq!(line(&player.report()), expected, "{speed}");
        }
    }
}

#[test]
fn events_are_told_to_those_who_listen() {
    let scratch = Scratch::new();
    let mut player = player(&scratch, &three(), &choices(Speed::Times(1.0)));
    play(&mut player, 1.5);
    assert!(player.told(true).is_empty(), "nobody listened");
    play(&mut player, 2.2);
    let told = player.told(false);
    let kinds: Vec<_> = told.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["connect", "accept"]);
    assert_eq!(told[0]["time"], "2026-01-02T03:20:47.000000000Z");
    play(&mut player, 10.0);
    assert!(player.told(false).is_empty());
}

#[test]
fn it_keeps_a_history() {
    let scratch = Scratch::new();
    let mut player = player(&scratch, &scene::busy(), &choices(Speed::AtOnce));
    play(&mut player, 0.0);
    let range = SeriesRange {
        socket: "/run/haproxy/ma.sock".to_owned(),
        from_ms: BEGIN_MS - 60_000,
        to_ms: BEGIN_MS + 3_600_000 + 60_000,
        points: 1000,
    };
    let series = player.series(&range).unwrap();
    let snapshot = player.snapshot();
    let socket = snapshot.sockets.iter().find(|socket| socket.path == range.socket).unwrap();
    // All that was made is in some minute, and the last one is what is now.
    let made: u64 = socket.programs.iter().map(|program| program.opened).sum();
    let failed: u64 = socket.programs.iter().flat_map(|program| program.failed.values()).sum();
    let points = &series.points;
    assert_eq!(points.iter().map(|point| point.opened).sum::<u64>(), made);
    assert_eq!(points.iter().map(|point| point.failed).sum::<u64>(), failed);
    let last = points.last().unwrap();
    assert_eq!(
        (last.slots_last, last.slots_limit, last.open_last),
        (socket.slots, Some(10), socket.states.values().sum())
    );
    assert!((60..=62).contains(&points.len()), "{}", points.len());
    // One who closes may be there at the end of a minute.
    assert!(points.windows(2).all(|pair| pair[0].open_last <= pair[1].open_last + 1), "it is a leak");
    assert!(points[0].open_last + 8 <= last.open_last, "it is a leak");
    let leak = "/opt/certificates/bin/cert-renewer";
    assert_eq!(series.programs.iter().filter(|it| it.program == leak).map(|it| it.opened).sum::<u64>(), 8);
}

/// The recording's moment, what is open then, and what the replay does.
fn stands(player: &mut Player) -> (i64, usize, PlayState) {
    let all = ConnectionFilter { limit: 100, ..ConnectionFilter::default() };
    let total = player.connections(&all).total;
    let playing = player.playing();
    assert_eq!((playing.begin_ms, playing.end_ms), (BEGIN_MS, BEGIN_MS + 10_000));
    (playing.at_ms - BEGIN_MS, total, playing.state)
}

#[test]
fn a_viewer_pauses_seeks_and_changes_the_speed() {
    let scratch = Scratch::new();
    let mut player = player(&scratch, &three(), &choices(Speed::Times(1.0)));
    let pause = |is_paused| Control { is_paused: Some(is_paused), ..Control::default() };
    let seek = |ms| Control { at_ms: Some(BEGIN_MS + ms), ..Control::default() };
    play(&mut player, 2.2);
    assert_eq!(stands(&mut player), (2200, 2, PlayState::Playing));
    player.control(&pause(true)).unwrap();
    play(&mut player, 60.0);
    assert_eq!(stands(&mut player), (2200, 2, PlayState::Paused));
    // It goes on from there, ten times as fast.
    player.control(&Control { speed: Some(10_000_000), ..pause(false) }).unwrap();
    play(&mut player, 60.1);
    assert_eq!(stands(&mut player), (3200, 2, PlayState::Playing));
    // Ahead, and nothing on the way is told as if it happened now.
    assert!(player.told(true).is_empty());
    player.control(&seek(900)).unwrap();
    assert_eq!(player.playing().state, PlayState::Seeking);
    play(&mut player, 60.1);
    assert_eq!(stands(&mut player), (900, 0, PlayState::Playing));
    player.control(&Control { is_paused: Some(true), ..seek(2600) }).unwrap();
    assert_eq!(player.told(true).len(), 0);
    play(&mut player, 61.0);
    assert_eq!((stands(&mut player), opened(&mut player)), ((2600, 1, PlayState::Paused), 2));
    // Beyond the end is the end, and from there one gets back; what is before the beginning is the beginning.
    player.control(&Control { is_paused: Some(false), ..seek(99_000) }).unwrap();
    assert_eq!(play(&mut player, 61.0), Next::Never);
    assert_eq!(stands(&mut player), (10_000, 2, PlayState::Ended));
    player.control(&seek(-5)).unwrap();
    play(&mut player, 61.0);
    assert_eq!(stands(&mut player).0, 0);
    assert_eq!(play(&mut player, 63.0), Next::Never);
    assert_eq!((stands(&mut player), opened(&mut player)), ((10_000, 2, PlayState::Ended), 3));
}

/// What was played all at once stays where somebody looks.
#[test]
fn a_seek_in_what_was_played_at_once_stays_there() {
    let scratch = Scratch::new();
    let mut player = player(&scratch, &three(), &choices(Speed::AtOnce));
    play(&mut player, 0.0);
    assert_eq!((player.playing().state, player.playing().speed), (PlayState::Ended, None));
    player.control(&Control { at_ms: Some(BEGIN_MS + 2000), ..Control::default() }).unwrap();
    play(&mut player, 5.0);
    assert_eq!(stands(&mut player), (2000, 2, PlayState::Paused));
    assert_eq!(player.playing().speed, Some(1.0));
}

/// What was read before the damage counts, and then it is told.
#[test]
fn damage_is_told() {
    let scratch = Scratch::new();
    let file = scratch.file("trace.db");
    let mut scene = three();
    for nth in 0..5000 {
        scene.pass(4000 + nth, 203, 1, 1);
    }
    scene.record(&file, "db1");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0xff);
    fs::write(&file, bytes).unwrap();
    let mut player = Player::new(Recorded::open(&file).unwrap(), &choices(Speed::AtOnce)).unwrap();
    let error = loop {
        match player.advance(Duration::ZERO) {
            Ok(Next::Never) => panic!("the damage was not noticed"),
            Ok(_) => std::thread::yield_now(),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Failure::Trace(_)) && error.to_string().contains("is damaged"), "{error}");
    assert!(opened(&mut player) > 0);
}
