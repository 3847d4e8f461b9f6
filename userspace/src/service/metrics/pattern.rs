//! Names without what differs from host to host and from start to start: `/run/user/1000/bus` becomes `/run/user/*/bus`. Pure.

/// Digits in a row that are a number of their own: ports and versions have fewer.
const DIGITS: usize = 5;
/// Hexadecimal digits in a row, some of them letters and some not, that are an id.
const HEX: usize = 8;

/// The pattern of a path, or of another name with slashes: `*` stands for
///
/// - a part that is a number alone;
/// - five or more digits in a row;
/// - eight or more hexadecimal digits in a row with both digits and letters, dashes within them included.
pub(super) fn pattern(name: &str) -> String {
    let parts: Vec<String> = name.split('/').map(part).collect();
    parts.join("/")
}

fn part(part: &str) -> String {
    if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
        return "*".to_owned();
    }
    let mut out = String::with_capacity(part.len());
    let mut rest = part;
    while !rest.is_empty() {
        let id = id(rest);
        if id > 0 {
            out.push('*');
            rest = &rest[id..];
            continue;
        }
        // A word is looked at once, from its beginning: the end of a name is no id.
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let next = if word == 0 { rest.chars().next().map_or(1, char::len_utf8) } else { word };
        out.push_str(&numbers(&rest[..next]));
        rest = &rest[next..];
    }
    out
}

/// The length of the id that a text begins with; 0 without one.
fn id(text: &str) -> usize {
    let end = text.find(|c: char| !c.is_ascii_hexdigit() && c != '-').unwrap_or(text.len());
    // It is no id if a word goes on.
    let is_whole = text[end..].chars().next().is_none_or(|c| !c.is_ascii_alphanumeric());
    let run = text[..end].trim_end_matches('-');
    let digits = run.bytes().filter(u8::is_ascii_digit).count();
    let letters = run.bytes().filter(u8::is_ascii_alphabetic).count();
    let is_id = digits > 0 && letters > 0 && digits + letters >= HEX && !run.starts_with('-');
    if is_whole && is_id { run.len() } else { 0 }
}

/// A word with its long numbers replaced.
fn numbers(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let digits = &rest[start..];
        let length = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        out.push_str(&rest[..start]);
        out.push_str(if length >= DIGITS { "*" } else { &digits[..length] });
        rest = &digits[length..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_host_to_host_is_left_out() {
        for (name, expected) in [
            ("/run/haproxy/ma.sock", "/run/haproxy/ma.sock"),
            ("/run/php/php8.2-fpm.sock", "/run/php/php8.2-fpm.sock"),
            ("/run/postgresql/.s.PGSQL.5432", "/run/postgresql/.s.PGSQL.5432"),
            ("/usr/bin/python3.11 /srv/app.py", "/usr/bin/python3.11 /srv/app.py"),
            ("/run/user/1000/bus", "/run/user/*/bus"),
            ("/run/app/worker-48123.sock", "/run/app/worker-*.sock"),
            ("@session12345x", "@session*x"),
            ("/run/pods/6f1c2a44-9d1e-4b57-8a53-0c2f5ab1d9e0/a.sock", "/run/pods/*/a.sock"),
            ("/run/docker-8f3c1d2e4b5a.sock", "/run/docker-*.sock"),
            ("/run/facade/deadbeef.sock", "/run/facade/deadbeef.sock"),
            ("/opt/releases/20260102/bin/app", "/opt/releases/*/bin/app"),
            ("/run/ä48123ö/漢", "/run/ä*ö/漢"),
            ("other", "other"),
            ("", ""),
            ("/", "/"),
            ("-", "-"),
        ] {
            assert_eq!(pattern(name), expected, "{name:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_name_has_a_pattern_and_a_pattern_is_its_own(name in "\\PC{0,60}", ascii in "[-/a-f0-9g.@ ]{0,60}") {
            for name in [name, ascii] {
                let once = pattern(&name);
                proptest::prop_assert!(once.len() <= name.len());
                proptest::prop_assert_eq!(pattern(&once), once);
            }
        }
    }
}
