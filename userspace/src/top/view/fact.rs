//! Facts: a name in front of each, one below the other.

use ratatui::text::Line;

use super::text_columns;
use crate::top::{
    state::State,
    text::{Keep, Letters, wrap},
};

/// Before a name.
const MARGIN: usize = 2;
/// Columns of a name, with what is between it and the fact.
const NAMES: usize = 14;
/// Columns that a fact takes at most, on all its lines: more than a command line that was kept.
const MOST: usize = 4096;

/// How facts are laid out.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    letters: Letters,
    columns: usize,
    names: usize,
}

impl Facts {
    /// As wide as the terminal.
    pub(super) fn of(state: &State) -> Self {
        Self { letters: state.theme.letters(), columns: text_columns(state), names: NAMES }
    }

    /// With names of up to so many columns, and what is between.
    pub(super) fn with_names(self, names: usize) -> Self {
        Self { names, ..self }
    }

    fn line_of(self, what: &str, told: &str) -> Line<'static> {
        let names = self.names;
        Line::raw(format!("{:MARGIN$}{what:names$}{told}", ""))
    }

    fn room(self) -> usize {
        self.columns.saturating_sub(MARGIN + self.names)
    }

    /// A fact in full: what is long goes over several lines.
    pub(super) fn lines(self, what: &str, told: &str) -> Vec<Line<'static>> {
        let told = wrap(&self.letters.fit(told, MOST, Keep::Front), self.room(), "");
        let names = std::iter::once(what).chain(std::iter::repeat(""));
        names.zip(told).map(|(name, line)| self.line_of(name, &line)).collect()
    }

    /// A fact in one line, of which as much is shown as there is room for.
    pub(super) fn line(self, what: &str, told: &str) -> Line<'static> {
        self.line_of(what, &self.letters.fit(told, self.room(), Keep::Front))
    }

    /// A stack, a function on each line, or on several if its name is long.
    pub(super) fn stack(self, stack: &str) -> Vec<Line<'static>> {
        const FIRST: &str = "    ";
        const NEXT: &str = "        ";

        let function = |line: &str| {
            let text = self.letters.fit(line.trim_start(), MOST, Keep::Front);
            let lines = wrap(&text, self.columns.saturating_sub(NEXT.len()), "");
            let margins = std::iter::once(FIRST).chain(std::iter::repeat(NEXT));
            margins.zip(lines).map(|(margin, line)| Line::raw(format!("{margin}{line}"))).collect::<Vec<_>>()
        };
        stack.lines().flat_map(function).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::{theme::Theme, view::Drawn};

    fn texts(lines: &[Line<'_>]) -> Vec<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_long_is_shown_in_full() {
        let facts = Facts::of(&State::new(String::new(), Theme::default(), (80, 24), &Drawn));
        let command = format!("/usr/bin/program {}", "--flag ".repeat(20).trim_end());
        let lines = texts(&facts.lines("command", &command));
        assert!(lines[0].starts_with("  command       /usr/bin/program --flag"), "{lines:#?}");
        assert!(lines[1].starts_with("                --flag"), "{lines:#?}");
        assert!(lines.len() == 3 && lines.iter().all(|line| line.len() <= 80), "{lines:#?}");
        let told = lines.iter().map(|line| &line[16..]).collect::<Vec<_>>().join(" ");
        assert_eq!(told, command);
        // What has no gaps is broken where a line ends.
        let path = "/a".repeat(100);
        let lines = texts(&facts.lines("program", &path));
        assert_eq!(lines.iter().map(|line| &line[16..]).collect::<String>(), path);
        assert_eq!(texts(&facts.lines("name", "")), ["  name          "]);
    }

    #[test]
    fn what_does_not_fit_into_a_line_is_told_so() {
        let facts = Facts::of(&State::new(String::new(), Theme::default(), (80, 24), &Drawn));
        let line = facts.line("command", &"x".repeat(200)).to_string();
        assert!(line.ends_with("xx…") && crate::top::text::width(&line) == 80, "{line}");
        assert_eq!(facts.with_names(5).line("by", "me").to_string(), "  by   me");
    }

    #[test]
    fn no_function_is_cut() {
        let facts = Facts::of(&State::new(String::new(), Theme::default(), (80, 24), &Drawn));
        let stack = format!("    main   /src/a.rs:7\n    {}  /src/b.rs:9\n", "f".repeat(100));
        let lines = texts(&facts.stack(&stack));
        assert_eq!(lines[0], "    main   /src/a.rs:7");
        assert!(lines[1..].iter().all(|line| line.len() <= 80), "{lines:#?}");
        assert!(lines[2].starts_with("        f") && lines.concat().contains("/src/b.rs:9"), "{lines:#?}");
    }
}
