//! What there is to say, above the keys: in whole words, on several lines if need be.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use sockleak_core::time::nanoseconds;

use crate::top::{
    state::{Hearing, Listing, Overlay, Pane, State},
    text::{Keep, short, width, wrap},
};

/// Lines of a sentence at most.
const MOST_LINES: usize = 4;
/// Columns of a sentence that are looked at: more than there is room for in the widest text that is read with ease.
const LONGEST: usize = 500;
/// What begins a line that goes on from the one before.
const INDENT: &str = "  ";

/// A sentence that may take several lines.
struct Sentence {
    /// Before it: always shown.
    before: String,
    /// From elsewhere: its end is left out if there is no room.
    text: String,
    /// Behind it: always shown.
    behind: String,
    style: Style,
}

impl Sentence {
    fn new(before: &str, text: &str, style: Style) -> Self {
        Self { before: before.to_owned(), text: text.to_owned(), behind: String::new(), style }
    }

    /// Its lines. Where there is no room for all, as many whole words as there is room for.
    fn lines(&self, state: &State) -> Vec<String> {
        let letters = state.theme.letters();
        let text = letters.fit(&self.text, LONGEST, Keep::Front);
        let words: Vec<&str> = text.split_whitespace().collect();
        let with = |kept: usize| {
            let left_out =
                if kept < words.len() { format!(" {}", letters.ellipsis()) } else { String::new() };
            let said = format!("{}{}{left_out}{}", self.before, words[..kept].join(" "), self.behind);
            wrap(&said, state.size.0.into(), INDENT)
        };
        let fits = (1..=words.len()).rev().map(with).find(|lines| lines.len() <= MOST_LINES);
        // A single word may be longer than that.
        fits.unwrap_or_else(|| with(words.len()).into_iter().take(MOST_LINES).collect())
    }
}

/// Rows that it takes.
pub(super) fn rows(state: &State) -> u16 {
    sentence(state).map_or(1, |sentence| sentence.lines(state).len().max(1) as u16)
}

/// Draws it.
pub(super) fn draw(state: &State, buffer: &mut Buffer, area: Rect) {
    let theme = state.theme;
    if let Some(sentence) = sentence(state) {
        for (line, y) in sentence.lines(state).iter().zip(area.y..area.bottom()) {
            buffer.set_stringn(area.x, y, line, area.width.into(), sentence.style);
        }
        return;
    }
    let fit = |text: &str| theme.letters().fit(text, area.width.into(), Keep::Front);
    if state.overlay == Overlay::Filter {
        let text = fit(&format!("/{}", state.page().filter));
        buffer.set_stringn(area.x, area.y, &text, area.width.into(), theme.strong());
        // Where the next letter goes.
        let x = area.x + (width(&text) as u16).min(area.width - 1);
        buffer.set_stringn(x, area.y, " ", 1, theme.cursor());
    } else {
        buffer.set_stringn(area.x, area.y, fit(&summary(state)), area.width.into(), theme.faint());
    }
}

/// What is most worth to be said now; None if nothing is, or a filter is written there.
fn sentence(state: &State) -> Option<Sentence> {
    let theme = state.theme;
    if state.overlay == Overlay::Filter {
        return None;
    }
    if let Some((since, trouble)) = &state.trouble {
        let length = short(nanoseconds(state.now.saturating_sub(*since)));
        return Some(Sentence::new(&format!("! No answer for {length}: "), trouble, theme.bad()));
    }
    if let (Some(Pane::Events), Hearing::Deaf { because, .. }) = (state.pane(), &state.data.hearing) {
        return Some(Sentence::new("! No events come: ", because, theme.bad()));
    }
    if state.is_starting {
        let starting = "It is starting: what was there before is not known yet.";
        return Some(Sentence::new("", starting, theme.doubtful()));
    }
    if let Some(note) = state.note() {
        return Some(Sentence::new("", note, theme.doubtful()));
    }
    let mut incomplete = state.data.snapshot.iter().flat_map(|snapshot| &snapshot.incomplete_because);
    let first = incomplete.next()?;
    let more = incomplete.count();
    let behind = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    Some(Sentence { behind, ..Sentence::new("Incomplete: ", first, theme.doubtful()) })
}

/// How many rows there are.
fn summary(state: &State) -> String {
    let Some(pane) = state.pane() else {
        let lines = super::lines(state).len();
        let first = state.page().cursor;
        let last = (first + super::text_rows(state)).min(lines);
        return if lines > last - first {
            format!("lines {} to {last} of {lines}", first + 1)
        } else {
            String::new()
        };
    };
    let Listing { total, unfiltered, is_asked, .. } = state.listing();
    let filter = &state.page().filter;
    let missed = if pane == Pane::Events { missed(state) } else { String::new() };
    let at = if total > 0 { state.page().cursor + 1 } else { 0 };
    let asked = if is_asked { "; waiting for an answer" } else { "" };
    if filter.is_empty() {
        return format!("{at} of {total}{missed}{asked}");
    }
    let of = unfiltered.map_or_else(String::new, |all| format!(" among {all}"));
    format!("{at} of {total} with {filter:?}{of}{missed}{asked}; Esc shows all")
}

/// Which events are not among those that are shown.
fn missed(state: &State) -> String {
    let mut said = match state.data.missed {
        0 => String::new(),
        missed => format!("; {missed} were missed"),
    };
    match state.data.gaps {
        0 => {}
        1 => said.push_str("; what happened in a gap is missing"),
        gaps => said.push_str(&format!("; what happened in {gaps} gaps is missing")),
    }
    said
}
