//! The rules of an earlier version (542f368) in small, to compare with: growth of the old connections alone.

use super::scene::{Life, Scene};

/// A leak began in so many distinct periods of one leak age.
const PERIODS: usize = 3;
/// Its count rises by so many over the window.
const RISE: f64 = 2.0;
/// And by so many times what chance makes of those that come and go.
const NOISE: f64 = 4.0;
/// Shortest observation, and shortest part of one, in leak ages.
const SHORTEST: (u64, u64) = (2, 8);
/// Nanoseconds of the finest step of the curve, which has at most so many.
const STEP: (u64, u64) = (250_000_000, 128);

/// What that version says of a program at a moment: `client-leak`?
pub(crate) fn is_client_leak(scene: &Scene, program: u32, now: u64) -> bool {
    let curve = Curve::new(scene, program, now);
    let end = match filled(scene, program, now) {
        Some(last_accept) if !curve.had_its_chance(last_accept) => curve.joins.last().copied(),
        Some(_) | None => Some(now),
    };
    end.is_some_and(|end| curve.is_leak(end))
}

/// The same for `server-leak`.
pub(crate) fn is_server_leak(scene: &Scene, now: u64) -> bool {
    let is_held = |it: &&Life| is_accepted(it, now) && it.server.is_none_or(|at| at > now);
    scene.lives.iter().filter(is_held).filter_map(|it| it.client).any(|at| at + scene.leak_age <= now)
}

fn is_accepted(life: &Life, now: u64) -> bool {
    life.accepted.is_some_and(|at| at <= now)
}

/// The program has filled the server: then, when a connection was accepted last.
fn filled(scene: &Scene, program: u32, now: u64) -> Option<u64> {
    let slots = scene.lives.iter().filter(|it| is_accepted(it, now) && it.server.is_none_or(|at| at > now));
    let (mut used, mut own) = (0, 0);
    for life in slots {
        used += 1;
        own += u64::from(life.program == program && life.client.is_none_or(|at| at > now));
    }
    let is_full = scene.limit.is_some_and(|limit| used >= limit) && own * 2 > used;
    let accepts = scene.lives.iter().filter(|it| is_accepted(it, now)).filter_map(|it| it.accepted);
    is_full.then(|| accepts.max().unwrap_or(0))
}

/// When connections became old, and when old ones were released.
struct Curve {
    age: u64,
    /// Those that are open.
    joins: Vec<u64>,
    /// All that became old.
    joined: Vec<u64>,
    left: Vec<u64>,
}

#[derive(Clone, Copy)]
struct Point {
    at: u64,
    joined: u64,
    left: u64,
}

impl Point {
    const fn height(&self) -> f64 {
        self.joined.saturating_sub(self.left) as f64
    }
}

impl Curve {
    fn new(scene: &Scene, program: u32, now: u64) -> Self {
        let age = scene.leak_age;
        let [mut joins, mut joined, mut left] = [Vec::new(), Vec::new(), Vec::new()];
        let own = scene.lives.iter().filter(|it| it.program == program && is_accepted(it, now));
        for life in own.filter(|it| it.opened + age <= now) {
            let join = life.opened + age;
            match life.client.filter(|&at| at <= now) {
                None => joins.push(join),
                Some(at) if at >= join => left.push(at),
                Some(_) => continue,
            }
            joined.push(join);
        }
        for list in [&mut joins, &mut joined, &mut left] {
            list.sort_unstable();
        }
        Self { age, joins, joined, left }
    }

    fn is_leak(&self, end: u64) -> bool {
        let Some(whole) = end.checked_sub(self.age).filter(|&it| it >= SHORTEST.0 * self.age) else {
            return false;
        };
        let parts = std::iter::successors(Some(whole / 2), |length| Some(length / 2));
        let parts = parts.take_while(|&length| length >= SHORTEST.1 * self.age);
        std::iter::once(whole).chain(parts).any(|length| self.is_leak_within(end - length, end))
    }

    fn had_its_chance(&self, last_accept: u64) -> bool {
        let due = self.joins.last().zip(longest_pause(&self.joins, self.age));
        due.is_some_and(|(last, pause)| last_accept > (last - self.age).saturating_add(pause))
    }

    fn is_leak_within(&self, from: u64, to: u64) -> bool {
        let joins = &self.joins[self.joins.partition_point(|&join| join < from)..];
        let Some(pause) = longest_pause(joins, self.age) else { return false };
        let goes_on = |last: u64| to.saturating_sub(last) <= pause;
        let points = self.points(from, to);
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return false };
        let (joined, left) = (last.joined - first.joined, last.left - first.left);
        // Where most of those that join make up for others that leave, a rise is a matter of load.
        if !joins.last().is_some_and(|&last| goes_on(last)) || left * 2 > joined {
            return false;
        }
        let highest = points.iter().map(Point::height).fold(0.0, f64::max);
        let peak = points.iter().find(|it| it.height() >= highest).map_or(0, |it| it.at);
        let rate = slope(&points);
        let length = (to - from) as f64;
        let leaving = last.left as f64 / to.saturating_sub(self.age).max(1) as f64;
        let usual = (leaving * length).max(left as f64);
        rate > 0.0 && rate * length >= RISE + NOISE * usual.sqrt() && goes_on(peak)
    }

    fn points(&self, from: u64, to: u64) -> Vec<Point> {
        let (mut width, most) = STEP;
        while (to - from) / width >= most - 1 {
            width *= 4;
        }
        let count = |list: &[u64], at: u64| list.partition_point(|&it| it <= at) as u64;
        let borders = from.div_ceil(width)..=to.div_ceil(width);
        borders
            .map(|border| (border * width).min(to))
            .map(|at| Point { at, joined: count(&self.joined, at), left: count(&self.left, at) })
            .collect()
    }
}

/// For how long nothing need join before the growth counts as over.
fn longest_pause(joins: &[u64], age: u64) -> Option<u64> {
    let oldest = *joins.first()?;
    let period = |join: u64| (join - oldest) / age;
    let pairs = joins.windows(2).filter(|pair| period(pair[0]) < period(pair[1]));
    let mut gaps: Vec<u64> = pairs.map(|pair| pair[1] - pair[0]).collect();
    if gaps.len() + 1 < PERIODS {
        return None;
    }
    let middle = (gaps.len() - 1) / 2;
    let (_, median, _) = gaps.select_nth_unstable(middle);
    Some((*median * 3).max(age * 2))
}

/// Theil and Sen's slope: the median of the slopes between all pairs of points.
fn slope(points: &[Point]) -> f64 {
    if points.iter().all(|it| it.height() == points[0].height()) {
        return 0.0;
    }
    let later = |nth: usize| points[nth + 1..].iter().map(move |it| (points[nth], it));
    let pairs = (0..points.len()).flat_map(later).filter(|(one, other)| one.at < other.at);
    let mut slopes: Vec<f64> =
        pairs.map(|(one, other)| (other.height() - one.height()) / (other.at - one.at) as f64).collect();
    let Some(middle) = slopes.len().checked_sub(1).map(|it| it / 2) else { return 0.0 };
    *slopes.select_nth_unstable_by(middle, f64::total_cmp).1
}
