//! What of the things that hold is news. Pure: the state of each alert, and time that is given.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sockleak_core::time::nanoseconds;

use super::{
    condition::Condition,
    notification::{Key, Notification, Status},
};
use crate::{clock, service::config::AlertSettings};

/// A moment by both clocks: the one that never steps says how long something lasts, the other one is shown.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Nanoseconds since boot.
    pub boot_ns: u64,
    /// Time of day.
    pub time: Timestamp,
}

impl Moment {
    /// Reads both clocks.
    #[must_use]
    pub fn now() -> Self {
        Self { boot_ns: clock::now(), time: Timestamp::now() }
    }

    /// In RFC 3339, in UTC, to the millisecond.
    pub(super) fn rfc3339(&self) -> String {
        format!("{:.3}", self.time)
    }
}

/// Tells what begins and what ends, each once.
///
/// Its memory is bounded by what held within the last quiet period.
#[derive(Debug)]
pub struct Alerts {
    pub(super) quiet: u64,
    pub(super) host: String,
    pub(super) entries: BTreeMap<Key, Entry>,
}

/// What is known of an alert.
#[derive(Debug)]
pub(super) struct Entry {
    /// As it was last seen.
    pub(super) condition: Condition,
    /// Since when it holds: RFC 3339.
    pub(super) since: String,
    pub(super) phase: Phase,
}

/// How far it is.
#[derive(Debug)]
pub(super) enum Phase {
    /// It has held since then (nanoseconds since boot), which is not long enough yet.
    Waiting { began: u64 },
    /// It was told.
    Firing {
        /// Since when it has not held: nanoseconds since boot.
        gone: Option<u64>,
        /// Not over before then (nanoseconds since boot): see [`Alerts::restore`].
        settled: u64,
    },
}

impl Alerts {
    /// Nothing is known yet. `host` is the name of the host, as it is told.
    #[must_use]
    pub fn new(settings: &AlertSettings, host: String) -> Self {
        Self { quiet: nanoseconds(settings.quiet), host, entries: BTreeMap::new() }
    }

    /// How many were told and are not over.
    #[must_use]
    pub fn firing(&self) -> usize {
        self.entries.values().filter(|entry| matches!(entry.phase, Phase::Firing { .. })).count()
    }

    /// Takes in what holds now, and says what is news. Of several conditions with one key the first counts. What is not
    /// among the conditions does not hold, such as anything about a socket that is gone.
    #[must_use = "what is news is told once"]
    pub fn update(&mut self, now: &Moment, conditions: &[Condition]) -> Vec<Notification> {
        let mut held = BTreeSet::new();
        let mut news = Vec::new();
        for condition in conditions {
            if held.insert(&condition.key) {
                news.extend(self.hold(now, condition));
            }
        }
        let (quiet, host) = (self.quiet, &self.host);
        self.entries.retain(|key, entry| {
            let stays = held.contains(key) || !entry.is_over(now, quiet);
            if !stays && matches!(entry.phase, Phase::Firing { .. }) {
                news.push(entry.notification(Status::Resolved, now, host));
            }
            stays
        });
        news
    }

    /// Takes in that something holds, which is news if it has for long enough.
    fn hold(&mut self, now: &Moment, condition: &Condition) -> Option<Notification> {
        let entry = self.entries.entry(condition.key.clone()).or_insert_with(|| Entry {
            condition: condition.clone(),
            since: now.rfc3339(),
            phase: Phase::Waiting { began: now.boot_ns },
        });
        entry.condition = condition.clone();
        match &mut entry.phase {
            Phase::Waiting { began } if now.boot_ns.saturating_sub(*began) < self.quiet => None,
            Phase::Waiting { .. } => {
                entry.phase = Phase::Firing { gone: None, settled: 0 };
                Some(entry.notification(Status::Firing, now, &self.host))
            }
            Phase::Firing { gone, settled } => {
                (*gone, *settled) = (None, 0);
                None
            }
        }
    }
}

impl Entry {
    /// Has it not held for long enough? What was never told is over at once.
    fn is_over(&mut self, now: &Moment, quiet: u64) -> bool {
        let Phase::Firing { gone, settled } = &mut self.phase else { return true };
        let since = *gone.get_or_insert(now.boot_ns);
        now.boot_ns.saturating_sub(since) >= quiet && now.boot_ns >= *settled
    }

    fn notification(&self, status: Status, now: &Moment, host: &str) -> Notification {
        let Condition { key, summary, uncertain, value, limit } = self.condition.clone();
        let summary = match status {
            Status::Firing => summary,
            Status::Resolved => format!("over: {summary}"),
        };
        let (version, since, time) = (Notification::VERSION, self.since.clone(), now.rfc3339());
        Notification {
            version,
            status,
            key,
            summary,
            uncertain,
            value,
            limit,
            since,
            time,
            host: host.to_owned(),
        }
    }
}
