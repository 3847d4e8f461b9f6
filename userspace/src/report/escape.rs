//! Text from processes, made safe for a terminal: a program may call itself anything.

use std::borrow::Cow;

/// Replaces what could move the cursor, change the terminal's state or hide text: control characters, and the
/// characters that reorder or hide others (bidirectional controls, zero width).
#[must_use]
pub fn terminal(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) || !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_unsafe(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// Could it move the cursor, change the terminal's state or hide text?
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        for (text, expected) in [
            ("/usr/bin/socat", "/usr/bin/socat"),
            ("käse", "käse"),
            ("\x1b[2Jx", "\\u{1b}[2Jx"),
            ("a\nb\r", "a\\u{a}b\\u{d}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("x\u{202e}gpj", "x\\u{202e}gpj"),
        ] {
            assert_eq!(terminal(text), expected);
        }
    }
}
