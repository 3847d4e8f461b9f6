//! What was found, with its evidence and what to do about it.

use maud::{Markup, PreEscaped, html};
use sockleak_core::{
    assess::{findings::FindingReport, stacks::StackReport},
    time::human,
    verdict::Verdict,
};

use super::parts::{Text, code, scroll};
use crate::{
    containers,
    stacks::{self, Depth},
    tables,
    words::{rounded, statement},
};

/// A figure of a finding: what it is, what it says, and the field that it comes from with its value.
pub struct Figure {
    /// What it is.
    pub what: &'static str,
    /// What it says.
    pub shown: String,
    /// The field that it comes from.
    pub field: &'static str,
}

/// How a card is shown.
pub struct Shape<'a> {
    /// Stacks are open to be read.
    pub with_stacks: bool,
    /// Shows a figure.
    pub figure: &'a dyn Fn(&Figure) -> Markup,
    /// What it leads to: words and addresses. A page that stands alone has none.
    pub links: Vec<(&'static str, String)>,
}

/// A card. The leak age is nanoseconds.
pub fn card(finding: &FindingReport, stacks: &[StackReport], leak_age: u64, shape: &Shape<'_>) -> Markup {
    let Shape { with_stacks, figure, links } = shape;
    let (severity, sign) = severity(finding.verdict);
    let (places, rest) = stacks::places(stacks, finding, Depth::WHOLE);
    html! {
        article class={ "finding " (severity) } {
            h3 { span class="badge" { (sign) " " (finding.verdict) } " " (code(&finding.program)) }
            p class="statement" { (stated(finding, leak_age)) }
            @if let Some(sentence) = containers::sentence(finding, quoted) { p { (PreEscaped(sentence)) } }
            dl class="evidence" {
                @for it in evidence(finding) { div { dt { (it.what) } dd { (figure(&it)) } } }
            }
            @for doubt in &finding.uncertain {
                p class="doubt" { strong { "Uncertain:" } " " (Text(doubt)) "." }
            }
            @for (place, functions) in places {
                details class="stack" open[*with_stacks] {
                    summary { (Text(&place)) }
                    (scroll("Stack", &html! { pre { @for line in functions.lines() { (Text(line)) "\n" } } }))
                }
            }
            @if let Some(sentence) = rest { p { (sentence) } }
            p class="advice" { strong { "What to do:" } " " (Text(&finding.advice)) }
            @if !links.is_empty() {
                p class="links" { @for (words, address) in links { a href=(address) { (words) } " " } }
            }
        }
    }
}

/// The sentence that states it. Names are escaped as they are put into it, and nothing else of it is from outside.
fn stated(finding: &FindingReport, leak_age: u64) -> Markup {
    PreEscaped(statement(finding, leak_age, quoted))
}

fn quoted(name: &str) -> String {
    code(name).into_string()
}

/// What a verdict means for the reader, as a class and a sign for those who see no colours: what accuses is red, what needs a look
/// amber, what to know blue, what is not decided grey with a dashed edge, and what is well green.
pub const fn severity(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::ClientLeak | Verdict::ServerLeak => ("leaks", "▲"),
        Verdict::Suspect | Verdict::Starved | Verdict::Saturated | Verdict::StaleClient => ("suffers", "◆"),
        Verdict::Inherited | Verdict::ExitOnly => ("notes", "●"),
        Verdict::Undecided => ("unsure", "?"),
        Verdict::Pool => ("well", "○"),
        Verdict::Healthy => ("well", "✓"),
    }
}

/// The figures of a finding, as far as they are known.
pub fn evidence(finding: &FindingReport) -> Vec<Figure> {
    let slots = finding
        .slots_limit
        .map_or_else(|| finding.slots_used.to_string(), |limit| format!("{} of {limit}", finding.slots_used));
    let growth = finding.growth().map(|growth| format!("+{} an hour", rounded(growth)));
    let full = finding.seconds_until_full.map(|seconds| match seconds {
        0 => "now".to_owned(),
        seconds => format!("in {}", human(seconds.saturating_mul(1_000_000_000))),
    });
    let all = [
        ("connections", "count", Some(finding.count.to_string())),
        ("oldest", "oldest_ns", finding.oldest_ns.map(human)),
        ("opened", "opened", Some(finding.opened.to_string())),
        ("closed", "closed", Some(finding.closed.to_string())),
        ("half live within", "p50_ns", finding.p50_ns.map(human)),
        ("99 % live within", "p99_ns", finding.p99_ns.map(human)),
        ("failed connects", "failed", tables::failed(&finding.failed, ", ")),
        ("growth", "growth_per_hour", growth),
        ("slots in use", "slots_used", Some(slots)),
        ("full", "seconds_until_full", full),
    ];
    all.into_iter().filter_map(|(what, field, shown)| Some(Figure { what, shown: shown?, field })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A colour is never the only sign, and green is kept for what is well.
    #[test]
    fn each_meaning_has_a_colour_and_a_sign_of_its_own() {
        let mut signs: Vec<_> = Verdict::ALL.map(severity).to_vec();
        signs.sort_unstable();
        signs.dedup();
        let classes = signs.iter().map(|(class, _)| *class).collect::<Vec<_>>();
        assert_eq!(classes, ["leaks", "notes", "suffers", "unsure", "well", "well"]);
        for verdict in Verdict::ALL {
            let is_well = matches!(verdict, Verdict::Pool | Verdict::Healthy);
            assert_eq!(severity(verdict).0 == "well", is_well, "{verdict}");
        }
        assert_eq!(severity(Verdict::Undecided), ("unsure", "?"));
    }
}
