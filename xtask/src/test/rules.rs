//! What is shipped for Prometheus, checked by its own tool.

use std::fs::File;

use anyhow::Context as _;

use crate::counts::Counts;
use crate::vm::debian;
use crate::{paths, process};

/// Its checks, as arguments for the tool.
const CHECKS: [&[&str]; 4] = [
    // It reads a scrape.
    &["check", "metrics"],
    &["check", "config", "prometheus.yml"],
    &["check", "rules", "sockleak.rules.yml"],
    &["test", "rules", "sockleak.rules.test.yml"],
];

/// What `/metrics` answers: a test of sockleak holds it to that.
const SCRAPE: &str = "userspace/src/service/metrics/tests/metrics.prom";

/// Runs them, where the tool is: on this machine, or in the Debian root for VMs.
pub(super) fn check() -> Counts {
    let Some(promtool) = paths::program("promtool").or_else(|| debian::cached().map(|root| root.promtool))
    else {
        println!("skipped promtool: it comes with `cargo xtask setup`");
        return Counts::default();
    };
    let mut counts = Counts::default();
    for check in CHECKS {
        let mut command = process::command(&promtool.display().to_string(), check);
        let shown = format!("promtool {}", check.join(" "));
        let scrape = File::open(paths::repo().join(SCRAPE)).context(SCRAPE);
        command.current_dir(paths::repo().join("docs/prometheus"));
        match scrape.and_then(|scrape| process::output(command.stdin(scrape))) {
            Ok(_) => {
                counts.passed += 1;
                println!("ok {shown}");
            }
            Err(error) => {
                counts.failed += 1;
                println!("FAIL {shown}: {error:#}");
            }
        }
    }
    counts
}
