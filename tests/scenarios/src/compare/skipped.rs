//! What a preemptible kernel may skip: while a task that changes a BPF map is preempted, no kprobe program runs on its processor.
//! A capture that sets itself up under load meets that at times. It finds out which ends are released nevertheless, and says
//! how many it learned of in that way. Of an accept nothing tells afterwards: the capture says how many it may lack, and that it is
//! not complete.

use super::connections::UNSEEN;
use super::stream::{INCOMPLETE, LOST};
use crate::capture::{Event, Release, Report};

const NO_ACCEPT: &str = ": its accept was not captured";

/// How many runs of the accept hook the capture declares as skipped by the kernel. None if the kernel has no reason to skip any, or
/// something else was lost as well.
pub(super) fn skipped_accepts(events: &[Event]) -> Option<u64> {
    let mut count = 0;
    for event in events {
        match event {
            Event::Loss(line) => {
                for lost in line["lost"].as_array()? {
                    let is_skipped =
                        lost["hook"] == "accept" && lost["what"] == "runs (skipped by the kernel)";
                    // Lines tell totals.
                    count = lost["count"].as_u64().filter(|_| is_skipped)?;
                }
            }
            Event::Session(session) => {
                session
                    .hooks
                    .iter()
                    .find(|hook| hook.hook == "accept" && hook.kind.as_deref() == Some("kprobe"))?;
            }
            _ => {}
        }
    }
    Some(count).filter(|&count| count > 0)
}

/// Takes back as many releases that were not captured as the report says it did not see, and as many accepts as it says that runs
/// were skipped, with the saying.
pub(super) fn forgive(
    report: &Report,
    releases: &[Release],
    skipped_accepts: Option<u64>,
    differences: &mut Vec<String>,
) {
    let told = releases.iter().filter(|release| release.reason == UNSEEN).count() as u64;
    let mut releases = report.unseen_releases.saturating_sub(told);
    let mut accepts = skipped_accepts.unwrap_or(0);
    let reason = format!("{INCOMPLETE}runs (skipped by the kernel) of the accept hook lost at least");
    differences.retain(|difference| {
        let left = match difference {
            it if it.ends_with(" its release was not captured") => &mut releases,
            it if it.ends_with(NO_ACCEPT) => &mut accepts,
            // It is that alone: several reasons are told one by one.
            it if it.starts_with(&reason) && !it.contains("; ") || it.starts_with(LOST) => {
                return skipped_accepts.is_none();
            }
            _ => return true,
        };
        let is_forgiven = *left > 0;
        *left -= u64::from(is_forgiven);
        !is_forgiven
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture;

    #[test]
    fn only_what_was_not_seen_is_forgiven() {
        let forgiven = |unseen: u64| {
            let report = format!(
                r#"{{"complete":true,"incomplete_because":[],"programs":[],"findings":[],"open":[],"unseen_releases":{unseen}}}"#
            );
            let report = serde_json::from_str(&report).expect("it is a report");
            let mut differences =
                ["a, its release was not captured", "another", "b, its release was not captured"]
                    .map(str::to_owned)
                    .to_vec();
            forgive(&report, &[], None, &mut differences);
            differences
        };
        assert_eq!(forgiven(1), ["another", "b, its release was not captured"]);
        assert_eq!(forgiven(2), ["another"]);
        assert_eq!(forgiven(0).len(), 3);
    }

    #[test]
    fn as_many_accepts_as_were_skipped_are_forgiven() {
        let report = r#"{"complete":true,"incomplete_because":[],"programs":[],"findings":[],"open":[],"unseen_releases":0}"#;
        let report = serde_json::from_str(report).expect("it is a report");
        let incomplete =
            format!("{INCOMPLETE}runs (skipped by the kernel) of the accept hook lost at least 1 time");
        let left = |skipped: Option<u64>, also: &str| {
            let (a, b) = (format!("a{NO_ACCEPT}"), format!("b{NO_ACCEPT}"));
            let mut differences = vec![a, b, format!("{incomplete}{also}"), format!("{LOST}{{}}")];
            forgive(&report, &[], skipped, &mut differences);
            differences.len()
        };
        assert_eq!((left(None, ""), left(Some(1), ""), left(Some(2), "")), (4, 1, 0));
        assert_eq!(left(Some(2), "; something else lost at least 1 time"), 1);
    }

    #[test]
    fn only_a_kprobe_for_accepts_is_skipped() {
        let told = |kind: &str, lost: &str| {
            let session = format!(
                r#"{{"type":"session","hooks":[{{"hook":"accept","kind":"{kind}","status":"attached","reason":null}}]}}"#
            );
            let loss = format!(r#"{{"type":"loss","lost":[{lost}]}}"#);
            let events = [session, loss].map(|line| capture::parse_line(&line).expect("it is documented"));
            skipped_accepts(&events)
        };
        let skipped = r#"{"count":2,"hook":"accept","what":"runs (skipped by the kernel)"}"#;
        let release = r#"{"count":2,"hook":"release","what":"runs (skipped by the kernel)"}"#;
        let events = r#"{"count":2,"hook":"accept","what":"events (ring full)"}"#;
        assert_eq!(told("kprobe", skipped), Some(2));
        assert_eq!(told("fentry", skipped), None);
        assert_eq!(told("kprobe", release), None);
        assert_eq!(told("kprobe", events), None);
        assert_eq!(told("kprobe", &format!("{skipped},{events}")), None);
        assert_eq!(told("kprobe", ""), None);
    }
}
