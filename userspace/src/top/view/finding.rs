//! One finding, with its evidence and what to do about it.

use ratatui::text::{Line, Span};

use super::fact;
use crate::{
    report::{escape::terminal, html::findings::evidence, stacks, words},
    service::model::FindingReport,
    top::{
        state::{FindingKey, State},
        text::wrap,
    },
};

/// What begins a sentence that goes on from the line before.
const INDENT: &str = "  ";

fn quote(name: &str) -> String {
    terminal(name).into_owned()
}

fn prose(state: &State, text: &str, columns: usize) -> Vec<Line<'static>> {
    wrap(&state.theme.letters().safe(text), columns, INDENT).into_iter().map(Line::raw).collect()
}

/// The sentence that states it, after its verdict.
pub(super) fn statement(state: &State, finding: &FindingReport, columns: usize) -> Vec<Line<'static>> {
    let leak_age = state.data.snapshot.as_ref().map_or(0, |snapshot| snapshot.leak_age_ns);
    let verdict = finding.verdict.name().to_uppercase();
    let text = format!("{verdict}: {}", words::statement(finding, leak_age, quote));
    let mut lines = prose(state, &text, columns);
    if let Some(first) = lines.first_mut() {
        let rest = first.to_string().split_off(verdict.len());
        *first =
            Line::from(vec![Span::styled(verdict, state.theme.verdict(finding.verdict)), Span::raw(rest)]);
    }
    lines
}

/// All of it.
pub(super) fn lines(state: &State, key: &FindingKey) -> Vec<Line<'static>> {
    let Some(finding) = state.data.findings().find(|finding| key.means(finding)) else {
        return vec![Line::raw("That does not hold any more.")];
    };
    let columns = usize::from(state.size.0).min(100);
    let (theme, letters) = (state.theme, state.theme.letters());
    let heading = |title: &'static str| Line::styled(title, theme.strong());
    let mut lines = statement(state, finding, columns);
    for doubt in &finding.uncertain {
        lines.extend(prose(state, &format!("Uncertain: {doubt}."), columns));
    }
    lines.extend([Line::default(), heading("What it rests on")]);
    lines.extend(evidence(finding).iter().map(|it| fact(letters, it.what, &it.shown)));
    if let Some(hardship) = &finding.hardship {
        let holders = hardship.holders.iter().map(|holder| format!("{} {}", holder.program, holder.slots));
        let holders = holders.collect::<Vec<_>>().join(", ");
        if !holders.is_empty() {
            lines.push(fact(letters, "slots held by", &holders));
        }
    }
    lines.extend([Line::default(), heading("What to do")]);
    lines.extend(prose(state, &finding.advice, columns));
    let known = state.data.snapshot.as_ref().map_or(&[][..], |snapshot| &snapshot.stacks);
    let (places, rest) = stacks::places(known, finding);
    if !places.is_empty() {
        lines.extend([Line::default(), heading("Where they were opened")]);
    }
    for (place, functions) in places {
        lines.extend(prose(state, &place, columns));
        lines.extend(functions.lines().map(|line| Line::raw(letters.safe(line))));
    }
    lines.extend(rest.into_iter().flat_map(|sentence| prose(state, &sentence, columns)));
    lines
}
