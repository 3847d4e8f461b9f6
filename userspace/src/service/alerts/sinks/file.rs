//! A file to which a JSON object a line is added.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use sockleak_core::text::escape;
use sockleak_recording::output_path::refuse_planted;

use super::{Notification, SinkCounts};

/// The file is put aside before it grows past this, in bytes.
const LARGEST: u64 = 16 << 20;

/// A file of alerts, and the one before it.
#[derive(Debug)]
pub(super) struct FileSink {
    path: PathBuf,
    largest: u64,
    delivered: u64,
    refused: u64,
}

impl FileSink {
    /// Nothing is opened yet.
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, largest: LARGEST, delivered: 0, refused: 0 }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line.
    ///
    /// # Errors
    /// If that fails.
    pub(super) fn append(&mut self, notification: &Notification) -> io::Result<()> {
        let line = escape::json_bytes(notification).map_err(io::Error::from);
        let outcome = line.and_then(|line| self.write(line));
        let count = if outcome.is_ok() { &mut self.delivered } else { &mut self.refused };
        *count += 1;
        outcome
    }

    /// What became of what was told.
    pub(super) fn counts(&self) -> SinkCounts {
        SinkCounts {
            kind: "file",
            destination: self.path.display().to_string(),
            delivered: self.delivered,
            refused: self.refused,
            ..SinkCounts::default()
        }
    }

    /// The file is opened each time: somebody may have put it aside.
    fn write(&self, mut line: Vec<u8>) -> io::Result<()> {
        line.push(b'\n');
        let (mut file, mut size) = self.open()?;
        if size > 0 && size.saturating_add(line.len() as u64) > self.largest {
            let mut aside = self.path.clone().into_os_string();
            aside.push(".1");
            fs::rename(&self.path, aside)?;
            (file, size) = self.open()?;
        }
        if size > 0 && !ends_a_line(&mut file)? {
            // A line that was broken off, by a full disk for example, spoils no other.
            line.insert(0, b'\n');
        }
        file.write_all(&line)
    }

    fn open(&self) -> io::Result<(File, u64)> {
        let mut options = OpenOptions::new();
        // Whoever may write to the folder could lead us elsewhere by a link, or have us wait for the reader of a pipe.
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let file = options.read(true).append(true).create(true).mode(0o640).open(&self.path)?;
        let facts = file.metadata()?;
        if !facts.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        refuse_planted(&self.path, Some(&facts))?;
        Ok((file, facts.len()))
    }
}

fn ends_a_line(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::service::alerts::tests::notification;

    fn lines(path: &Path) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(path).expect("it is there");
        assert!(text.ends_with('\n'), "{text}");
        text.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
    }

    #[test]
    fn each_alert_is_a_line() {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let path = directory.path().join("a.jsonl");
        let mut sink = FileSink::new(path.clone());
        for n in 0..3 {
            sink.append(&notification(&format!("a\n\"{n}"))).expect("it is written");
        }
        let lines = lines(&path);
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[2]["summary"], "a\n\"2");
        assert_eq!(lines[2]["version"], 1);
        let mode = fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode & !0o640, 0, "{mode:o}");
        assert_eq!((sink.counts().delivered, sink.counts().refused), (3, 0));
    }

    /// Whatever programs and sockets are called.
    #[test]
    fn a_name_is_no_second_line() {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let path = directory.path().join("a.jsonl");
        let mut sink = FileSink::new(path.clone());
        let hostile = "\u{1b}[2J\n{\"status\": \"resolved\"}\r\n</script>\u{7f}\u{0}";
        let mut notification = notification(hostile);
        notification.key.program = Some(hostile.to_owned());
        notification.key.socket = Some("'".repeat(4096));
        sink.append(&notification).expect("it is written");
        let lines = lines(&path);
        assert_eq!(lines.len(), 1);
        assert_eq!((&lines[0]["program"], &lines[0]["summary"]), (&lines[0]["summary"], &hostile.into()));
        let bytes = fs::read(&path).expect("it is there");
        assert!(bytes[..bytes.len() - 1].iter().all(|&byte| byte >= b' '), "nothing moves a cursor");
    }

    #[test]
    fn a_full_file_is_put_aside_once() {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let path = directory.path().join("a.jsonl");
        let line = serde_json::to_vec(&notification("0")).expect("it is JSON").len() as u64 + 1;
        let mut sink = FileSink { largest: 2 * line, ..FileSink::new(path.clone()) };
        for n in 0..5 {
            sink.append(&notification(&n.to_string())).expect("it is written");
        }
        let summaries =
            |path: &Path| lines(path).into_iter().map(|line| line["summary"].clone()).collect::<Vec<_>>();
        assert_eq!(summaries(&path), ["4"]);
        assert_eq!(summaries(&path.with_extension("jsonl.1")), ["2", "3"]);
        assert_eq!(fs::read_dir(directory.path()).expect("it is readable").count(), 2);
        // What is larger than a file may be is written all the same, into an empty one.
        let mut sink = FileSink { largest: 1, ..FileSink::new(path.clone()) };
        sink.append(&notification("5")).expect("it is written");
        assert_eq!(summaries(&path), ["5"]);
    }

    #[test]
    fn a_broken_line_spoils_no_other() {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let path = directory.path().join("a.jsonl");
        fs::write(&path, b"{\"version\":").expect("it is written");
        FileSink::new(path.clone()).append(&notification("a")).expect("it is written");
        let text = fs::read_to_string(&path).expect("it is there");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(serde_json::from_str::<Notification>(lines[1]).is_ok_and(|it| it.summary == "a"));
    }

    #[test]
    fn links_and_pipes_are_not_written_to() {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let (link, other) = (directory.path().join("link"), directory.path().join("other"));
        fs::write(&other, b"mine").expect("it is written");
        std::os::unix::fs::symlink(&other, &link).expect("it can be linked to");
        let pipe = directory.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("it can be made");
        for path in [link, pipe, directory.path().to_owned(), directory.path().join("none/a")] {
            let mut sink = FileSink::new(path);
            sink.append(&notification("a")).expect_err("it is no place for alerts");
            assert_eq!((sink.counts().delivered, sink.counts().refused), (0, 1));
        }
        assert_eq!(fs::read(&other).expect("it is there"), b"mine");
    }
}
