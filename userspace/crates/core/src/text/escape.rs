//! Text from processes, made safe for where it is shown: a program may call itself anything.

use std::{borrow::Cow, io};

use serde::Serialize;

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

/// Could it move the cursor, change the terminal's state or hide text? Those that reorder or hide others, and those that are
/// drawn as nothing: two names that look alike shall be alike.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Soft hyphen, joiners, direction marks and fillers.
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            // Variation selectors, byte order mark and annotations.
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            // Controls of notes and shorthand, tags and further variation selectors.
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Makes a document harmless that somebody else wrote, line by line: whatever a terminal would not show as text is escaped.
/// In JSON that means the same as before.
#[must_use]
pub fn document(bytes: &[u8], is_json: bool) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(bytes);
    let is_unsafe = |c: char| c != '\n' && c != '\t' && is_unsafe(c);
    if !text.contains(is_unsafe) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 64);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\r' if characters.peek() == Some(&'\n') => out.push(c),
            c if !is_unsafe(c) => out.push(c),
            c if is_json => {
                c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
            }
            c => out.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(out)
}

/// Writes JSON in which nothing moves the cursor of a terminal or hides text: such characters are written as `\u....`, which
/// means the same.
///
/// # Errors
/// If it cannot be written.
pub fn json<W: io::Write, T: Serialize + ?Sized>(out: W, value: &T) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(out, HarmlessJson))
}

/// The same, in memory.
///
/// # Errors
/// If the value has no form in JSON.
pub fn json_bytes<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::new();
    json(&mut out, value)?;
    Ok(out)
}

/// Escapes what [`json`] says.
#[derive(Clone, Copy, Debug)]
pub struct HarmlessJson;

impl serde_json::ser::Formatter for HarmlessJson {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
            return out.write_all(text.as_bytes());
        }
        let mut rest = text;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_unsafe(*c)) {
            let (safe, after) = rest.split_at(at);
            out.write_all(safe.as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = after.strip_prefix(c).unwrap_or_default();
        }
        out.write_all(rest.as_bytes())
    }
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
    let text = terminal(text);
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        // What looks like an address is made a link, wherever it stands.
        let is_link = || {
            c == ':' && text.get(at..).is_some_and(|rest| rest.starts_with("://"))
                || c == '.'
                    && text.get(..at).is_some_and(|before| before.to_ascii_lowercase().ends_with("www"))
        };
        if MARKUP.contains(c) || is_link() {
            out.push_str(&format!("&#{};", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// What means something in Markdown between words, or to those who link names and numbers in it.
const MARKUP: &str = r"\`*_[]!<>&|~#@$";

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
pub fn is_like_formula(text: &str) -> bool {
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
        assert_eq!(markdown("@everyone [x](http://y) #1"), "&#64;everyone &#91;x&#93;(http&#58;//y) &#35;1");
        assert_eq!(markdown("![x] see www.y.z: a.b"), "&#33;&#91;x&#93; see www&#46;y.z: a.b");
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
    fn json_means_the_same_and_moves_no_cursor() {
        for text in ["", "käse", "a\"b\\", "\x1b[2J\u{7f}\u{9b}31m\u{202e}x\n", "\u{1f980}\u{e0041}\u{ad}"] {
            let mut out = Vec::new();
            json(&mut out, &[text]).expect("memory takes it");
            let shown = String::from_utf8(out).expect("it is UTF-8");
            assert!(!shown.contains(is_unsafe), "{shown:?}");
            assert_eq!(serde_json::from_str::<[String; 1]>(&shown).expect("it is JSON"), [text]);
            let whole = serde_json::to_vec(&[text]).expect("it is JSON");
            assert_eq!(document(&whole, true), shown);
        }
    }

    #[test]
    fn a_document_of_others_is_only_text() {
        let theirs = b"\x1b]52;c;YQ==\x07 a\xe2\x80\xaeb\r\n\tc\rd\xff\n";
        assert_eq!(document(theirs, false), "\\u{1b}]52;c;YQ==\\u{7} a\\u{202e}b\r\n\tc\\u{d}d\u{fffd}\n");
        assert!(matches!(document("käse\n".as_bytes(), false), Cow::Borrowed(_)));
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
            ("a\u{ad}\u{2800}\u{3164}\u{e0041}b", "a\\u{ad}\\u{2800}\\u{3164}\\u{e0041}b"),
        ] {
            assert_eq!(terminal(text), expected);
        }
    }
}
