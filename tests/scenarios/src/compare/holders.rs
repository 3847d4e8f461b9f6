//! Whose descriptors refer to an end when everything has happened.

use workload::truth::{Holder, Truth};

use super::same;
use crate::capture::HeldBy;

pub(super) fn check(
    truth: &Truth,
    holders: &[Holder],
    found: Option<&[HeldBy]>,
    what: &str,
    differences: &mut Vec<String>,
) {
    let Some(found) = found else {
        differences.push(format!("{what}: nobody looked who holds it"));
        return;
    };
    // Some processes do not tell their descriptors.
    let has_fds = holders.iter().all(|holder| holder.fd.is_some());
    let mut expected: Vec<_> = holders
        .iter()
        .map(|holder| {
            let process = &truth.processes[holder.process];
            (process.pid, process.program.as_str(), holder.fd)
        })
        .collect();
    let mut found: Vec<_> =
        found.iter().map(|it| (it.pid, it.program.as_str(), Some(it.fd).filter(|_| has_fds))).collect();
    expected.sort_unstable();
    found.sort_unstable();
    same(differences, || format!("{what}, held by"), &expected, &found);
}
