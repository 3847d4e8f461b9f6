//! Text from processes, made safe for where it is shown: a program may call itself anything.

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

/// Makes it text in HTML, within elements and within attributes in quotes.
#[must_use]
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in terminal(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Makes it text in Markdown, within paragraphs and within cells of tables: whatever could be markup becomes a character
/// reference.
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in terminal(text).chars() {
        if MARKUP.contains(c) { out.push_str(&format!("&#{};", u32::from(c))) } else { out.push(c) }
    }
    out
}

/// What means something in Markdown between words, or to those who link names and numbers in it.
const MARKUP: &str = r"\`*_[]<>&|~#@$";

/// Makes it a name in Markdown, in letters of equal width. Names as they should be are a code span; of others each
/// character that could be markup is referred to, since a code span cannot hold everything.
#[must_use]
pub fn markdown_code(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || " /._-+:@=,()#%*[]…".contains(c);
    if !text.is_empty() && text.trim() == text && text.chars().all(is_plain) && !text.contains("  ") {
        return format!("`{text}`");
    }
    format!("<code>{}</code>", markdown(text))
}

/// Makes it the text of a cell that no spreadsheet takes for a formula: one that begins like a formula gets an apostrophe
/// in front. Control characters are shown in words, so that a row is a line.
#[must_use]
pub fn cell(text: &str) -> Cow<'_, str> {
    if is_like_formula(text) { Cow::Owned(format!("'{}", terminal(text))) } else { terminal(text) }
}

/// Could a spreadsheet take it for a formula?
pub(crate) fn is_like_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<script>alert('x')</script>|a`b\n# c\u{1b}[2J&\"";

    #[test]
    fn html_has_no_markup_of_theirs() {
        let safe = html(HOSTILE);
        assert!(!safe.contains(['<', '>', '"', '\'', '\n', '\u{1b}']), "{safe}");
        assert!(safe.starts_with("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;|a`b\\u{a}# c"), "{safe}");
        assert_eq!(html("a &amp; b"), "a &amp;amp; b");
    }

    #[test]
    fn markdown_has_no_markup_of_theirs() {
        let safe = markdown(HOSTILE);
        assert!(!safe.contains(['<', '>', '|', '`', '\n', '\u{1b}', '\\']), "{safe}");
        assert_eq!(markdown("@everyone [x](http://y) #1"), "&#64;everyone &#91;x&#93;(http://y) &#35;1");
        assert_eq!(markdown("3 attempts, EAGAIN 2."), "3 attempts, EAGAIN 2.");
    }

    #[test]
    fn names_in_markdown_are_code() {
        for (name, expected) in [
            ("/usr/bin/x_y-z", "`/usr/bin/x_y-z`"),
            ("[unknown unit]", "`[unknown unit]`"),
            ("a`b", "<code>a&#96;b</code>"),
            ("a|b", "<code>a&#124;b</code>"),
            ("", "<code></code>"),
            (" a ", "<code> a </code>"),
            ("<b>", "<code>&#60;b&#62;</code>"),
            ("a\\", "<code>a&#92;</code>"),
        ] {
            assert_eq!(markdown_code(name), expected);
        }
    }

    #[test]
    fn no_cell_is_a_formula() {
        for (text, expected) in [
            ("=cmd()", "'=cmd()"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\\u{9}=1"),
            ("\r=1", "'\\u{d}=1"),
            ("＝1", "'＝1"),
            ("a=1", "a=1"),
            ("/usr/bin/x", "/usr/bin/x"),
            ("", ""),
        ] {
            assert_eq!(cell(text), expected);
        }
    }

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
