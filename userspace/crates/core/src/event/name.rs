//! Names of files and sockets as text. The kernel takes any bytes for a name; text has to be UTF-8.

/// A name as text, in the one way in which everything shows it: UTF-8 is shown as it is, and any other byte as `\xHH` with
/// two lower-case hexadecimal digits. NUL bytes at the end, which pad an abstract name, are shown as `\x00`, or as
/// `\x00{N}` where there are N of them.
///
/// No two names that end in other bytes look alike: a backslash that could be taken for such an escape is shown as `\x5c`.
#[must_use]
pub fn shown(name: &[u8]) -> String {
    let unpadded = without_padding(name);
    let mut out = String::with_capacity(unpadded.len());
    for chunk in unpadded.utf8_chunks() {
        for (at, c) in chunk.valid().char_indices() {
            let rest = chunk.valid().get(at..).unwrap_or_default();
            if is_like_escape(rest) { out.push_str("\\x5c") } else { out.push(c) }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    match name.len() - unpadded.len() {
        0 => {}
        1 => out.push_str("\\x00"),
        padding => out.push_str(&format!("\\x00{{{padding}}}")),
    }
    out
}

/// A name without the NUL bytes at its end.
#[must_use]
pub fn without_padding(name: &[u8]) -> &[u8] {
    let end = name.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    name.get(..end).unwrap_or_default()
}

/// A name that [`shown`] gave, without the NUL bytes at its end.
#[must_use]
pub fn shown_without_padding(shown: &str) -> &str {
    let Some((front, padding)) = shown.rsplit_once("\\x00") else { return shown };
    let is_count = padding.strip_prefix('{').is_some_and(|it| it.ends_with('}'));
    if padding.is_empty() || is_count { front } else { shown }
}

/// Does it begin with `\x` and two lower-case hexadecimal digits?
fn is_like_escape(text: &str) -> bool {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    matches!(text.as_bytes(), [b'\\', b'x', high, low, ..] if is_digit(high) && is_digit(low))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_name_has_one_form() {
        for (name, expected) in [
            (&b"/run/a.sock"[..], "/run/a.sock"),
            ("/run/ä.sock".as_bytes(), "/run/ä.sock"),
            (b"/run/\xff\xfe.sock", "/run/\\xff\\xfe.sock"),
            (b"/run/\\xff.sock", "/run/\\x5cxff.sock"),
            (b"/run/a\\b\\x", "/run/a\\b\\x"),
            (b"@name\0", "@name\\x00"),
            (b"@name\0\0\0", "@name\\x00{3}"),
        ] {
            assert_eq!(shown(name), expected);
        }
        assert_eq!(shown_without_padding("@name\\x00{3}"), "@name");
        assert_eq!(shown_without_padding("@name\\x00"), "@name");
        assert_eq!(shown_without_padding("@na\\x00me"), "@na\\x00me");
    }

    /// Reads [`shown`] back.
    fn bytes_of(shown: &str) -> Vec<u8> {
        let unpadded = shown_without_padding(shown);
        let padding = shown.get(unpadded.len()..).unwrap_or_default();
        let count = padding.strip_prefix("\\x00{").and_then(|it| it.strip_suffix('}'));
        let count = count.map_or(usize::from(!padding.is_empty()), |it| it.parse().expect("a number"));
        let mut out = Vec::new();
        let mut rest = unpadded;
        while let Some(c) = rest.chars().next() {
            let (byte, length) = if is_like_escape(rest) {
                (vec![u8::from_str_radix(&rest[2..4], 16).expect("digits")], 4)
            } else {
                (rest.as_bytes()[..c.len_utf8()].to_vec(), c.len_utf8())
            };
            out.extend(byte);
            rest = &rest[length..];
        }
        out.extend(std::iter::repeat_n(0, count));
        out
    }

    proptest! {
        #[test]
        fn no_two_names_look_alike(
            name in proptest::collection::vec(prop_oneof![Just(b'\\'), Just(b'x'), Just(b'f'), any::<u8>()], 1..40),
            padding in 0_usize..108,
        ) {
            // Within an abstract name, NUL bytes become `@` before.
            let mut name: Vec<u8> = name.into_iter().map(|byte| if byte == 0 { b'@' } else { byte }).collect();
            name.extend(std::iter::repeat_n(0, padding));
            prop_assert_eq!(bytes_of(&shown(&name)), name);
        }
    }
}
