//! The kinds of workload. Each makes another scene for each seed.

use fastrand::Rng;

use super::scene::{DAY, HOUR, Life, MINUTE, SECOND, Scene, Truth, Used};

/// A kind: its name, and what makes a scene of it.
pub(crate) type Kind = (&'static str, fn(&mut Rng) -> Scene);

/// Of which nothing leaks.
pub(crate) const HEALTHY: &[Kind] = &[
    ("short requests", |rng| requests(rng, 1, SECOND)),
    ("requests of some seconds", |rng| requests(rng, 500, 8 * SECOND)),
    ("requests longer than the leak age", |rng| requests(rng, 30_000, 90 * SECOND)),
    ("requests of minutes", |rng| requests(rng, 30_000, 10 * MINUTE)),
    ("long polls", |rng| requests(rng, 30_000, 55 * SECOND)),
    ("a fixed pool", |rng| pool(rng, 0, 30 * SECOND)),
    ("a fixed pool, half of it hardly used", |rng| idle_pool(rng)),
    ("a pool that fills within minutes", |rng| pool(rng, 20 * SECOND, MINUTE)),
    ("a pool that fills slowly", |rng| pool(rng, 10 * MINUTE, MINUTE)),
    ("threads up to a bound", threads),
    ("a pool with recycled members", |rng| recycled(rng, 10 * MINUTE)),
    ("a pool with members recycled each hour", |rng| recycled(rng, HOUR)),
    ("a pool that is elastic by day", |rng| by_day(rng, 30 * MINUTE, 10 * HOUR)),
    ("sessions by day", |rng| by_day(rng, HOUR, 9 * HOUR)),
    ("a nightly batch", |rng| batch(rng, 0)),
    ("autoscaled workers, one each", |rng| workers(rng, 3 * HOUR)),
    ("terminals, one each", |rng| workers(rng, 100 * HOUR)),
    ("crowds that come and go", |rng| crowd(rng, 5 * MINUTE)),
    ("crowds of longer visits", |rng| crowd(rng, 30 * MINUTE)),
    ("bursts", |rng| bursts(rng, 100)),
    ("a load that grows", growing_load),
    ("idle time-outs", |rng| requests(rng, 240_000, 6 * MINUTE)),
    ("a server that lingers", |rng| linger(rng, 4 * MINUTE)),
    ("a server with jobs of half an hour", |rng| linger(rng, 30 * MINUTE)),
    ("a pool beside requests", |rng| beside(requests(rng, 1, SECOND), pool(rng, 0, MINUTE))),
    ("a restarted pool", restarted_pool),
    ("a full pool that is used", full_pool),
    ("a pool from before tracing", before),
    ("answers that the server ends", answers),
    ("streams beside answers that the server ends", streams),
];

/// From half of a figure to half as much again.
pub(super) fn about(rng: &mut Rng, figure: u64) -> u64 {
    figure / 2 + rng.u64(0..=figure)
}

pub(super) fn life(opened: u64, closed: Option<u64>) -> Life {
    Life {
        program: 1,
        process: 1001,
        opened,
        accepted: Some(opened),
        client: closed,
        server: closed.map(|at| at + 1_000_000),
        exits: false,
        before: false,
        is_leaked: false,
        used: Used::Once,
    }
}

pub(super) fn forgotten(opened: u64) -> Life {
    Life { is_leaked: true, ..life(opened, None) }
}

/// Gaps between events at random moments.
pub(super) fn random_gap(rng: &mut Rng, mean: u64) -> u64 {
    (mean as f64 * -(1.0 - rng.f64()).ln()) as u64 + 1
}

/// One program; the scene is as long as chance has it.
pub(super) fn one(rng: &mut Rng) -> Scene {
    let lengths = [10 * MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY];
    Scene::new(lengths[rng.usize(..lengths.len())]).client(1, Truth::Healthy)
}

pub(super) fn requests(rng: &mut Rng, least_ms: u64, longest: u64) -> Scene {
    let mut scene = one(rng);
    // At most some thousands.
    let gap = (scene.length / 1500).max(about(rng, SECOND));
    let mut at = 0;
    while at < scene.length {
        at += random_gap(rng, gap);
        let lasting = rng.u64(least_ms * 1_000_000..=longest);
        scene.lives.push(Life { used: Used::Asked, ..life(at, Some(at + lasting)) });
    }
    scene
}

pub(super) fn pool(rng: &mut Rng, gap: u64, use_gap: u64) -> Scene {
    let mut scene = one(rng);
    let gap = if gap > 0 { about(rng, gap) } else { SECOND / 100 };
    for nth in 0..rng.u64(2..=30) {
        let used = Used::Every(about(rng, use_gap));
        scene.lives.push(Life { used, ..life(SECOND + nth * gap, None) });
    }
    scene
}

fn idle_pool(rng: &mut Rng) -> Scene {
    let mut scene = pool(rng, 0, 30 * SECOND);
    let half = scene.lives.len() / 2;
    scene.lives.iter_mut().take(half).for_each(|life| life.used = Used::Once);
    scene
}

/// Threads that connect when they are first needed: new ones become rarer.
fn threads(rng: &mut Rng) -> Scene {
    let mut scene = one(rng);
    let bound = rng.usize(8..=64);
    let mut known = vec![false; bound];
    let gap = scene.length / 1000 + SECOND;
    let mut at = 0;
    while at < scene.length {
        at += random_gap(rng, gap);
        let thread = rng.usize(..bound);
        if !std::mem::replace(&mut known[thread], true) {
            scene.lives.push(Life { used: Used::Every(gap * bound as u64), ..life(at, None) });
        }
    }
    scene
}

pub(super) fn recycled(rng: &mut Rng, lasting: u64) -> Scene {
    let mut scene = one(rng);
    for _ in 0..rng.u64(3..=15) {
        let mut at = rng.u64(0..lasting);
        while at < scene.length {
            let until = at + about(rng, lasting);
            scene.lives.push(Life { used: Used::Every(20 * SECOND), ..life(at, Some(until)) });
            at = until;
        }
    }
    scene
}

/// They come each morning, and go each evening.
fn by_day(rng: &mut Rng, come: u64, stay: u64) -> Scene {
    let mut scene = Scene::new(3 * DAY).client(1, Truth::Healthy);
    let number = rng.u64(10..=40);
    for day in 0..3 {
        for nth in 0..number {
            let at = day * DAY + 8 * HOUR + nth * come / number + rng.u64(0..MINUTE);
            let until = day * DAY + 8 * HOUR + stay + rng.u64(0..HOUR);
            scene.lives.push(Life { used: Used::Every(about(rng, 3 * MINUTE)), ..life(at, Some(until)) });
        }
    }
    scene
}

/// Twenty over an hour each night, all closed at its end; but for some.
pub(super) fn batch(rng: &mut Rng, forgets: usize) -> Scene {
    let truth = if forgets > 0 { Truth::ClientLeak } else { Truth::Healthy };
    let mut scene = Scene::new(3 * DAY).client(1, truth);
    for night in 0..3 {
        let end = night * DAY + 3 * HOUR;
        for nth in 0..20 {
            let at = night * DAY + 2 * HOUR + rng.u64(0..HOUR);
            let closed = Life { used: Used::Every(2 * MINUTE), ..life(at, Some(end + nth * 10_000_000)) };
            scene.lives.push(if (nth as usize) < forgets { forgotten(at) } else { closed });
        }
    }
    scene
}

/// Processes with one connection each.
fn workers(rng: &mut Rng, lasting: u64) -> Scene {
    let mut scene = one(rng);
    let gap = scene.length / rng.u64(10..=40);
    let mut at = 0;
    for process in 2000.. {
        at += random_gap(rng, gap);
        if at >= scene.length {
            break;
        }
        let until = at + about(rng, lasting);
        scene.lives.push(Life {
            process,
            exits: true,
            used: Used::Every(10 * MINUTE),
            ..life(at, Some(until))
        });
    }
    scene
}

pub(super) fn crowd(rng: &mut Rng, mean: u64) -> Scene {
    let mut scene = one(rng);
    let gap = (mean / rng.u64(3..=40)).max(scene.length / 3000);
    let mut at = 0;
    while at < scene.length {
        at += random_gap(rng, gap);
        let until = at + random_gap(rng, mean);
        scene.lives.push(Life { used: Used::Every(30 * SECOND), ..life(at, Some(until)) });
    }
    scene
}

fn bursts(rng: &mut Rng, number: u64) -> Scene {
    let mut scene = one(rng);
    let gap = (scene.length / 15).max(MINUTE);
    for burst in 0..scene.length / gap {
        for nth in 0..number {
            let at = burst * gap + nth * 1_000_000;
            scene.lives.push(life(at, Some(at + rng.u64(1_000_000..20 * SECOND))));
        }
    }
    scene
}

fn growing_load(rng: &mut Rng) -> Scene {
    let mut scene = one(rng);
    let count = 1500.0;
    let lasting = 3 * MINUTE;
    for nth in 0..1500_u64 {
        let at = (scene.length as f64 * (nth as f64 / count).sqrt()) as u64;
        scene.lives.push(Life { used: Used::Every(20 * SECOND), ..life(at, Some(at + about(rng, lasting))) });
    }
    scene
}

pub(super) fn linger(rng: &mut Rng, lasting: u64) -> Scene {
    let mut scene = requests(rng, 1, SECOND);
    scene.lives.truncate(600);
    for life in &mut scene.lives {
        life.server = life.client.map(|at| at + lasting / 2 + rng.u64(0..=lasting / 2));
    }
    scene
}

/// Two scenes on one socket, each with programs of its own; as long as the first.
pub(super) fn beside(mut one: Scene, other: Scene) -> Scene {
    let shift = one.clients.iter().map(|client| client.0).max().unwrap_or(0);
    one.lives.extend(other.lives.into_iter().map(|life| Life {
        program: life.program + shift,
        process: life.process + 10_000 * shift,
        ..life
    }));
    one.clients.extend(other.clients.into_iter().map(|(program, truth)| (program + shift, truth)));
    one
}

/// The second's lives are another doing of a program of the first; as long as the second.
pub(super) fn join(one: Scene, program: u32, leak: Scene) -> Scene {
    let mut scene = Scene { lives: one.lives, ..leak };
    scene.lives.retain(|life| life.opened < scene.length);
    scene.lives.extend(leak.lives.into_iter().map(|life| Life { program, ..life }));
    scene
}

fn restarted_pool(rng: &mut Rng) -> Scene {
    let mut scene = one(rng);
    let gap = scene.length / rng.u64(2..=4);
    for process in 0..=scene.length / gap {
        let (from, until) = (u64::from(process as u32) * gap, (process + 1) * gap - SECOND);
        for nth in 0..rng.u64(4..=20) {
            let at = from + nth * about(rng, 10 * SECOND);
            let used = Used::Every(MINUTE);
            let process = 3000 + process as u32;
            scene.lives.push(Life { process, exits: true, used, ..life(at, Some(until.max(at + SECOND))) });
        }
    }
    scene
}

fn full_pool(rng: &mut Rng) -> Scene {
    let mut scene = pool(rng, 0, 30 * SECOND);
    scene.limit = Some(scene.lives.len() as u64);
    scene
}

/// The server closes after each answer.
pub(super) fn answers(rng: &mut Rng) -> Scene {
    let mut scene = requests(rng, 1, SECOND);
    for life in &mut scene.lives {
        life.server = Some(life.opened + rng.u64(SECOND / 100..SECOND / 2));
        life.client = life.server.map(|at| at + 1_000_000);
    }
    scene
}

/// Some listen all the time, beside visits: they come all at first, or one each ten minutes.
fn streams(rng: &mut Rng) -> Scene {
    let (number, gap) = (rng.u64(1..=8), if rng.bool() { SECOND / 10 } else { 10 * MINUTE });
    let mut scene = one(rng);
    let listen = |nth| Life { used: Used::Every(MINUTE), process: 1002, ..life(nth * gap, None) };
    scene.lives.extend((0..number).map(listen));
    beside(scene, answers(rng))
}

fn before(rng: &mut Rng) -> Scene {
    let mut scene = pool(rng, 0, 30 * SECOND);
    for life in &mut scene.lives {
        (life.before, life.opened, life.accepted) = (true, 0, Some(0));
    }
    scene
}
