//! Colours of a text for a terminal. Whether there are any is decided by whoever knows where the text goes, and handed in.

use std::borrow::Cow;

use sockleak_core::verdict::Verdict;

/// Whether a text has colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// No escape sequence is in it.
    #[default]
    Plain,
    /// Labels are bold and coloured by their meaning. The sequences have no width: lines break where they do without.
    Coloured,
}

/// What a colour stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A program is accused: red.
    Accusing,
    /// Something is amiss, and nobody is accused: yellow.
    Warning,
    /// There is nothing to do about it, or it cannot be told yet: blue.
    Neutral,
    /// All is well: green.
    Well,
}

/// Stands at the end of a marked cell. Like the marks of [`Meaning`] it has no width, and no text from outside has it:
/// [`terminal`](sockleak_core::text::escape::terminal) escapes them.
const END: char = '\u{2064}';
/// Bold and colour off.
const RESET: &str = "\x1b[0m";

impl Meaning {
    const ALL: [Self; 4] = [Self::Accusing, Self::Warning, Self::Neutral, Self::Well];

    /// The meaning of a verdict.
    #[must_use]
    pub const fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::ClientLeak | Verdict::ServerLeak | Verdict::StaleClient => Self::Accusing,
            Verdict::Suspect
            | Verdict::Starved
            | Verdict::Saturated
            | Verdict::Inherited
            | Verdict::ExitOnly => Self::Warning,
            Verdict::Undecided | Verdict::Pool => Self::Neutral,
            Verdict::Healthy => Self::Well,
        }
    }

    /// Number of its colour, one of the eight that every terminal has.
    const fn colour(self) -> u8 {
        match self {
            Self::Accusing => 31,
            Self::Warning => 33,
            Self::Neutral => 34,
            Self::Well => 32,
        }
    }

    /// Stands at the beginning of a marked cell. None has a width.
    const fn mark(self) -> char {
        match self {
            Self::Accusing => '\u{206c}',
            Self::Warning => '\u{2061}',
            Self::Neutral => '\u{2062}',
            Self::Well => '\u{2063}',
        }
    }
}

impl Style {
    /// A label, for example the name of a verdict: bold and in its colour.
    #[must_use]
    pub fn label(self, text: &str, meaning: Meaning) -> Cow<'_, str> {
        match self {
            Self::Plain => text.into(),
            Self::Coloured => format!("\x1b[1;{}m{text}{RESET}", meaning.colour()).into(),
        }
    }

    /// A part of a sentence in its colour, if there is a reason.
    #[must_use]
    pub fn phrase(self, text: String, meaning: Option<Meaning>) -> String {
        match (self, meaning) {
            (Self::Coloured, Some(meaning)) => format!("\x1b[{}m{text}{RESET}", meaning.colour()),
            _ => text,
        }
    }

    /// A cell that gets its colour once its table is drawn.
    pub(super) fn mark(self, cell: &mut String, meaning: Option<Meaning>) {
        if let (Self::Coloured, Some(meaning)) = (self, meaning) {
            cell.insert(0, meaning.mark());
            cell.push(END);
        }
    }

    /// Turns marks into colours, in a table that is drawn.
    pub(super) fn paint(self, table: String) -> String {
        if self == Self::Plain {
            return table;
        }
        let coloured = Meaning::ALL.iter().fold(table, |table, meaning| {
            table.replace(meaning.mark(), &format!("\x1b[{}m", meaning.colour()))
        });
        coloured.replace(END, RESET)
    }
}

#[cfg(test)]
mod tests {
    use textwrap::core::display_width;

    use super::*;

    #[test]
    fn each_verdict_has_its_colour() {
        let label =
            |verdict: Verdict| Style::Coloured.label(verdict.name(), Meaning::of(verdict)).into_owned();
        assert_eq!(label(Verdict::ClientLeak), "\x1b[1;31mclient-leak\x1b[0m");
        assert_eq!(label(Verdict::Starved), "\x1b[1;33mstarved\x1b[0m");
        assert_eq!(label(Verdict::Undecided), "\x1b[1;34mundecided\x1b[0m");
        assert_eq!(label(Verdict::Healthy), "\x1b[1;32mhealthy\x1b[0m");
        assert_eq!(Style::Plain.label("pool", Meaning::Neutral), "pool");
    }

    #[test]
    fn a_cell_is_as_wide_as_without() {
        for meaning in Meaning::ALL {
            let mut cell = "10/10".to_owned();
            Style::Coloured.mark(&mut cell, Some(meaning));
            assert_eq!(display_width(&cell), 5, "{meaning:?}");
            let painted = Style::Coloured.paint(cell);
            assert_eq!(painted, format!("\x1b[{}m10/10\x1b[0m", meaning.colour()));
            assert_eq!(display_width(&painted), 5);
        }
    }

    #[test]
    fn what_comes_from_outside_has_no_marks() {
        for mark in Meaning::ALL.map(Meaning::mark).into_iter().chain([END]) {
            assert!(sockleak_core::text::escape::is_unsafe(mark), "{mark:?}");
        }
    }
}
