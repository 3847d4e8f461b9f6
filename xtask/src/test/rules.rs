//! What is shipped for Prometheus, checked by its own tool.

use super::report::Counts;
use crate::vm::debian;
use crate::{paths, process};

/// Its checks, as arguments for the tool.
const CHECKS: [&[&str]; 3] = [
    &["check", "config", "prometheus.yml"],
    &["check", "rules", "sockleak.rules.yml"],
    &["test", "rules", "sockleak.rules.test.yml"],
];

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
        match process::output(command.current_dir(paths::repo().join("docs/prometheus"))) {
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
