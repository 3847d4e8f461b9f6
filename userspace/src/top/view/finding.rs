//! One finding, with its evidence and what to do about it.

use ratatui::text::{Line, Span};
use sockleak_core::text::escape::terminal;
use sockleak_report::{html::findings::evidence, stacks, words};

use super::{Facts, prose, prose_columns};
use crate::{
    service::model::FindingReport,
    top::state::{FindingKey, State},
};

/// Columns of the names of what it rests on.
const NAMES: usize = 18;

fn quote(name: &str) -> String {
    terminal(name).into_owned()
}

/// The sentence that states it, after its verdict.
pub(super) fn statement(state: &State, finding: &FindingReport, columns: usize) -> Vec<Line<'static>> {
    let leak_age = state.data.snapshot.as_ref().map_or(0, |snapshot| snapshot.leak_age_ns);
    let verdict = finding.verdict.name().to_uppercase();
    let text = format!("{verdict}: {}", words::statement(finding, leak_age, quote));
    let mut lines = prose(state, &text, columns);
    if let Some(first) = lines.first_mut()
        // In very few columns a verdict goes over two lines.
        && let Some(rest) = first.to_string().strip_prefix(verdict.as_str())
    {
        let style = state.theme.verdict(finding.verdict);
        *first = Line::from(vec![Span::styled(verdict, style), Span::raw(rest.to_owned())]);
    }
    lines
}

/// All of it.
pub(super) fn lines(state: &State, key: &FindingKey) -> Vec<Line<'static>> {
    let Some(finding) = state.data.findings().find(|finding| key.means(finding)) else {
        return vec![Line::raw("That does not hold any more.")];
    };
    let columns = prose_columns(state);
    let facts = Facts::of(state).with_names(NAMES);
    let (theme, letters) = (state.theme, state.theme.letters());
    let heading = |title: &'static str| Line::styled(title, theme.strong());
    let mut lines = statement(state, finding, columns);
    for doubt in &finding.uncertain {
        lines.extend(prose(state, &format!("Uncertain: {doubt}."), columns));
    }
    lines.extend([Line::default(), heading("What it rests on")]);
    for it in evidence(finding) {
        let is_time = it.field.ends_with("_ns");
        let shown = if is_time { letters.time(it.shown) } else { it.shown };
        lines.extend(facts.lines(it.what, &shown));
    }
    if let Some(hardship) = &finding.hardship {
        let holders = hardship.holders.iter().map(|holder| format!("{} {}", holder.program, holder.slots));
        let holders = holders.collect::<Vec<_>>().join(", ");
        if !holders.is_empty() {
            lines.extend(facts.lines("slots held by", &holders));
        }
    }
    for it in &finding.containers {
        lines.extend(facts.lines("container", &format!("{} ({})", it.container.described(), it.count)));
    }
    lines.extend([Line::default(), heading("What to do")]);
    lines.extend(prose(state, &finding.advice, columns));
    let known = state.data.snapshot.as_ref().map_or(&[][..], |snapshot| &snapshot.stacks);
    let (places, rest) = stacks::places(known, finding, stacks::Depth::WHOLE);
    if !places.is_empty() {
        lines.extend([Line::default(), heading("Where they were opened")]);
    }
    for (place, functions) in places {
        lines.extend(prose(state, &place, columns));
        lines.extend(facts.stack(&functions));
    }
    lines.extend(rest.into_iter().flat_map(|sentence| prose(state, &sentence, columns)));
    lines
}
