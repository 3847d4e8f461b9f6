//! The answer for many hosts in words and tables.

use sockleak_core::{
    text::{
        count::{agreeing, counted, enumerated, grouped},
        escape::terminal,
    },
    time::human,
    verdict::Verdict,
};

use super::{FirstFull, FleetFinding, HostList, Merged};
use crate::{
    grid::{Cell, Grid, Kind},
    style::{Meaning, Style},
    tables,
    text::{Layout, prose},
    words::rounded,
};

/// Findings that are told in sentences, and rows of the table.
const TOLD: [usize; 2] = [5, 20];
/// Undecided programs, reasons and files that are told.
const FEW: usize = 5;
/// Hosts that a sentence names.
pub(super) const NAMED: usize = 3;

/// Puts a name from outside into a sentence.
pub(super) type Quote = fn(&str) -> String;

/// As text: what was read, the table, the worst findings in sentences, and what is missing.
pub(super) fn render(merged: &Merged, layout: Layout) -> String {
    let mut out = String::new();
    let quote = |name: &str| terminal(name).into_owned();
    prose(&headline(merged), "", &mut out);
    out.push('\n');
    if let Some(sentence) = all_is_well(merged) {
        labelled(&sentence, Meaning::Well, layout.style, &mut out);
    }
    let [told, rows] = TOLD.map(|few| layout.most(few));
    if !merged.findings.is_empty() {
        let shown = &merged.findings[..merged.findings.len().min(rows)];
        out.push_str(&table(merged, shown).styled(layout.width, layout.style));
        more(merged.findings.len() - shown.len(), "finding").iter().for_each(|it| prose(it, "", &mut out));
    }
    let amiss = merged.findings.iter().filter(|it| !tables::is_calm(it.verdict));
    for finding in amiss.take(told) {
        out.push('\n');
        let said = statement(finding, layout, quote);
        labelled(&said, Meaning::of(finding.verdict), layout.style, &mut out);
        details(finding, layout, quote).iter().for_each(|it| prose(it, "  ", &mut out));
    }
    let missing = missing(merged, layout, quote);
    if !missing.is_empty() {
        out.push('\n');
    }
    for sentence in missing {
        labelled(&sentence, Meaning::Warning, layout.style, &mut out);
    }
    let remarks = remarks(merged);
    if !remarks.is_empty() {
        out.push('\n');
    }
    remarks.iter().for_each(|sentence| prose(sentence, "", &mut out));
    out
}

/// A sentence that begins with a label and a colon, in the label's colour.
fn labelled(sentence: &str, meaning: Meaning, style: Style, out: &mut String) {
    let (label, rest) = sentence.split_once(':').unwrap_or((sentence, ""));
    prose(&format!("{}:{rest}", style.label(label, meaning)), "", out);
}

/// How much was read, and how it was judged.
pub(super) fn headline(merged: &Merged) -> String {
    let hosts = format!("{} {}", grouped(merged.hosts), agreeing(merged.hosts, "host", "hosts"));
    let recordings =
        format!("{} {}", grouped(merged.recordings), agreeing(merged.recordings, "recording", "recordings"));
    let ages = match merged.leak_ages.as_slice() {
        [] => return format!("{hosts}, {recordings}."),
        [one] => format!("leak age {}", human(one.leak_age_ns)),
        [first, .., last] => format!(
            "leak ages from {} to {}; --leak-age judges all by the same",
            human(first.leak_age_ns),
            human(last.leak_age_ns)
        ),
    };
    format!("{hosts}, {recordings}, each judged alone ({ages}).")
}

/// That there is nothing to say, if so.
pub(super) fn all_is_well(merged: &Merged) -> Option<String> {
    let is_well = merged.hosts > 0 && merged.findings.iter().all(|it| tables::is_calm(it.verdict));
    is_well.then(|| "HEALTHY: no program leaks or is starved on any host that could be judged.".to_owned())
}

