//! The kinds of workload of which something leaks, or is too small.

use fastrand::Rng;

use super::{
    kinds::{
        Kind, about, answers, batch, beside, crowd, forgotten, join, life, linger, pool, random_gap,
        recycled, requests,
    },
    scene::{DAY, HOUR, Life, MINUTE, SECOND, Scene, Truth, Used},
};

/// Of which something does.
pub(crate) const LEAKS: &[Kind] = &[
    ("leak: slow and steady", |rng| leak(rng, HOUR, 2 * DAY)),
    ("leak: some an hour", |rng| leak(rng, 10 * MINUTE, 12 * HOUR)),
    ("leak: one a minute", |rng| leak(rng, MINUTE, 2 * HOUR)),
    ("leak: fast", |rng| leak(rng, 5 * SECOND, 20 * MINUTE)),
    ("leak: ten minutes of it", |rng| leak(rng, 40 * SECOND, 10 * MINUTE)),
    ("leak: beside short requests", |rng| join(requests(rng, 1, SECOND), 1, leak(rng, 20 * MINUTE, DAY))),
    ("leak: beside requests of 90 s", |rng| {
        join(requests(rng, 30_000, 90 * SECOND), 1, leak(rng, HOUR, DAY))
    }),
    ("leak: beside requests of minutes", |rng| {
        join(requests(rng, 30_000, 10 * MINUTE), 1, leak(rng, HOUR, 2 * DAY))
    }),
    ("leak: from a recycling pool", |rng| join(recycled(rng, 5 * MINUTE), 1, leak(rng, HOUR, DAY))),
    ("leak: beside a fixed pool", |rng| join(pool(rng, 0, 30 * SECOND), 1, leak(rng, 20 * MINUTE, DAY))),
    ("leak: error storms hours apart", storms),
    ("leak: one in N forgotten", one_in),
    ("leak: a few in each nightly batch", |rng| batch(rng, 3)),
    ("leak: by day only", leak_by_day),
    ("leak: five at a time", |rng| leak_bursts(rng)),
    ("leak: at random moments", random_leak),
    ("leak: one program of several", |rng| {
        beside(leak(rng, 15 * MINUTE, DAY), beside(requests(rng, 1, SECOND), pool(rng, 0, MINUTE)))
    }),
    ("leak: with restarts", leak_with_restarts),
    ("leak: begins late", late_leak),
    ("leak: fills known slots", |rng| full(rng, true, false)),
    ("leak: fills unknown slots, turned away", |rng| full(rng, false, true)),
    ("leak beside answers that the server ends", |rng| beside(leak(rng, HOUR / 2, DAY), answers(rng))),
    ("leak: fills unknown slots, not accepted", |rng| full(rng, false, false)),
    ("leak: captured when full", captured_full),
    ("server leak: steady", |rng| server_leak(rng, 1)),
    ("server leak: one in N", |rng| server_leak(rng, 20)),
    ("server leak: of one that lingers", |rng| lingering_leak(rng)),
    ("stale ends", stale),
    ("starved", |rng| full(rng, true, false)),
    ("saturated", saturated),
];

fn leak(rng: &mut Rng, gap: u64, length: u64) -> Scene {
    let mut scene = Scene::new(length).client(1, Truth::ClientLeak);
    let gap = about(rng, gap);
    let mut at = rng.u64(0..gap);
    while at < length {
        scene.lives.push(forgotten(at));
        at += gap / 2 + rng.u64(0..=gap);
    }
    scene
}

fn storms(rng: &mut Rng) -> Scene {
    let mut scene = Scene::new(DAY).client(1, Truth::ClientLeak);
    let gap = about(rng, 3 * HOUR);
    for storm in 0..DAY / gap {
        for _ in 0..10 {
            scene.lives.push(forgotten(storm * gap + rng.u64(0..10 * MINUTE)));
        }
    }
    scene
}

fn one_in(rng: &mut Rng) -> Scene {
    let mut scene = crowd(rng, 10 * MINUTE);
    scene.length = scene.length.max(6 * HOUR);
    let n = rng.u64(15..=40);
    let mut at = 0;
    scene.lives.clear();
    while at < scene.length {
        at += random_gap(rng, scene.length / 800);
        let until = at + random_gap(rng, 5 * MINUTE);
        let kept = Life { used: Used::Every(20 * SECOND), ..life(at, Some(until)) };
        scene.lives.push(if rng.u64(..n) == 0 { forgotten(at) } else { kept });
    }
    scene.clients = vec![(1, Truth::ClientLeak)];
    scene
}

fn leak_by_day(rng: &mut Rng) -> Scene {
    let mut scene = leak(rng, 30 * MINUTE, 3 * DAY);
    scene.lives.retain(|life| (8..18).contains(&(life.opened % DAY / HOUR)));
    scene
}

fn leak_bursts(rng: &mut Rng) -> Scene {
    let mut scene = leak(rng, 30 * MINUTE, DAY);
    let more: Vec<_> = scene.lives.iter().flat_map(|it| (1..5).map(|n| forgotten(it.opened + n))).collect();
    scene.lives.extend(more);
    scene
}

