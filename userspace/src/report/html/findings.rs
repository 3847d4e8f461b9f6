//! What was found, with its evidence and what to do about it.

use std::fmt::Write as _;

use super::parts::code;
use crate::{
    clock::human,
    report::{
        Report,
        escape::html,
        findings::FindingReport,
        stacks, tables,
        words::{all_is_well, statement},
    },
    verdict::Verdict,
};

/// Cards, the most severe first.
pub(super) fn findings(report: &Report) -> String {
    let mut out = String::from("<section class=\"findings\">\n");
    if let Some(sentence) = all_is_well(report) {
        let sentence = sentence.trim_start_matches("HEALTHY: ");
        let _ =
            writeln!(out, "<p class=\"banner healthy\"><strong>✓ Healthy</strong> {}</p>", html(sentence));
    }
    for finding in report.findings.iter().filter(|it| it.verdict != Verdict::Healthy) {
        card(report, finding, &mut out);
    }
    out + "</section>\n"
}

fn card(report: &Report, finding: &FindingReport, out: &mut String) {
    let (severity, sign) = severity(finding.verdict);
    let _ = writeln!(
        out,
        "<article class=\"finding {severity}\">\n<h3><span class=\"badge\">{sign} {}</span> {}</h3>\n<p>{}</p>",
        finding.verdict,
        code(&finding.program),
        statement(finding, report.leak_age_ns, code)
    );
    out.push_str("<dl class=\"evidence\">");
    for (what, value) in evidence(finding) {
        let _ = write!(out, "<div><dt>{what}</dt><dd>{}</dd></div>", html(&value));
    }
    out.push_str("</dl>\n");
    for doubt in &finding.uncertain {
        let _ = writeln!(out, "<p class=\"doubt\"><strong>Uncertain:</strong> {}.</p>", html(doubt));
    }
    let (places, rest) = stacks::places(report, finding);
    for (place, functions) in places {
        let (place, functions) = (html(&place), lines(&functions));
        let _ = writeln!(
            out,
            "<details class=\"stack\" open><summary>{place}</summary><pre>{functions}</pre></details>"
        );
    }
    if let Some(sentence) = rest {
        let _ = writeln!(out, "<p>{}</p>", html(&sentence));
    }
    let _ = writeln!(
        out,
        "<p class=\"advice\"><strong>What to do:</strong> {}</p>\n</article>",
        html(&finding.advice)
    );
}

/// Lines, each made safe by itself.
fn lines(text: &str) -> String {
    text.lines().map(html).collect::<Vec<_>>().join("\n")
}

/// How bad it is: by colour, and by a sign for those who see none.
const fn severity(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::ClientLeak | Verdict::ServerLeak => ("leaks", "▲"),
        Verdict::Starved | Verdict::StaleClient => ("suffers", "◆"),
        Verdict::Inherited | Verdict::ExitOnly => ("notes", "●"),
        Verdict::Pool | Verdict::Healthy => ("calm", "○"),
    }
}

/// The figures of a finding, as far as they are known.
fn evidence(finding: &FindingReport) -> Vec<(&'static str, String)> {
    let slots = finding
        .slots_limit
        .map_or_else(|| finding.slots_used.to_string(), |limit| format!("{} of {limit}", finding.slots_used));
    // Of the others it is not what the verdict rests on, and a pool does not grow: its figure is what chance leaves.
    let grows = matches!(finding.verdict, Verdict::ClientLeak | Verdict::ServerLeak);
    let growth = finding.growth_per_hour.filter(|_| grows).map(|growth| format!("{growth:+.1} an hour"));
    let full = finding.seconds_until_full.map(|seconds| match seconds {
        0 => "now".to_owned(),
        seconds => format!("in {}", human(seconds.saturating_mul(1_000_000_000))),
    });
    let all = [
        ("connections", Some(finding.count.to_string())),
        ("oldest", finding.oldest_ns.map(human)),
        ("opened", Some(finding.opened.to_string())),
        ("closed", Some(finding.closed.to_string())),
        ("half live within", finding.p50_ns.map(human)),
        ("99 % live within", finding.p99_ns.map(human)),
        ("failed attempts", tables::failed(&finding.failed, ", ")),
        ("growth", growth),
        ("slots in use", Some(slots)),
        ("full", full),
    ];
    all.into_iter().filter_map(|(what, value)| Some((what, value?))).collect()
}
