//! What holds whatever happens.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sockleak_core::verdict::Verdict;

use super::{
    tests::{at, finding, settings},
    *,
};
use crate::service::config::AlertSettings;

/// Time that passes (seconds), which of three programs leak then, and whether the service is restarted before.
fn updates() -> impl Strategy<Value = Vec<(u64, [bool; 3], bool)>> {
    prop::collection::vec((0..25_u64, any::<[bool; 3]>(), prop::bool::weighted(0.1)), 0..60)
}

/// Since when each has held, or has not, without a break: by the plainest means there are.
#[derive(Default)]
struct Runs(BTreeMap<u64, (bool, u64)>);

impl Runs {
    fn update(&mut self, program: u64, holds: bool, now: u64) {
        let run = self.0.entry(program).or_insert((holds, now));
        if run.0 != holds {
            *run = (holds, now);
        }
    }
}

proptest! {
    #[test]
    fn firing_and_resolved_alternate_and_nothing_short_is_told(quiet in 0..60_u64, updates in updates()) {
        let settings = AlertSettings { quiet: std::time::Duration::from_secs(quiet), ..settings() };
        let (sinks, _) = Sinks::open(&[]).expect("there are none");
        let mut alerts = Alerts::new(&settings, "host".to_owned());
        let (mut now, mut runs, mut last) = (0, Runs::default(), BTreeMap::new());
        for (passed, held, restarts) in updates {
            now += passed;
            if restarts {
                let saved = Saved::of(&alerts, sinks.undelivered());
                alerts = Alerts::new(&settings, "host".to_owned());
                alerts.restore(&saved, &at(now), std::time::Duration::ZERO);
                // What it did before is not known to it.
                runs.0.clear();
            }
            (0..).zip(held).for_each(|(program, holds)| runs.update(program, holds, now));
            let held = (0..).zip(held).filter(|(_, holds)| *holds);
            let held: Vec<_> =
                held.map(|(program, _)| finding("/s", &program.to_string(), Verdict::ClientLeak, program)).collect();
            for news in alerts.update(&at(now), &held) {
                let program = news.value.expect("it has a count");
                let (holds, since) = runs.0[&program];
                prop_assert_eq!(holds, news.status == Status::Firing);
                prop_assert!(now - since >= quiet, "{} s are less than {} s", now - since, quiet);
                // Each is followed by the other, and the first is that it fires.
                let before = last.insert(program, news.status).unwrap_or(Status::Resolved);
                prop_assert_ne!(before, news.status);
            }
            // And nothing that held, or was gone, for long enough is kept back.
            for (program, (holds, since)) in &runs.0 {
                if now - since >= quiet {
                    let is_told = last.get(program) == Some(&Status::Firing);
                    prop_assert_eq!(is_told, *holds, "{} at {}", program, now);
                }
            }
        }
    }
}
