//! A finding in words.

use sockleak_core::{
    assess::{
        Filtered, Report,
        findings::{FindingReport, HardshipReport},
    },
    text::count::{agreeing, counted},
    time::human,
    verdict::Verdict,
};

use crate::section::Section;

/// The line that begins a report: how long was observed, on what, and what came of it.
pub(super) fn headline(report: &Report, quote: Quote) -> String {
    let opened: u64 = report.programs.iter().map(|program| program.opened).sum();
    let before: u64 = report.programs.iter().map(|program| program.before_trace).sum();
    let before = if before > 0 { format!(" and {before} there before") } else { String::new() };
    let targets = report.targets.iter().map(|target| quote(target)).collect::<Vec<_>>().join(" ");
    format!(
        "{} on {targets}: {} opened{before}, {} of them not closed at both ends",
        human((report.seconds * 1e9) as u64),
        counted(opened, "connection"),
        report.not_closed()
    )
}

/// That there is nothing to say, if so.
pub(super) fn all_is_well(report: &Report) -> Option<String> {
    let is_well = report.findings.iter().all(|finding| finding.verdict == Verdict::Healthy);
    // What was left out may be anything.
    let is_well = is_well && (report.filtered.is_none() || !report.findings.is_empty());
    let age = human(report.leak_age_ns);
    // What lasts no longer than is usual there is well at any age.
    let oldest = report.open.iter().map(|open| open.age_ns).max().unwrap_or(0);
    let kept = if oldest < report.leak_age_ns {
        format!("no end that is still open was kept for {age} or longer")
    } else {
        "what is still open has not lasted longer than is usual there".to_owned()
    };
    is_well.then(|| format!("HEALTHY: {kept}, and nobody was starved."))
}

/// What a reader has to know about what is shown, a sentence each.
pub(super) fn remarks(report: &Report) -> Vec<String> {
    let mut remarks = Vec::new();
    if report.window.is_some() {
        remarks.push(
            "Figures count this part of the recording. Verdicts, and the pictures of a page, rest on everything recorded up to its end."
                .to_owned(),
        );
    }
    if report.open.any_before_trace() {
        remarks.push(
            "For connections opened before tracing started, the age is a minimum: their start was not seen."
                .to_owned(),
        );
    }
    if report.skipped_runs > 0 {
        let skipped = report.skipped_runs;
        remarks.push(format!(
            "At most {} may be missing: the kernel skipped that many runs.",
            counted(skipped, "failed connect")
        ));
    }
    if report.unseen_releases > 0 {
        let unseen = report.unseen_releases;
        let (ends, are) = (counted(unseen, "end"), agreeing(unseen, "is", "are"));
        remarks.push(format!("{ends} {are} released, but it was not seen when and by whom."));
    }
    remarks
}

/// What is missing, a sentence each.
pub(super) fn missing(report: &Report) -> impl Iterator<Item = String> {
    report.incomplete_because.iter().map(|sentence| format!("INCOMPLETE: {sentence}."))
}

/// That it tells of a part of what was found, if so.
pub(super) fn filtered(report: &Report) -> Option<String> {
    let Filtered { by, findings, programs, open } = report.filtered.as_ref()?;
    let matches = if report.findings.is_empty() { " No finding matches." } else { "" };
    let (findings, rows) = (counted(*findings, "finding"), counted(*programs, "row"));
    let open = counted(*open, "connection");
    Some(format!("FILTERED: only {by}.{matches} Left out: {findings}, {rows} of figures, {open} not closed."))
}

/// That younger connections are not shown, if so.
pub(super) fn younger(report: &Report) -> Option<String> {
    let hidden = report.younger_not_shown;
    let ones = agreeing(hidden, "one is", "ones are");
    (hidden > 0).then(|| format!("{hidden} younger {ones} not shown."))
}

/// That there are more than shown, if so, and how to see them.
pub(super) fn more(hidden: usize, noun: &str) -> Option<String> {
    (hidden > 0)
        .then(|| format!("… and {}; --all lists them.", counted(hidden as u64, &format!("more {noun}"))))
}

