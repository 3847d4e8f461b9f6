//! Rounds over all descriptors, and repairs after losses.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use sockleak_core::{event::Record, lifecycle::LiveEnds};
use tokio::time::sleep;

use super::{Audience, Tracer};
use crate::{clock, failure::Failure};

impl<A: Audience> Tracer<A> {
    /// Finds the connections that are there already. Every hook is attached and on: one that is made meanwhile is seen by the
    /// hook, and found under the number that it has from there.
    ///
    /// # Errors
    /// If the kernel breaks it off, or the audience fails.
    pub async fn seed(&mut self) -> Result<(), Failure> {
        // The first learns which listeners there are, the second finds the ends of their connections, and the third sees
        // what became of those that were in no descriptor table.
        for round in 0..3 {
            self.round(round == 0).await?;
        }
        self.tell_found();
        Ok(())
    }

    /// The last rounds before the end: who holds what is open.
    ///
    /// # Errors
    /// As [`Self::seed`].
    pub async fn last_look(&mut self) -> Result<(), Failure> {
        self.round(true).await?;
        self.round(false).await?;
        // There is no further round that could tell more of what this one found.
        self.feed(Record::RoundEnds)
    }

    /// Tells what rounds found: when they are over, or before something happens to it.
    pub(super) fn tell_found(&mut self) {
        for id in std::mem::take(&mut self.found) {
            let Some(found) = self.session.look_up(id) else { continue };
            self.audience.found(&found);
        }
    }

    /// Looks at all descriptors of the host.
    ///
    /// # Errors
    /// As [`Self::seed`].
    pub async fn round(&mut self, is_first: bool) -> Result<(), Failure> {
        /// Often enough that a ring of the usual size does not fill up. A small one does, and the walk waits for room.
        const PAUSE: Duration = Duration::from_millis(1);
        if !self.probe.makes_rounds() {
            return Ok(());
        }
        let round = self.probe.round(is_first).context("the descriptors cannot be looked through")?;
        if self.probe.namespaces.sees_every_process() {
            // Otherwise the round finds connections all the same, but whoever it does not name may hold something.
            self.feed(Record::RoundBegins)?;
        }
        let mut walk = tokio::task::spawn_blocking(move || round.walk(|| thread::sleep(PAUSE)));
        let walked = loop {
            tokio::select! {
                biased;
                walked = &mut walk => break walked,
                () = sleep(PAUSE) => {}
            }
            self.drain()?;
        };
        walked.context("looking through the descriptors")?.context("looking through the descriptors")?;
        self.catch_up(clock::now())?;
        self.feed(Record::RoundEnds)
    }

    /// Takes in what was recorded before a moment. Records lie in the ring in the order of their times, and under a flood the
    /// ring may never be empty: the first later one ends it. A record that is not finished hides all that lie behind it: its
    /// processor works on something else, or was taken from a virtual machine for a while. It is waited for.
    pub(super) fn catch_up(&mut self, moment: u64) -> Result<(), Failure> {
        /// A program of the kernel side runs for microseconds.
        const PATIENCE: Duration = Duration::from_secs(10);
        const PAUSE: Duration = Duration::from_micros(100);
        let (reserved, started) = (self.ring.reserved(), Instant::now());
        while self.session.latest() < moment && self.ring.position() < reserved {
            if self.drain()? {
                continue;
            }
            if self.audience.is_enough() {
                break;
            }
            if started.elapsed() >= PATIENCE {
                self.undecoded += 1;
                tracing::warn!("a record in the ring is not finished; what lies behind it is not read yet");
                break;
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// After a loss: makes up for lost releases.
    pub(super) fn repair(&mut self) -> Result<(), Failure> {
        let taken = clock::now();
        let Some(live) = self.live_ends() else { return Ok(()) };
        self.catch_up(clock::now())?;
        self.make_up(&live, taken)
    }

    /// Makes up for lost releases: what the kernel side no longer follows is released.
    pub(super) fn make_up(&mut self, live: &LiveEnds, taken: u64) -> Result<(), Failure> {
        for (connection, end) in self.session.gone_by(live, taken) {
            self.feed(Record::Gone { connection, end })?;
        }
        Ok(())
    }

    /// The ends that are open by the kernel side's own account.
    pub(super) fn live_ends(&self) -> Option<LiveEnds> {
        let live = self.probe.live_ends();
        live.inspect_err(|error| tracing::warn!("lost releases cannot be made up for: {error:#}")).ok()
    }
}
