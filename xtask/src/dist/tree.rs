//! Files that become an archive: the same files give the same bytes, wherever and whenever they are packed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Folder,
    File { bytes: Vec<u8>, mode: u32 },
    Link(String),
}

/// Files by their paths, sorted. All of them belong to root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree(BTreeMap<String, Entry>);

impl Tree {
    /// Adds a file that everybody may read.
    pub(super) fn file(&mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.put(path.into(), Entry::File { bytes: bytes.into(), mode: 0o644 });
    }

    /// Adds a program.
    pub(super) fn program(&mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.put(path.into(), Entry::File { bytes: bytes.into(), mode: 0o755 });
    }

    /// Adds a symbolic link.
    pub(super) fn link(&mut self, path: impl Into<String>, target: impl Into<String>) {
        self.put(path.into(), Entry::Link(target.into()));
    }

    /// Adds an empty folder.
    pub(super) fn folder(&mut self, path: impl Into<String>) {
        self.put(path.into(), Entry::Folder);
    }

    /// Adds a file of this machine under another path.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn copy(&mut self, path: impl Into<String>, from: &Path) -> Result<()> {
        self.file(path, read(from)?);
        Ok(())
    }

    /// Adds the files of a folder whose names the filter accepts, but not what lies in its folders.
    ///
    /// # Errors
    /// If one of them cannot be read, or there is none.
    pub(super) fn copy_all(
        &mut self,
        folder: &str,
        from: &Path,
        accept: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let mut count = 0;
        for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_file() && accept(&name) {
                self.copy(format!("{folder}/{name}"), &entry.path())?;
                count += 1;
            }
        }
        ensure!(count > 0, "{} has no file to pack", from.display());
        Ok(())
    }

    /// A file's content.
    pub(super) fn bytes(&self, path: &str) -> Option<&[u8]> {
        match self.0.get(path)? {
            Entry::File { bytes, .. } => Some(bytes),
            Entry::Folder | Entry::Link(_) => None,
        }
    }

    /// Adds an entry, and the folders that it lies in.
    fn put(&mut self, path: String, entry: Entry) {
        for (end, _) in path.match_indices('/') {
            self.0.entry(path[..end].to_owned()).or_insert(Entry::Folder);
        }
        self.0.insert(path, entry);
    }

    /// Packs everything as a tar file. Every entry gets this time, in seconds since 1970.
    ///
    /// # Errors
    /// If an entry does not fit into a tar file.
    pub(super) fn tar(&self, time: u64) -> Result<Vec<u8>> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, entry) in &self.0 {
            let mut header = tar::Header::new_gnu();
            header.set_mtime(time);
            header.set_uid(0);
            header.set_gid(0);
            let added = match entry {
                Entry::Folder => {
                    header.set_entry_type(tar::EntryType::Directory);
                    header.set_mode(0o755);
                    header.set_size(0);
                    builder.append_data(&mut header, format!("{path}/"), io::empty())
                }
                Entry::File { bytes, mode } => {
                    header.set_mode(*mode);
                    header.set_size(bytes.len() as u64);
                    builder.append_data(&mut header, path, bytes.as_slice())
                }
                Entry::Link(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_mode(0o777);
                    header.set_size(0);
                    builder.append_link(&mut header, path, target)
                }
            };
            added.with_context(|| format!("cannot pack {path}"))?;
        }
        builder.into_inner().context("cannot end the archive")
    }
}

/// Compresses bytes, without a name and a time in the header.
///
/// # Errors
/// Never, in memory.
pub(super) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    // 3 is Unix: otherwise the header would name the system that packed it.
    let mut writer = GzBuilder::new().mtime(0).operating_system(3).write(Vec::new(), Compression::best());
    writer.write_all(bytes)?;
    Ok(writer.finish()?)
}

/// The SHA-256 of bytes, in hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Reads a file.
///
/// # Errors
/// If that fails; the error names the file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Tree {
        let mut tree = Tree::default();
        tree.program("a-1/bin/sockleak", "#!");
        tree.link("a-1/lib64", "usr/lib64");
        tree.file("a-1/README.md", "# A\n");
        tree
    }

    #[test]
    fn the_order_in_which_files_are_added_changes_nothing() {
        let mut other = Tree::default();
        other.file("a-1/README.md", "# A\n");
        other.program("a-1/bin/sockleak", "#!");
        other.link("a-1/lib64", "usr/lib64");
        let packed = example().tar(7).expect("it fits");
        assert_eq!(packed, other.tar(7).expect("it fits"));
        assert_ne!(packed, other.tar(8).expect("it fits"));
        assert_eq!(gzip(&packed).expect("in memory"), gzip(&packed).expect("in memory"));
    }

    #[test]
    fn entries_belong_to_root_and_have_one_time() {
        let packed = example().tar(1_796_031_280).expect("it fits");
        let mut archive = tar::Archive::new(packed.as_slice());
        let mut seen = Vec::new();
        for entry in archive.entries().expect("it is a tar file") {
            let entry = entry.expect("it is whole");
            let header = entry.header();
            assert_eq!((header.uid().expect("uid"), header.gid().expect("gid")), (0, 0));
            assert_eq!(header.mtime().expect("time"), 1_796_031_280);
            let path = entry.path().expect("path").display().to_string();
            seen.push((path, header.mode().expect("mode")));
        }
        let expected = [
            ("a-1/", 0o755),
            ("a-1/README.md", 0o644),
            ("a-1/bin/", 0o755),
            ("a-1/bin/sockleak", 0o755),
            ("a-1/lib64", 0o777),
        ];
        assert_eq!(seen, expected.map(|(path, mode)| (path.to_owned(), mode)));
    }

    #[test]
    fn the_header_of_gzip_says_nothing_of_this_machine() {
        let packed = gzip(b"x").expect("in memory");
        // Magic, deflate, no name, no time, best compression, Unix.
        assert_eq!(packed[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3]);
    }

    #[test]
    fn sums_are_those_of_sha256sum() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
