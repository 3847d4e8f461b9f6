//! The stream as a whole: how it begins and ends, and that nothing was lost on the way.

use super::{connections::UNSEEN, same};
use crate::capture::Event;

/// Begins what is said of a report that is not complete, and is followed by its reasons.
pub(super) const INCOMPLETE: &str = "the report is incomplete: ";
/// Begins what is said of a loss.
pub(super) const LOST: &str = "events were lost: ";

pub(super) fn check(events: &[Event], differences: &mut Vec<String>) {
    if !matches!(events.first(), Some(Event::Session(_))) {
        differences.push("the first line is not the session".to_owned());
    }
    match events.last() {
        Some(Event::Report(report)) if report.complete && report.incomplete_because.is_empty() => {}
        Some(Event::Report(report)) => {
            differences.push(format!("{INCOMPLETE}{}", report.incomplete_because.join("; ")));
        }
        _ => differences.push("the last line is not the report".to_owned()),
    }
    let reports = events.iter().filter(|event| matches!(event, Event::Report(_))).count();
    if reports > 1 {
        differences.push(format!("there are {reports} reports"));
    }
    check_found(events, differences);
    check_unseen(events, differences);
    for event in events {
        if let Event::Loss(line) = event {
            differences.push(format!("{LOST}{line}"));
        }
    }
}

/// What was found is told before it is said that everything was looked at.
fn check_found(events: &[Event], differences: &mut Vec<String>) {
    let is_found = |event: &&Event| matches!(event, Event::Found(_));
    let mut looked = events.iter().enumerate().filter_map(|(place, event)| match event {
        Event::Watching(watching) => Some((place, watching.found)),
        _ => None,
    });
    let Some((place, count)) = looked.next() else {
        differences.push("nothing says that connections from before the capture were looked for".to_owned());
        return;
    };
    if looked.next().is_some() {
        differences.push("it is said twice that the capture is watching".to_owned());
    }
    let (before, after) = events.split_at(place);
    same(differences, || "found, says watching".to_owned(), before.iter().filter(is_found).count(), count);
    for _ in after.iter().filter(is_found) {
        differences.push("a connection is found although everything was looked at".to_owned());
    }
}

/// A look at the descriptors may be the last to refer to what its holder lets go just then. No look is under way when the
/// workload is, once everything has been looked at.
fn check_unseen(events: &[Event], differences: &mut Vec<String>) {
    let watching =
        events.iter().position(|event| matches!(event, Event::Watching(_))).unwrap_or(events.len());
    for event in &events[watching..] {
        if let Event::Release(release) = event
            && release.reason == UNSEEN
        {
            differences.push(format!(
                "connection {}: nobody looked when it was released unseen",
                release.connection
            ));
        }
    }
}