/// The findings as a table: program, socket, number of hosts.
pub(super) fn table(merged: &Merged, findings: &[FleetFinding]) -> Grid {
    let mut grid = Grid::new(&[
        ("VERDICT", Kind::Word),
        (merged.by.heading(), Kind::Name),
        ("SOCKET", Kind::Name),
        ("HOSTS", Kind::Number),
        ("OF", Kind::Number),
        ("COUNT", Kind::Number),
        ("MOST ON", Kind::Name),
    ]);
    for it in findings {
        grid.rows.push(vec![
            Cell::from(it.verdict.name()).with(Some(Meaning::of(it.verdict))),
            it.program.as_str().into(),
            it.path.as_str().into(),
            grouped(it.hosts.count).into(),
            grouped(it.of_hosts).into(),
            grouped(it.count).into(),
            it.hosts.named.first().map_or("-", |host| host.host.as_str()).into(),
        ]);
    }
    grid
}

/// A finding in a sentence, with the verdict as its label.
pub(super) fn statement(finding: &FleetFinding, layout: Layout, quote: Quote) -> String {
    let (program, path) = (quote(&finding.program), quote(&finding.path));
    let FleetFinding { verdict, count, hosts, of_hosts, .. } = finding;
    let where_ = format!(
        "on {} of {}",
        grouped(hosts.count),
        format_args!("{} {}", grouped(*of_hosts), agreeing(*of_hosts, "host", "hosts"))
    );
    let connections =
        |what: &str| format!("{} {what}{}", grouped(*count), if *count == 1 { "" } else { "s" });
    let does = match verdict {
        Verdict::ClientLeak => format!(
            "{program} opens connections to {path} and does not close them, {where_}: {} kept",
            connections("connection")
        ),
        Verdict::Suspect => format!(
            "{program} perhaps leaks connections to {path}, {where_}: {} kept",
            connections("connection")
        ),
        Verdict::StaleClient => format!(
            "{program} keeps its ends to {path} though the server has released its own, {where_}: {}",
            connections("connection")
        ),
        Verdict::ServerLeak => format!(
            "{program} does not release its ends on {path}, {where_}: {} kept",
            connections("server end")
        ),
        Verdict::Starved => format!(
            "{program} gets no slot on {path}, {where_}: {}",
            connections("failed connect or connection")
        ),
        Verdict::Saturated => format!(
            "{program} is refused on {path} though nobody keeps anything, {where_}: {}",
            connections("failed connect")
        ),
        Verdict::Inherited | Verdict::ExitOnly | Verdict::Pool | Verdict::Undecided | Verdict::Healthy => {
            format!("{program} on {path}, {where_}: {}", connections("connection"))
        }
    };
    let growth = finding.growth_per_hour.map(|it| format!(", {} more an hour", rounded(it)));
    let named = names(hosts, layout, quote);
    format!("{}: {does}{}. Hosts: {named}.", verdict.name().to_uppercase(), growth.unwrap_or_default())
}

/// What else is to be known of a finding, a sentence each.
pub(super) fn details(finding: &FleetFinding, layout: Layout, quote: Quote) -> Vec<String> {
    let mut details = Vec::new();
    match &finding.first_full {
        Some(FirstFull { host, seconds: 0 }) => {
            details.push(format!("The server is full on {}.", quote(host)));
        }
        Some(FirstFull { host, seconds }) => details.push(format!(
            "The first server is full in about {}, on {}.",
            human(seconds.saturating_mul(1_000_000_000)),
            quote(host)
        )),
        None => {}
    }
    for build in finding.builds.iter().take(layout.most(NAMED)) {
        let hosts = names(&build.hosts, layout, quote);
        details.push(format!(
            "Build {}, on {}: {hosts}.",
            quote(&build.build_id),
            counted(build.hosts.count, "host")
        ));
    }
    if finding.uncertain_hosts > 0 {
        let hosts = counted(finding.uncertain_hosts, "host");
        details.push(format!("Uncertain on {hosts}: the report of its recording says why."));
    }
    if finding.earlier_hosts > 0 {
        let hosts = counted(finding.earlier_hosts, "host");
        details.push(format!("On {hosts} an earlier recording shows it; the last one shows too little."));
    }
    details
}

