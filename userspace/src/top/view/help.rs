//! What the keys do, and what the lists say.

use ratatui::text::{Line, Span};

use crate::top::{text::wrap, theme::Theme};

/// Columns before what a key does.
const NAMES: usize = 20;

/// Keys, and what they do.
const KEYS: [(&str, &str); 14] = [
    ("Enter", "down: to programs, their connections, a story, a finding"),
    ("Esc", "out of a filter, or back"),
    ("Tab, Shift-Tab", "the next list, the one before; so do Right and Left"),
    ("1 to 5", "the first to the fifth list"),
    ("Up, Down, j, k", "a row up or down; a line in a text"),
    ("PgUp, PgDn, Space", "as many as there is room for"),
    ("Home, End, g, G", "the first and the last"),
    ("/", "rows alone with a text in their names; Enter keeps it"),
    ("s, S", "in order of the next column; the other way round"),
    ("f", "freeze: nothing new is shown until it is pressed again"),
    ("?", "this; any other key leaves it"),
    ("Ctrl-Z, Ctrl-L", "to the shell for a while; draw everything anew"),
    ("Mouse", "click on a list, a row, a heading; twice opens, or reverses"),
    ("q, Ctrl-C", "the end"),
];

/// Headings, and what they mean.
const WORDS: [(&str, &str); 15] = [
    ("SLOTS", "connections that are served; how many can be, if known"),
    ("QUEUE", "connections that wait to be accepted, and how many may"),
    ("OPEN", "not released at both ends; of programs: at the client's"),
    ("OLD", "client ends that are open for longer than the leak age"),
    ("NEW/s, CLOSED/s", "in the last ten seconds, or since the answer before"),
    ("FULL IN", "until all slots are in use, if a leak goes on as it does"),
    ("MORE/h", "by how many an hour the old connections grow"),
    ("queued", "not accepted yet"),
    ("abandoned", "given up in the queue, where it still takes a place"),
    ("client-closed", "the client has gone, the server still holds its end"),
    ("server-closed", "the server has gone, the client still holds its end"),
    ("AGE >", "its start was not seen: it is older than that"),
    ("full now", "no slot is free"),
    ("INCOMPLETE", "something was not seen: what, is said above the keys"),
    ("STALE", "no answer comes any more: this is the last one"),
];

/// All lines, in so many columns.
pub(super) fn lines(theme: Theme, columns: usize) -> Vec<Line<'static>> {
    let row = |(name, what): &(&'static str, &'static str)| {
        let names = std::iter::once(*name).chain(std::iter::repeat(""));
        let lines = names.zip(wrap(what, columns.saturating_sub(NAMES), ""));
        let line = |(name, what): (&str, String)| {
            let name = Span::styled(format!("{:NAMES$}", format!("  {name}")), theme.key());
            Line::from(vec![name, Span::raw(what)])
        };
        lines.map(line).collect::<Vec<_>>()
    };
    let table = |rows: &[(&'static str, &'static str)]| rows.iter().flat_map(row).collect::<Vec<_>>();
    let mut lines = vec![Line::styled("Keys", theme.strong())];
    lines.extend(table(&KEYS));
    lines.extend([Line::default(), Line::styled("Words", theme.strong())]);
    lines.extend(table(&WORDS));
    let more = "docs/verdicts.md tells what each verdict rests on, docs/top.md the rest.";
    lines.push(Line::default());
    lines.extend(wrap(more, columns, "").into_iter().map(Line::raw));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::state::LEAST;

    #[test]
    fn it_fits_into_the_smallest_terminal() {
        for line in lines(Theme::default(), LEAST.0.into()) {
            assert!(line.width() <= LEAST.0.into(), "{line}");
        }
        let text = |columns| {
            let lines: Vec<_> = lines(Theme::default(), columns).iter().map(ToString::to_string).collect();
            lines.join(" ").split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(text(LEAST.0.into()), text(200), "nothing is left out");
    }
}
