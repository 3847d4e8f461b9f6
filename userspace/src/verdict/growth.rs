//! Do new old connections join the others, or replace them?

use super::{
    forecast,
    history::{History, Point},
};

/// A leak began in so many distinct periods of one leak age.
const PERIODS: usize = 3;
/// Its count rises by so many over the window.
const RISE: f64 = 2.0;
/// And by so many times what chance makes of those that come and go: the square root of their number.
const NOISE: f64 = 4.0;
/// A shorter observation shows nothing yet, in leak ages.
const SHORTEST: u64 = 2;
/// The latest part of a longer one is looked at by itself if it is not shorter than this, in leak ages.
const SHORTEST_PART: u64 = 8;

/// Can a program add connections?
#[derive(Clone, Copy, Debug)]
pub(super) enum Crowd {
    /// The server has room.
    Room,
    /// The server is full, and the program is why.
    Filled {
        /// When a connection of anybody was accepted last: nanoseconds since boot. None if that is not known.
        last_accept: Option<u64>,
    },
}

/// The number of old connections over time.
#[derive(Clone, Debug)]
pub(super) struct Curve<'a> {
    history: &'a History,
    /// When those that are open now became old, ascending.
    joins: Vec<u64>,
    leak_age: u64,
}

impl<'a> Curve<'a> {
    pub(super) fn new(history: &'a History, joins: impl Iterator<Item = u64>, leak_age: u64) -> Self {
        let mut joins: Vec<_> = joins.collect();
        joins.sort_unstable();
        Self { history, joins, leak_age }
    }

    /// Nothing is old earlier.
    fn start(&self) -> u64 {
        self.history.started().saturating_add(self.leak_age)
    }

    /// How long there can have been old ones until `end`. None if that is too short to see a growth.
    fn length(&self, end: u64) -> Option<u64> {
        let length = end.checked_sub(self.start())?;
        (length >= self.leak_age.saturating_mul(SHORTEST)).then_some(length)
    }

    /// Did the oldest of those that are open join so short a time ago that their number may still come to rest?
    pub(super) fn is_short(&self, now: u64) -> bool {
        let shortest = self.leak_age.saturating_mul(SHORTEST_PART).max(1);
        self.joins.first().is_none_or(|&first| now.saturating_sub(first) < shortest)
    }

    /// The slope over the whole observation, per nanosecond. None if that is too short.
    pub(super) fn rate(&self, now: u64) -> Option<f64> {
        self.length(now)?;
        slope(&self.points(self.start(), now), self.start())
    }

    /// The growth per nanosecond, if this is a leak's: over the whole observation, or else over the longest of its
    /// latest half, quarter and so on, since a leak may begin after months. A program that has filled the server
    /// cannot add more: then the last one that joined ends the observation. But not where the server has accepted
    /// connections since, when this program would have been expected to add its own: it had no need of more.
    pub(super) fn leak(&self, now: u64, crowd: Crowd) -> Option<f64> {
        let end = match crowd {
            Crowd::Filled { last_accept } if !self.had_its_chance(last_accept) => *self.joins.last()?,
            Crowd::Room | Crowd::Filled { .. } => now,
        };
        let whole = self.length(end)?;
        let shortest = self.leak_age.saturating_mul(SHORTEST_PART).max(1);
        let parts = std::iter::successors(Some(whole / 2), |length| Some(length / 2));
        let parts = parts.take_while(|&length| length >= shortest);
        std::iter::once(whole)
            .chain(parts)
            .find_map(|length| self.leak_within(end.saturating_sub(length), end))
    }

    /// Was a connection accepted when the next one of this program was due?
    fn had_its_chance(&self, last_accept: Option<u64>) -> bool {
        let due = self.joins.last().zip(self.longest_pause(&self.joins));
        // A connection joins the old ones a leak age after it was made.
        let due = due.map(|(last, pause)| last.saturating_sub(self.leak_age).saturating_add(pause));
        last_accept.zip(due).is_some_and(|(accept, due)| accept > due)
    }

    fn leak_within(&self, from: u64, to: u64) -> Option<f64> {
        let joins = &self.joins[self.joins.partition_point(|&join| join < from)..];
        let pause = self.longest_pause(joins)?;
        let goes_on = |last: u64| to.saturating_sub(last) <= pause;
        if !joins.last().is_some_and(|&last| goes_on(last)) {
            return None;
        }
        let points = self.points(from, to);
        let (first, last) = (points.first()?, points.last()?);
        let (joined, left) = (last.joined.saturating_sub(first.joined), last.left.saturating_sub(first.left));
        // Where most of those that join make up for others that leave, a rise is a matter of load.
        if left.saturating_mul(2) > joined {
            return None;
        }
        // A pool's members are replaced for ever, but it never has more of them than once it had.
        let highest = points.iter().map(height).max()?;
        let peak = points.iter().find(|point| height(point) == highest)?;
        let rate = slope(&points, from)?;
        let length = to.saturating_sub(from) as f64;
        let usual = (self.leaving(to) * length).max(left as f64);
        let rises = rate > 0.0 && rate * length >= RISE + NOISE * usual.sqrt();
        if !rises || !goes_on(peak.at) {
            return None;
        }
        // It may have begun within the window.
        let since = points.iter().position(|point| joins.first().is_some_and(|&first| point.at >= first))?;
        slope(&points[since..], from).filter(|&rate| rate > 0.0).or(Some(rate))
    }

    /// For how long nothing need join before the growth counts as over. None if the connections began in too few
    /// periods to be a leak's.
    fn longest_pause(&self, joins: &[u64]) -> Option<u64> {
        let oldest = *joins.first()?;
        let period = |join: u64| join.saturating_sub(oldest) / self.leak_age.max(1);
        // From one period to the next: where they come in bursts, most gaps are none.
        let pairs = joins.windows(2).filter(|pair| period(pair[0]) < period(pair[1]));
        let mut gaps: Vec<u64> = pairs.map(|pair| pair[1].saturating_sub(pair[0])).collect();
        if gaps.len() + 1 < PERIODS {
            return None;
        }
        let middle = (gaps.len() - 1) / 2;
        let (_, median, _) = gaps.select_nth_unstable(middle);
        Some(median.saturating_mul(3).max(self.leak_age.saturating_mul(2)))
    }

    /// How many old ones were released a nanosecond, over the whole observation: what a short part of it shows of them
    /// may be less than usual.
    fn leaving(&self, to: u64) -> f64 {
        let left = self.history.points(to, to).last().map_or(0, |point| point.left);
        left as f64 / to.saturating_sub(self.start()).max(1) as f64
    }

    fn points(&self, from: u64, to: u64) -> Vec<Point> {
        let mut points = self.history.points(from, to);
        for point in &mut points {
            point.joined += self.joins.partition_point(|&join| join <= point.at) as u64;
            // The last border lies beyond.
            point.at = point.at.min(to);
        }
        points
    }
}

/// How many are old.
fn height(point: &Point) -> u64 {
    point.joined.saturating_sub(point.left)
}

/// Per nanosecond.
fn slope(points: &[Point], from: u64) -> Option<f64> {
    // Most programs, most of the time.
    if points.len() > 1 && points.iter().all(|point| height(point) == height(&points[0])) {
        return Some(0.0);
    }
    // Subtracted while they are whole: nanoseconds since boot have more digits than f64.
    let place = |point: &Point| (point.at.saturating_sub(from) as f64, height(point) as f64);
    forecast::slope(&points.iter().map(place).collect::<Vec<_>>())
}