/// Hosts by name, with their connections: `web1 (20), web2 (12) and 998 more`.
pub(super) fn names(hosts: &HostList, layout: Layout, quote: Quote) -> String {
    let shown = hosts.named.iter().take(layout.most(NAMED));
    let mut parts: Vec<String> = shown
        .map(|it| match it.count {
            0 => quote(&it.host),
            count => format!("{} ({})", quote(&it.host), grouped(count)),
        })
        .collect();
    let rest = hosts.count.saturating_sub(parts.len() as u64);
    if rest > 0 {
        parts.push(format!("{} more", grouped(rest)));
    }
    enumerated(&parts)
}

/// What could not be judged, was lost, or could not be read; a sentence each, with a label.
pub(super) fn missing(merged: &Merged, layout: Layout, quote: Quote) -> Vec<String> {
    let few = layout.most(FEW);
    let mut missing = Vec::new();
    for it in merged.undecided.iter().take(few) {
        let (program, path) = (quote(&it.program), quote(&it.path));
        let hosts = counted(it.hosts.count, "host");
        let needed = it.missing_ns.filter(|&missing| missing > 0);
        let needed = needed.map(|missing| format!("; at least {} more have to be observed", human(missing)));
        missing.push(format!(
            "NOT ENOUGH SEEN: {program} on {path}, on {hosts}{}. Hosts: {}.",
            needed.unwrap_or_default(),
            names(&it.hosts, layout, quote)
        ));
    }
    let rest = merged.undecided.len().saturating_sub(few);
    missing.extend(more(rest, "program").map(|it| format!("NOT ENOUGH SEEN: {it}")));
    if merged.incomplete.count > 0 {
        let hosts = counted(merged.incomplete.count, "host");
        missing.push(format!("INCOMPLETE: {hosts}: {}.", names(&merged.incomplete, layout, quote)));
    }
    for reason in merged.incomplete_because.iter().take(few) {
        let hosts = counted(reason.hosts.count, "host");
        missing.push(format!("INCOMPLETE: {}, on {hosts}.", quote(&reason.because)));
    }
    let rest = merged.incomplete_because.len().saturating_sub(few);
    missing.extend(more(rest, "reason").map(|it| format!("INCOMPLETE: {it}")));
    for file in merged.unreadable.iter().take(few) {
        missing.push(format!("NOT READ: {}.", quote(&file.because)));
    }
    let rest = merged.unreadable.len().saturating_sub(few);
    missing.extend(more(rest, "file").map(|it| format!("NOT READ: {it}")));
    missing
}

/// What a reader has to know about the figures, a sentence each.
pub(super) fn remarks(merged: &Merged) -> Vec<String> {
    let mut remarks = Vec::new();
    if merged.healthy > 0 {
        remarks.push(format!(
            "Healthy on every host: {} of a program and a socket.",
            counted(merged.healthy, "pair")
        ));
    }
    if merged.unfinished > 0 {
        remarks.push(format!(
            "{} still being written, or broken off: the verdict is of the last moment.",
            agreed(merged.unfinished, "recording is", "recordings are")
        ));
    }
    if merged.outside > 0 {
        remarks.push(format!(
            "{} nothing within --since and --until.",
            agreed(merged.outside, "recording has", "recordings have")
        ));
    }
    if merged.left_out > 0 {
        remarks.push(format!(
            "There are too many programs and sockets: findings of {} were left out.",
            counted(merged.left_out, "pair")
        ));
    }
    remarks
}

fn agreed(count: u64, one: &'static str, many: &'static str) -> String {
    format!("{} {}", grouped(count), agreeing(count, one, many))
}

/// How many are not shown.
pub(super) fn more(hidden: usize, what: &str) -> Option<String> {
    (hidden > 0)
        .then(|| format!("… and {}; --all lists them.", counted(hidden as u64, &format!("more {what}"))))
}
