//! A part of a recording, by time: what lies in it, before it and after it.

use super::{Carried, Record};

/// A stretch of time: nanoseconds since boot, both moments included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first moment.
    pub since: u64,
    /// Its last moment.
    pub until: u64,
}

impl Window {
    /// All of time.
    pub const ALWAYS: Self = Self { since: 0, until: u64::MAX };
}

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before the window.
    Before,
    /// In it.
    Within,
    /// After it: nothing that follows is needed.
    After,
}

/// Tells of one record after another where it lies. A record without a time of its own has that of the one before it.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    window: Window,
    at: u64,
}

impl Cursor {
    /// Before the first record.
    #[must_use]
    pub const fn new(window: Window) -> Self {
        Self { window, at: 0 }
    }

    /// Where the next record lies. Time never goes back: records of two processors may be in another order by a little.
    pub fn place(&mut self, record: &Record) -> Place {
        self.at = record.moment().map_or(self.at, |at| at.max(self.at));
        if self.at > self.window.until {
            Place::After
        } else if self.at < self.window.since {
            Place::Before
        } else {
            Place::Within
        }
    }
}

impl Record {
    /// When it happened, in nanoseconds since boot; None for records that carry no time.
    #[must_use]
    pub const fn moment(&self) -> Option<u64> {
        match self {
            Self::Event(event) => Some(event.at),
            Self::Held(held) => Some(held.at),
            Self::Unwatched { until, .. } => Some(*until),
            Self::UseNoted { at, .. } | Self::Carried(Carried::Ends { at }) => Some(*at),
            Self::Carried(Carried::Begins | Carried::Listener { .. })
            | Self::Process(_)
            | Self::Listener(_)
            | Self::RoundBegins
            | Self::RoundEnds
            | Self::RawStack(_)
            | Self::Stack(_)
            | Self::Gone { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_lie_before_within_or_after() {
        let noted = |at| Record::UseNoted { at, is_reliable: true };
        let mut cursor = Cursor::new(Window { since: 10, until: 20 });
        for (record, place) in [
            (Record::RoundBegins, Place::Before),
            (noted(9), Place::Before),
            (Record::RoundEnds, Place::Before),
            (noted(10), Place::Within),
            // Of another processor, a little late.
            (noted(9), Place::Within),
            (Record::RoundBegins, Place::Within),
            (noted(20), Place::Within),
            (noted(21), Place::After),
            (Record::RoundEnds, Place::After),
        ] {
            assert_eq!(cursor.place(&record), place, "{record:?}");
        }
    }
}
