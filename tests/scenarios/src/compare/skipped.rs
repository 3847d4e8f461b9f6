//! What a preemptible kernel may skip: while a task that changes a BPF map is preempted, no kprobe program runs on its processor.
//! A capture that sets itself up under load meets that at times, and has to say so.

use serde_json::Value;

use crate::capture::Event;

/// The last line about losses.
pub(super) fn losses(events: &[Event]) -> Option<Value> {
    let mut lines = events.iter().rev().filter_map(|event| match event {
        Event::Loss(line) => Some(line),
        _ => None,
    });
    lines.next().cloned()
}

/// How many runs of the release hook were skipped, if that is all that was lost.
fn skipped_releases(losses: &Value) -> Option<u64> {
    let lost = losses["lost"].as_array()?;
    let is_skip = |loss: &Value| {
        loss["hook"] == "release"
            && loss["what"].as_str().is_some_and(|what| what.starts_with("runs (skipped"))
    };
    if lost.is_empty() || !lost.iter().all(is_skip) {
        return None;
    }
    lost.iter().map(|loss| loss["count"].as_u64()).sum()
}

/// Takes back the differences that skipped runs explain: that something was lost, and as many releases as were skipped.
pub(super) fn forgive(losses: Option<&Value>, differences: &mut Vec<String>) {
    let Some(mut left) = losses.and_then(skipped_releases) else { return };
    differences.retain(|difference| {
        if difference.starts_with("the report is incomplete: ")
            || difference.starts_with("events were lost: ")
        {
            return false;
        }
        if left > 0 && difference.ends_with(" its release was not captured") {
            left -= 1;
            return false;
        }
        true
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forgiven(loss: &str) -> Vec<String> {
        let losses = serde_json::from_str(loss).expect("it is JSON");
        let mut differences = ["the report is incomplete: x", "a, its release was not captured", "another"]
            .map(str::to_owned)
            .to_vec();
        differences.push("b, its release was not captured".to_owned());
        forgive(Some(&losses), &mut differences);
        differences
    }

    #[test]
    fn only_what_was_skipped_is_forgiven() {
        let skip = r#"{"hook":"release","what":"runs (skipped by the kernel)","count":1}"#;
        let full = r#"{"hook":"release","what":"events (ring buffer full)","count":1}"#;
        let left = forgiven(&format!("{{\"lost\":[{skip}]}}"));
        assert_eq!(left, ["another", "b, its release was not captured"]);
        assert_eq!(forgiven(&format!("{{\"lost\":[{skip},{full}]}}")).len(), 4);
        assert_eq!(forgiven("{\"lost\":[]}").len(), 4);
    }
}