fn random_leak(rng: &mut Rng) -> Scene {
    let mut scene = Scene::new(DAY).client(1, Truth::ClientLeak);
    let mut at = 0;
    while at < DAY {
        at += random_gap(rng, 40 * MINUTE);
        scene.lives.push(forgotten(at));
    }
    scene
}

fn leak_with_restarts(rng: &mut Rng) -> Scene {
    let mut scene = leak(rng, 4 * MINUTE, 12 * HOUR);
    let period = 150 * MINUTE;
    for life in &mut scene.lives {
        let run = life.opened / period;
        life.process = 4000 + run as u32;
        if (run + 1) * period < scene.length {
            (life.client, life.server, life.exits) =
                (Some((run + 1) * period), Some((run + 1) * period + SECOND), true);
        }
    }
    scene
}

fn late_leak(rng: &mut Rng) -> Scene {
    let mut scene = join(requests(rng, 1, SECOND), 1, leak(rng, 5 * MINUTE, DAY));
    scene.lives.retain(|life| !life.is_leaked || life.opened > 18 * HOUR);
    scene
}

/// A leak that fills the server, and a victim that then tries once a minute.
fn full(rng: &mut Rng, is_known: bool, turns_away: bool) -> Scene {
    let slots = rng.u64(6..=20);
    let length = 6 * HOUR;
    let gap = about(rng, 5 * MINUTE);
    let mut scene = Scene::new(length).client(1, Truth::ClientLeak).client(2, Truth::Starved);
    scene.limit = is_known.then_some(slots);
    let leaks = (0..slots).map(|nth| MINUTE + nth * gap);
    scene.lives.extend(leaks.map(forgotten));
    // From the last one on, nobody else is served.
    let since = MINUTE + (slots - 1) * gap;
    for nth in 0..length / MINUTE {
        let (at, process, program) = (nth * MINUTE + 30 * SECOND, 2001, 2);
        let visit = Life { process, program, ..life(at, Some(at + SECOND)) };
        if at < since {
            scene.lives.push(visit);
        } else if turns_away {
            scene.lives.push(Life { server: Some(at + SECOND / 5), client: Some(at + SECOND / 4), ..visit });
        } else if nth % 7 == 0 {
            let gone = Some(at + 5 * MINUTE);
            scene.lives.push(Life { accepted: None, client: gone, server: None, ..visit });
        } else {
            scene.failed.push((at, 2));
        }
    }
    scene
}

fn captured_full(rng: &mut Rng) -> Scene {
    let mut scene = full(rng, true, false);
    let since = scene.lives.iter().filter(|life| life.is_leaked).map(|life| life.opened).max().unwrap_or(0);
    scene.lives.retain(|life| life.is_leaked || life.opened > since);
    for life in scene.lives.iter_mut().filter(|life| life.is_leaked) {
        (life.before, life.opened, life.accepted) = (true, 0, Some(0));
    }
    scene
}

fn server_leak(rng: &mut Rng, one_in: u64) -> Scene {
    let mut scene = requests(rng, 1, SECOND);
    scene.length = scene.length.max(2 * HOUR);
    scene.server = Truth::ServerLeak;
    scene.lives.clear();
    let gap = scene.length / if one_in == 1 { 30 } else { 800 };
    let mut at = 0;
    while at < scene.length {
        at += random_gap(rng, gap);
        let mut visit = life(at, Some(at + SECOND));
        if rng.u64(..one_in) == 0 {
            visit.server = None;
        }
        scene.lives.push(visit);
    }
    scene
}

fn lingering_leak(rng: &mut Rng) -> Scene {
    let mut scene = linger(rng, 4 * MINUTE);
    scene.length = scene.length.max(DAY);
    scene.server = Truth::ServerLeak;
    let gap = scene.length / 40;
    scene.lives.extend((0..40).map(|nth| Life { server: None, ..life(nth * gap, Some(nth * gap + SECOND)) }));
    scene
}

fn stale(rng: &mut Rng) -> Scene {
    let mut scene = pool(rng, 0, 30 * SECOND);
    for life in &mut scene.lives {
        life.server = Some(life.opened + 2 * MINUTE);
        life.used = Used::Once;
    }
    scene.clients = vec![(1, Truth::Stale)];
    scene
}

/// Three are served at a time, five seconds each, and more come.
fn saturated(rng: &mut Rng) -> Scene {
    let mut scene = Scene::new(rng.u64(10..=60) * MINUTE).client(1, Truth::Saturated);
    let mut at = 0;
    let mut free = [0_u64; 3];
    while at < scene.length {
        at += random_gap(rng, SECOND);
        free.sort_unstable();
        let begins = free[0].max(at);
        if begins - at > 8 * SECOND {
            scene.failed.push((at, 1));
            continue;
        }
        free[0] = begins + 5 * SECOND;
        let done = free[0];
        let queued = Life { accepted: Some(begins), used: Used::Asked, ..life(at, Some(done + 1_000_000)) };
        scene.lives.push(Life { server: Some(done), ..queued });
        free[0] += 2_000_000;
    }
    scene
}