/// Where, when, and by which sockleak it was observed: a report is pasted into a ticket.
pub(super) fn origin(section: &Section<'_>, quote: Quote) -> String {
    let Section { host, report, clock, .. } = section;
    let started = report.now.saturating_sub((report.seconds * 1e9) as u64);
    format!(
        "{}, {} to {}{}, sockleak {}",
        quote(host),
        clock.local(started),
        clock.local_with_zone(report.now),
        part(report),
        env!("CARGO_PKG_VERSION")
    )
}

/// That it is about a part of a recording, if so.
pub(super) const fn part(report: &Report) -> &'static str {
    if report.window.is_some() { " (part of the recording)" } else { "" }
}

/// What was found, as reports state it; `leak_age` in nanoseconds. Names are as they are: escape the sentence for where it is shown.
#[must_use]
pub fn sentence(finding: &FindingReport, leak_age: u64) -> String {
    statement(finding, leak_age, str::to_owned)
}

/// How a name from outside is put into a sentence.
pub(crate) type Quote = fn(&str) -> String;

/// What states a finding, with what is needed to decide it. `leak_age` in nanoseconds.
pub fn statement(finding: &FindingReport, leak_age: u64, quote: Quote) -> String {
    let mut said = claim(finding, leak_age, quote);
    if let Some(sentence) = needs(finding, leak_age) {
        said.push(' ');
        said.push_str(&sentence);
    }
    said
}

/// How long has to be watched to decide a finding that is undecided. `leak_age` in nanoseconds. Many findings need the same.
pub(super) fn needs(finding: &FindingReport, leak_age: u64) -> Option<String> {
    let needed = finding.needed_ns.filter(|_| finding.verdict == Verdict::Undecided)?;
    let observed = finding.observed_ns.unwrap_or(0);
    // With this leak age, what was watched would have been enough.
    let shorter = observed / 4 / 1_000_000_000;
    let shorter = if shorter > 0 && shorter < leak_age / 1_000_000_000 {
        format!(", or --leak-age {shorter}s")
    } else {
        String::new()
    };
    Some(format!(
        "Watched for {}; with this leak age {} are needed{shorter}.",
        human(observed),
        human(needed)
    ))
}

/// The sentence that states a finding. `leak_age` in nanoseconds.
pub(super) fn claim(finding: &FindingReport, leak_age: u64, quote: Quote) -> String {
    let (program, path) = (quote(&finding.program), quote(&finding.path));
    let (count, age) = (finding.count, human(leak_age));
    let oldest = human(finding.oldest_ns.unwrap_or_default());
    let connections = counted(count, "connection");
    match finding.verdict {
        Verdict::ClientLeak => format!(
            "{program} opens connections to {path} and does not close them: {count} of {} overdue, \
             the oldest for {oldest}{}.",
            format_args!("{} {}", counted(finding.opened, "connection"), agreeing(count, "is", "are")),
            trend(finding)
        ),
        Verdict::ServerLeak => format!(
            "{program} does not release its ends on {path}: {connections} still open there though the client has left, \
             the longest for {oldest}{}.",
            trend(finding)
        ),
        Verdict::StaleClient => format!(
            "{program} keeps its ends to {path} though the server has released its own: {connections}, the longest for \
             {oldest}."
        ),
        Verdict::Inherited => {
            let did = match (count.saturating_sub(finding.accepted), finding.accepted) {
                (_, 0) => format!("opened {connections} to {path}"),
                (0, _) => format!("accepted {connections} on {path}"),
                (opened, accepted) => {
                    format!(
                        "opened {} to {path} and accepted {accepted} there",
                        counted(opened, "connection")
                    )
                }
            };
            let left = if finding.accepted == count { ", though the client has left" } else { "" };
            format!("{program} {did} that others hold now, and it does not{left}: the oldest for {oldest}.")
        }
        Verdict::ExitOnly => format!(
            "{program} left {connections} to {path} to be closed at its exit, and closed none itself."
        ),
        Verdict::Suspect => format!(
            "{program} keeps {connections} to {path} that it may have forgotten{}, the oldest for {oldest}{}.",
            idle(finding),
            trend(finding)
        ),
        Verdict::Saturated => format!(
            "{path} is too small or too slow for {program}: {} found no room in the accept queue, though nobody keeps \
             connections{}.",
            counted(count, "connect"),
            finding.slots_limit.map_or_else(String::new, |slots| format!("; {slots} are served at a time"))
        ),
        Verdict::Undecided => undecided(&program, &path, finding, quote),
        Verdict::Pool if finding.processes > 1 && finding.processes == count => format!(
            "{count} processes of {program} keep one connection each to {path}, the oldest for {oldest}."
        ),
        Verdict::Pool => format!(
            "{program} keeps {connections} to {path} open for {age} and longer, the oldest for {oldest}{}.",
            if finding.growth_per_hour.is_some() { "; their number does not grow" } else { "" }
        ),
        Verdict::Starved => starved(&program, &path, finding, quote),
        Verdict::Healthy => format!("{program} is healthy on {path}."),
    }
}

