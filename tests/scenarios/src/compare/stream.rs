//! The stream as a whole: how it begins and ends, and that nothing was lost on the way.

use crate::capture::Event;

pub(super) fn check(events: &[Event], differences: &mut Vec<String>) {
    if !matches!(events.first(), Some(Event::Session)) {
        differences.push("the first line is not the session".to_owned());
    }
    match events.last() {
        Some(Event::Report(report)) if report.complete && report.incomplete_because.is_empty() => {}
        Some(Event::Report(report)) => {
            differences.push(format!("the report is incomplete: {}", report.incomplete_because.join("; ")));
        }
        _ => differences.push("the last line is not the report".to_owned()),
    }
    let reports = events.iter().filter(|event| matches!(event, Event::Report(_))).count();
    if reports > 1 {
        differences.push(format!("there are {reports} reports"));
    }
    for event in events {
        if let Event::Loss(line) = event {
            differences.push(format!("events were lost: {line}"));
        }
    }
}
