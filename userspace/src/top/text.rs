//! Text from outside, made safe for a cell of a terminal and cut to its width.

use sockleak_core::text::escape::is_unsafe;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Which part of a text is kept that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Its front: of words.
    Front,
    /// Its end, which tells the most of a path.
    End,
}

/// What a terminal can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Letters {
    /// Nothing but ASCII.
    pub(super) ascii: bool,
}

impl Letters {
    /// Stands for what was left out.
    pub(super) const fn ellipsis(self) -> &'static str {
        if self.ascii { "..." } else { "…" }
    }

    /// A character as it is shown: as itself, or its number in words.
    fn show(self, c: char, out: &mut String) {
        if is_unsafe(c) || is_unsure(c) || self.ascii && !c.is_ascii() {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }

    /// A time in words, in letters that there are.
    pub(super) fn time(self, words: String) -> String {
        if self.ascii { words.replace('µ', "u") } else { words }
    }

    /// All of a text, safe to be shown.
    pub(super) fn safe(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        text.chars().for_each(|c| self.show(c, &mut out));
        out
    }

    /// A text, safe and no wider than so many columns. No more of it is looked at than is shown.
    pub(super) fn fit(self, text: &str, columns: usize, keep: Keep) -> String {
        let ellipsis = self.ellipsis();
        let room = columns.saturating_sub(ellipsis.width());
        let mut taken: Vec<String> = Vec::new();
        let mut width = 0;
        // How much may stay if it turns out that not everything does.
        let (mut kept, mut kept_width) = (0, 0);
        let mut characters = text.chars();
        loop {
            let next = match keep {
                Keep::Front => characters.next(),
                Keep::End => characters.next_back(),
            };
            let Some(next) = next else { return joined(taken, keep) };
            let mut shown = String::new();
            self.show(next, &mut shown);
            width += shown.width();
            if width > columns {
                break;
            }
            taken.push(shown);
            if width <= room {
                (kept, kept_width) = (taken.len(), width);
            }
        }
        taken.truncate(kept);
        // Where there is no room for it, an ellipsis is cut too.
        taken.push(ellipsis.chars().take(columns - kept_width).collect());
        joined(taken, keep)
    }
}

fn joined(mut taken: Vec<String>, keep: Keep) -> String {
    if keep == Keep::End {
        taken.reverse();
    }
    taken.concat()
}

/// Terminals do not agree on how wide it is: what joins the character before (accents of their own, variants, tones of skin), and
/// letters that make flags in pairs.
fn is_unsure(c: char) -> bool {
    c.width() == Some(0) && c != '\0' || matches!(c, '\u{1f1e6}'..='\u{1f1ff}' | '\u{1f3fb}'..='\u{1f3ff}')
}

/// Columns that a text takes which is safe.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// Text in lines of so many columns. What is longer than a line goes over several.
pub(super) fn wrap(text: &str, columns: usize, indent: &str) -> Vec<String> {
    let options = textwrap::Options::new(columns.max(10))
        .subsequent_indent(indent)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).into_iter().map(std::borrow::Cow::into_owned).collect()
}

/// A time in few letters: `21s`, `4m10s`, `2h3m`, `5d1h`.
pub(super) fn short(nanoseconds: u64) -> String {
    let seconds = nanoseconds / 1_000_000_000;
    match seconds {
        0 => format!("{}ms", nanoseconds / 1_000_000),
        1..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNICODE: Letters = Letters { ascii: false };
    const ASCII: Letters = Letters { ascii: true };

    #[test]
    fn what_is_too_long_is_cut() {
        use Keep::{End, Front};

        for (letters, text, columns, keep, expected) in [
            (UNICODE, "/run/a.sock", 11, End, "/run/a.sock"),
            (UNICODE, "/run/a.sock", 10, End, "…un/a.sock"),
            (UNICODE, "/run/a.sock", 10, Front, "/run/a.so…"),
            (ASCII, "/run/a.sock", 10, End, ".../a.sock"),
            (ASCII, "/run/a.sock", 10, Front, "/run/a...."),
            (UNICODE, "", 5, End, ""),
            (UNICODE, "abc", 0, End, ""),
            (UNICODE, "abcd", 1, Front, "…"),
            (ASCII, "abcd", 1, Front, "."),
            (ASCII, "abcd", 3, Front, "..."),
            // Two columns each.
            (UNICODE, "日本語", 6, End, "日本語"),
            (UNICODE, "日本語", 5, End, "…本語"),
            (UNICODE, "日本語", 4, End, "…語"),
            (UNICODE, "日本語", 4, Front, "日…"),
            (ASCII, "aü", 10, Front, r"a\u{fc}"),
            // A number is shown whole or not at all.
            (ASCII, "aü", 6, Front, "a..."),
        ] {
            assert_eq!(letters.fit(text, columns, keep), expected, "{text} {columns}");
        }
    }

    #[test]
    fn hostile_text_is_harmless() {
        let hostile = "\u{1b}[31mred\u{202e}\r\n\u{7}\u{9b}2J\u{200b}e\u{301}\u{fe0f}🏽🇩";
        let safe = UNICODE.safe(hostile);
        assert!(safe.is_ascii(), "{safe}");
        assert_eq!(safe.matches(r"\u{").count(), 11, "{safe}");
        let long = "x\u{1b}".repeat(1 << 20);
        assert!(UNICODE.fit(&long, 40, Keep::End).starts_with('…'));
    }

    #[test]
    fn times_are_of_letters_that_there_are() {
        let time = || sockleak_core::time::human(3_500);
        assert_eq!((UNICODE.time(time()).as_str(), ASCII.time(time()).as_str()), ("3 µs", "3 us"));
    }

    #[test]
    fn times_are_short() {
        for (seconds, expected) in
            [(0.5, "500ms"), (59.9, "59s"), (60.0, "1m0s"), (3725.0, "1h2m"), (90_000.0, "1d1h")]
        {
            assert_eq!(short((seconds * 1e9) as u64), expected);
        }
    }

    proptest! {
        #[test]
        fn it_is_never_wider_than_its_room(text in "\\PC*|.*", columns in 0..60_usize, ascii: bool, end: bool) {
            let (letters, keep) = (Letters { ascii }, if end { Keep::End } else { Keep::Front });
            let fit = letters.fit(&text, columns, keep);
            prop_assert!(width(&fit) <= columns, "{fit:?}");
            prop_assert!(!fit.chars().any(|c| is_unsafe(c) || is_unsure(c)));
            if width(&letters.safe(&text)) <= columns {
                prop_assert_eq!(fit, letters.safe(&text));
            }
        }
    }
}
