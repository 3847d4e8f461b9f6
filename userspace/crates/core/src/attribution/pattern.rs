//! How a target is written: wildcards, and the backslash that takes a character literally.
//!
//! A backslash before one of `* ? [ ] { } \` stands for that character. Before any other it is a character of its own, so that
//! names such as `dev\x2d1.sock` are written as they are.

use globset::{GlobBuilder, GlobMatcher};

/// What a backslash takes literally.
const SPECIAL: &[u8] = b"*?[]{}\\";
/// What makes a pattern of a name.
const WILDCARDS: &[u8] = b"*?[{";

/// Has a target a wildcard that no backslash takes literally?
pub(super) fn has_wildcard(given: &[u8]) -> bool {
    tokens(given).any(|(is_escaped, byte)| !is_escaped && WILDCARDS.contains(&byte))
}

/// Is it a name of its own: without wildcards, and without the end of a bracket that began before?
pub(super) fn is_name(given: &[u8]) -> bool {
    !tokens(given).any(|(is_escaped, byte)| !is_escaped && b"*?[]{}".contains(&byte))
}

/// The name that a target without wildcards stands for.
pub(super) fn unescape(given: &[u8]) -> Vec<u8> {
    tokens(given).map(|(_, byte)| byte).collect()
}

/// A target that means this name and no other.
pub(super) fn escape(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    for &byte in name {
        if SPECIAL.contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}

/// Compiles a pattern. `separated`: a wildcard does not stand for a slash.
pub(super) fn compile(pattern: &str, separated: bool) -> Result<GlobMatcher, globset::Error> {
    let mut written = String::with_capacity(pattern.len());
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        written.push(c);
        if c == '\\' {
            // globset takes whatever follows literally, and the backslash away.
            match rest.next_if(|next| u8::try_from(*next).is_ok_and(|next| SPECIAL.contains(&next))) {
                Some(next) => written.push(next),
                None => written.push('\\'),
            }
        }
    }
    let glob = GlobBuilder::new(&written).literal_separator(separated).backslash_escape(true).build()?;
    Ok(glob.compile_matcher())
}

/// The bytes that are meant, and whether a backslash takes each literally.
fn tokens(given: &[u8]) -> impl Iterator<Item = (bool, u8)> + '_ {
    let mut rest = given.iter().copied().peekable();
    std::iter::from_fn(move || {
        let byte = rest.next()?;
        let escaped = if byte == b'\\' { rest.next_if(|next| SPECIAL.contains(next)) } else { None };
        Some(escaped.map_or((false, byte), |escaped| (true, escaped)))
    })
}
