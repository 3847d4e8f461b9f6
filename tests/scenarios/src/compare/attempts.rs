//! Failed connects: by whom, how, where, and how often.

use std::collections::BTreeMap;

use workload::truth::Truth;

use super::{Captured, Numbers, identity};

/// What makes attempts one.
type Key = (u32, String, i32, String, String);

pub(super) fn check(truth: &Truth, captured: &Captured, numbers: &Numbers, differences: &mut Vec<String>) {
    let mut counts: BTreeMap<Key, u64> = BTreeMap::new();
    for attempt in &captured.attempts {
        let key = (
            attempt.process.pid,
            attempt.error.clone(),
            attempt.errno,
            attempt.address.clone(),
            attempt.path.clone(),
        );
        *counts.entry(key).or_default() += 1;
    }
    for expected in &truth.attempts {
        let process = &truth.processes[expected.by];
        let key = (
            process.pid,
            expected.error.clone(),
            expected.errno,
            expected.address.clone(),
            expected.path.clone(),
        );
        let what = format!("{} by {} on {}", expected.error, process.pid, expected.address);
        let found = counts.remove(&key).unwrap_or_default();
        super::same(differences, || format!("{what}, times"), expected.count, found);
        for attempt in captured.attempts.iter().filter(|attempt| {
            (attempt.process.pid, &attempt.error, &attempt.address) == (key.0, &key.1, &key.3)
        }) {
            identity::check_in_full(differences, &what, process, &attempt.process);
            let listener = attempt.listener.and_then(|number| numbers.get(&number).copied());
            super::same(differences, || format!("{what}, listener"), expected.listener, listener);
            if expected.listener.is_none() != attempt.listener.is_none() {
                differences.push(format!("{what}: captured with listener {:?}", attempt.listener));
            }
            let length = attempt.queue.map(|queue| queue.length);
            super::same(differences, || format!("{what}, queue"), expected.queue_length, length);
            let backlog = expected.listener.map(|index| truth.listeners[index].backlog);
            super::same(differences, || format!("{what}, backlog"), backlog, attempt.queue.map(|it| it.max));
        }
    }
    for ((pid, error, _, address, path), count) in counts {
        differences.push(format!("invented: {count} times {error} by {pid} on {address} (path {path})"));
    }
}
