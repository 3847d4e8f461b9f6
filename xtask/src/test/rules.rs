//! What is shipped for Prometheus, checked by its own tool.

use std::fs::File;

use anyhow::Context as _;

use crate::counts::Counts;
use crate::vm::debian;
use crate::{paths, process};

/// Its checks, as arguments for the tool.
const CHECKS: [&[&str]; 7] = [
    // It reads a scrape.
    &["check", "metrics"],
    &["check", "config", "prometheus.yml"],
    &["check", "rules", "sockleak.rules.yml"],
    &["test", "rules", "sockleak.rules.test.yml"],
    &["check", "config", "prometheus-fleet.yml"],
    &["check", "rules", "sockleak-fleet.rules.yml"],
    &["test", "rules", "sockleak-fleet.rules.test.yml"],
];

/// What `/metrics` answers: a test of sockleak holds it to that.
const SCRAPE: &str = "userspace/src/service/metrics/tests/metrics.prom";

/// Runs them, where the tool is: on this machine, or in the Debian root for VMs.
pub(super) fn check() -> Counts {
    let Some(promtool) = paths::program("promtool").or_else(debian::promtool) else {
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Where the package puts the repository's documents.
    const DOCUMENTS: &str = "file:///usr/share/doc/sockleak/";

    /// The name that a heading has in an address.
    fn anchor(heading: &str) -> String {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    }

    #[test]
    fn each_alert_leads_to_a_document_that_is_there() {
        let rules = paths::repo().join("docs/prometheus/sockleak.rules.yml");
        let rules = fs::read_to_string(rules).expect("the rules are there");
        let mut alerts = rules.split("- alert: ").skip(1).peekable();
        assert!(alerts.peek().is_some(), "no alerts");
        for alert in alerts {
            let name = alert.lines().next().unwrap_or_default();
            let place = alert.split(DOCUMENTS).nth(1).and_then(|rest| rest.split('"').next());
            let place = place.unwrap_or_else(|| panic!("{name} has no runbook_url"));
            let (file, wanted) = place.split_once('#').unwrap_or((place, ""));
            let text = fs::read_to_string(paths::repo().join(file));
            let text = text.unwrap_or_else(|error| panic!("{name}: {file}: {error}"));
            let mut headings = text.lines().filter(|line| line.starts_with('#'));
            assert!(
                wanted.is_empty() || headings.any(|heading| anchor(heading) == wanted),
                "{name}: {place}"
            );
        }
    }
}
