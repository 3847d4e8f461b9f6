//! What the service looks after every second, and what less often.

use std::{path::PathBuf, time::Duration};

use sockleak_core::assess::missing::Missing;
use tokio::time::Instant;

use super::Service;
use crate::{
    clock,
    console::say,
    failure::Failure,
    service::{
        alerts::{self, Facts, Moment, Saved},
        archive::Archive,
        link::Answers as _,
        snapshot::Snapshot,
    },
};

/// How often alerts are judged.
const JUDGE_EVERY: Duration = Duration::from_secs(2);
/// How often it is looked who holds what.
const ROUND_EVERY: Duration = Duration::from_mins(1);
/// And how soon again when something was lost.
const ROUND_AFTER: Duration = Duration::from_secs(10);

/// When what is due.
pub(super) struct Due {
    judge: Instant,
    rounds: Rounds,
    /// What was saved of the alerts.
    saved: Saved,
    /// That they could not be saved was told.
    is_told: bool,
}

impl Due {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { judge: now, rounds: Rounds::after(now), saved: Saved::default(), is_told: false }
    }
}

/// When rounds over all descriptors are due.
struct Rounds {
    next: Instant,
    /// Not before then, whatever was lost.
    earliest: Instant,
    /// Something was lost since the last one.
    is_lossy: bool,
}

impl Rounds {
    /// After one that was made now.
    fn after(now: Instant) -> Self {
        Self { next: now + ROUND_EVERY, earliest: now + ROUND_AFTER, is_lossy: false }
    }

    /// Is one due? If so, it is to be made now; true if because of a loss.
    fn due(&mut self, now: Instant, has_lost: bool) -> Option<bool> {
        self.is_lossy |= has_lost;
        let is_due = now >= self.next || self.is_lossy && now >= self.earliest;
        is_due.then(|| std::mem::replace(self, Self::after(now)).is_lossy)
    }
}

impl Service {
    /// What is to be done every second.
    pub(super) async fn look(&mut self, now: Instant) -> Result<(), Failure> {
        self.tracer.look()?.into_iter().for_each(say);
        let has_lost = std::mem::take(&mut self.tracer.audience.has_lost);
        if let Some(is_lossy) = self.upkeep.rounds.due(now, has_lost) {
            self.round(is_lossy).await?;
        }
        self.tracer.audience.progress = self.frame();
        self.store();
        self.look_after_store();
        self.tracer.settle();
        if now >= self.upkeep.judge {
            self.upkeep.judge = now + JUDGE_EVERY;
            self.look_at_health();
            let snapshot = self.snapshot();
            self.alert(&snapshot);
            self.look_at_minute(now, &snapshot);
        }
        self.export(now);
        self.notifier.alive();
        Ok(())
    }

    /// Looks who holds what, if something has been open for long. After a loss, too: lost releases are made up for at once,
    /// but connections whose beginning was lost are found by this alone.
    async fn round(&mut self, is_lossy: bool) -> Result<(), Failure> {
        let session = &self.tracer.session;
        let (now, leak_age) = (clock::now(), session.settings().leak_age);
        if is_lossy || session.open().any(|(_, connection)| connection.age(now) >= leak_age) {
            self.tracer.last_look().await?;
        }
        Ok(())
    }

    /// Finds out what is wrong now: what lasts, and what was lost lately.
    pub(super) fn look_at_health(&mut self) {
        let (tracer, store) = (&self.tracer, &self.tracer.audience.store);
        let mut amounts = tracer.audience.progress.amounts(&tracer.session);
        let archive = self.archive.as_ref().map(Archive::progress).unwrap_or_default();
        let own = [
            Missing::Undecoded(tracer.undecoded()),
            Missing::Unstored(store.unstored()),
            Missing::Unarchived(archive.dropped),
        ];
        amounts.extend(own.into_iter().filter(|missing| missing.amount() > 0));
        self.trouble = tracer.unseen();
        if !store.is_writing() {
            self.trouble.push("nothing is stored; the log says why".to_owned());
        }
        if !self.minutes.is_kept() {
            self.trouble.push("no history is kept; the log says why".to_owned());
        }
        self.trouble.extend(archive.is_behind());
        let recent = self.watch.look(clock::now(), &amounts);
        self.trouble.extend(recent.iter().map(Missing::to_string));
    }

    /// Tells what became of writing, and begins a new segment when it is time.
    fn look_after_store(&mut self) {
        if let Some(error) = self.tracer.audience.store.status() {
            say(format_args!("{error}; the service goes on without it, and tries again every minute"));
        }
        if self.tracer.audience.store.is_due(clock::now()) {
            let (progress, position) = (self.tracer.audience.progress.clone(), self.tracer.position());
            let carry = self.tracer.session.carry();
            if let Err(error) = self.tracer.audience.store.begin_segment(progress, position.0, carry) {
                say(error);
            }
        }
    }

    /// Tells what is news.
    fn alert(&mut self, snapshot: &Snapshot) {
        let conditions = alerts::conditions(&self.config.alerts, &Facts::of(snapshot, &self.trouble));
        for notification in self.alerts.update(&Moment::now(), &conditions) {
            self.sinks.send(&notification);
        }
        let saved = Saved::of(&self.alerts, self.sinks.undelivered());
        if !saved.is_as_good_as(&self.upkeep.saved) {
            self.save(saved);
        }
    }

    /// Keeps what was told and what waits, for the next service.
    pub(super) fn save_alerts(&mut self) {
        self.save(Saved::of(&self.alerts, self.sinks.undelivered()));
    }

    fn save(&mut self, saved: Saved) {
        match saved.write(&self.alerts_path()) {
            Ok(()) => (self.upkeep.saved, self.upkeep.is_told) = (saved, false),
            // It is tried again with the next look.
            Err(_) if self.upkeep.is_told => {}
            Err(error) => {
                say(error);
                self.upkeep.is_told = true;
            }
        }
    }

    pub(super) fn alerts_path(&self) -> PathBuf {
        self.config.store.directory.join("alerts.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_brings_a_round_forward_but_not_at_will() {
        let start = Instant::now();
        let mut rounds = Rounds::after(start);
        // Seconds, was something lost, and is a round due.
        for (seconds, has_lost, expected) in [
            (1, false, None),
            (2, true, None),
            (3, false, None),
            (10, false, Some(true)),
            (11, true, None),
            (12, true, None),
            (20, true, Some(true)),
            (79, false, None),
            (80, false, Some(false)),
            (139, true, Some(true)),
            (140, false, None),
            (199, false, Some(false)),
        ] {
            let due = rounds.due(start + Duration::from_secs(seconds), has_lost);
            assert_eq!(due, expected, "after {seconds} s");
        }
    }
}
