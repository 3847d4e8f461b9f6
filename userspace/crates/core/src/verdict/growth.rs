//! By how many an hour old connections grow.

use super::{
    forecast,
    history::{History, Point},
};

/// A shorter observation shows nothing yet, in leak ages.
const SHORTEST: u64 = 2;

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

    /// The slope over the whole observation, per nanosecond. None if that is too short.
    pub(super) fn rate(&self, now: u64) -> Option<f64> {
        self.length(now)?;
        slope(&self.points(self.start(), now), self.start())
    }

    /// The slope from when the first of those that are open now joined until `end`, per nanosecond, if it rises.
    pub(super) fn rate_since_first(&self, end: u64) -> Option<f64> {
        let first = *self.joins.first()?;
        let end = end.max(*self.joins.last()?);
        let points = self.points(first, end);
        slope(&points, first).filter(|&rate| rate > 0.0)
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
