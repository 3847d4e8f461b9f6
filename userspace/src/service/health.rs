//! How well tracing goes: what is missing now, apart from what was lost long ago and makes figures incomplete for good. Pure.

use std::time::Duration;

use sockleak_core::{assess::missing::Missing, time::nanoseconds};

/// What was lost this long ago counts as over, unless more is lost.
pub const RECENT: Duration = Duration::from_mins(10);

/// What was missing before, and when it became more.
#[derive(Debug, Default)]
pub struct Watch {
    episodes: Vec<Episode>,
}

/// Times in which more and more of one thing went missing, with less than [`RECENT`] in between.
#[derive(Debug)]
struct Episode {
    /// All that was missing when it was looked last.
    seen: Missing,
    /// All that was missing when the episode began.
    before: Missing,
    /// When it became more: nanoseconds since boot. None if it did not since this process began.
    grown: Option<u64>,
}

impl Watch {
    /// What was missing before this process counts as over.
    #[must_use]
    pub fn new(before: Vec<Missing>) -> Self {
        let episodes = before.into_iter().map(|it| Episode { seen: it.clone(), before: it, grown: None });
        Self { episodes: episodes.collect() }
    }

    /// Takes in all that is missing, and returns what of that went missing lately. `now` is in nanoseconds since boot.
    pub fn look(&mut self, now: u64, missing: &[Missing]) -> Vec<Missing> {
        for episode in &mut self.episodes {
            if !missing.iter().any(|it| it.is_like(&episode.seen)) {
                episode.look(now, &episode.seen.since(&episode.seen));
            }
        }
        for missing in missing {
            let known = self.episodes.iter_mut().find(|episode| episode.seen.is_like(missing));
            match known {
                Some(episode) => episode.look(now, missing),
                None => self.episodes.push(Episode {
                    seen: missing.clone(),
                    before: missing.since(missing),
                    grown: Some(now),
                }),
            }
        }
        let recent = self.episodes.iter().filter(|episode| episode.is_recent(now));
        recent.map(|episode| episode.seen.since(&episode.before)).collect()
    }
}

impl Episode {
    fn look(&mut self, now: u64, missing: &Missing) {
        if missing.amount() > self.seen.amount() {
            if !self.is_recent(now) {
                self.before = self.seen.clone();
            }
            self.grown = Some(now);
        }
        if missing.amount() < self.before.amount() {
            // The kernel side began anew, or what could not be followed is closed.
            self.before = missing.clone();
        }
        self.seen = missing.clone();
    }

    fn is_recent(&self, now: u64) -> bool {
        self.grown.is_some_and(|grown| now.saturating_sub(grown) < nanoseconds(RECENT))
    }
}

#[cfg(test)]
mod tests {
    use sockleak_core::assess::Loss;

    use super::*;

    const MINUTE: u64 = 60_000_000_000;

    fn lost(hook: &'static str, count: u64) -> Missing {
        Missing::Lost(Loss { hook: hook.into(), what: "events".into(), count })
    }

    /// So many minutes, and what is missing then; what is told.
    type Looks<'a> = &'a [(u64, &'a [Missing], &'a [&'a str])];

    fn check(before: Vec<Missing>, looks: Looks<'_>) {
        let mut watch = Watch::new(before);
        for (minute, missing, expected) in looks {
            let said: Vec<_> = watch.look(minute * MINUTE, missing).iter().map(ToString::to_string).collect();
            assert_eq!(said, *expected, "after {minute} minutes");
        }
    }

    #[test]
    fn a_loss_is_over_after_a_while() {
        let events = |times: &str| format!("events of the accept hook lost at least {times}");
        let [once, twice, four] = ["once", "2 times", "4 times"].map(events);
        check(
            Vec::new(),
            &[
                (0, &[], &[]),
                (1, &[lost("accept", 2)], &[&twice]),
                (10, &[lost("accept", 2)], &[&twice]),
                (11, &[lost("accept", 2)], &[]),
                // And again: only what is new counts.
                (12, &[lost("accept", 3)], &[&once]),
                (21, &[lost("accept", 6)], &[&four]),
                (30, &[lost("accept", 6)], &[&four]),
                (31, &[lost("accept", 6)], &[]),
            ],
        );
    }

    #[test]
    fn what_was_missing_before_a_restart_is_over() {
        let before = vec![lost("accept", 5), Missing::Unwatched { times: 1, nanoseconds: MINUTE }];
        let blind = Missing::Unwatched { times: 2, nanoseconds: 90_000_000_000 };
        let said = "nothing was watched once, for 30.00 s in all";
        check(
            before,
            &[
                (0, &[lost("accept", 5), blind.clone()], &[said]),
                (9, &[lost("accept", 5), blind.clone()], &[said]),
                (10, &[lost("accept", 5), blind], &[]),
            ],
        );
        // While nobody read the ring, it was full; or the kernel side began anew.
        let more = "events of the accept hook lost at least 2 times";
        check(vec![lost("accept", 5)], &[(0, &[lost("accept", 7)], &[more])]);
        check(vec![lost("accept", 5)], &[(0, &[], &[]), (1, &[lost("accept", 2)], &[more])]);
    }

    #[test]
    fn each_kind_is_watched_on_its_own() {
        let (misfits, unfollowed) = (Missing::Misfits, Missing::Unfollowed);
        check(
            Vec::new(),
            &[
                (0, &[misfits(1)], &["1 event did not fit what came before"]),
                (
                    8,
                    &[misfits(1), lost("release", 1), lost("accept", 1)],
                    &[
                        "1 event did not fit what came before",
                        "events of the release hook lost at least once",
                        "events of the accept hook lost at least once",
                    ],
                ),
                (
                    16,
                    &[misfits(1), lost("release", 1), lost("accept", 1), unfollowed(4)],
                    &[
                        "events of the release hook lost at least once",
                        "events of the accept hook lost at least once",
                        "4 connections have an end that could not be followed",
                    ],
                ),
                // Some of them were closed, and others came.
                (20, &[unfollowed(1)], &["1 connection has an end that could not be followed"]),
                (40, &[unfollowed(1)], &[]),
                (41, &[unfollowed(3)], &["2 connections have an end that could not be followed"]),
            ],
        );
    }
}