/// How many are known to be unused.
fn idle(finding: &FindingReport) -> String {
    if finding.unused > 0 { format!("; {} unused", finding.unused) } else { String::new() }
}

/// What is not known.
fn undecided(program: &str, path: &str, finding: &FindingReport, quote: Quote) -> String {
    if let Some(hardship) = &finding.hardship {
        return unanswered(program, path, finding, hardship, quote);
    }
    let keeps = format!("{program} keeps {} to {path}", counted(finding.count, "connection"));
    if finding.needed_ns.is_none() {
        let were = agreeing(finding.count, "was", "were");
        return format!("{keeps} that {were} open before tracing began: a pool or a leak, it is not known.");
    }
    format!("{keeps}: a pool or a leak, it is too early to tell.")
}

/// The server is full, or answers like that always.
fn unanswered(
    program: &str,
    path: &str,
    finding: &FindingReport,
    hardship: &HardshipReport,
    quote: Quote,
) -> String {
    format!(
        "{path} may be full, and {program} its victim: the server closed {} at once, while it served {} others{}. A server \
         that closes after each answer does the same.",
        counted(hardship.turned_away, "connection"),
        finding.slots_used,
        held_by(hardship, quote)
    )
}

/// Growth, slots, and when they are used up.
fn trend(finding: &FindingReport) -> String {
    let mut text = String::new();
    if let Some(growth) = finding.growth() {
        text.push_str(&format!("; {} more an hour", rounded(growth)));
    }
    if let Some(limit) = finding.slots_limit {
        let (used, slots) = (finding.slots_used, counted(limit, "slot"));
        text.push_str(&format!("; {used} of {slots} {} in use", agreeing(used, "is", "are")));
        match finding.seconds_until_full {
            Some(0) => text.push_str(", none is free"),
            Some(seconds) => {
                text.push_str(&format!(", all will be in {}", human(seconds.saturating_mul(1_000_000_000))));
            }
            None => {}
        }
    }
    text
}

/// Two digits that count, and no more.
pub(super) fn rounded(value: f64) -> String {
    if value >= 10.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

fn starved(program: &str, path: &str, finding: &FindingReport, quote: Quote) -> String {
    let Some(hardship) = &finding.hardship else {
        return format!("{program} is starved on {path}.");
    };
    let HardshipReport { refused, abandoned, waiting, turned_away, goes_on, .. } = hardship;
    let mut what = Vec::new();
    for (&count, noun, does, do_) in [
        (refused, "connect", "failed", "failed"),
        (waiting, "connection", "waits in the queue", "wait in the queue"),
        (abandoned, "connection", "was given up in the queue", "were given up in the queue"),
        (turned_away, "connection", "was turned away by the server", "were turned away by the server"),
    ] {
        if count > 0 {
            what.push(format!("{} {}", counted(count, noun), agreeing(count, does, do_)));
        }
    }
    let is = if *goes_on { "is" } else { "was" };
    let holders = held_by(hardship, quote);
    format!("{program} {is} starved on {path}: {}{holders}.", what.join(", "))
}

/// Who holds the slots.
fn held_by(hardship: &HardshipReport, quote: Quote) -> String {
    let holders = hardship.holders.iter();
    let mut slots: Vec<String> =
        holders.map(|holder| format!("{} ({})", quote(&holder.program), holder.slots)).collect();
    if hardship.held_by_server > 0 {
        slots.push(format!("ends that the server has not released ({})", hardship.held_by_server));
    }
    if slots.is_empty() { String::new() } else { format!("; slots are held by {}", slots.join(", ")) }
}
