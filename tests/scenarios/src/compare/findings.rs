//! The report's verdicts are those that are due, and no other program is accused of anything.

use workload::truth::Finding;

use crate::capture::{FindingReport, Report};

/// Of a program that is healthy there is nothing to compare.
const HEALTHY: &str = "healthy";
/// Part of the sentence that says so.
const BEFORE: &str = "opened before tracing started";

/// `due`: nothing is known where the scenario is not about verdicts.
pub(super) fn check(due: Option<&[Finding]>, report: &Report, differences: &mut Vec<String>) {
    let Some(due) = due else { return };
    let mut due = due.to_vec();
    let accusations = report.findings.iter().filter(|finding| finding.verdict != HEALTHY);
    for found in accusations.map(finding) {
        let is_same = |one: &Finding| {
            (&one.path, &one.program, &one.verdict) == (&found.path, &found.program, &found.verdict)
        };
        match due.iter().position(is_same).map(|place| due.remove(place)) {
            Some(mut expected) => {
                expected.holders.sort();
                if expected != found {
                    differences.push(format!("report, finding: {expected:?}, captured {found:?}"));
                }
            }
            None => differences.push(format!("report: a finding that is not due: {found:?}")),
        }
    }
    for finding in due {
        differences.push(format!("report: a finding is missing: {finding:?}"));
    }
}

fn finding(found: &FindingReport) -> Finding {
    let holders = found.hardship.iter().flat_map(|hardship| &hardship.holders);
    let mut holders: Vec<_> = holders.map(|holder| (holder.program.clone(), holder.slots)).collect();
    holders.sort();
    Finding {
        path: found.path.clone(),
        program: found.program.clone(),
        verdict: found.verdict.clone(),
        count: found.count,
        is_from_before: found.uncertain.iter().any(|why| why.contains(BEFORE)),
        holders,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(program: &str, count: u64) -> Finding {
        Finding {
            path: "/s".to_owned(),
            program: program.to_owned(),
            verdict: "pool".to_owned(),
            count,
            is_from_before: false,
            holders: Vec::new(),
        }
    }

    fn differences(due: Option<&[Finding]>, found: &[(&str, &str, u64)]) -> Vec<String> {
        let findings: Vec<_> = found
            .iter()
            .map(|(verdict, program, count)| {
                serde_json::json!({
                    "verdict": verdict, "path": "/s", "program": program, "count": count, "hardship": null, "uncertain": [],
                })
            })
            .collect();
        let report = serde_json::json!({
            "complete": true, "incomplete_because": [], "programs": [], "findings": findings, "open": [],
            "unseen_releases": 0,
        });
        let report = serde_json::from_value(report).expect("it is a report");
        let mut differences = Vec::new();
        check(due, &report, &mut differences);
        differences
    }

    #[test]
    fn exactly_what_is_due_is_found() {
        let two = [due("/a", 1), due("/b", 2)];
        let found = [("pool", "/b", 2), ("healthy", "/c", 0), ("pool", "/a", 1)];
        assert_eq!(differences(Some(&two), &found), [""; 0]);
        assert_eq!(differences(None, &found), [""; 0]);
        assert_eq!(differences(Some(&[]), &found).len(), 2);
        assert_eq!(differences(Some(&two), &[]).len(), 2);
        let [only] = &differences(Some(&two), &[("pool", "/a", 1), ("pool", "/b", 3)])[..] else { panic!() };
        assert!(only.contains("count: 2") && only.contains("count: 3"), "{only}");
        let more = differences(Some(&two[..1]), &[("pool", "/a", 1), ("pool", "/a", 1)]);
        assert!(more.len() == 1 && more[0].contains("not due"), "{more:?}");
    }
}
