//! How things look: with colours or without, with Unicode or without. A colour is never the only sign of anything.

use ratatui::style::{Color, Modifier, Style};
use sockleak_core::{lifecycle::State, verdict::Verdict};

use super::text::Letters;

/// How things look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Theme {
    /// Colours may be used.
    pub(super) colour: bool,
    /// Nothing but ASCII may be.
    pub(super) ascii: bool,
}

impl Theme {
    pub(super) const fn letters(self) -> Letters {
        Letters { ascii: self.ascii }
    }

    fn coloured(self, colour: Color, modifier: Modifier) -> Style {
        let style = Style::new().add_modifier(modifier);
        if self.colour { style.fg(colour) } else { style }
    }

    /// The line at the top.
    pub(super) const fn title(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Headings, and what is chosen.
    pub(super) const fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The row where the cursor is.
    pub(super) const fn cursor(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// What matters less.
    pub(super) const fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Names of keys.
    pub(super) fn key(self) -> Style {
        self.coloured(Color::Cyan, Modifier::BOLD)
    }

    /// Something is wrong.
    pub(super) fn bad(self) -> Style {
        self.coloured(Color::Red, Modifier::BOLD)
    }

    /// Something may be.
    pub(super) fn doubtful(self) -> Style {
        self.coloured(Color::Yellow, Modifier::empty())
    }

    pub(super) fn verdict(self, verdict: Verdict) -> Style {
        match verdict {
            Verdict::ClientLeak | Verdict::ServerLeak => self.bad(),
            Verdict::StaleClient
            | Verdict::Suspect
            | Verdict::Starved
            | Verdict::Saturated
            | Verdict::Inherited
            | Verdict::Undecided => self.doubtful(),
            Verdict::ExitOnly | Verdict::Pool | Verdict::Healthy => Style::new(),
        }
    }

    pub(super) fn state(self, state: State) -> Style {
        match state {
            State::Abandoned | State::ClientClosed | State::ServerClosed => self.doubtful(),
            State::Queued | State::Open | State::Closed => Style::new(),
        }
    }

    /// How full something is.
    pub(super) fn fullness(self, used: u64, limit: u64) -> Style {
        match used.saturating_mul(100) {
            full if full >= limit.saturating_mul(100) => self.bad(),
            much if much >= limit.saturating_mul(80) => self.doubtful(),
            _ => Style::new(),
        }
    }

    /// A bar of so many columns.
    pub(super) fn bar(self, used: u64, limit: u64, columns: usize) -> String {
        let (full, empty) = if self.ascii { ("#", ".") } else { ("█", "░") };
        // What is used shows, and so does what is free.
        let filled = (u128::from(used) * columns as u128).div_ceil(u128::from(limit.max(1)));
        let mut filled = usize::try_from(filled).unwrap_or(columns).min(columns);
        if used < limit {
            filled = filled.min(columns.saturating_sub(1));
        }
        full.repeat(filled) + &empty.repeat(columns - filled)
    }

    /// Beside the heading of the column by which rows are in order.
    pub(super) const fn order(self, descending: bool) -> &'static str {
        match (self.ascii, descending) {
            (false, true) => "▼",
            (false, false) => "▲",
            (true, true) => "v",
            (true, false) => "^",
        }
    }

    /// A line across.
    pub(super) const fn rule(self) -> &'static str {
        if self.ascii { "-" } else { "─" }
    }

    /// From the whole to a part.
    pub(super) const fn within(self) -> &'static str {
        if self.ascii { " > " } else { " › " }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_show_what_is_used_and_what_is_free() {
        let ascii = Theme { ascii: true, ..Theme::default() };
        for (used, limit, expected) in [
            (0, 10, "........"),
            (1, 1000, "#......."),
            (5, 10, "####...."),
            (9, 10, "#######."),
            (999, 1000, "#######."),
            (10, 10, "########"),
            (30, 10, "########"),
            (0, 0, "........"),
            (u64::MAX, u64::MAX, "########"),
        ] {
            assert_eq!(ascii.bar(used, limit, 8), expected, "{used} of {limit}");
        }
        assert_eq!(Theme::default().bar(1, 2, 4), "██░░");
        assert_eq!(ascii.bar(1, 2, 0), "");
    }

    #[test]
    fn without_colours_there_are_none() {
        let (plain, coloured) = (Theme::default(), Theme { colour: true, ascii: false });
        for verdict in Verdict::ALL {
            assert_eq!(plain.verdict(verdict).fg, None);
        }
        assert_eq!((plain.bad().fg, plain.key().fg, plain.doubtful().fg), (None, None, None));
        assert_eq!(coloured.bad().fg, Some(Color::Red));
        // Without colours, what is bad is still told from the rest.
        assert_ne!(plain.bad(), Style::new());
    }
}
