//! Would a recording have shown a leak?

use sockleak_core::{
    assess::{Report, findings::FindingReport},
    text::count::counted,
    time::human,
    verdict::Verdict,
};

use super::{Key, Kind, finding, row};

/// Leak ages that have to be watched before a program can be judged.
const LEAK_AGES: u64 = 3;
/// And for a server that closed no end after its client so far.
const OF_SERVER: u64 = 10;
/// So many kept connections have to be expected: then the chance that none is seen is below 5 %.
const EXPECTED: f64 = 3.0;
/// Nanoseconds.
const HOUR: f64 = 3_600e9;

/// Why a recording, `named` so in sentences, would not have shown a leak; nothing if it would. `leak` is the leak as the other
/// recording has it, if it has one.
pub(super) fn enough(
    key: Key<'_>,
    report: &Report<'_>,
    named: &str,
    leak: Option<(&Report<'_>, &FindingReport)>,
) -> Vec<String> {
    let (path, program, kind) = key;
    let seconds = report.seconds.max(0.0);
    let watched = (seconds * 1e9) as u64;
    let leak_age = report.leak_age_ns;
    let ages = match kind {
        Kind::Client | Kind::Stale => {
            let Some(row) = row(report, path, program) else {
                return vec![format!("the program did not connect to that socket in {named}.")];
            };
            let closed = row.closed;
            if let Some(why) = excuse(finding(report, path, program), closed, named) {
                return vec![why];
            }
            LEAK_AGES
        }
        Kind::Server => {
            // Who accepted what is closed is not known any more.
            let of_socket = report.programs.iter().filter(|row| row.path == path);
            match of_socket.map(|row| row.closed).sum::<u64>() {
                0 => {
                    return vec![format!("no connection on that socket was closed at both ends in {named}.")];
                }
                closed if (closed as f64) < EXPECTED => OF_SERVER,
                _ => LEAK_AGES,
            }
        }
    };
    let needed = leak_age.saturating_mul(ages);
    if watched < needed {
        return vec![format!(
            "{named} is too short: {}; with a leak age of {} it needs {}.",
            human(watched),
            human(leak_age),
            human(needed)
        )];
    }
    leak.map_or_else(Vec::new, |(other, leak)| as_often(key, (report, named), (other, leak)))
}

/// Why a verdict says nothing about a leak.
fn excuse(finding: Option<&FindingReport>, closed: u64, named: &str) -> Option<String> {
    match finding?.verdict {
        Verdict::Undecided => Some(format!("it is undecided in {named}, which saw too little.")),
        Verdict::Inherited => Some(format!("others hold in {named} what it opened.")),
        Verdict::Starved => Some(format!("it was starved in {named}, and had no connection to keep.")),
        Verdict::ExitOnly => Some(format!("it closed none itself in {named}: the kernel did at its exits.")),
        _ if closed == 0 => Some(format!("none of its connections was closed in {named}.")),
        _ => None,
    }
}

/// Were there as many occasions to leak as the other recording needed?
fn as_often(
    (path, program, kind): Key<'_>,
    (report, named): (&Report<'_>, &str),
    (other, leak): (&Report<'_>, &FindingReport),
) -> Vec<String> {
    let mut why = Vec::new();
    let span = |report: &Report<'_>| (report.seconds * 1e9 - report.leak_age_ns as f64).max(1.0) / HOUR;
    let grown = leak.growth_per_hour.filter(|&growth| growth.is_finite() && growth > 0.0);
    let per_hour = grown.unwrap_or(leak.count as f64 / span(other));
    if per_hour * span(report) < EXPECTED {
        let needed = EXPECTED / per_hour * HOUR + report.leak_age_ns as f64;
        why.push(format!(
            "{named} is too short: {}; at the rate of the other it takes {} until three are kept.",
            human((report.seconds * 1e9) as u64),
            human(needed as u64)
        ));
    }
    if kind == Kind::Server {
        return why;
    }
    let opened = row(report, path, program).map_or(0, |row| row.opened + row.before_trace);
    let share = leak.count as f64 / leak.opened.max(leak.count).max(1) as f64;
    if opened as f64 * share < EXPECTED {
        why.push(format!(
            "it opened {} in {named}; the other kept {} of {}.",
            counted(opened, "connection"),
            leak.count,
            leak.opened
        ));
    }
    why
}
