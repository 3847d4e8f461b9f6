//! What the attached programs count: losses, skipped runs, and the ends that they follow.

use std::os::fd::AsFd as _;

use anyhow::{Context as _, ensure};
use aya::maps::HashMap;
use sockleak_abi::{self as abi, Counters, failure};
use sockleak_core::{assess::Loss, event::End, lifecycle::LiveEnds};

use super::{
    attach::Probe,
    hooks::Attached,
    plan::{Hook, Kind},
    shared::Shared,
    status::{Outcome, recursion_misses},
    verify,
};

impl Probe {
    /// What was lost so far.
    #[must_use]
    pub fn losses(&self) -> Vec<Loss> {
        let mut losses = Vec::new();
        if let Ok(counters) = self.counters.get(&0, 0) {
            // Use that was missed makes no report incomplete: it is not known then.
            for hook in Hook::ALL.into_iter().filter(|hook| !hook.is_about_use()) {
                for what in 0..failure::COUNT {
                    let count: u64 = counters.iter().map(|cpu| cpu.0[hook.index()][what]).sum();
                    if count > 0 {
                        losses.push(Loss {
                            hook: hook.name().into(),
                            what: failure_name(what).into(),
                            count,
                        });
                    }
                }
            }
        }
        for hook in [Hook::Connect, Hook::Accept, Hook::Release] {
            // What became of the ends whose release was missed is asked of the kernel.
            let count = if hook == Hook::Release && self.can_verify() { 0 } else { self.missed(hook) };
            if count > 0 {
                let what = "runs (skipped by the kernel)".into();
                losses.push(Loss { hook: hook.name().into(), what, count });
            }
        }
        losses
    }

    /// How often, at most, the kernel skipped all programs of a hook: of twins each run has to be skipped twice.
    #[must_use]
    pub fn missed(&self, hook: Hook) -> u64 {
        let misses = self.misses().filter(|(its, ..)| *its == hook).map(|(.., misses)| misses.unwrap_or(0));
        let is_twins = self.hooks.iter().any(|it| it.hook == hook && it.kind == Some(Kind::Twins));
        if is_twins { misses.min().unwrap_or(0) } else { misses.sum() }
    }

    /// Can it be asked whether an end is open? Then a missed release costs its time and reason, and nothing else.
    #[must_use]
    pub const fn can_verify(&self) -> bool {
        self.verifies
    }

    /// The ends that the kernel side follows now, and that are open.
    ///
    /// # Errors
    /// If the map cannot be read.
    pub fn live_ends(&self) -> anyhow::Result<LiveEnds> {
        let map = self.ebpf.map("ENDS").context("the object has no map ENDS")?;
        let ends: HashMap<_, u64, Shared<abi::End>> = HashMap::try_from(map)?;
        let mut live = LiveEnds::new();
        for (walked, entry) in ends.iter().enumerate() {
            // While entries come and go a walk may begin again, but not for ever.
            ensure!(walked < 4 * self.capacity, "the map of ends changes faster than it can be read");
            let (address, Shared(end)) = entry?;
            let side = match end.side {
                abi::side::CLIENT => End::Client,
                abi::side::SERVER => End::Server,
                _ => continue,
            };
            if !self.verifies || verify::is_open(&self.ebpf, address, end.connection) {
                live.insert((end.connection, side));
            }
        }
        Ok(live)
    }

    /// Has listeners that were turned down looked at again, with the next event on them or the next round: what is looked for
    /// has changed. They get new numbers.
    ///
    /// # Errors
    /// If the maps cannot be read.
    pub fn reconsider(&mut self) -> anyhow::Result<()> {
        let ignored = self.control.take_ignored()?;
        let map = self.ebpf.map_mut("ENDS").context("the object has no map ENDS")?;
        let mut ends: HashMap<_, u64, Shared<abi::End>> = HashMap::try_from(map)?;
        let is_ignored = |end: &abi::End| end.side == abi::side::LISTENER && ignored.contains(&end.listener);
        let known: Vec<u64> = ends
            .iter()
            .flatten()
            .filter(|(_, Shared(end))| is_ignored(end))
            .map(|(address, _)| address)
            .collect();
        for address in known {
            // One that is gone already is as good as removed.
            let _ = ends.remove(&address);
        }
        Ok(())
    }

    /// How often the kernel skipped a hook for failed connects: connections do not depend on those, and only a run for a
    /// connect that failed matters, so this bounds what may be missing.
    #[must_use]
    pub fn skipped_runs(&self) -> u64 {
        self.misses().filter(|(hook, ..)| hook.is_about_attempts()).filter_map(|(.., misses)| misses).sum()
    }

    /// Is every hook attached that notes use? Some of it says nothing.
    #[must_use]
    pub fn sees_use(&self) -> bool {
        let hooks = || self.hooks.iter().filter(|hook| hook.hook.is_about_use());
        hooks().count() > 0 && hooks().all(|hook| hook.status == Outcome::Attached)
    }

    /// How often some use was missed since the hooks were attached: runs that the kernel skipped, and calls that could not be kept.
    #[must_use]
    pub fn missed_use(&self) -> u64 {
        let about_use = || Hook::ALL.into_iter().filter(|hook| hook.is_about_use());
        let lost: u64 = self.counters.get(&0, 0).map_or(0, |counters| {
            let of_cpu = |cpu: &Shared<Counters>| -> u64 {
                about_use().map(|hook| cpu.0[hook.index()].iter().sum::<u64>()).sum()
            };
            counters.iter().map(of_cpu).sum()
        });
        let skipped =
            self.misses().filter(|(hook, ..)| hook.is_about_use()).filter_map(|(.., misses)| misses);
        lost.saturating_add(skipped.sum())
    }

    /// How often the kernel skipped each attached program; None where it does not count.
    pub fn misses(&self) -> impl Iterator<Item = (Hook, &'static str, Option<u64>)> {
        self.attached.iter().map(|Attached { hook, program, descriptor, .. }| {
            let misses = descriptor.as_ref().and_then(|descriptor| recursion_misses(descriptor.as_fd()));
            (*hook, *program, misses)
        })
    }
}

const fn failure_name(what: usize) -> &'static str {
    match what {
        failure::RING => "events (ring buffer full)",
        failure::ENDS => "ends (map of connections full)",
        failure::PROCESS => "process descriptions (ring buffer full)",
        failure::QUEUE => "connections in an accept queue (not all could be looked at)",
        failure::STACK => "stacks (ring buffer full)",
        _ => "calls (map of calls full)",
    }
}
