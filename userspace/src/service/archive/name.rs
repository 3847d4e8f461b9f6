//! What files are called in an archive: the same segment gives the same names, whoever asks and how often.

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};
use sockleak_core::time::Clock;
use sockleak_recording::{Trace, export::archive::Kind};

/// Where the list of a segment's files is.
const SEGMENTS: &str = "segments";
/// Hexadecimal digits of a digest that are part of a name.
const DIGITS: usize = 12;

/// What the files of a segment are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentName {
    host: String,
    date: String,
    stem: String,
}

impl SegmentName {
    /// Of a segment with this number on this host.
    #[must_use]
    pub(super) fn new(host: &str, number: u64, trace: &Trace) -> Self {
        let (header, progress) = (trace.header(), trace.progress());
        let source = trace.segment().map_or("", |segment| segment.source.as_str());
        let identity = format!("{}\n{host}\n{source}\n{number}\n{}", header.boot_id, header.started);
        let clock = Clock::utc(header.boot_time);
        let time = |at: u64| clock.timestamp(at).strftime("%Y%m%dT%H%M%SZ").to_string();
        Self {
            host: encoded(host),
            date: clock.timestamp(progress.now).strftime("%Y-%m-%d").to_string(),
            stem: format!(
                "{}-{}-{number:06}-{}",
                time(header.started),
                time(progress.now),
                short(identity.as_bytes())
            ),
        }
    }

    /// The folder of a kind of rows.
    #[must_use]
    pub(super) fn folder(&self, kind: Kind) -> String {
        self.path(&kind.to_string())
    }

    /// A file with rows, by its content.
    #[must_use]
    pub(super) fn file(&self, number: u32, bytes: &[u8]) -> String {
        format!("{}-p{number:03}-{}.parquet", self.stem, short(bytes))
    }

    /// Does a file's name say that it is of this segment?
    #[must_use]
    pub(super) fn is_of(&self, file: &str) -> bool {
        file.strip_prefix(&self.stem).is_some_and(|rest| rest.starts_with("-p"))
    }

    /// The list of its files.
    #[must_use]
    pub(super) fn list(&self) -> String {
        format!("{}/{}.json", self.path(SEGMENTS), self.stem)
    }

    fn path(&self, first: &str) -> String {
        format!("{first}/host={}/date={}", self.host, self.date)
    }
}

/// A digest as it is written into lists.
#[must_use]
pub(super) fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().fold(String::new(), |mut text, byte| {
        // Writing to a text never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn short(bytes: &[u8]) -> String {
    let mut digits = sha256(bytes);
    digits.truncate(DIGITS);
    digits
}

/// A host's name as a part of a path, as engines decode it.
fn encoded(host: &str) -> String {
    if host.is_empty() {
        return "unknown".to_owned();
    }
    host.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            text.push(byte.into());
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_parts_of_paths() {
        for (host, expected) in [
            ("db1.example", "db1.example"),
            ("a/../b", "a%2F..%2Fb"),
            ("größe=1", "gr%C3%B6%C3%9Fe%3D1"),
            ("", "unknown"),
        ] {
            assert_eq!(encoded(host), expected);
        }
    }

    #[test]
    fn names_follow_from_content() {
        let name = SegmentName {
            host: "a".to_owned(),
            date: "2026-11-30".to_owned(),
            stem: "x-y-000007-0".to_owned(),
        };
        assert_eq!(name.folder(Kind::Open), "open/host=a/date=2026-11-30");
        assert_eq!(name.list(), "segments/host=a/date=2026-11-30/x-y-000007-0.json");
        assert_eq!(name.file(1, b""), "x-y-000007-0-p001-e3b0c44298fc.parquet");
        assert!(name.is_of(&name.file(0, b"a")) && !name.is_of("x-y-000007-01-p000-1.parquet"));
    }
}
